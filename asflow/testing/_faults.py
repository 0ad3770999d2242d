"""A store whose steps fail on demand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, Literal, cast, final, get_args

from asflow import _forks
from asflow._labels import short
from asflow.errors import DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus, Store

Step = Literal[
    "status", "info", "claim", "open", "list", "delete", "write", "publish", "abort", "fail",
    "set_modified",
]  # fmt: skip
"""A step of a store or of one of its claims."""


@final
class FaultyStore:
    """Wraps another store and makes chosen steps raise.

        store = FaultyStore(MemoryStore())
        store.fail("publish", OSError(errno.ENOSPC, "No space left on device"))

    Threads: as safe as the wrapped store.

    Attributes:
        steps: every step so far, in order, failed ones included.
    """

    def __init__(self, store: Store, *, blocking: bool | None = None) -> None:
        """Wrap *store*.

        Args:
            store: the store that does the work.
            blocking: the value of the attribute `blocking`; None: that of *store*.
        """
        self.steps: list[Step] = []
        self.blocking: bool = store.blocking if blocking is None else blocking
        self._store = store
        self._faults: list[tuple[Step | None, int, BaseException, bool]] = []
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        path = cast("object", getattr(store, "path", None))
        if path is not None:
            self.path = path
        if hasattr(store, "set_modified"):
            self.set_modified: Callable[[str, float | None], object] = self._set_modified

    def __repr__(self) -> str:
        return f"FaultyStore({self._store!r})"

    def fail(
        self, step: Step | None, error: BaseException, *, after: int = 0, always: bool = False
    ) -> FaultyStore:
        """Make a step raise *error*.

        Args:
            step: the step; None: any step.
            error: the error to raise, before the step has any effect.
            after: the number of such steps that succeed first, 0 or more.
            always: whether all later ones raise too; by default one does.

        Returns:
            This store.

        Raises:
            DefinitionValueError: no step has that name, or *after* is negative, so that none would ever fail.
        """
        known = cast("tuple[Step, ...]", get_args(Step))
        if step is not None and step not in known:
            raise DefinitionValueError(
                f"FaultyStore.fail(): step takes one of {', '.join(known)} or None, not {short(step)}; "
                "None means any step"
            )
        if after < 0:
            raise DefinitionValueError(
                f"FaultyStore.fail(): after takes 0 or more steps, not {short(after)}; "
                "write after=0 to fail the next one"
            )
        with self._lock:
            self._faults.append((step, after, error, always))
        return self

    def heal(self) -> None:
        """Remove all faults."""
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

    def _set_modified(self, name: str, seconds: float | None, /) -> object:
        self.count("set_modified")
        set_modified = cast("Callable[[str, float | None], object]", getattr(self._store, "set_modified"))  # noqa: B009 - an optional member
        return set_modified(name, seconds)

    def count(self, step: Step) -> None:
        """Record *step*, and raise its fault if there is one."""
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
    """A claim of a `FaultyStore`; a step that fails leaves the wrapped claim unchanged."""

    def __init__(self, store: FaultyStore, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        if hasattr(claim, "set_modified"):
            self.set_modified = self._set_modified

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        self._store.count("write")
        return self._claim.write(data)

    def _set_modified(self, seconds: float | None, /) -> float:
        self._store.count("set_modified")
        set_modified = cast("Callable[[float | None], float]", getattr(self._claim, "set_modified"))  # noqa: B009 - as above
        return set_modified(seconds)

    def publish(self) -> int | None:
        self._store.count("publish")
        return self._claim.publish()

    def abort(self) -> int | None:
        try:
            self._store.count("abort")
        finally:
            # A claim that is never released would block its output for good.
            self._claim.abort()
        return None

    def fail(self, report: bytes, /) -> int | None:
        self._store.count("fail")
        return self._claim.fail(report)
