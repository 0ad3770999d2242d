"""The file in progress, `NAME.part`: open and lock it, take it over from a dead writer, remove it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from asflow.errors import ClaimLostError
from asflow.stores import _posix
from asflow.stores._common import PART
from asflow.stores._posix import (
    Held,
    Mark,
    is_at,
    link_descriptor,
    make_folder,
    mark_of,
    name_file,
    place_error,
    too_long,
    try_lock,
    unlink,
)
from asflow.stores._windows import is_too_long

_TRIES = 100
_LOCKS = "/proc/locks"

# Errors of a link after which a rename is tried; one that is not about links is raised by the rename again.
# ENAMETOOLONG: NAME.part.part may be too long when NAME.part is not.
_NO_LINKS = frozenset(
    {
        errno.ENAMETOOLONG,
        errno.EPERM,
        errno.EACCES,
        errno.ENOENT,
        errno.EXDEV,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
    }
)


class Part(Held):
    """An open `NAME.part`. Dropped without an end, it removes the file if that is its own.

    Args:
        path: absolute.

    Attributes:
        path: the same.
        mark: the file's identity, once it is locked.
        owned: whether the file is this object's: created by it, or locked.
    """

    __slots__ = ("mark", "owned", "path")

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path: str = path
        self.mark: Mark | None = None
        self.owned: bool = False

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.end()

    def end(self) -> None:
        """Remove the file if it is still there, and release its lock. Never raises."""
        if self.is_open and self.owned:
            try:  # noqa: SIM105 - contextlib.suppress costs as much as a system call
                drop(self.mark or mark_of(os.fstat(self.number)), self.path)
            except OSError:
                pass
        self.close()

    def stage(self) -> str:
        """Return a name of the file to rename: a link of its own, or its path if links are refused."""
        spare = self.path + PART
        while True:
            try:
                return spare if self.link(spare) else self.path
            except FileExistsError:  # left by a process that was killed at this point
                remove(spare)

    def link(self, target: str) -> bool:
        """Add the name *target* to the file; False if links are refused, or there is no /proc.

        Raises:
            FileExistsError: *target* exists.
            ClaimLostError: the file in progress has lost its own name.
        """
        try:
            link_descriptor(self.number, target)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                error.filename, error.filename2 = target, None
                raise
            if self.mark is None or not is_at(self.mark, self.path):
                raise self.lost() from None
            return False
        return True

    def lost(self) -> ClaimLostError:
        """Return the error of a file that is at its path no more."""
        return ClaimLostError(
            f"LocalStore(): {self.path!r} was removed or replaced during the task, so nothing was published; "
            f"run it again"
        )

    def give_up(self) -> None:
        """Release the lock, and leave the file."""
        self.owned = False
        self.close()


def lock_part(path: str, known: set[Mark]) -> Part | None:
    """Open and lock the file *path*, created with its folders if missing; None while its writer lives.

    Args:
        path: of a `.part`, absolute.
        known: see `make_folder`.

    Returns:
        The file, locked. It is new: one that a dead writer has left is removed.

    Raises:
        OSError: it can't be created; nothing is left behind.
        ClaimLostError: another process removes it as fast as it is created.
    """
    for _ in range(_TRIES):
        part = _open_part(path, known)
        try:
            created = part.owned
            if not try_lock(part.number):
                part.give_up()
                return None
            part.owned = True
            part.mark = mark_of(os.fstat(part.number))
            # Between open and lock the former owner may have ended, and removed the name.
            if is_at(part.mark, path):
                if created:
                    return part
                # Of a dead writer. Never truncated: it may be a second name of a published file, and not
                # every file system says so (sshfs counts one link for each name).
                remove(path + PART)
                remove(path)
            part.give_up()
        except BaseException as error:
            name_file(error, path)
            part.end()
            raise
    raise _removed_error(repr(path))


def _open_part(path: str, known: set[Mark]) -> Part:
    """Open *path*; the result is owned if this call has created the file."""
    for _ in range(_TRIES):
        part = Part(path)
        part.owned = True  # before it is, since Ctrl-C may come right after
        try:
            part.open(path, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            part.owned = False
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG or (error.errno == errno.ENOENT and _lacks_room(path)):
                raise too_long(path) from None
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                make_folder(path, known)
                continue
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                error.add_note(
                    "LocalStore(): each running task with an output keeps one file open; lower its limit"
                )
            raise
        else:
            return part
        if _opened(part):
            return part
    raise _removed_error(f"{path!r} or its folder")


def _opened(part: Part) -> bool:
    """Open a file that is there; False if it is not there any more."""
    try:
        part.open(part.path, 0)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in {errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV}:
            raise place_error(part.path) from None
        raise
    try:
        if stat.S_ISREG(os.fstat(part.number).st_mode):
            return True
        raise place_error(part.path)
    except BaseException as error:
        name_file(error, part.path)
        part.close()
        raise


def _lacks_room(part: str) -> bool:
    """Return whether *part* can't be created because Windows takes its path for too long."""
    return _posix.WINDOWS and is_too_long(part) and os.path.isdir(os.path.dirname(part))


def _removed_error(what: str) -> ClaimLostError:
    return ClaimLostError(f"LocalStore(): another process keeps removing {what}; stop it, then run again")


def is_locked(path: str) -> bool:
    """Return whether the file *path* has a living writer; False if that can't be known. Never raises."""
    if not os.access(path, os.F_OK):  # most often: a failed `open` takes three times as long
        return False
    held = Held()
    try:
        held.open(path, 0)
        # For a moment this holds the lock: a claim just then is refused, and made again soon after.
        return not try_lock(held.number)
    except OSError:
        return False
    finally:
        held.close()


def owner_of(part: str) -> int | None:
    """Return the process that has locked the file *part*, if the system says so: Linux, for flock."""
    try:
        found = os.stat(part)
        with open(_LOCKS, encoding="ascii") as locks:
            lines = locks.readlines()
    except (OSError, ValueError):
        return None
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 1234 fe:00:131 0 EOF; one that waits has `->` after the number.
        words = line.split()
        if len(words) == 8 and words[1] == "FLOCK" and words[5] == place and words[4].isdecimal():
            return int(words[4]) or None
    return None


def sweep(name: str, found: os.stat_result) -> None:
    """Remove the second name of a published file, left by a writer that was killed. Never raises."""
    part = name + PART
    mark = mark_of(found)
    with contextlib.suppress(OSError):
        if not is_at(mark, part):
            return
        held = Held()
        try:
            number = held.open(part, 0)
            if try_lock(number) and mark_of(os.fstat(number)) == mark:
                drop(mark, part)
        finally:
            held.close()


def drop(mark: Mark, part: str) -> None:
    """Remove *part* if it is still the file *mark*, and not one that has replaced it."""
    if is_at(mark, part):
        unlink(part)


def remove(path: str) -> None:
    """Remove the file *path* if there is one."""
    with contextlib.suppress(FileNotFoundError):
        unlink(path)
