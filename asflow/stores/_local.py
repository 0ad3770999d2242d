"""Outputs as files on a local disk: the default store."""

from __future__ import annotations

import errno
import os
import stat
from stat import ST_MODE, ST_NLINK, ST_SIZE
from typing import TYPE_CHECKING, get_args

from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores._common import PART, Info, check_name, is_void
from asflow.stores._listing import walk
from asflow.stores._local_claim import Durability, LocalClaim
from asflow.stores._local_part import lock_part, sweep, unlock_part
from asflow.stores._posix import Mark, absolute, look, place_error, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from asflow.protocols import ClaimRefusal, OutputStatus

__all__ = ["LocalStore"]

# For the one look that every skip takes: each attribute of a module costs it a percent.
_lstat, _REGULAR = os.lstat, stat.S_IFREG
_KIND = stat.S_IFMT(0xFFFF)  # the bits of a mode that say what kind of file it is


class LocalStore:
    """Keep each output in a file of its own; see `asflow.protocols.Store`.

    A name is a path. A relative one is resolved against the current directory, a claim's at the
    moment of claiming. Every file under its own name is whole: work in progress is `NAME.part` beside it,
    locked with flock by its one writer, and taken over by the next one if that dies.

    Args:
        durability: what is on the disk when an output gets its name.

            - `"data"` (default): its bytes. After a power cut it is whole or absent.
            - `"full"`: its bytes and its name. What was returned survives a power cut.
            - `"atomic"`: nothing is waited for. Whole for every process at all times, but after a power
              cut an output may be cut or empty. For data that can be made again.

    Raises:
        DefinitionTypeError: *durability* is no string.
        DefinitionValueError: it is none of the three.

    Threads: every method may be called from any thread. A forked child may use the store; claims made
    before the fork stay the parent's.

    Platforms: Linux and macOS. On Windows everything but `claim` works, for want of flock. On network
    file systems one writer at a time is as sure as their flock is.

    Example:
        ```python
        flow = Flow(store=LocalStore(durability="full"))
        ```
    """

    __slots__ = ("_durability", "_known")

    blocking: bool = False
    """False: looking and claiming take microseconds."""

    def __init__(self, *, durability: Durability = "data") -> None:
        if not isinstance(durability, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(f"durability must be a string, not {type(durability).__name__}")
        if durability not in get_args(Durability):
            raise DefinitionValueError(
                f"durability must be 'data', 'full' or 'atomic', not {durability!r:.60}"
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
        """Return the file in which the output or failure called *name* is, or would be."""
        from pathlib import Path

        return Path(name)

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Tell whether *name* is whole, its failure recorded, or neither; one system call where it is whole.

        An empty `.gz`, `.zst` or `.parquet` file is not: it is what a power cut leaves. The second name
        `NAME.part` that a writer was killed before removing is removed on the way.

        Raises:
            OutputPlaceError: a folder, a FIFO, a link that leads nowhere or the like is in the place of
                the output or of the failure.
            OSError: the place can't be looked at (a file in a folder's place, permissions, ...).
        """
        found = look(name)
        if found is not None and not is_void(name, found.st_size):
            if found.st_nlink != 1:
                sweep(name, found)
            return "complete"
        found = look(failure)
        if found is None:
            return "absent"
        if found.st_nlink != 1:
            sweep(name, found)
        return "suppressed"

    def is_complete(self, name: str, /) -> bool:
        """Tell whether *name* is a whole file, in one system call; False, too, where `status` knows better.

        So links, second names left by a killed writer and whatever raises are left to `status`.
        """
        try:
            found = _lstat(name)
        except OSError:
            return False
        # By index: on Python 3.11 an attribute takes twice as long.
        return (
            found[ST_MODE] & _KIND == _REGULAR
            and found[ST_NLINK] == 1
            and (found[ST_SIZE] > 0 or not is_void(name, 0))
        )

    def info(self, name: str, /) -> Info | None:
        """Tell size and age of the output or failure called *name*; None where there is none that is whole.

        Raises as `status` does.
        """
        found = look(name)
        if found is None or is_void(name, found.st_size):
            return None
        return Info(found.st_size, found.st_mtime)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> LocalClaim | ClaimRefusal:
        """Claim the making of *name*, without waiting; or say why not. Missing folders are made.

        Args:
            name: the output.
            failure: the name for its recorded failure, on the same file system.
            replace: an output or failure that exists is no reason to refuse; `publish` replaces it.

        Raises:
            OutputNameError: *name* can't be an output's name.
            OutputPlaceError: something that is no regular file is in the place of the output, of its
                failure, or of `NAME.part`.
            ClaimLostError: somebody removes `NAME.part` as fast as it is made.
            OSError: the place can't be written (EACCES, ENOSPC, EMFILE, ...); nothing is left behind.
        """
        check_name(name)
        name, failure = absolute(name), absolute(failure)
        part = name + PART
        if not replace and (os.access(name, os.F_OK) or os.access(failure, os.F_OK)):
            # A `.part` made now, only to find the output there, would be left behind by a process that is
            # killed in between, and nobody would look for it again.
            found = self.status(name, failure)
            if found != "absent" and not os.path.lexists(part):
                return found
        held = lock_part(part, self._known)
        if held is None:
            return "busy"
        try:
            # Only under the lock: until then another writer could have come and gone.
            found = self.status(name, failure)
            if found == "absent" or replace:
                return LocalClaim(
                    name, failure, held, replace=replace, durability=self._durability, known=self._known
                )
        except BaseException:
            unlock_part(*held, part)
            raise
        unlock_part(*held, part)
        return found

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading bytes.

        Raises:
            FileNotFoundError: there is none, or only an empty file of a format that is never empty.
            OutputPlaceError: a folder, a FIFO or the like is in its place.
        """
        file = open(name, "rb", opener=_open_regular)  # noqa: SIM115 - the caller closes it
        if is_void(name, os.fstat(file.fileno()).st_size):
            file.close()
            raise FileNotFoundError(errno.ENOENT, "the file is empty, which is no whole output", name)
        return file

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that start with *prefix*, sorted; no work in progress.

        Lazily, folder by folder, and in the form in which *prefix* is given (absolute or relative; it
        may end within a file's name). Links to folders are followed. Raises PermissionError for a
        folder that can't be read.
        """
        return walk(prefix)

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False where there was none.

        Raises:
            OutputPlaceError: a folder is in its place.
            OSError: it can't be deleted (EACCES, EROFS, ...).
        """
        try:
            os.unlink(name)
        except FileNotFoundError:
            return False
        except (IsADirectoryError, PermissionError):  # macOS answers EPERM for a folder
            if os.path.isdir(name):
                raise place_error(name) from None
            raise
        if self._durability == "full":
            sync_folder(os.path.dirname(absolute(name)), self._known)
        return True


def _open_regular(path: str, flags: int) -> int:
    """Open a regular file, and nothing that could make a reader wait for ever."""
    try:
        # A FIFO without a writer opens only with O_NONBLOCK, which a regular file ignores.
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ENXIO or os.path.isdir(path):
            raise place_error(path) from None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise place_error(path)
