"""The local store's calls to the operating system, one small function each.

A descriptor that holds a lock belongs to a `Held`. A forked child would share the lock and keep it after its
parent's death, so the child closes its copies at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import sys
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Literal

from asflow._descriptors import above_standard
from asflow.errors import OutputPlaceError
from asflow.stores import _windows

if TYPE_CHECKING:
    from collections.abc import Callable

Mark = tuple[int, int]
"""Device and inode: the identity of a file, independent of its names."""

WINDOWS = os.name == "nt"
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)

_NO_LOCKS = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK})
"""Errors of a file system that has no flock."""

_boxes: dict[int, list[int]] = {}
"""The lists of all `Held`, by their `id`."""

_forks = 0
# Reentrant: a signal handler or a finaliser may fork while its own thread holds the lock.
_fork_lock = threading.RLock()


class Held:
    """A descriptor that holds a lock. It is closed by `close`, and when this object is dropped.

    Ctrl-C may come after any call, and is likeliest after one that has waited for the disk: a plain number,
    on its way to a variable, would be lost then.
    """

    __slots__ = ("__weakref__", "_box")

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._box: list[int] = []

    def __del__(self) -> None:
        # At interpreter exit the globals used here may be gone, and the system closes the descriptor.
        with contextlib.suppress(Exception):
            self.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a descriptor; not in a forked child."""
        return bool(self._box)

    @property
    def number(self) -> int:
        """The descriptor. Raises IndexError if it is closed."""
        return self._box[0]

    def open(self, path: str, flags: int) -> int:
        """Open *path* and return the descriptor, 3 or above; no executed program keeps it."""
        box, flags = self._box, flags | os.O_RDWR | _NO_FOLLOW
        with _fork_lock:
            _boxes[id(box)] = box
            # One call of C from end to end: Ctrl-C comes before it or when the number is in the box.
            box.extend(map(_open_shared if WINDOWS else os.open, (path,), (flags,), (0o666,)))
            if box[0] < 3:
                box[0] = above_standard(box[0])
            return box[0]

    def close(self) -> None:
        """Close the descriptor, which releases its lock, if there is one. Never raises."""
        box = self._box
        if not box and id(box) not in _boxes:  # a second time, as when it is dropped
            return
        with _fork_lock:
            try:
                if box:
                    _drain(map(os.close, map(_pop, (box,))))  # as in `open`
            except OSError:
                pass  # the descriptor is gone all the same, and the bytes were synced before
            _boxes.pop(id(box), None)


_drain = deque[None](maxlen=0).extend
_pop: Callable[[list[int]], int] = list.pop  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _open_shared(path: str, flags: int, mode: int) -> int:
    return _windows.open_shared(path, flags)


def fork_count() -> int:
    """Return the number of forks that led to this process: a change means that this is a child."""
    return _forks


def _after_fork_in_child() -> None:
    global _forks, _fork_lock
    _forks += 1
    _fork_lock = threading.RLock()
    for box in _boxes.values():
        for descriptor in box:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        box.clear()
    _boxes.clear()


if sys.platform == "win32":

    def _try_flock(descriptor: int) -> bool:
        raise AssertionError(descriptor)

    def _flush_drive(descriptor: int) -> bool:
        return False

else:
    import fcntl

    def _try_flock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            # Not for ENOLCK, which may pass: then another process could hold the other kind of lock.
            locked = None if error.errno == errno.ENOLCK else _try_ofd_lock(descriptor)
            if locked is None:
                raise _no_locks(error) from None
            return locked
        return True

    def _try_ofd_lock(descriptor: int) -> bool | None:
        """Lock by an open file description lock, which ends as flock's does; None if that is refused, too."""
        command: int | None = getattr(fcntl, "F_OFD_SETLK", None)  # Linux
        if command is None:
            return None
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            fcntl.fcntl(descriptor, command, whole)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True

    def _flush_drive(descriptor: int) -> bool:
        # macOS: fsync leaves the data in the drive's own cache (man 2 fsync).
        command: int | None = getattr(fcntl, "F_FULLFSYNC", None)
        if command is None:
            return False
        try:
            fcntl.fcntl(descriptor, command)
        except OSError:  # not supported by this file system: fall back to fsync
            return False
        return True

    os.register_at_fork(
        before=lambda: _fork_lock.acquire(),
        after_in_parent=lambda: _fork_lock.release(),
        after_in_child=_after_fork_in_child,
    )


def try_lock(descriptor: int) -> bool:
    """Lock the open file for its writer, without waiting; False if another descriptor holds the lock.

    Two descriptors of one file conflict within a process too. The lock ends with the descriptor, and so with
    the process, even if that is killed.

    Raises:
        OutputPlaceError: the file system has no such locks.
    """
    return _windows.try_lock(descriptor) if WINDOWS else _try_flock(descriptor)


def rename(path: str, target: str) -> None:
    """Rename *path*. On Windows an existing *target* is refused with FileExistsError, elsewhere replaced."""
    if WINDOWS:
        _windows.retried(lambda: os.rename(path, target), target)
    else:
        os.rename(path, target)


def replace(path: str, target: str) -> None:
    """Rename *path*, replacing *target*."""
    if WINDOWS:
        _windows.retried(lambda: os.replace(path, target), target)
    else:
        os.replace(path, target)


def unlink(path: str) -> None:
    """Remove the name *path*."""
    if WINDOWS:
        _windows.retried(lambda: os.unlink(path), path)
    else:
        os.unlink(path)


def set_times(descriptor: int, path: str, seconds: float | None) -> None:
    """Set the time of the open file *path*; None is now."""
    times = None if seconds is None else (seconds, seconds)
    if WINDOWS:  # which takes no descriptor
        os.utime(path, times)
    else:
        os.utime(descriptor, times)


def sync_file(descriptor: int) -> None:
    """Wait until the file's bytes are on the disk."""
    if not _flush_drive(descriptor):
        os.fsync(descriptor)


def sync_folder(folder: str, known: set[Mark]) -> None:
    """Wait until the entries of *folder* are on the disk, and those of the folders that lead to it.

    Args:
        folder: absolute path.
        known: folders whose path from the root was synced before; new ones are added.
    """
    if WINDOWS:  # a folder can't be opened there: its names reach the disk when the system writes them
        return
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
        # A parent that we may not read: the folder was not made by us.
        if mark in known or parent == folder or not os.access(parent, os.R_OK):
            break
        fresh.add(mark)
        folder = parent
    known.update(fresh)


def link_descriptor(descriptor: int, name: str) -> None:
    """Add the name *name* to an open file; FileExistsError if that name is taken.

    Linking the descriptor rather than a path publishes the bytes that were written, even if another
    process has replaced the file at the path. A file that has lost its last name is refused with ENOENT.
    """
    if WINDOWS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    # With src_dir_fd Python calls linkat with AT_SYMLINK_FOLLOW, otherwise link, which fails with EXDEV.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)


