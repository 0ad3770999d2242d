"""Outputs in this process's memory: for tests, and for data that must leave no trace."""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from io import BytesIO
from typing import TYPE_CHECKING

from asflow import _forks
from asflow.stores._common import Info, check_name, closed_error, fork_error, is_void

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from asflow.protocols import ClaimRefusal, OutputStatus

_SUBJECT = "MemoryStore()"


class MemoryStore:
    """Keep outputs in memory; see `asflow.protocols.Store`. Names are plain keys, nothing is a folder.

    Threads: every method may be called from any thread. Each process has its own outputs: a forked
    child starts with a copy of them, and with no claims. A claim that is garbage-collected without an end
    frees its output at once.
    """

    blocking: bool = False
    """False: no call waits."""

    def __init__(self) -> None:
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._files: dict[str, tuple[bytes, float]] = {}
        # Weak: a garbage-collected claim holds nothing, and needs no finaliser that would take the lock.
        self._claims: dict[str, weakref.ref[MemoryClaim]] = {}
        _stores.add(self)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._files)} outputs and failures>"

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Return whether *name* is whole, its failure recorded, or neither. An output wins over a failure."""
        if self._find(name) is not None:
            return "complete"
        return "suppressed" if failure in self._files else "absent"

    def info(self, name: str, /) -> Info | None:
        """Return size and age of the output or failure called *name*; None if there is none."""
        found = self._find(name)
        return None if found is None else Info(len(found[0]), found[1])

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> MemoryClaim | ClaimRefusal:
        """Claim the output *name* without waiting, or return why that is refused.

        Raises:
            OutputNameError: *name* is empty, or ends in `/` or `.part`.
        """
        check_name(_SUBJECT, name)
        claim = MemoryClaim(self, name, failure, replace=replace)
        with self._lock:
            holder = self._claims.get(name)
            if holder is not None and holder() is not None:
                return "busy"
            found = self.status(name, failure)
            if found != "absent" and not replace:
                return found
            self._claims[name] = weakref.ref(claim)
        return claim

    def set_modified(self, name: str, seconds: float | None, /) -> None:
        """Set the time of the output *name*, in POSIX seconds; None is now.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._lock:
            found = self._find(name)
            if found is None:
                raise _absent(name)
            self._files[name] = (found[0], time.time() if seconds is None else seconds)

    def open(self, name: str, /) -> BinaryIO:
        """Return a reader of the bytes of *name*, as they are now. Raises FileNotFoundError if absent."""
        found = self._find(name)
        if found is None:
            raise _absent(name)
        return BytesIO(found[0])

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that start with *prefix*, as of now, sorted."""
        with self._lock:
            names = sorted(name for name in self._files if name.startswith(prefix))
        return (name for name in names if self._find(name) is not None)

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False if there was none."""
        with self._lock:
            return self._files.pop(name, None) is not None

    def _forked(self) -> None:
        """In a forked child: free all claims, whose threads exist only in the parent."""
        self._claims.clear()

    def _find(self, name: str) -> tuple[bytes, float] | None:
        found = self._files.get(name)
        return None if found is None or is_void(name, len(found[0])) else found

    def _settle(
        self, name: str, target: str | None, data: bytes, forget: str | None, modified: float | None = None
    ) -> None:
        """Free *name*; keep *data* as *target* (None: discard it) and delete *forget*."""
        with self._lock:
            if target is not None:
                self._files[target] = (data, time.time() if modified is None else modified)
            if forget is not None:
                self._files.pop(forget, None)
            self._claims.pop(name, None)  # the caller's: an open claim is the only one of its name


def _absent(name: str) -> FileNotFoundError:
    return FileNotFoundError(
        errno.ENOENT, f"{_SUBJECT}: there is no output of this name; run its task first", name
    )


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in _stores:
        store._forked()  # pyright: ignore[reportPrivateUsage] - the other half of one class


_forks.after_fork(_after_fork_in_child)


class MemoryClaim:
    """The exclusive right to make one output; see `asflow.protocols.Claim`. Returned by `MemoryStore.claim`.

    Threads: safe; a write that is under way when the claim ends is finished first. In a forked child the
    claim refuses everything.
    """

    __slots__ = (
        "__weakref__",
        "_chunks",
        "_failure",
        "_lock",
        "_modified",
        "_name",
        "_pid",
        "_replace",
        "_store",
    )

    def __init__(self, store: MemoryStore, name: str, failure: str, *, replace: bool) -> None:
        self._store = store
        self._name = name
        self._failure = failure
        self._replace = replace
        self._pid = os.getpid()
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._chunks: list[bytes] | None = []
        self._modified: float | None = None

    def __repr__(self) -> str:
        return f"<MemoryClaim of {self._name!r}, {'ended' if self._chunks is None else 'open'}>"

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append a copy of *data*; return the number of its bytes.

        Raises:
            OutputClosedError: the claim has ended, or this is a forked child.
        """
        self._refuse_fork()
        copy = bytes(data)
        with self._lock:
            if self._chunks is None:
                raise closed_error(_SUBJECT, self._name)
            self._chunks.append(copy)
        return len(copy)

    def set_modified(self, seconds: float | None, /) -> float:
        """Set the time that the output gets, in POSIX seconds; None is now. Return it.

        Raises:
            OutputClosedError: this is a forked child.
        """
        self._refuse_fork()
        self._modified = time.time() if seconds is None else seconds
        return self._modified

    def publish(self) -> None:
        """Keep the bytes as the output and end the claim; with `replace`, delete an older failure.

        Raises:
            OutputClosedError: this is a forked child.
        """
        self._refuse_fork()
        with self._lock:
            data = self._take()
            if data is not None:
                self._store._settle(  # pyright: ignore[reportPrivateUsage] - the other half of one class
                    self._name,
                    self._name,
                    data,
                    self._failure if self._replace else None,
                    self._modified,
                )

    def abort(self) -> None:
        """Discard the bytes and end the claim. Never raises."""
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._take() is not None:
                self._store._settle(self._name, None, b"", None)  # pyright: ignore[reportPrivateUsage]

    def fail(self, report: bytes, /) -> None:
        """Discard the bytes, keep *report* as the failure, and end the claim. Raises as `publish` does."""
        self._refuse_fork()
        with self._lock:
            if self._take() is not None:
                self._store._settle(  # pyright: ignore[reportPrivateUsage] - as above
                    self._name, self._failure, bytes(report), None
                )

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise fork_error(_SUBJECT, self._name)

    def _take(self) -> bytes | None:
        """End the claim and return its bytes; None if it has ended before."""
        chunks, self._chunks = self._chunks, None
        return None if chunks is None else b"".join(chunks)
