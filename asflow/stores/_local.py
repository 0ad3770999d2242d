"""Outputs as files on a local disk: the default store."""

from __future__ import annotations

import errno
import os
import stat
from stat import ST_MODE, ST_MTIME, ST_SIZE
from typing import TYPE_CHECKING, get_args

from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores import _posix, _windows
from asflow.stores._common import MARKED, NEVER_EMPTY, NO_FAILURE, PART, Info, check_name, is_void
from asflow.stores._local_claim import Durability, LocalClaim
from asflow.stores._local_part import is_locked, lock_part, owner_of, sweep
from asflow.stores._local_scan import Scans, forget_scans, note_marks
from asflow.stores._posix import Mark, absolute, is_there, look, mark_of, place_error, sync_folder, unlink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from asflow.protocols import ClaimRefusal, OutputStatus

_SUBJECT = "LocalStore()"

# For the one look of every skip, and small reads: each attribute of a module would cost it a percent.
_lstat, _REGULAR = os.lstat, stat.S_IFREG
_open, _fstat, _read, _close = os.open, os.fstat, os.read, os.close
_KIND = stat.S_IFMT(0xFFFF)  # the bits of a mode that hold the type of the file
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a FIFO opens only with it; a regular file ignores it


class LocalStore:
    """Keep each output in a file of its own; see `asflow.protocols.Store`.

    A name is a path. A relative one is resolved against the current directory, for a claim when it is
    made. Every file under its own name is whole: work in progress is `NAME.part` beside it, locked with
    flock by its one writer, and taken over by the next one if that writer dies.

    Args:
        durability: what is on the disk when an output gets its name.

            - `"data"` (default): its bytes. After a power cut it is whole or absent.
            - `"full"`: its bytes and its name. What was returned survives a power cut.
            - `"atomic"`: nothing has to be. Whole for every process at all times, but after a power cut
              an output may be cut or empty. For data that can be made again.

    Raises:
        DefinitionTypeError: *durability* is not a string.
        DefinitionValueError: it is another string.

    Threads: every method may be called from any thread. A forked child may use the store; claims made
    before the fork belong to the parent alone.

    Platforms: Linux and macOS; Windows as a beta (tried with a stand-in for its calls, and not on a real
    one), where `"full"` is about bytes only, as folders can't be synced. On a network file system, one
    writer per output is as reliable as its locks.

    Example:
        ```python
        flow = Flow(store=LocalStore(durability="full"))
        ```
    """

    __slots__ = ("_durability", "_known")

    blocking: bool = False
    """False: looking and claiming take microseconds."""

    def __init__(self, *, durability: Durability = "data") -> None:
        is_text = isinstance(durability, str)  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
        if not is_text or durability not in get_args(Durability):
            raise (DefinitionValueError if is_text else DefinitionTypeError)(
                f"{_SUBJECT}: durability takes 'data', 'full' or 'atomic', not {short(durability)}; "
                f"leave it out for 'data'"
            )
        self._durability: Durability = durability
        self._known: set[Mark] = set()

    def __repr__(self) -> str:
        return f"LocalStore(durability={self._durability!r})"

    @property
    def durability(self) -> Durability:
        """What is on the disk when an output gets its name."""
        return self._durability

    def path(self, name: str, /) -> Path:
        """Return the path of the output or failure called *name*, whether it exists or not."""
        from pathlib import Path

        return Path(name)

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Return whether *name* is whole, its failure recorded, or neither; one system call if it is whole.

        An empty `.gz`, `.zst` or `.parquet` file is not whole: a power cut leaves such files. A second
        name `NAME.part`, left by a writer that was killed, is removed on the way.

        Raises:
            OutputPlaceError: the output or the failure is a folder, a FIFO, a link that leads nowhere or
                the like.
            OSError: it can't be looked at (a folder above it is a file, permissions, ...).
        """
        found = look(name)
        if found is not None and not is_void(name, found.st_size):
            if found.st_nlink != 1:
                sweep(name, found)
            return "complete"
        found = None if failure.endswith(NO_FAILURE) else look(failure)
        if found is None:
            return "absent"
        if found.st_nlink != 1:
            sweep(name, found)
        return "suppressed"

    def is_complete(self, name: str, /) -> bool:
        """Return whether *name* is a whole file, in one system call; False if only `status` can decide.

        Links, second names left by a killed writer, errors, and outputs that are marked as out of date
        (`asflow refresh`) are left to the driver.
        """
        return self._asflow_look(name) or False

    def _asflow_look(self, name: str, /) -> bool | None:
        """Return what `is_complete` does, but None if there is certainly nothing called *name*."""
        try:
            found = _lstat(name)
        except FileNotFoundError:
            return None
        except OSError:
            return False
        # Its mode, links, size and time. On Python 3.11 an attribute takes twice as long as an index; global
        # names instead of literals, and a comparison that is returned, would each cost a percent of a skip.
        mode = found[0]
        if mode < 0o110000 and mode >= 0o100000 and found[3] == 1 and found[8] != MARKED:  # a regular file
            if found[6] > 0:
                return True
            return not is_void(name, 0)
        return False

    def is_claimed(self, name: str, /) -> bool:
        """Return whether a living writer, of any process, is making *name*; False if that is not certain."""
        return is_locked(name + PART)

    def owner(self, name: str, /) -> str | None:
        """Return the process of this machine that is making *name*, as `process 123`, if that is known.

        Linux says it for a file system of the machine; elsewhere, and if no process is making it, None.
        """
        process = owner_of(name + PART)
        return None if process is None else f"process {process}"

    def info(self, name: str, /) -> Info | None:
        """Return size and age of the output or failure called *name*; None if there is none that is whole.

        Raises as `status` does.
        """
        found = look(name)
        if found is None or is_void(name, found.st_size):
            return None
        return Info(found.st_size, found.st_mtime)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> LocalClaim | ClaimRefusal:
        """Claim the output *name* without waiting, or return why that is refused. Missing folders are made.

        Args:
            name: the output.
            failure: the name for its recorded failure, on the same file system.
            replace: accept an output or failure that exists; `publish` replaces it.

        Raises:
            OutputNameError: *name* can't be an output's name.
            OutputPlaceError: the output, its failure or `NAME.part` is not a regular file.
            ClaimLostError: another process removes `NAME.part` as fast as it is created.
            OSError: the folder can't be written to (EACCES, ENOSPC, EMFILE, ...); nothing is left behind.
        """
        check_name(_SUBJECT, name)
        if _posix.WINDOWS:
            _windows.check_name(_SUBJECT, name)
        name, failure = absolute(name), absolute(failure)
        may_have_failed = not failure.endswith(NO_FAILURE)
        if not replace and (is_there(name) or (may_have_failed and is_there(failure))):
            # Look before creating `.part`: a process that is killed in between would leave one beside an
            # output that is done, where no claim would find it.
            found = self.status(name, failure)
            if found != "absent" and not os.path.lexists(name + PART):
                return found
        part = lock_part(name + PART, self._known)
        if part is None:
            return "busy"
        try:
            # Look again under the lock: another writer may have finished before it was taken.
            is_found = replace or is_there(name) or (may_have_failed and is_there(failure))
            found = self.status(name, failure) if is_found else "absent"
            if found == "absent" or replace:
                return LocalClaim(
                    name,
                    failure,
                    part,
                    replaces=found == "complete",
                    forgets=replace,
                    durability=self._durability,
                    known=self._known,
                )
        except BaseException:
            part.end()
            raise
        part.end()
        return found

    def set_modified(self, name: str, seconds: float | None, /) -> None:
        """Set the time of the output *name*, in POSIX seconds; None is now, by the file system's clock.

        Raises:
            FileNotFoundError: there is none.
            PermissionError: the file belongs to another user.
        """
        if seconds is None or int(seconds) != MARKED:
            os.utime(name, None if seconds is None else (seconds, seconds))
            return
        note_marks(name)
        os.utime(name, (seconds, seconds))
        forget_scans()

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading bytes.

        Raises:
            FileNotFoundError: there is none, or only an empty file of a format that is never empty.
            OutputPlaceError: it is a folder, a FIFO or the like.
        """
        file = open(name, "rb", opener=_open_regular)  # noqa: SIM115 - the caller closes it
        if is_void(name, os.fstat(file.fileno()).st_size):
            file.close()
            raise FileNotFoundError(
                errno.ENOENT,
                f"{_SUBJECT}: the file is empty, so it is not a whole output; run the task again",
                name,
            )
        return file

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that start with *prefix*, sorted; no work in progress.

        Lazily, folder by folder, and absolute or relative as *prefix* is, which may end within a file's
        name. Links to folders are followed. Raises PermissionError for a folder that can't be read.
        """
        return _walk(prefix)

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False if there was none.

        Raises:
            OutputPlaceError: it is a folder.
            OSError: it can't be deleted (EACCES, EROFS, ...).
        """
        try:
            unlink(name)
        except FileNotFoundError:
            return False
        except (IsADirectoryError, PermissionError):  # macOS: EPERM for a folder
            if os.path.isdir(name):
                raise place_error(name) from None
            raise
        forget_scans()
        if self._durability == "full":
            sync_folder(os.path.dirname(absolute(name)), self._known)
        return True


