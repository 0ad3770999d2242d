"""A clock that tests move, so that nothing waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from asflow.runtime.clock import current

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["FakeClock", "fake_clock"]


@final
class FakeClock:
    """Time that passes only when it is told to; see `fake_clock`.

    By default a wait moves the time on by itself and returns at once. With *manual* it lasts until
    `advance` has reached its end.

    Threads: safe. Waits that end at different times end in that order.

    Attributes:
        waits: the seconds of every wait so far, in the order of asking.
    """

    def __init__(self, start: float = 0.0, *, manual: bool = False) -> None:
        """Make a clock.

        Args:
            start: what it shows at first, in seconds.
            manual: whether waits last until `advance` ends them.
        """
        self.waits: list[float] = []
        self._now = start
        self._manual = manual
        self._lock = threading.Condition()
        self._sleepers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now}, {len(self._sleepers)} waiting>"

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Wait *seconds* on this thread."""
        over = threading.Event()
        if not self._begin(seconds, over.set):
            over.wait()

    async def sleep_async(self, seconds: float, /) -> None:
        """Wait *seconds* on the running loop."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(end)

        # Others get their turn, as they do during a real wait.
        await (asyncio.sleep(0) if self._begin(seconds, wake) else over)

    def advance(self, seconds: float) -> None:
        """Let *seconds* (>= 0) pass, and end the waits that are over by then, the earliest first."""
        with self._lock:
            end = self._now + seconds
            due: list[Callable[[], object]] = []
            while self._sleepers and self._sleepers[0][0] <= end:
                until, _, wake = heapq.heappop(self._sleepers)
                self._now = max(self._now, until)
                due.append(wake)
            self._now = end
        for wake in due:
            try:
                wake()
            except RuntimeError:  # its loop is closed
                continue

    def wait_for_sleepers(self, count: int, timeout: float = 30.0) -> None:
        """Block until at least *count* waits are under way (with *manual*), in other threads.

        Raises:
            TimeoutError: *timeout* real seconds have passed.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._sleepers) >= count, timeout):
                raise TimeoutError(f"{len(self._sleepers)} waits are under way, not {count}")

    @property
    def sleeping(self) -> int:
        """How many waits are under way."""
        return len(self._sleepers)

    def _begin(self, seconds: float, wake: Callable[[], object]) -> bool:
        """Note a wait; True where it is over already."""
        with self._lock:
            self.waits.append(seconds)
            if not self._manual:
                self._now += max(seconds, 0.0)
                return True
            if seconds <= 0:
                return True
            heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), wake))
            self._lock.notify_all()
            return False


@contextmanager
def fake_clock(start: float = 0.0, *, manual: bool = False) -> Generator[FakeClock]:
    """Put a `FakeClock` in place of the machine's clock, for everything in asflow that waits.

    That is backoff before retries, rates, and polling for other processes. A task's `timeout` and the
    times in events are the machine's.

    Args:
        start: what the clock shows at first, in seconds.
        manual: whether waits last until `advance` ends them; by default they take no time.

    Example:
        ```python
        with fake_clock() as clock:
            asyncio.run(pipeline())
        assert clock.waits == [1.0, 2.0]
        ```
    """
    clock, before = FakeClock(start, manual=manual), current.clock
    current.clock = clock
    try:
        yield clock
    finally:
        current.clock = before
