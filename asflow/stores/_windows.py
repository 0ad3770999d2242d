"""The local store's calls to the operating system, where Windows has its own.

A file in progress is opened so that it may be renamed and deleted while it is open, locked by one byte far
behind its end (such locks keep readers out of the bytes that they cover), and published by a rename, which
refuses an existing name. Scanners, indexers and readers hold files open for moments: what they refuse is
tried again for a while.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

from asflow._labels import short
from asflow.errors import OutputNameError, OutputPlaceError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds to wait for a program that has a file open."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.25

_LOCKED_BYTE = 1 << 43  # 8 TiB: no reader gets there
_HELD_OPEN = frozenset(
    {5, 32}
)  # ERROR_ACCESS_DENIED (also of a file that is being deleted), ERROR_SHARING_VIOLATION

_READ, _WRITE = 0x80000000, 0x40000000  # GENERIC_READ, GENERIC_WRITE
_SHARE_ALL = 1 | 2 | 4  # FILE_SHARE_READ, _WRITE, _DELETE
_CREATE_NEW, _OPEN_EXISTING = 1, 3
_NO_FOLLOW = 0x00200000  # FILE_FLAG_OPEN_REPARSE_POINT

_RESERVED = r"(?i:con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:\..*)?"
_LONGEST = 259
"""The most characters in a path, unless the system is set up for longer ones."""


def _module(name: str) -> Any:
    # Not by an import statement: type checkers on other systems know nothing in these modules.
    return importlib.import_module(name)


def retried(action: Callable[[], T], path: str) -> T:
    """Return what *action* returns, trying again while another program has the file *path* open.

    Raises:
        OutputPlaceError: it still has after ten seconds.
    """
    until, pause = monotonic() + _PATIENCE, _FIRST_PAUSE
    while True:
        try:
            return action()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _HELD_OPEN or os.path.isdir(path):
                raise
            if monotonic() >= until:
                raise OutputPlaceError(
                    errno.EACCES,
                    "LocalStore(): another program has the file open, or it may not be changed; "
                    "close that program, or change the file's permissions",
                    path,
                ) from error
        sleep(pause)
        pause = min(_LONGEST_PAUSE, 2 * pause)


def open_shared(path: str, flags: int) -> int:
    """Open *path* as `os.open` does; others may read, write, rename and delete it meanwhile.

    Raises:
        IsADirectoryError: it is a folder.
        OSError: as `os.open`.
    """
    winapi, msvcrt = _module("_winapi"), _module("msvcrt")
    writes = flags & (os.O_RDWR | os.O_WRONLY)
    access = _READ | (_WRITE if writes else 0)
    disposition = _CREATE_NEW if flags & os.O_CREAT else _OPEN_EXISTING
    if os.path.isdir(path):  # which Windows would call a denied access
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        handle = retried(
            lambda: winapi.CreateFile(path, access, _SHARE_ALL, 0, disposition, _NO_FOLLOW, 0), path
        )
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise
    try:
        # Binary: as text, three bytes would become four.
        binary = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
        descriptor: int = msvcrt.open_osfhandle(handle, writes | binary)
    except BaseException:
        winapi.CloseHandle(handle)
        raise
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Lock the open file; see `asflow.stores._posix.try_lock`."""
    msvcrt = _module("msvcrt")
    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EDEADLK, 36}:  # 36: EDEADLOCK there
            return False
        raise
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return True


def check_name(subject: str, name: str) -> None:
    """Refuse a *name* that Windows has no file for.

    Raises:
        OutputNameError: a component is a device's name, or ends in a dot or a space.
    """
    for part in re.split(r"[/\\]", os.path.splitdrive(name)[1]):
        if re.fullmatch(_RESERVED, part) or (part[-1:] in {".", " "} and part not in {".", ".."}):
            raise OutputNameError(
                f"{subject}: Windows has no files named as {short(part)} in {short(name)} is; "
                f"rename the output, or use `*` in on"
            )


def is_too_long(path: str) -> bool:
    """Return whether *path* is longer than most Windows systems allow."""
    return len(path) > _LONGEST