def read_small(name: str, most: int) -> bytes | None:
    """Return all bytes of the output *name*, or None if there are more than *most*.

    None, too, if it is marked as out of date (`asflow refresh`), or `LocalStore.open` has to look. Four
    system calls, and no file object, which costs as much as they do.

    Raises:
        FileNotFoundError: it is absent, or a link that leads nowhere, which a claim refuses.
    """
    if _posix.WINDOWS:
        return None
    try:
        descriptor = _open(name, _READ)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    try:
        found = _fstat(descriptor)
        size = found[ST_SIZE]
        if found[ST_MODE] & _KIND != _REGULAR or found[ST_MTIME] == MARKED or size > most:
            return None
        if not size and is_void(name, 0):
            return None
        data = _read(descriptor, size + 1)
    finally:
        _close(descriptor)
    return data if len(data) == size else None


def scans_for(
    store: object, suffix: str, looks: int, start: str = "", *, of_texts: bool = False
) -> Scans | None:
    """Return scans for a number of looks at outputs of *store*; None if each needs a look of its own.

    Args:
        store: only a `LocalStore` itself: of any other class it is not known what a look does.
        suffix: the end of all names; of some formats an empty file is not an output.
        looks: how many there are, at most.
        start: what comes before all names.
        of_texts: whether each name is that of one folder, a text and the suffix.
    """
    if type(store) is not LocalStore or not suffix or suffix.endswith(NEVER_EMPTY):
        return None
    return Scans(looks, start, suffix if of_texts else None)


