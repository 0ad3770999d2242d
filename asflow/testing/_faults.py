"""A store whose steps fail when they are told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, Literal, cast, final, get_args

from asflow.errors import DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus, Store

__all__ = ["FaultyStore"]

Step = Literal[
    "status", "info", "claim", "open", "list", "delete", "write", "publish", "abort", "fail",
]  # fmt: skip
"""A step of a store or of one of its claims."""


@final
class FaultyStore:
    """Passes everything on to another store, and makes chosen steps raise.

        store = FaultyStore(MemoryStore())
        store.fail("publish", OSError(errno.ENOSPC, "No space left on device"))

    Threads: as safe as the store within.

    Attributes:
        steps: every step that was asked for, in order, failing ones included.
    """

    def __init__(self, store: Store, *, blocking: bool | None = None) -> None:
        """Wrap *store*.

        Args:
            store: who does the work.
            blocking: what the attribute `blocking` says; None: what that of *store* does.
        """
        self.steps: list[Step] = []
        self.blocking: bool = store.blocking if blocking is None else blocking
        self._store = store
        self._faults: list[tuple[Step | None, int, BaseException, bool]] = []
        self._lock = threading.Lock()
        path = cast("object", getattr(store, "path", None))
        if path is not None:
            self.path = path

    def __repr__(self) -> str:
        return f"FaultyStore({self._store!r})"

    def fail(
        self, step: Step | None, error: BaseException, *, after: int = 0, always: bool = False
    ) -> FaultyStore:
        """Make a step raise *error*.

        Args:
            step: which; None: any.
            error: what it raises, before it has done anything.
            after: how many such steps from now on go well first, >= 0.
            always: whether all later ones raise too; else only one does.

        Returns:
            This store.

        Raises:
            DefinitionValueError: there is no such step, or *after* is negative: the fault would never come.
        """
        known = cast("tuple[Step, ...]", get_args(Step))
        if step is not None and step not in known:
            raise DefinitionValueError(f"fail takes one of {', '.join(known)}, or None for any, not {step!r}")
        if after < 0:
            raise DefinitionValueError(f"fail takes after= of 0 or more steps, not {after!r}")
        with self._lock:
            self._faults.append((step, after, error, always))
        return self

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """See `asflow.protocols.Store`."""
        self.count("status")
        return self._store.status(name, failure)

    def info(self, name: str, /) -> OutputInfo | None:
        """See `asflow.protocols.Store`."""
        self.count("info")
        return self._store.info(name)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        """See `asflow.protocols.Store`."""
        self.count("claim")
        claim = self._store.claim(name, failure, replace=replace)
        return claim if isinstance(claim, str) else _FaultyClaim(self, claim)

    def open(self, name: str, /) -> BinaryIO:
        """See `asflow.protocols.Store`."""
        self.count("open")
        return self._store.open(name)

    def list(self, prefix: str, /) -> Iterator[str]:
        """See `asflow.protocols.Store`."""
        self.count("list")
        return self._store.list(prefix)

    def delete(self, name: str, /) -> bool:
        """See `asflow.protocols.Store`."""
        self.count("delete")
        return self._store.delete(name)

    def count(self, step: Step) -> None:
        """Note *step*, and raise if it is to fail."""
        with self._lock:
            self.steps.append(step)
            for index, (wanted, after, error, always) in enumerate(self._faults):
                if wanted not in {None, step}:
                    continue
                if after:
                    self._faults[index] = (wanted, after - 1, error, always)
                    continue
                if not always:
                    del self._faults[index]
                raise error


class _FaultyClaim:
    """A claim of a `FaultyStore`; a step that fails leaves the claim within as it was."""

    def __init__(self, store: FaultyStore, claim: Claim) -> None:
        self._store = store
        self._claim = claim

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        self._store.count("write")
        return self._claim.write(data)

    def publish(self) -> object:
        self._store.count("publish")
        return self._claim.publish()

    def abort(self) -> object:
        try:
            self._store.count("abort")
        finally:
            # A store that could not even give up its claim would block its output for good.
            self._claim.abort()
        return None

    def fail(self, report: bytes, /) -> object:
        self._store.count("fail")
        return self._claim.fail(report)
