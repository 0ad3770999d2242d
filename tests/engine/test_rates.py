"""Rates: how they are written, and that no window of time sees more starts than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow._engine.rates import Rate, StartLog
from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("10/s", 10, 1),
        ("10 / s", 10, 1),
        ("1 per second", 1, 1),
        ("100/min", 100, 60),
        ("100/minutes", 100, 60),
        ("5000/hour", 5000, 3600),
        ("7/d", 7, 86400),
        ("3/10s", 3, 10),
        ("3/0.5 s", 3, 0.5),
        ("2 PER 2 Hours", 2, 7200),
    ],
)
def test_a_rate_is_read(text: str, count: int, seconds: float) -> None:
    assert Rate.parse(text) == Rate(count, seconds)


ODD = ["10/ms", "5/10ms", "10/ss", "10/hs", "9" * 20 + "/s", "1/" + "9" * 400 + "s", "9" * 5000 + "/s"]


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10/", "-1/s", "1.5/s", "10/week", "0/s", "10/0s", "10/ss s", *ODD]
)
def test_a_text_of_another_form_is_refused_and_shown(text: str) -> None:
    with pytest.raises(DefinitionValueError) as caught:
        Rate.parse(text)
    message = str(caught.value)
    assert message.startswith("Limit(): rate takes ")
    assert f", not {short(text)}; write for example rate='10/s'" in message


@pytest.mark.parametrize("value", [10, None, 1.5, ("10/s",)])
def test_a_rate_is_a_string(value: object) -> None:
    with pytest.raises(
        DefinitionTypeError, match=r"^Limit\(\): rate takes a string, not .*; write .*'10/s'$"
    ):
        Rate.parse(value)


@given(
    count=st.integers(1, 5),
    seconds=st.sampled_from([0.1, 1.0, 60.0]),
    steps=st.lists(st.tuples(st.floats(0, 3), st.none() | st.floats(0, 5)), max_size=60),
)
def test_every_window_holds_at_most_n_starts_and_none_is_late(
    count: int, seconds: float, steps: list[tuple[float, float | None]]
) -> None:
    """Gaps of any length, with holds: each start is as early as rate and holds allow, not earlier."""
    log = StartLog(Rate(count, seconds))
    now, held, starts = 0.0, 0.0, list[float]()
    for gap, hold in steps:
        now += gap
        if hold is not None:
            log.hold(now + hold)
            held = max(held, now + hold)
        allowed = max(held, starts[-count] + seconds if len(starts) >= count else 0.0)
        while wait := log.start(now):
            assert now < allowed
            assert wait == allowed - now
            now = max(now + wait, allowed)
        assert now >= allowed
        starts.append(now)
    for first, last in zip(starts, starts[count:], strict=False):
        assert last >= first + seconds


def test_a_hold_without_a_rate_delays_until_it_is_over_and_then_costs_nothing() -> None:
    log = StartLog(None)
    assert not log.delays
    assert log.start(1.0) == 0
    log.hold(5.0)
    log.hold(4.0)
    assert log.delays
    assert log.start(2.0) == 3.0
    assert log.start(5.0) == 0
    assert not log.delays


def test_asking_too_early_uses_up_no_start() -> None:
    log = StartLog(Rate(1, 10.0))
    assert log.start(0.0) == 0
    for now in (1.0, 2.0, 3.0):
        assert log.start(now) == 10.0 - now
    assert log.start(10.0) == 0
