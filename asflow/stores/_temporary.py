"""Temporary folders of this process, and the files in them that libraries write by their path.

A process makes one folder `asflow-...` where it needs one, with a locked file `owner` in it, and removes it
at exit. If the process is killed, the lock ends with it: the next process that makes such a folder, or
`asflow clean`, removes what is left.
"""

from __future__ import annotations

import atexit
import errno
import os
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from asflow import _forks
from asflow.errors import OutputPlaceError, RecordValueError
from asflow.stores._common import is_void
from asflow.stores._posix import Held, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START = "asflow-"
_OWNER = "owner"
_CHUNK = 1 << 20

_MAGIC = {".gz": (b"\x1f\x8b", "gzip"), ".zst": (b"\x28\xb5\x2f\xfd", "zstd")}
"""How a compressed file begins, and what it is called."""


def places() -> list[str]:
    """Return where temporary folders are made: the system's own place first.

    /var/tmp is the second choice, since /tmp may be in memory; not if the user has set TMPDIR.
    """
    import tempfile

    first = tempfile.gettempdir()
    chosen = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return [first] if chosen or not os.path.isdir("/var/tmp") else [first, "/var/tmp"]


def _place_near(path: str | None) -> str:
    """Return the place on the file system of *path*, an absolute path, or else the system's own."""
    found = places()
    if path is not None and len(found) > 1:
        try:
            device = os.stat(os.path.dirname(path)).st_dev
            return next((place for place in found if os.stat(place).st_dev == device), found[0])
        except OSError:
            pass
    return found[0]


class TemporaryFolders:
    """Makes the temporary folders of this process. Threads: any."""

    def __init__(self) -> None:
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._made: dict[str, str] = {}
        self._process = os.getpid()

    def new(self, token: str, near: str | None = None) -> str:
        """Make a folder named *token*, on the file system of the path *near* if possible; return its path.

        Raises:
            OSError: it can't be made.
        """
        folder = os.path.join(self.path(near), token)
        os.mkdir(folder)
        return folder

    def path(self, near: str | None = None) -> str:
        """Return the folder of all others; a forked child has its own. Raises OSError if it can't be made."""
        place = _place_near(near)
        with self._lock:
            if self._process != os.getpid():
                self._process, self._made = os.getpid(), {}
            if place not in self._made:
                for folder in dead_folders(place):
                    remove_folder(folder)
                self._made[place] = _owned_folder(place)
            return self._made[place]


def _owned_folder(place: str) -> str:
    import tempfile

    # Not a TemporaryDirectory: a forked child would remove its parent's folder with it.
    folder = tempfile.mkdtemp(prefix=_START, dir=place)
    mark = os.path.join(folder, _OWNER)
    held = Held()
    # No locks on this file system: no other process will take the folder for dead.
    with suppress(OSError):
        try_lock(held.open(mark + "~", os.O_CREAT | os.O_EXCL))
        # Named only when locked: a folder whose `owner` has no lock is dead.
        os.rename(mark + "~", mark)
    atexit.register(_remove_at_exit, os.getpid(), folder, held)
    return folder


def _remove_at_exit(process: int, folder: str, held: Held) -> None:
    if process == os.getpid():
        held.close()  # before: Windows renames no folder with an open file in it
        remove_folder(folder)


def remove_folder(folder: str) -> None:
    """Remove *folder* and all in it, so that a process that starts to use it late can leave nothing in it."""
    import shutil

    # Rename first: a worker that is still writing would otherwise add files to the folder while it is
    # being emptied.
    gone = f"{folder}.gone"
    try:
        os.rename(folder, gone)
    except OSError:  # it was never made, or it can't be renamed
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


def dead_folders(place: str) -> Iterator[str]:
    """Yield the paths of this user's temporary folders in *place* whose process is gone."""
    try:
        with os.scandir(place) as entries:
            found = [entry.path for entry in entries if entry.name.startswith(_START)]
    except OSError:
        return
    for folder in found:
        if _is_dead(folder):
            yield folder


def _is_dead(folder: str) -> bool:
    try:
        about = os.lstat(folder)
        if not stat.S_ISDIR(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
            return False
    except OSError:
        return False
    held = Held()
    try:
        return try_lock(held.open(os.path.join(folder, _OWNER), 0))
    except OSError:
        return False
    finally:
        held.close()


def size_of(folder: str) -> int:
    """Return the bytes of all files in *folder*."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:  # removed in the meantime
                continue
    return total


class ScratchFile:
    """The file of `flow.task.path()`: in a temporary folder of its own, with the output's file name.

    It is not beside the output, because it ends in the output's suffix, by which libraries choose a format: a
    glob of a user's (`**/*.csv`) would find it unfinished. Its bytes are copied into the claim, so that the
    output is as durable as any, has the permissions of its folder, and is out of reach of a library that
    goes on writing.

    Args:
        folder: an empty folder, which is removed with the file.
        name: the output's name.

    Attributes:
        path: where to write the file; nothing is there yet.
    """

    __slots__ = ("_folder", "path")

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self.path: str = os.path.join(folder, name.replace(os.sep, "/").rpartition("/")[2])

    def pass_on(self, write: Callable[[bytes], object], task: str) -> None:
        """Pass the bytes of the file to *write*.

        Raises:
            FileNotFoundError: there is no file.
            OutputPlaceError: there is a folder or the like.
            RecordValueError: it is not compressed as its name says, or empty in a format that never is.
            OSError: it can't be read, or *write* has raised it.
        """
        _check_kind(self.path, task)
        with open(self.path, "rb") as file:
            chunk = file.read(_CHUNK)
            _check_start(self.path, chunk, task)
            while chunk:
                write(chunk)
                chunk = file.read(_CHUNK)

    def discard(self) -> None:
        """Remove the file and its folder. Never raises."""
        remove_folder(self._folder)


def _check_kind(path: str, task: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(
            errno.ENOENT,
            f"task {task}(): got a path from flow.task.path() and made no file there; write the file, and "
            f"close it, before the task returns",
            path,
        ) from None
    if not stat.S_ISREG(mode):
        raise OutputPlaceError(
            errno.EISDIR if stat.S_ISDIR(mode) else errno.EEXIST,
            f"task {task}(): an output is one file, not a folder or the like as at flow.task.path(); "
            f"pack what belongs together into one file",
            path,
        )


def _check_start(path: str, start: bytes, task: str) -> None:
    end = os.path.splitext(path)[1]
    if is_void(path, len(start)):
        raise RecordValueError(
            f"task {task}(): a whole {end} file has some bytes, not none as that at flow.task.path(); "
            f"close the file before the task returns"
        )
    magic, kind = _MAGIC.get(end, (b"", ""))
    if not start.startswith(magic):
        raise RecordValueError(
            f"task {task}(): flow.task.path() takes the output's own bytes, {kind} for {end}, "
            f"not plain ones; compress the file, or leave {end} out of on="
        )
