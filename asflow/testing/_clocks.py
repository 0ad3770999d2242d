"""A clock that tests move, so that no test waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from asflow import _forks
from asflow._labels import short
from asflow._runtime.clock import current
from asflow._runtime.stopping import stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@final
class FakeClock:
    """A clock that moves only by waits or by `advance`; see `fake_clock`.

    By default a wait moves the clock forward and returns at once. With *manual* it lasts until
    `advance` reaches its end.

    Threads: safe. Waits that end at different times end in that order.

    Attributes:
        waits: the seconds of every wait so far, in the order of the calls.
    """

    def __init__(self, start: float = 0.0, *, manual: bool = False) -> None:
        """Make a clock.

        Args:
            start: its first time, in seconds.
            manual: whether waits last until `advance` ends them.
        """
        self.waits: list[float] = []
        self._now = start
        self._manual = manual
        self._lock = _forks.renewed(self, "_lock", threading.Condition)
        self._ends: list[tuple[float, int]] = []  # a heap; may hold cancelled waits
        self._wakes: dict[int, Callable[[], object]] = {}
        self._order = itertools.count()

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now}, {self.sleeping} waiting>"

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Wait *seconds* on this thread; the end of a map that has made the call ends this, too."""
        over = threading.Event()
        number = self._begin(seconds, over.set)
        if number is None:
            return
        try:
            over.wait() if (stop := stopping.get()) is None else stop.wait(over)
        finally:
            self._forget(number)

    async def sleep_async(self, seconds: float, /) -> None:
        """Wait *seconds* on the running loop."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(end)

        number = self._begin(seconds, wake)
        if number is None:
            await asyncio.sleep(0)  # a real wait yields to the loop, too
            return
        try:
            await over
        finally:
            self._forget(number)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by *seconds*, and end the waits that are over then, the earliest first.

        Raises:
            ValueError: *seconds* is negative or NaN.
        """
        if not seconds >= 0:  # NaN fails this, too
            raise ValueError(
                f"FakeClock.advance(): seconds takes 0 or more, not {short(seconds)}; time only moves forward"
            )
        with self._lock:
            end = self._now + seconds
            due: list[Callable[[], object]] = []
            while self._ends and self._ends[0][0] <= end:
                _, number = heapq.heappop(self._ends)
                wake = self._wakes.pop(number, None)
                if wake is not None:
                    due.append(wake)
            self._now = end
        for wake in due:
            try:
                wake()
            except RuntimeError:  # its loop is closed
                continue

    def wait_for_sleepers(self, count: int, timeout: float = 30.0) -> None:
        """Block until at least *count* waits are in progress in other threads (with *manual*).

        Raises:
            TimeoutError: they were not within *timeout* real seconds.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: self.sleeping >= count, timeout):
                raise TimeoutError(
                    f"FakeClock.wait_for_sleepers(): {self.sleeping} waits are in progress, not {count}; "
                    "start them in other threads, or raise timeout="
                )

    @property
    def sleeping(self) -> int:
        """The number of waits in progress, without cancelled ones."""
        return len(self._wakes)

    def _begin(self, seconds: float, wake: Callable[[], object]) -> int | None:
        """Record a wait and return its number, or None if it is over already."""
        with self._lock:
            self.waits.append(seconds)
            if not self._manual:
                self._now += max(seconds, 0.0)
                return None
            if seconds <= 0:
                return None
            number = next(self._order)
            heapq.heappush(self._ends, (self._now + seconds, number))
            self._wakes[number] = wake
            self._lock.notify_all()
            return number

    def _forget(self, number: int) -> None:
        """Remove a wait, unless `advance` has done so."""
        with self._lock:
            self._wakes.pop(number, None)


@contextmanager
def fake_clock(start: float = 0.0, *, manual: bool = False) -> Generator[FakeClock]:
    """Replace the machine's clock with a `FakeClock` in all of asflow's own waits.

    These are backoff before retries, rates, and polling for other processes. A task's `timeout` and the
    times in events still use the machine's clock.

    Args:
        start: the clock's first time, in seconds.
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
