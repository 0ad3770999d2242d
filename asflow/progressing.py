"""`flow.task.progress` and `flow.task.track`: how a body tells how far it is."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow.runtime.runs import TaskRun

__all__ = ["Progress", "track"]

T = TypeVar("T")


@final
class Progress:
    """How far a body is, as a context manager; made by `flow.task.progress`.

    Used outside a task it counts for itself and tells nobody. Threads: any one at a time.

    Attributes:
        completed: units done so far.
        total: units in all, or None where unknown.
        description: what is being done, or None.
    """

    __slots__ = ("_outer", "_run", "completed", "description", "total")

    def __init__(self, run: TaskRun | None, description: str | None, total: float | None) -> None:
        """Count for *run*; see `flow.task.progress`."""
        self._run = run
        self._outer: tuple[str | None, float, float | None] = (None, 0, None)
        self.completed: float = 0
        self.description = description
        self.total = total

    def __enter__(self) -> Progress:
        """Show this progress in the task's line."""
        run = self._run
        if run is not None:
            self._outer = (run.description, run.completed, run.total)
        self._tell()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Show again what was shown before, if this was progress within progress."""
        description, completed, total = self._outer
        if self._run is not None and (total is not None or description is not None):
            self._run.description, self._run.completed, self._run.total = description, completed, total
            self._run.progressed()

    def advance(self, n: float = 1) -> None:
        """Add *n* units (default 1) to those done."""
        self.completed += n
        self._tell()

    def update(
        self,
        *,
        completed: float | None = None,
        total: float | None = None,
        description: str | None = None,
    ) -> None:
        """Set what is given, and leave the rest as it is.

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
        self._tell()

    def _tell(self) -> None:
        run = self._run
        if run is not None:
            run.description, run.completed, run.total = self.description, self.completed, self.total
            run.progressed()


def track(
    run: TaskRun | None, items: Iterable[T], description: str | None, total: float | None
) -> Iterator[T]:
    """Iterate over *items*, counting each as done when the next is asked for."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(run, description, total) as progress:
        for item in items:
            yield item
            progress.advance()
