"""Rates: at most n starts in any window of time, as pure arithmetic on times.

A rate of n per period is a sliding log: the k-th start comes no earlier than one period after the
(k-n)-th. So *every* window of that length sees at most n starts, wherever it begins - unlike a token
bucket, which lets nearly 2n through around an edge.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from asflow._checks import clamped
from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass


_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
_FORM = r"\s*(\d{1,9})\s*(?:/|per)\s*(\d{1,9}(?:\.\d{1,9})?)?\s*([a-z]+)\s*"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most *count* (>= 1) starts in any *seconds* (> 0) long window."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: object) -> Rate:
        """Read `"10/s"`, `"100/min"`, `"5000/hour"`, `"3/10s"` (3 every 10 seconds).

        Raises:
            DefinitionTypeError: *text* is not a string.
            DefinitionValueError: it does not have that form, or one of its numbers is 0.
        """
        if not isinstance(text, str):
            raise DefinitionTypeError(
                f"Limit(): rate takes a string, not {short(text)}; write for example rate='10/s'"
            )
        form = re.fullmatch(_FORM, text, re.IGNORECASE)
        unit = _UNITS.get(form[3].lower()) if form else None
        if form is None or unit is None:
            raise DefinitionValueError(
                f"Limit(): rate takes a count per s, min, hour or day, not {short(text)}; "
                f"write for example rate='10/s'"
            )
        count, seconds = int(form[1]), float(form[2] or 1) * unit
        if count < 1 or seconds <= 0:
            raise DefinitionValueError(
                f"Limit(): rate takes numbers above 0, not {short(text)}; write for example rate='10/s'"
            )
        return cls(count, seconds)


class StartLog:
    """The times of the last starts, from which the next follows. Not thread-safe: its owner holds a lock.

    Attributes:
        delays: whether a start may have to wait at all: there is a rate, or a hold.
    """

    __slots__ = ("_held_until", "_rate", "_recent", "delays")

    def __init__(self, rate: Rate | None) -> None:
        """Begin an empty log; without *rate* only `hold` delays a start."""
        self.delays: bool = rate is not None
        self._rate = rate
        self._recent: deque[float] = deque(maxlen=rate.count if rate else 0)
        self._held_until = float("-inf")

    def hold(self, until: float) -> None:
        """Allow no start before *until*, a time of the same clock."""
        self._held_until = max(self._held_until, until)
        self.delays = True

    def forget(self) -> None:
        """Drop all starts and holds."""
        self._recent.clear()
        self._held_until = float("-inf")
        self.delays = self._rate is not None

    def start(self, now: float) -> float:
        """Record a start at time *now* if one is allowed.

        Returns:
            0 if the start was recorded, else the seconds (> 0) until it is worth asking again.
        """
        wait = max(self._held_until, self._earliest()) - now
        if wait > 0:
            return clamped(wait)
        if self._rate is None:
            self.delays = False  # the hold is over, and there is no rate
        else:
            self._recent.append(now)
        return 0.0

    def give_back(self, at: float) -> None:
        """Drop the last start that was recorded until the time *at*: it was allowed, and did not happen."""
        for index in range(len(self._recent) - 1, -1, -1):
            if self._recent[index] <= at:
                del self._recent[index]
                return

    def is_idle(self, now: float, used: float) -> bool:
        """Whether a new log would allow the same starts, also of a call that was made at the time *used*."""
        last = max(used, self._recent[-1]) if self._recent else used
        return now >= max(self._held_until, last + (self._rate.seconds if self._rate else 0.0))

    def _earliest(self) -> float:
        """Return the time from which the rate allows the next start."""
        if self._rate is None or len(self._recent) < self._rate.count:
            return float("-inf")
        return self._recent[0] + self._rate.seconds
