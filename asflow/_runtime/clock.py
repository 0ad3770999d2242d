"""The monotonic clock that every wait uses, and random numbers for the backoff.

Backoff, rates and polling for another process all wait on `current.clock`, so that a test can replace it
(`asflow.testing.fake_clock`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Protocol

from asflow._runtime.stopping import stopping


class Clock(Protocol):
    """Monotonic time, and ways to wait."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Block this thread for *seconds*."""
        ...

    async def sleep_async(self, seconds: float, /) -> None:
        """Suspend this task for *seconds*."""
        ...


class SystemClock:
    """The machine's monotonic clock, which changes of the wall clock don't affect."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Block this thread; Ctrl-C interrupts it, and so does the end of a map that has made the call."""
        if (stop := stopping.get()) is None:
            time.sleep(seconds)
        else:
            stop.wait(threading.Event(), min(seconds, threading.TIMEOUT_MAX))  # 49 days on Windows

    async def sleep_async(self, seconds: float, /) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


class _Current:
    __slots__ = ("clock",)

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()


current: _Current = _Current()
"""`current.clock` is the clock in use."""


def is_real() -> bool:
    """Whether the clock in use shows the time of the other processes."""
    return isinstance(current.clock, SystemClock)


def draw() -> float:
    """Return a uniform random number, 0 <= draw < 1."""
    import random

    return random.random()
