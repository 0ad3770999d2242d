"""A limit for all processes of one machine, without a server: files that a body's process locks.

    /tmp/asflow-UID/limits/NAME/0.slot, 1.slot, ...     one for each body that may run; locked while it does
    /tmp/asflow-UID/limits/NAME/starts                  a hold, and the times of the last starts

A lock ends with its process, however that ends, so there is nothing to clean up. The files stay, and hold no
data. The folder does not depend on the environment (cron has another one than a terminal), but for the
variable `ASFLOW_LIMITS`, which names another folder.
"""

from __future__ import annotations

import _thread
import errno
import os
import stat
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from asflow import _forks
from asflow._labels import short
from asflow._locking import try_lock, unlock
from asflow._runtime.starts import StartsFile
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._engine.rates import Rate

FOLDER: Final = "ASFLOW_LIMITS"
"""The environment variable that names the folder of shared limits."""

BUSY = 0.002
"""Seconds until it is worth asking again for the lock on the starts, which is held for microseconds."""

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 100


def checked_name(name: object) -> str:
    """Return *name*, of a limit.

    Raises:
        DefinitionTypeError: it is not a string.
        DefinitionValueError: it can't be the name of a folder everywhere.
    """
    if not isinstance(name, str):
        raise DefinitionTypeError(
            f"Limit(): shared takes a name, not {short(name)}; write for example shared='api'"
        )
    if not 0 < len(name) <= _LONGEST or name[0] == "." or name[-1] == "." or not _LETTERS.issuperset(name):
        raise DefinitionValueError(
            f"Limit(): shared takes a name of 1 to {_LONGEST} ASCII letters, digits, '-', '_' and inner '.', "
            f"not {short(name)}; write for example shared='api'"
        )
    return name


class Turn:
    """A body's place among those of all processes. Dropping it returns it, as `release` does."""

    __slots__ = ("_box", "_forks", "_machine")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._forks = _forks.fork_count()
        self._box: list[int] = []

    def release(self) -> None:
        """Give the place back; only once, and only in the process that has taken it."""
        if self._box and self._forks == _forks.fork_count():
            self._machine.put(self._box)

    def __del__(self) -> None:
        try:
            self.release()
        except KeyboardInterrupt:  # as in `Slot`
            self.release()
            _thread.interrupt_main()
        except Exception:  # noqa: BLE001 - at the interpreter's exit there are no globals
            return


class Machine:
    """The bodies of all processes of this machine that run under one name, and their starts.

    Threads: safe. In a forked child it begins again: what its parent has taken stays taken by the parent.

    Args:
        name: of the limit, see `checked_name`.
        total: bodies at once; 0 means no bound.
        rate: bounds the starts; None means no bound.
    """

    __slots__ = ("__weakref__", "_files", "_folder", "_free", "_lock", "_starts", "_total", "name")

    def __init__(self, name: str, total: int, rate: Rate | None) -> None:
        self.name: str = name
        self._total = total
        self._folder: str | None = None
        # The numbers that no body of this process has; the longest unused first.
        self._free: deque[int] = deque(range(total))
        self._files: dict[int, list[int]] = {}  # by number, a box for the descriptor, once it is open
        self._starts = StartsFile(rate)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        _forks.renewables.add(self)

    def after_fork(self) -> None:
        """Take nothing over from the parent: closing a copy of a descriptor leaves its lock alone."""
        for box in [*self._files.values(), self._starts.box]:
            for descriptor in box:
                os.close(descriptor)
        self._files.clear()
        self._starts.box.clear()
        self._free = deque(range(self._total))

    def take(self) -> Turn | None:
        """Return a place for a body, or None if all are taken."""
        for _ in range(self._total):
            turn = Turn(self)
            box = turn._box  # pyright: ignore[reportPrivateUsage] - the other half of one class
            try:
                box.extend(map(_popleft, (self._free,)))  # one call of C: Ctrl-C comes before or after it
            except IndexError:
                return None
            if self._locks(box[0]):
                return turn
            turn.release()
        return None

    def put(self, box: list[int]) -> None:
        """Make the number in *box* free again, and empty the box."""
        for descriptor in self._files.get(box[0], ()):
            unlock(descriptor)
        self._free.extend(map(_pop, (box,)))

    def start(self) -> float:
        """Start a body if the rate of all processes lets it; return 0, or the seconds until asking again."""
        return self._with_starts(self._starts.start)

    def hold(self, seconds: float) -> None:
        """Let no body of any process start for the next *seconds*."""
        while self._with_starts(lambda: self._starts.hold(seconds)):
            pass  # another process holds the lock, for microseconds

    def give_back(self) -> None:
        """Forget the last start: no body was called. Left undone if another process is at the file."""
        self._with_starts(self._starts.give_back)

    def _with_starts(self, act: Callable[[], float]) -> float:
        with self._lock:
            box = self._starts.box
            path = self._opened("starts", box)
            if not self._try_lock(box[0]):
                return BUSY
            try:
                return BUSY if _is_gone(path, box) else act()
            finally:
                for descriptor in box:
                    unlock(descriptor)

    def _locks(self, number: int) -> bool:
        """Whether the file of *number* is locked for this process now."""
        box = self._files.setdefault(number, [])
        path = self._opened(f"{number}.slot", box)
        return self._try_lock(box[0]) and not _is_gone(path, box)

    def _try_lock(self, descriptor: int) -> bool:
        try:
            return try_lock(descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise DefinitionValueError(
                f"Limit(): shared={self.name!r} needs file locks, which {self._folder} does not have; "
                f"set {FOLDER} to a folder on a local disk"
            ) from error

    def _opened(self, file: str, box: list[int]) -> str:
        """Put the descriptor of *file* into *box*, if it is not there; return the file's path."""
        if self._folder is None or not (box or os.path.isdir(self._folder)):
            self._folder = _made_folder(self.name)
        path = os.path.join(self._folder, file)
        if not box:
            # In one call of C: Ctrl-C comes before it, or when the number is in the box.
            box.extend(map(os.open, (path,), (_FLAGS,), (0o600,)))
        return path


_pop: Callable[[list[int]], int] = list.pop  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
_popleft: Callable[[deque[int]], int] = deque.popleft  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _is_gone(path: str, box: list[int]) -> bool:
    """Whether someone has removed the file (/tmp is tidied now and then); then close it, for another one."""
    mine = os.fstat(box[0])
    try:
        found = os.stat(path)
    except FileNotFoundError:
        found = None
    if found is not None and (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
        return False
    os.close(box.pop())
    return True


def _made_folder(name: str) -> str:
    """Return the folder of the limit *name*, which is there now.

    Raises:
        DefinitionValueError: it belongs to another user, who could remove the locks.
    """
    chosen = os.environ.get(FOLDER)
    if chosen:
        folder = os.path.abspath(chosen)
        os.makedirs(folder, exist_ok=True)
    elif sys.platform == "win32":
        import tempfile

        folder = os.path.join(tempfile.gettempdir(), "asflow-limits")  # in the user's own profile
        os.makedirs(folder, exist_ok=True)
    else:
        own = f"/tmp/asflow-{os.getuid()}"
        os.makedirs(own, mode=0o700, exist_ok=True)
        found = os.lstat(own)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise DefinitionValueError(
                f"Limit(): shared={name!r} needs the folder {own}, which belongs to another user; "
                f"set {FOLDER} to a folder of yours"
            )
        folder = os.path.join(own, "limits")
    folder = os.path.join(folder, name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder
