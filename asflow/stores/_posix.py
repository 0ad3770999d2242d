"""What the local store asks of the operating system, one small function each.

A descriptor that carries a lock is opened and closed through `open_held` and `close_held`. A forked child
would share the lock and keep it after its parent's death, so the child closes its copies at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
from typing import Literal

from asflow.errors import OutputPlaceError

__all__ = [
    "Mark",
    "absolute",
    "close_held",
    "fork_count",
    "is_at",
    "link_descriptor",
    "look",
    "make_folder",
    "mark_of",
    "name_file",
    "open_held",
    "place_error",
    "sync_file",
    "sync_folder",
    "try_lock",
]

Mark = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""

_held: set[int] = set()
_forks = 0
# Reentrant, because a signal handler or a finaliser may fork while its own thread is in here.
_fork_lock = threading.RLock()


def open_held(path: str, flags: int) -> int:
    """Open *path* for a lock; the descriptor reaches neither a forked child nor an executed program."""
    with _fork_lock:
        descriptor = os.open(path, flags | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o666)
        _held.add(descriptor)
    return descriptor


def close_held(descriptor: int) -> None:
    """Close what `open_held` opened; its lock ends here. Never raises."""
    with _fork_lock:
        _held.discard(descriptor)
        try:  # noqa: SIM105 - contextlib.suppress costs more than the rest
            os.close(descriptor)
        except OSError:
            pass  # the descriptor is gone all the same, and what had to be safe was synced before


def fork_count() -> int:
    """Tell how often this process's ancestors forked: another number means that we are in a child."""
    return _forks


def _after_fork_in_child() -> None:
    global _forks, _fork_lock
    _forks += 1
    _fork_lock = threading.RLock()
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if sys.platform == "win32":

    def try_lock(descriptor: int) -> bool:
        """Refuse: there is no flock on Windows."""
        raise OSError(
            errno.ENOTSUP,
            "LocalStore can't claim outputs on Windows, it needs flock: use WSL or another store",
        )

    def _flush_drive(descriptor: int) -> bool:
        return False

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock the open file for its writer, without waiting; False where somebody else holds it.

        Two descriptors of one file conflict within a process too. The lock ends with the descriptor,
        so also when the process is killed.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _flush_drive(descriptor: int) -> bool:
        # macOS: fsync leaves the data in the drive's own cache (man 2 fsync).
        command: int | None = getattr(fcntl, "F_FULLFSYNC", None)
        if command is None:
            return False
        try:
            fcntl.fcntl(descriptor, command)
        except OSError:  # not on this file system: fsync is what there is
            return False
        return True

    os.register_at_fork(
        before=lambda: _fork_lock.acquire(),
        after_in_parent=lambda: _fork_lock.release(),
        after_in_child=_after_fork_in_child,
    )


def sync_file(descriptor: int) -> None:
    """Return when the file's bytes are on the disk."""
    if not _flush_drive(descriptor):
        os.fsync(descriptor)


def sync_folder(folder: str, known: set[Mark]) -> None:
    """Return when the entries of *folder* are on the disk, and those that lead to it.

    Args:
        folder: absolute path.
        known: folders whose way from the root was synced before; added to.
    """
    fresh: set[Mark] = set()
    while True:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
            mark = mark_of(os.fstat(descriptor))
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        parent = os.path.dirname(folder)
        # A folder that we may write but whose parent we may not read was not made by us.
        if mark in known or parent == folder or not os.access(parent, os.R_OK):
            break
        fresh.add(mark)
        folder = parent
    known.update(fresh)


def link_descriptor(descriptor: int, name: str) -> None:
    """Give an open file the further name *name*; FileExistsError if that is taken, whatever by.

    Linking the descriptor rather than a path publishes the bytes that were written, even if somebody put
    another file in the path's place. A file that has lost its last name is refused with ENOENT.
    """
    # With src_dir_fd Python calls linkat with AT_SYMLINK_FOLLOW, otherwise link, which answers EXDEV.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)


def mark_of(found: os.stat_result) -> Mark:
    """Tell which file *found* is about."""
    return found.st_dev, found.st_ino