def _open_regular(path: str, flags: int) -> int:
    """Open a regular file; refuse anything else, which could make a reader wait for ever."""
    try:
        # A FIFO without a writer opens only with O_NONBLOCK, which a regular file ignores.
        if _posix.WINDOWS:
            descriptor = _windows.open_shared(path, flags)
        else:
            descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO or os.path.isdir(path):
            raise place_error(path) from None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise place_error(path)


def _walk(prefix: str) -> Iterator[str]:
    """Yield the names of all outputs and failures that start with *prefix*, in the order of `sorted`.

    Folders are read when the walk reaches them; links to folders are followed unless they lead back to a
    folder that the walk is in. What appears or vanishes in the meantime may be listed or not. Raises
    PermissionError for a folder that can't be read.
    """
    tail = os.path.basename(prefix)
    head = prefix[: len(prefix) - len(tail)]
    # A stack instead of recursion: a path may be deeper than Python's stack.
    heads = [head]
    marks = [_mark(head)]
    levels = [iter(_entries(head, tail))]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            heads.pop()
            marks.pop()
        elif not entry.endswith("/"):
            yield heads[-1] + entry
        else:
            folder = heads[-1] + entry
            mark = _mark(folder)
            if mark is not None and mark not in marks:
                heads.append(folder)
                marks.append(mark)
                levels.append(iter(_entries(folder, "")))


def _mark(folder: str) -> Mark | None:
    try:
        return mark_of(os.stat(folder or "."))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entries(folder: str, start: str) -> list[str]:
    """Return the names in *folder* that begin with *start*, folders with a '/', sorted as paths are."""
    names: list[str] = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.startswith(start):
                    names.extend(_listed(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    names.sort()
    return names


def _listed(entry: os.DirEntry[str]) -> tuple[str, ...]:
    """Return the name of a whole file or a folder; nothing for a file in progress or anything else."""
    try:
        if entry.is_dir():
            return (entry.name + "/",)
        if entry.name.endswith(PART) or not entry.is_file():
            return ()
        # The size costs a system call, so look at it only if it can matter.
        if is_void(entry.name, 0) and is_void(entry.name, entry.stat().st_size):
            return ()
    except OSError:  # a link to itself, a file that has just been removed
        return ()
    return (entry.name,)
