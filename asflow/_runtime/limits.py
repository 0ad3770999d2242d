"""Limits: how many bodies run at once, and how many start in a window of time, in the whole process."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from asflow._engine.rates import Rate, StartLog
from asflow._runtime import clock
from asflow._runtime.slots import Slots, here
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Lease", "Limit", "limit_of"]

_MOST = 1_000_000  # each slot takes memory at once


def checked_total(subject: str, option: str, total: object) -> int:
    if isinstance(total, bool) or not isinstance(total, int):
        raise DefinitionTypeError(f"{subject}: {option} takes a number of bodies, not {total!r}; x")
    if total < 0 or total > _MOST:
        raise DefinitionValueError(f"{subject}: {option} takes 0 or more, not {total!r:.40}; x")
    return total


class Limit:
    """Bounds how many bodies run at once, and how many start per time; several tasks may share one.

        api = Limit(4, rate="10/s")

        @flow.task(limit=api)
        async def users(page: int) -> None: ...

        @flow.task(limit=api)
        async def orders(page: int) -> None: ...

    Bodies start in the order in which the calls asked. With a rate, every window of that length sees at
    most that many starts, first calls and retries alike. A call made inside a body that holds a slot of
    the same limit runs on that slot, one such call at a time.

    Threads: one Limit serves all threads and event loops of the process. It isn't shared with other
    processes, and a forked child starts with what was held at the fork: make Limits after forking.

    Args:
        total: bodies at once, >= 1; 0 is no bound (useful with a rate).
        rate: starts per time, as in `"10/s"`, `"100/min"`, `"5000/hour"`, `"3/10s"`; None is no bound.

    Raises:
        DefinitionTypeError: *total* is no integer or *rate* no string.
        DefinitionValueError: *total* is negative or above 1,000,000, or *rate* can't be read.
    """

    __slots__ = ("_clock", "_line", "_lock", "rate", "slots", "starts")

    def __init__(self, total: int, *, rate: str | None = None) -> None:
        if isinstance(total, bool) or not isinstance(total, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionTypeError(f"limit takes a number of bodies or a Limit, not {total!r}")
        if total < 0:
            raise DefinitionValueError(f"limit takes 0 (no bound) or more, not {total!r}")
        if total > _MOST:
            raise DefinitionValueError(f"limit takes {_MOST:,} at most, not {total!r:.40}; 0 is no bound")
        self.slots: Slots | None = Slots(total, shared=True) if total else None
        self.rate: Rate | None = None if rate is None else Rate.parse(rate)
        self.starts: StartLog = StartLog(self.rate)
        self._clock: clock.Clock = clock.current.clock
        self._line = Slots(1, shared=True)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show total and rate."""
        total = self.slots.total if self.slots else 0
        return f"Limit({total})" if self.rate is None else f"Limit({total}, rate={self.rate})"

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*, as when a server says Retry-After to all its callers.

        Args:
            seconds: finite; a shorter hold than the one under way, or none at all (<= 0), changes nothing.

        Raises:
            TypeError: *seconds* is no number.
            ValueError: it is infinite, or not a number.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise TypeError(f"hold takes a number of seconds, not {seconds!r}")
        if not float("-inf") < seconds < float("inf"):
            raise ValueError(f"hold takes finite seconds, not {seconds!r}")
        with self._lock:
            self.starts.hold(self._now() + seconds)

    @property
    def paced(self) -> bool:
        """Whether starts may have to wait although a slot is free."""
        return self.starts.delays

    async def pace(self) -> None:
        """Wait until a body may start by the rate; the caller holds a slot."""
        # One at a time, in order: whoever leaves the line has taken no start away from those behind.
        await self._line.acquire()
        place = here()
        try:
            while (wait := self._start()) > 0:
                await clock.current.clock.sleep_async(wait)
        finally:
            self._line.release(place)

    def pace_blocking(self, what: object) -> None:
        """Wait on this thread until a body may start by the rate; the caller holds a slot.

        Raises:
            DeadlockError: a call of this thread's own event loop stands before *what*, and has to wait.
        """
        self._line.acquire_blocking(what)
        place = here()
        try:
            while (wait := self._start()) > 0:
                clock.current.clock.sleep(wait)
        finally:
            self._line.release(place)

    def _start(self) -> float:
        with self._lock:
            return self.starts.start(self._now())

    def _now(self) -> float:
        """Return the time. On another clock than before (a test's own), earlier starts mean nothing."""
        if self._clock is not clock.current.clock:
            self._clock = clock.current.clock
            self.starts.forget()
        return self._clock.now()


class Lease:
    """A held slot, lent to the calls that its holder's body makes: one at a time, in order.

    The slot goes back when its holder and everybody who was lent it have ended.

    Args:
        slots: what the held slot was taken from.
        outer: the lease that the held slot was lent from, if it is itself lent.
    """

    __slots__ = ("_lock", "_users", "outer", "slots", "turns")

    def __init__(self, slots: Slots, outer: Lease | None) -> None:
        self.slots: Slots = slots
        self.outer: Lease | None = outer
        self.turns: Slots = Slots(1, shared=True)
        self._users = 1
        # Reentrant: a garbage collection inside the lock may end another user on this very thread.
        self._lock = threading.RLock()

    def join(self) -> bool:
        """Ask to be lent the slot; False where it has gone back already."""
        with self._lock:
            if self._users == 0:
                return False
            self._users += 1
            return True

    def end(self, place: int) -> None:
        """End the holder's own use of the slot that it took at *place*."""
        self.slots.detach(place)
        self.leave()

    def leave(self) -> None:
        """End one use; the last one gives the slot back."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        self.slots.put()
        if self.outer is not None:
            self.outer.leave()


_by_task: dict[Hashable, Limit] = {}
_by_task_lock = threading.Lock()


def _own_limit(total: int | None) -> Limit:
    limit = Limit(os.cpu_count() or 1 if total is None else total)
    if limit.slots is not None:
        # All its callers are of one colour, so it needs no note of who holds what.
        limit.slots = Slots(limit.slots.total)
    return limit


def limit_of(key: Hashable | None, total: int | None) -> Limit:
    """Return the limit of the task known as *key*, with *total* slots (None: the CPU count) from now on.

    A module-level function that is decorated anew (a re-run Streamlit script, a notebook cell) keeps the
    one limit that its earlier decorations have, so that they bound the process together.
    """
    limit = _own_limit(total)
    if key is None:
        return limit
    with _by_task_lock:
        known = _by_task.get(key)
        if known is None or known.slots is None or limit.slots is None:
            _by_task[key] = limit
            return limit
        if known.slots.total != limit.slots.total:
            known.slots.resize(limit.slots.total)
        return known
