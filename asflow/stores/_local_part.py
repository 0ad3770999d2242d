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
    Mark,
    close_held,
    is_at,
    make_folder,
    mark_of,
    name_file,
    open_held,
    place_error,
    too_long,
    try_lock,
    unlink,
)
from asflow.stores._windows import is_too_long

_TRIES = 100
_LOCKS = "/proc/locks"


def lock_part(part: str, known: set[Mark]) -> tuple[int, Mark] | None:
    """Open and lock the file *part*, created with its folders if missing; None while its writer lives.

    Args:
        part: absolute path.
        known: see `make_folder`.

    Returns:
        The descriptor and the file's mark. The file is new: one that a dead writer has left is removed.

    Raises:
        OSError: it can't be created; nothing is left behind.
        ClaimLostError: another process removes it as fast as it is created.
    """
    for _ in range(_TRIES):
        descriptor, created = _open_part(part, known)
        locked = kept = False
        try:
            locked = try_lock(descriptor)
            if not locked:
                return None
            mark = mark_of(os.fstat(descriptor))
            # Between open and lock the former owner may have ended, and removed the name.
            if is_at(mark, part):
                if created:
                    kept = True
                    return descriptor, mark
                # Of a dead writer. Never truncated: it may be a second name of a published file, and not
                # every file system says so (sshfs counts one link for each name).
                remove(part + PART)
                remove(part)
        except BaseException as error:
            name_file(error, part)
            if created or locked:
                with contextlib.suppress(OSError):
                    drop(mark_of(os.fstat(descriptor)), part)
            raise
        finally:
            if not kept:
                close_held(descriptor)
    raise _removed_error(repr(part))


def _open_part(part: str, known: set[Mark]) -> tuple[int, bool]:
    """Open *part*; return its descriptor, and whether this call has created it."""
    for _ in range(_TRIES):
        try:
            return open_held(part, os.O_CREAT | os.O_EXCL), True
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG or (error.errno == errno.ENOENT and _lacks_room(part)):
                raise too_long(part) from None
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                make_folder(part, known)
                continue
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                error.add_note(
                    "LocalStore(): each running task with an output keeps one file open; lower its limit"
                )
            raise
        try:
            descriptor = open_held(part, 0)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in {errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV}:
                raise place_error(part) from None
            raise
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor, False
            raise place_error(part)
        except BaseException as error:
            name_file(error, part)
            close_held(descriptor)
            raise
    raise _removed_error(f"{part!r} or its folder")


def _lacks_room(part: str) -> bool:
    """Return whether *part* can't be created because Windows takes its path for too long."""
    return _posix.WINDOWS and is_too_long(part) and os.path.isdir(os.path.dirname(part))


def _removed_error(what: str) -> ClaimLostError:
    return ClaimLostError(f"LocalStore(): another process keeps removing {what}; stop it, then run again")


def unlock_part(descriptor: int, mark: Mark, part: str) -> None:
    """Remove *part* if it is still the file *mark*, and release its lock. Never raises."""
    try:  # noqa: SIM105 - contextlib.suppress costs as much as a system call
        drop(mark, part)
    except OSError:
        pass
    close_held(descriptor)


def is_locked(part: str) -> bool:
    """Return whether the file *part* has a living writer; False if that can't be known. Never raises."""
    try:
        descriptor = open_held(part, 0)
    except OSError:
        return False
    try:
        # For a moment this holds the lock: a claim just then is refused, and made again soon after.
        return not try_lock(descriptor)
    except OSError:
        return False
    finally:
        close_held(descriptor)


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
        descriptor = open_held(part, 0)
        try:
            if try_lock(descriptor) and mark_of(os.fstat(descriptor)) == mark:
                drop(mark, part)
        finally:
            close_held(descriptor)


def drop(mark: Mark, part: str) -> None:
    """Remove *part* if it is still the file *mark*, and not one that has replaced it."""
    if is_at(mark, part):
        unlink(part)


def remove(path: str) -> None:
    """Remove the file *path* if there is one."""
    with contextlib.suppress(FileNotFoundError):
        unlink(path)