def mark_of(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino


def is_at(mark: Mark, path: str) -> bool:
    """Return whether *path* is a name of the file *mark*."""
    try:
        return mark_of(os.lstat(path)) == mark
    except (FileNotFoundError, NotADirectoryError):
        return False


def is_there(path: str) -> bool:
    """Return whether anything has the name *path*, a link that leads nowhere included; False after an error.

    Half the time of `os.path.lexists` if there is nothing, as no exception is made.
    """
    return _access(path, os.F_OK)


_access: Callable[[str, int], bool] = (
    partial(os.access, follow_symlinks=False)
    if os.access in os.supports_follow_symlinks
    else lambda path, _: os.path.lexists(path)
)


def look(path: str) -> os.stat_result | None:
    """Return the stat of the regular file *path*, following a symbolic link; None if nothing is there.

    Raises:
        OutputPlaceError: *path* is not a regular file, or is a link that leads nowhere; or a folder above
            it is a link to itself.
        NotADirectoryError: a folder above it is a file.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise _folder_error(path) from None
        if error.errno == errno.ENAMETOOLONG:
            raise too_long(path) from None
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
    # Links are followed except at `NAME.part`: writing through one would overwrite another file.
    stat.S_IFREG: ("a symbolic link", errno.EEXIST),
    stat.S_IFDIR: ("a folder", errno.EISDIR),
    stat.S_IFIFO: ("a FIFO", errno.EEXIST),
    stat.S_IFSOCK: ("a socket", errno.EEXIST),
    stat.S_IFCHR: ("a device", errno.EEXIST),
    stat.S_IFBLK: ("a device", errno.EEXIST),
}


def place_error(path: str, *, expected: Literal["file", "folder"] = "file") -> OutputPlaceError:
    """Return the error of finding something else at *path* than a regular file, or than a folder."""
    try:
        kind, code = _KINDS[stat.S_IFMT(os.stat(path).st_mode)]
    except OSError as error:
        kind, code = "a symbolic link that leads nowhere", error.errno or errno.ENOENT
    except KeyError:
        kind, code = "a special file", errno.EEXIST
    remedy = "rename the output" if expected == "file" else "change base"
    return OutputPlaceError(
        code, f"LocalStore(): a {expected} is expected here, not {kind}; move it away, or {remedy}", path
    )


def _lowest(path: str) -> str:
    """Return the lowest folder above *path* whose name exists, as a folder, a file or a link."""
    folder = os.path.dirname(path)
    while folder and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder


def _folder_error(path: str) -> OSError:
    """Return the error of a file, or of a link that leads nowhere, that *path* needs as a folder."""
    blocked = _lowest(path)
    if os.path.islink(blocked) and not os.path.exists(blocked):
        return place_error(blocked, expected="folder")
    return NotADirectoryError(
        errno.ENOTDIR,
        f"LocalStore(): {path!r} needs a folder here, not a file; move the file away, or change base",
        blocked,
    )


def absolute(name: str) -> str:
    """Resolve *name* against the current directory; unlike `os.path.abspath`, leave `link/..` as it is."""
    if WINDOWS and os.name == "nt":  # `/x` is on the drive of the current directory
        return (
            name
            if os.path.isabs(os.path.splitdrive(name)[1]) and os.path.splitdrive(name)[0]
            else (os.path.join(os.getcwd(), name).replace("\\", "/"))
        )
    return name if name.startswith("/") or os.path.isabs(name) else os.path.join(os.getcwd(), name)


def is_same_folder(path: str, other: str) -> bool:
    """Return whether two files are in one folder, which may have several spellings: a link, `x/..`."""
    try:
        return os.path.samefile(os.path.dirname(path), os.path.dirname(other))
    except OSError:
        return False


def too_long(path: str) -> OutputPlaceError:
    """Return the error of a path that the system has no room for."""
    return OutputPlaceError(
        errno.ENAMETOOLONG,
        "LocalStore(): the path, with '.part' added, is too long for this system; shorten base or on, or use "
        "`*` in on" + (" (or let Windows take long paths: LongPathsEnabled)" if WINDOWS else ""),
        path,
    )


def _no_locks(error: OSError) -> OutputPlaceError:
    """Return the error of a file system on which two processes could make one output."""
    return OutputPlaceError(
        error.errno,
        f"LocalStore(): files can't be locked here ({error.strerror}), so two processes could make one "
        f"output; keep outputs on a local disk or in an ObjectStore, or mount this file system with locks",
    )


def name_file(error: BaseException, path: str) -> None:
    """Add the file's name to an error that was raised for a descriptor."""
    if isinstance(error, OSError) and error.filename is None:
        error.filename = path


def make_folder(path: str, known: set[Mark]) -> None:
    """Make the folder of *path*, and those above it.

    Args:
        path: absolute path of a file.
        known: folders whose path from the root was synced before; those that are made now are removed, as
            they may have the inodes of deleted ones.

    Raises:
        OutputPlaceError: a folder above is a link that leads nowhere.
        NotADirectoryError: a folder above is a file.
        OSError: a folder can't be made (EACCES, ENOSPC, ...).
    """
    folder, there = os.path.dirname(path), _lowest(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        if os.path.isdir(folder):  # made by another process in the meantime
            return
        # makedirs names a folder below the link that is in the way, with ENOENT.
        if error.errno in _IN_THE_WAY and not os.path.isdir(_lowest(path)):
            raise _folder_error(path) from None
        raise
    while known and folder != there:
        with contextlib.suppress(OSError):  # deleted again: the next output makes it
            known.discard(mark_of(os.stat(folder)))
        folder = os.path.dirname(folder)
