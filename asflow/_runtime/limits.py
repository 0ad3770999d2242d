"""Limits: how many bodies run at once, and how many start in a window of time, in the whole process.

`Limit` is what users hold; the runtime works with the `Limiter` inside it: see `limiters`.
"""

from __future__ import annotations

from sys import float_info
from typing import TYPE_CHECKING

from asflow._checks import clamped
from asflow._engine.rates import Rate
from asflow._labels import short
from asflow._runtime.limiters import Limiter, Limiters
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


_MOST = 1_000_000  # each slot takes memory at once


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
        self._shared = None
        self._limiter = Limiter(0)
        if shared is not None:
            from asflow._runtime.machine import checked_name
            from asflow._runtime.machine_limiter import MachineLimiter

            self._shared = checked_name(shared)
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
