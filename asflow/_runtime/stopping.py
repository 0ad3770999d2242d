"""A stop signal for a thread that waits, one that looks on, and whether an asyncio task was cancelled."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


class Stop:
    """Asks a thread to stop waiting; called from another thread.

    Attributes:
        asked: whether it was called.
        wake: wakes the thread; set by the thread while it waits.
    """

    __slots__ = ("asked", "wake")

    def __init__(self) -> None:
        self.asked: bool = False
        self.wake: Callable[[], object] | None = None

    def __call__(self) -> None:
        self.asked = True
        if (wake := self.wake) is not None:
            wake()

    def wait(self, event: threading.Event, seconds: float | None = None) -> None:
        """Wait for *event*, at most *seconds*, on the thread that is to stop.

        Raises:
            CancelledError: it is asked to stop.
        """
        # Order matters: set `wake`, then read `asked`. The caller does the reverse.
        self.wake = event.set
        try:
            if not self.asked:
                event.wait(seconds)
        finally:
            self.wake = None
        if self.asked:
            raise asyncio.CancelledError


class Onlooker(Protocol):
    """Sees how long a thread waits; `asflow._runtime.waits.Notice` is one."""

    @property
    def left(self) -> float | None:
        """The seconds until it wants to look, or None."""
        ...

    def look(self) -> None:
        """Look at the wait, which goes on."""
        ...


stopping: ContextVar[Stop | None] = ContextVar("asflow_stopping", default=None)
"""Set by `flow.task.map` around a sync task that it calls in a thread."""


def is_cancelled() -> bool:
    """Whether the running asyncio task was cancelled; a body may raise CancelledError without."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
