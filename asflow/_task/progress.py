"""`flow.task.progress`, `flow.task.track` and `flow.track`: how a body reports its progress."""

from __future__ import annotations

from collections.abc import Sized
from contextlib import suppress
from contextvars import ContextVar, Token
from math import isfinite
from typing import TYPE_CHECKING, TypeVar, final

from asflow._names import Sealed, create, set_homes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow._runtime.calls import FlowCall, TaskCall

T = TypeVar("T")


@final
class Progress(metaclass=Sealed):
    """A body's progress, as a context manager; made by `flow.task.progress`, in a flow by `flow.track`.

    Outside a task it only counts. Threads: one at a time.

    Attributes:
        completed: units done so far.
        total: units in all; None if unknown. Infinity and NaN are shown as unknown.
        description: what is being done, or None.
        unit: what is counted, as in `pages`; `B` for bytes; or None.
    """

    __slots__ = ("_open", "_outer", "_run", "_token", "completed", "description", "total", "unit")
    _made_by = "use flow.task.progress(...)"

    def __init__(
        self,
        run: TaskCall | FlowCall | None,
        description: str | None,
        total: float | None,
        unit: str | None = None,
    ) -> None:
        self._run = run
        self._open = False
        self._outer: Progress | None = None
        self._token: Token[Progress | None] | None = None
        self.completed: float = 0
        self.description = description
        self.total = total
        self.unit: str | None = unit

    def __enter__(self) -> Progress:
        """Show this progress in the task's line."""
        self._open = True
        self._outer = _innermost.get()
        self._token = _innermost.set(self)
        self._report()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Show the outer progress again, if there is one."""
        self._open = False
        outer, self._outer = self._outer, None
        token, self._token = self._token, None
        if token is not None:
            with suppress(ValueError):  # a generator closed in a context other than its own
                _innermost.reset(token)
        # Not if it is another task's or has ended: a thread's context is a copy that may outlive it.
        if outer is not None and outer._open and outer._run is self._run:
            outer._report()

    def __repr__(self) -> str:
        return f"<Progress {self.completed} of {'?' if self.total is None else self.total}>"

    def advance(self, n: float = 1) -> None:
        """Count *n* more units as done."""
        self.completed += n
        self._report()

    def update(
        self,
        *,
        completed: float | None = None,
        total: float | None = None,
        description: str | None = None,
    ) -> None:
        """Set the values that are passed; None leaves a value unchanged.

        Args:
            completed: units done so far, >= 0.
            total: units in all, >= 0.
            description: what is being done.
        """
        if completed is not None:
            self.completed = completed
        if total is not None:
            self.total = total
        if description is not None:
            self.description = description
        self._report()

    def _report(self) -> None:
        run = self._run
        if run is not None:
            # Displays measure and cut it, so it must be text.
            run.description = None if self.description is None else str(self.description)
            run.unit = None if self.unit is None else str(self.unit)
            run.completed = self.completed if _is_finite(self.completed) else 0
            run.total = self.total if _is_finite(self.total) else None
            run.progressed()


def _is_finite(number: float | None) -> bool:
    """Whether a display can calculate with *number*."""
    try:
        return number is not None and isfinite(number)
    except (OverflowError, TypeError):  # an int too large for a float; not a number
        return False


_innermost: ContextVar[Progress | None] = ContextVar("asflow_progress", default=None)


def track(
    run: TaskCall | FlowCall | None,
    items: Iterable[T],
    description: str | None,
    total: float | None,
    unit: str | None = None,
) -> Iterator[T]:
    """Iterate over *items*, counting each as done when the next is requested."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with create(Progress, run, description, total, unit) as progress:
        for item in items:
            yield item
            progress.advance()


set_homes("asflow", (Progress,))
