"""Whether an existing output is out of date: a pure decision from times.

    the output              if                                       it is
    ----------------------  ---------------------------------------  -------------------
    reads inputs            one of them is newer                     stale ("input")
    refresh: an age         it is older than that                    stale ("age")
    refresh: a moment       it was made before it                    stale ("moment")
    refresh: True           always                                   stale ("asked")
    any other                                                        up to date

An output that `asflow refresh` has marked is stale ("marked"), which its store knows.
"Newer" is later, strictly: an input of the output's own time is one that it was made from.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Reason: TypeAlias = Literal["marked", "input", "age", "moment", "asked"]
"""Why an output is out of date."""


class Age(NamedTuple):
    """The output is good for *seconds* after it was made."""

    seconds: float


class Moment(NamedTuple):
    """What was made before *time* (POSIX seconds) is out of date."""

    time: float


Rule: TypeAlias = "Age | Moment | bool | None"
"""What `refresh=` says of one call. False and None: nothing."""


class Stale(NamedTuple):
    """An output that is out of date.

    Attributes:
        reason: which rule says so.
        input: the name of the newest input, if one is newer.
    """

    reason: Reason
    input: str = ""


def judge(
    modified: float, *, now: float, rule: Rule = None, inputs: Iterable[tuple[str, float]] = ()
) -> Stale | None:
    """Decide by the table above; None if the output is up to date.

    Args:
        modified: when the output was made, in POSIX seconds.
        now: the time, likewise.
        rule: what `refresh=` says.
        inputs: name and time of each input that exists.
    """
    newest, newest_time = "", modified
    for name, time in inputs:
        if time > newest_time:
            newest, newest_time = name, time
    if newest_time > modified:
        return Stale("input", newest)
    if isinstance(rule, Age):
        return Stale("age") if now - modified > rule.seconds else None
    if isinstance(rule, Moment):
        return Stale("moment") if modified < rule.time else None
    return Stale("asked") if rule else None


GRAIN = 0.01
"""Seconds. Clocks of file systems advance in steps: 1 to 10 ms for most, up to 2 s for some."""


def made_at(begun: float, now: float, before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the time for a new output, so that an input that it was not made from is newer.

    All times come from the clock of the inputs.

    Args:
        begun: when the body began.
        now: a time before the inputs were looked at last.
        before: names and times of the inputs at the body's beginning.
        after: the same, now.

    Returns:
        If no input has changed: *now*, less one step of the clock, but after the newest input. An input that
        is replaced from now on gets a later time. Otherwise: the body's beginning, less one step; what
        was replaced since then is newer.
    """
    if before != after:
        return begun - GRAIN
    # One step of a float, 240 ns, covers the nanoseconds that it has lost, which other tools compare.
    return max(now - GRAIN, *(nextafter(time, inf) for time in after.values()))
