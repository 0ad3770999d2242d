"""Limits: how many bodies run at once, and how many start in a window of time, in the whole process.

`Limit` is what users hold; the runtime works with the `Limiter` inside it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from itertools import islice
from sys import float_info
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from asflow import _forks
from asflow._checks import clamped
from asflow._engine.rates import Rate, StartLog
from asflow._labels import short
from asflow._runtime import clock
from asflow._runtime.clock import is_real
from asflow._runtime.machine import Machine, checked_name
from asflow._runtime.slots import Slots
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from asflow._runtime.stopping import Onlooker

_MOST = 1_000_000  # each slot takes memory at once

_KEPT = 256  # limits by value that are kept although no call uses them

_LOOK_AGAIN = 1.0  # seconds until a call that waits for the rate looks for starts that were given back


class Limit:
    """Bounds how many bodies run at once, and how many start per time. Several tasks may share one.

        api = Limit(4, rate="10/s")

        @flow.task(limit=api)
        async def users(page: int) -> None: ...

        @flow.task(limit=api)
        async def orders(page: int) -> None: ...

    Bodies start in the order of the calls. With a rate, every window of that length sees at most that many
    starts, first calls and retries alike. A call made inside a body that holds a slot of the same limit
    runs on that slot, one such call at a time.

    With `per`, there is one such limit for each value of a function, say for each host:

        def host(url: str) -> str | None:
            return urlsplit(url).hostname

        @flow.task(limit=Limit(4, rate="10/s", per=host))
        async def fetch(url: str) -> None: ...

    With `shared`, it bounds the bodies of all processes of the machine that name the limit so:

        @flow.task(limit=Limit(4, rate="10/s", shared="api"))
        async def fetch(url: str) -> None: ...

    Threads: one Limit serves all threads and event loops of the process. Without `shared`, other processes
    have limits of their own; so has a forked child, with the slots of other threads free.

    Args:
        total: bodies at once, >= 1; 0 means no bound (useful with a rate).
        rate: starts per time, as in `"10/s"`, `"100/min"`, `"5000/hour"`, `"3/10s"`; None means no bound.
        per: a function of the parameters of the tasks that have the limit, checked when they are decorated;
            it returns any hashable value. Each value has a limit of its own, which is forgotten when it is
            idle. What the function raises passes from the call, before anything else happens.
        shared: a name, 1 to 100 ASCII letters, digits, `-`, `_` and inner `.`; None: this process only. All
            processes of this user on this machine that use the name share the bodies at once, the rate and
            every `hold`; each should say the same numbers. Bodies of one process start in the order of its
            calls; between processes, the first to ask after a body has ended is next. A process that is
            killed holds nothing. Not with `per`.

    Raises:
        DefinitionTypeError: *total* is not an integer, *rate* or *shared* is not a string, or *per* is not a
            plain function.
        DefinitionValueError: *total* is negative or above 1,000,000, *rate* can't be read, *shared* has other
            characters, or it is given together with *per*.
    """

    __slots__ = ("_limiter", "_limiters", "_rate", "_shared", "_total")

    def __init__(
        self,
        total: int,
        *,
        rate: str | None = None,
        per: Callable[..., Hashable] | None = None,
        shared: str | None = None,
    ) -> None:
        self._total = checked_total("Limit()", "total", total)
        pace = None if rate is None else Rate.parse(rate)
        self._shared = None if shared is None else checked_name(shared)
        self._limiter = Limiter(0)
        if self._shared is not None:
            self._limiter = MachineLimiter(self._shared, self._total, pace)
        elif per is None:
            self._limiter = Limiter(self._total, pace)
        self._limiters = None if per is None else Limiters(self._total, pace, per)
        self._rate = None if rate is None else " ".join(rate.split())
        if per is not None and shared is not None:
            raise DefinitionValueError(
                f"Limit(): takes per or shared, not both; remove shared={short(shared)}, "
                f"or give each value's task a limit of its own"
            )

    def __repr__(self) -> str:
        rate = "" if self._rate is None else f", rate={self._rate!r}"
        per = "" if self._limiters is None else f", per={short(self._limiters.per)}"
        shared = "" if self._shared is None else f", shared={self._shared!r}"
        return f"Limit({self._total}{rate}{per}{shared})"

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*, as when a server says Retry-After to all its callers.

        With `per`, this holds for all values; `Retry(hold_limit=True)` holds only for that of its call.

        Args:
            seconds: finite; more than 10^9 is cut to that. A hold that ends before the present one, or at
                once (<= 0), changes nothing.

        Raises:
            TypeError: *seconds* is not a number.
            ValueError: it is infinite or NaN.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise TypeError(
                f"Limit.hold(): seconds takes a number, not {short(seconds)}; write for example hold(30)"
            )
        if not -float_info.max <= seconds <= float_info.max:
            raise ValueError(
                f"Limit.hold(): seconds takes a finite number, not {short(seconds)}; "
                f"write for example hold(30)"
            )
        (self._limiter if self._limiters is None else self._limiters).hold(clamped(seconds))


def limiters_of(limit: Limit) -> Limiters | None:
    """Return the limits by value of *limit*, or None if it has no `per`."""
    return limit._limiters  # pyright: ignore[reportPrivateUsage] - as below


def limiter_of(limit: Limit) -> Limiter:
    """Return what the runtime uses of *limit*."""
    return limit._limiter  # pyright: ignore[reportPrivateUsage] - the other half of one class


def checked_total(subject: str, option: str, value: object) -> int:
    """Return *value* as a number of bodies.

    Args:
        subject: what the message begins with: `Limit()`, `task extract()`.
        option: the option's name: `total`, or `limit`, which takes a Limit as well.
        value: what was passed for it; not a Limit.

    Raises:
        DefinitionTypeError: *value* is not an integer.
        DefinitionValueError: it is negative or above 1,000,000.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        kinds = "an integer or a Limit" if option == "limit" else "an integer"
        raise DefinitionTypeError(
            f"{subject}: {option} takes {kinds}, not {short(value)}; write for example {option}=4"
        )
    if value < 0:
        raise DefinitionValueError(
            f"{subject}: {option} takes 0 or more bodies, not {short(value)}; write 0 for no bound"
        )
    if value > _MOST:
        raise DefinitionValueError(
            f"{subject}: {option} takes at most {_MOST:,} bodies, not {short(value)}; write 0 for no bound"
        )
    return value


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
            self._longest_wait = _LOOK_AGAIN

    def _start(self) -> float:
        with self._lock:
            return min(self.starts.start(self._now()), self._longest_wait)

    def _now(self) -> float:
        """Return the time. If the clock was replaced (by a test's own), earlier starts mean nothing."""
        if self._clock is not clock.current.clock:
            self._clock = clock.current.clock
            self.starts.forget()
        return self._clock.now()


class MachineLimiter(Limiter):
    """The slots of this process, which waits with each for a place among those of all processes.

    While `asflow.testing.fake_clock` is in use it bounds this process only: others have another time.

    Args:
        name: of the limit.
        total: bodies at once; 0 means no bound.
        rate: bounds the starts; None means no bound.
    """

    __slots__ = ("_machine",)

    def __init__(self, name: str, total: int, rate: Rate | None) -> None:
        super().__init__(total, rate)
        self._machine = self.machine = Machine(name, total, rate)

    @property
    def paced(self) -> bool:
        """True: another process may hold the starts."""
        return True

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*, in any process."""
        super().hold(seconds)
        if is_real():
            self._machine.hold(seconds)

    def give_back(self, at: float) -> None:
        """Forget the last start."""
        super().give_back(at)
        if is_real():
            self._machine.give_back()

    def _start(self) -> float:
        if not is_real():
            return super()._start()
        return min(self._machine.start(), _LOOK_AGAIN)


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
