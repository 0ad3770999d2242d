"""How a thread that waits for an executor learns that its caller was cancelled."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Stop", "stopping"]


class Stop:
    """Asks a thread to stop waiting; called from another one.

    Attributes:
        asked: whether it was asked.
        wake: what wakes the thread, set by it while it waits.
    """

    __slots__ = ("asked", "wake")

    def __init__(self) -> None:
        self.asked: bool = False
        self.wake: Callable[[], object] | None = None

    def __call__(self) -> None:
        """Ask it to stop waiting."""
        self.asked = True
        if self.wake is not None:
            self.wake()


stopping: ContextVar[Stop | None] = ContextVar("asflow_stopping", default=None)
"""Set by `flow.task.map` around a sync task that it calls in a thread."""
