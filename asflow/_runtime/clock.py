"""What waiting goes by: a monotonic clock, and random numbers for the backoff.

Everything in asflow that waits (backoff, rates, polling for another process) asks `now`, `sleep`
and `sleep_async` of the clock that stands in `current`, so that a test can put its own in its place
(`asflow.testing.fake_clock`).
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "current", "draw"]


class Clock(Protocol):
    """A source of monotonic time, and ways to let it pass."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Block this thread for *seconds*."""
        ...

    async def sleep_async(self, seconds: float, /) -> None:
        """Let this task wait for *seconds*."""
        ...


class SystemClock:
    """The machine's monotonic clock: jumps of the wall clock don't touch it."""

    def now(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Block this thread; Ctrl-C interrupts it."""
        time.sleep(seconds)

    async def sleep_async(self, seconds: float, /) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


class _Current:
    """Holds the clock in use."""

    __slots__ = ("clock",)

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()


current: _Current = _Current()
"""Where the clock in use stands: `current.clock`."""


def draw() -> float:
    """Return a uniform random number, 0 <= draw < 1."""
    import random

    return random.random()
