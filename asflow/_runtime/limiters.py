"""What the runtime uses of a limit: its slots, its rate, and which of several limits a call has."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from asflow import _forks
from asflow._engine.rates import Rate, StartLog
from asflow._labels import short
from asflow._runtime import clock
from asflow._runtime.slots import Slots
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from asflow._runtime.machine import Machine
    from asflow._runtime.stopping import Onlooker

_KEPT = 256  # limits by value that are kept although no call uses them

LOOK_AGAIN = 1.0
"""Seconds until a call that waits for the rate looks for starts that were given back."""


class Limiter:
    """The slots and the rate of one limit.

    Args:
        total: bodies at once; 0 means no bound.
        rate: bounds the starts; None means no bound.
        shared: False if all callers are of one colour, so that slots need not record which loop holds them.

    Attributes:
        slots: None if there is no bound on the bodies at once.
        starts: the last starts, from which the next follows.
        machine: the bodies of all processes; None if the limit is this one's own.
    """

    __slots__ = ("__weakref__", "_clock", "_lock", "_longest_wait", "_pacing", "machine", "slots", "starts")

    def __init__(self, total: int, rate: Rate | None = None, *, shared: bool = True) -> None:
        self.machine: Machine | None = None
        self.slots: Slots | None = Slots(total, shared=shared) if total else None
        self.starts: StartLog = StartLog(rate)
        self._clock: clock.Clock = clock.current.clock
        self._pacing = Slots(1, shared=True)  # who waits for the rate: one at a time
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._longest_wait = float("inf")  # until the first start is returned

    @property
    def paced(self) -> bool:
        """Whether starts may have to wait although a slot is free."""
        return self.starts.delays

    def try_start(self) -> bool:
        """Start a body, if the rate lets it and no call waits for that; the caller holds a slot."""
        turn = self._pacing.try_acquire()
        try:
            started = turn is not None and self._start() <= 0
            if turn is not None:
                self._pacing.release(turn)
            return started
        finally:
            del turn

    async def pace(self) -> None:
        """Wait until the rate lets a body start; the caller holds a slot."""
        # One at a time, in order: a caller that is cancelled here has used up no start.
        turn = await self._pacing.acquire()
        try:
            while (wait := self._start()) > 0:
                await clock.current.clock.sleep_async(wait)
            # Without a GIL, what a `del` leads to may wait until the thread that made the slot runs on.
            self._pacing.release(turn)
        finally:
            del turn  # which returns it as well, if this is left otherwise

    def pace_blocking(self, task: str, onlooker: Onlooker | None = None) -> None:
        """Wait on this thread until the rate lets a body of *task* start; the caller holds a slot.

        Args:
            task: named in messages.
            onlooker: looks at the wait now and then.

        Raises:
            DeadlockError: a call on this thread's own event loop comes first, and has to wait.
        """
        turn = self._pacing.acquire_blocking(task, onlooker)
        try:
            while (wait := self._start()) > 0:
                left = None if onlooker is None else onlooker.left
                clock.current.clock.sleep(wait if left is None else min(wait, left))
                if onlooker is not None:
                    onlooker.look()
            self._pacing.release(turn)
        finally:
            del turn

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*."""
        with self._lock:
            self.starts.hold(self._now() + seconds)

    def is_idle(self, used: float) -> bool:
        """Whether a new limiter would do the same: no call is under way, and no start or hold still counts.

        Args:
            used: when it was last given to a call, which may not have a slot yet.
        """
        slots = self.slots
        if slots is not None and (slots.waiters or len(slots.free) < slots.total):
            return False
        with self._lock:
            return self.starts.is_idle(self._now(), used)

    def give_back(self, at: float) -> None:
        """Forget the start that was granted shortly before the time *at*: no body was called."""
        with self._lock:
            self.starts.give_back(at)
            self._longest_wait = LOOK_AGAIN

    def _start(self) -> float:
        with self._lock:
            return min(self.starts.start(self._now()), self._longest_wait)

    def _now(self) -> float:
        """Return the time. If the clock was replaced (by a test's own), earlier starts mean nothing."""
        if self._clock is not clock.current.clock:
            self._clock = clock.current.clock
            self.starts.forget()
        return self._clock.now()


class Limiters:
    """One limiter for each value of a function; those that are idle are forgotten.

    Args:
        total: bodies at once for each value; 0 means no bound.
        rate: bounds the starts for each value; None means no bound.
        per: returns the value, called with a task's arguments.
    """

    __slots__ = (
        "__weakref__",
        "_held_until",
        "_known",
        "_latest",
        "_lock",
        "_paced",
        "_rate",
        "_total",
        "per",
    )

    def __init__(self, total: int, rate: Rate | None, per: Callable[..., Hashable]) -> None:
        if not callable(per):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(
                f"Limit(): per takes a function of the task's own parameters, not {short(per)}; "
                f"write for example per=lambda url: urlsplit(url).hostname"
            )
        from inspect import iscoroutinefunction

        if iscoroutinefunction(per):
            raise DefinitionTypeError(
                f"Limit(): per takes a plain function, not the async {short(per)}; make it a `def`"
            )
        self.per: Callable[..., Hashable] = per
        self._total = total
        self._rate = rate
        self._held_until = float("-inf")
        # A call that uses a limiter keeps it. The latest are kept, as making one costs as much as a call; and
        # those whose rate or hold may still count, with the time of their last use, the oldest first.
        self._known: WeakValueDictionary[Hashable, Limiter] = WeakValueDictionary()
        self._paced: dict[Hashable, tuple[Limiter, float]] = {}
        self._latest: deque[Limiter] = deque(maxlen=_KEPT)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)

    def of(self, value: Hashable) -> Limiter:
        """Return the limiter of *value*."""
        with self._lock:
            limiter, now = self._known.get(value), clock.current.clock.now()
            if limiter is None:
                self._known[value] = limiter = Limiter(self._total, self._rate)
                self._latest.append(limiter)
                if self._held_until > now:
                    limiter.hold(self._held_until - now)
            self._keep(value, limiter, now)
            return limiter

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*, for any value."""
        with self._lock:
            now = clock.current.clock.now()
            self._held_until = max(self._held_until, now + seconds)
            for value, limiter in list(self._known.items()):
                limiter.hold(seconds)
                self._keep(value, limiter, now)

    def _keep(self, value: Hashable, limiter: Limiter, now: float) -> None:
        """Let go of two old limiters, if they are idle, so that their number stays bounded; keep this one."""
        self._paced.pop(value, None)
        for oldest in list(islice(self._paced, 2)):
            each, used = self._paced[oldest]
            if each.is_idle(used):
                del self._paced[oldest]
        if limiter.paced:
            self._paced[value] = limiter, now


_by_task: dict[Hashable, Limiter] = {}
_by_task_lock = _forks.renewed(sys.modules[__name__], "_by_task_lock", threading.Lock)


def task_limiter(key: Hashable | None, total: int | None) -> Limiter:
    """Return the limiter of the task known as *key*, with *total* slots (None: the CPU count) from now on.

    A module-level function that is decorated again (a re-run Streamlit script, a notebook cell) keeps the
    limiter of its earlier decorations, so that together they bound the process.
    """
    # A task's own limit is used by async callers only or by sync callers only.
    limiter = Limiter(os.cpu_count() or 1 if total is None else total, shared=False)
    if key is None:
        return limiter
    with _by_task_lock:
        known = _by_task.get(key)
        if known is None or known.slots is None or limiter.slots is None:
            _by_task[key] = limiter
            return limiter
        if known.slots.total != limiter.slots.total:
            known.slots.resize(limiter.slots.total)
        return known