def is_at(mark: Mark, path: str) -> bool:
    """Tell whether *path* is the name of that very file."""
    try:
        return mark_of(os.lstat(path)) == mark
    except (FileNotFoundError, NotADirectoryError):
        return False


def look(path: str) -> os.stat_result | None:
    """Look at the regular file called *path*, through a symbolic link too; None where there is nothing.

    Raises:
        OutputPlaceError: something else than a regular file is there, or a link that leads nowhere; or a
            link to itself stands where *path* needs a folder.
        NotADirectoryError: a file stands there.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise _folder_error(path) from None
        raise
    if stat.S_ISLNK(found.st_mode):
        try:
            found = os.stat(path)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise place_error(path) from None
            raise
    if not stat.S_ISREG(found.st_mode):
        raise place_error(path)
    return found


_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ELOOP})

_KINDS = {
    # Links are followed, but for `NAME.part`: to write through one would be to write into somebody's file.
    stat.S_IFREG: ("a symbolic link", errno.EEXIST),
    stat.S_IFDIR: ("a folder", errno.EISDIR),
    stat.S_IFIFO: ("a FIFO", errno.EEXIST),
    stat.S_IFSOCK: ("a socket", errno.EEXIST),
    stat.S_IFCHR: ("a device", errno.EEXIST),
    stat.S_IFBLK: ("a device", errno.EEXIST),
}


def place_error(path: str, *, belongs: Literal["file", "folder"] = "file") -> OutputPlaceError:
    """Describe what stands at *path* in the place of a regular file, or of a folder."""
    try:
        kind, code = _KINDS[stat.S_IFMT(os.stat(path).st_mode)]
    except OSError as error:
        kind, code = "a symbolic link that leads nowhere", error.errno or errno.ENOENT
    except KeyError:
        kind, code = "something that is no regular file", errno.EEXIST
    remedy = "rename the output" if belongs == "file" else "change base"
    return OutputPlaceError(code, f"{kind} stands where a {belongs} belongs; move it away, or {remedy}", path)


def _lowest(path: str) -> str:
    """Return the lowest of the folders above *path* whose name is taken, be it by a file or a link."""
    folder = os.path.dirname(path)
    while folder and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder


def _folder_error(path: str) -> OSError:
    """Describe the file, or the link that leads nowhere, that stands where *path* needs a folder."""
    blocked = _lowest(path)
    if os.path.islink(blocked) and not os.path.exists(blocked):
        return place_error(blocked, belongs="folder")
    return NotADirectoryError(
        errno.ENOTDIR,
        f"this is no folder, but {path!r} needs one here; move it away, or change base",
        blocked,
    )


def absolute(name: str) -> str:
    """Pin *name* to the current directory; unlike `os.path.abspath`, `link/..` keeps its meaning."""
    return name if name.startswith("/") or os.path.isabs(name) else os.path.join(os.getcwd(), name)


def name_file(error: BaseException, path: str) -> None:
    """Let an error about a descriptor tell which file it is about."""
    if isinstance(error, OSError) and error.filename is None:
        error.filename = path


def make_folder(path: str, known: set[Mark]) -> None:
    """Make the folder that *path* is to live in, and those above it.

    Args:
        path: absolute path of a file.
        known: folders whose way from the root was synced before; those that are made now are taken out, as
            they may have got the inodes of removed ones.

    Raises:
        OutputPlaceError: a link that leads nowhere stands in a folder's place.
        NotADirectoryError: a file does.
        OSError: a folder can't be made (EACCES, ENOSPC, ...).
    """
    folder, there = os.path.dirname(path), _lowest(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        if os.path.isdir(folder):  # made by somebody else in the meantime
            return
        # makedirs names a folder below the link that is in the way, and says that there is nothing above it.
        if error.errno in _IN_THE_WAY and not os.path.isdir(_lowest(path)):
            raise _folder_error(path) from None
        raise
    while known and folder != there:
        with contextlib.suppress(OSError):  # removed again: it will be made anew
            known.discard(mark_of(os.stat(folder)))
        folder = os.path.dirname(folder)
