"""Seconds beyond what clocks hold are cut to 10^9, or refused where they are written."""

from __future__ import annotations

import asyncio
import datetime
import math
import sys
from typing import Any

import pytest

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._engine.rates import Rate, StartLog
from asflow._runtime import clock
from asflow.errors import DefinitionError
from asflow.sinks import NullSink
from asflow.testing import fake_clock

HUGE = [1e10, 1e18, 1e100, sys.float_info.max, 10**30, 10**400]
NEVER: list[Any] = [math.inf, -math.inf, math.nan, -1, -1e308, "30", True, datetime.timedelta.max]

flow = Flow(store=MemoryStore(), sink=NullSink())


def failing_once(**options: Any) -> Any:
    calls: list[None] = []

    def body() -> int:
        calls.append(None)
        if len(calls) == 1:
            raise ConnectionError
        return len(calls)

    return flow.task(**options)(body)


@pytest.mark.parametrize("seconds", HUGE)
def test_a_huge_delay_is_cut(seconds: float) -> None:
    """As a server's Retry-After may ask for."""
    with fake_clock() as fake:
        assert failing_once(retry=Retry(delay=lambda _error, _n: seconds))() == 2
        assert failing_once(retry=Retry(delay=lambda _error, _n: seconds, hold_limit=True), limit=1)() == 2
    assert max(fake.waits) == 1e9


@pytest.mark.parametrize("seconds", HUGE[:4])
@pytest.mark.parametrize("option", ["backoff_factor", "backoff_jitter", "max_delay"])
def test_a_huge_formula_is_cut(option: str, seconds: float) -> None:
    assert Retry(**{"max_delay": 1e308, option: seconds}).backoff(1000, 0.9) == 1e9  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", NEVER)
@pytest.mark.parametrize("option", ["backoff_factor", "backoff_jitter", "max_delay"])
def test_what_is_no_number_of_seconds_is_refused(option: str, seconds: Any) -> None:
    with pytest.raises(DefinitionError, match=option):
        Retry(**{option: seconds})


@pytest.mark.parametrize("seconds", NEVER)
def test_a_delay_that_is_no_number_of_seconds_ends_the_call(seconds: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="delay returned"):
        failing_once(retry=Retry(delay=lambda _error, _n: seconds))()


@pytest.mark.parametrize("seconds", [*HUGE[:5]])
def test_a_huge_hold_is_cut(seconds: float) -> None:
    limit = Limit(1)
    with fake_clock() as fake:
        limit.hold(seconds)
        assert failing_once(limit=limit, retry=Retry(1, 0, 0))() == 2
    assert 0.99e9 < max(fake.waits) <= 1e9


@pytest.mark.parametrize("seconds", [math.inf, math.nan, 10**400, "30", True])
def test_a_hold_that_is_no_number_of_seconds_is_refused(seconds: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="seconds takes a"):
        Limit(1).hold(seconds)


def test_a_slow_rate_asks_again_after_the_longest_wait() -> None:
    """By clocks that count nanoseconds in 64 bits, `1/999999999 days` is no time at all."""
    rate = Rate.parse("1/999999999 days")
    log = StartLog(rate)
    assert log.start(0.0) == 0.0
    assert log.start(1.0) == 1e9
    assert log.start(rate.seconds) == 0.0


@pytest.mark.parametrize("timeout", [1e10, 1e100, sys.float_info.max])
async def test_a_huge_timeout_never_comes(timeout: float) -> None:
    @flow.task(timeout=timeout)
    async def body() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await body() == "done"


@pytest.mark.parametrize("timeout", NEVER)
def test_a_timeout_that_is_no_number_of_seconds_is_refused(timeout: Any) -> None:
    with pytest.raises(DefinitionError, match="timeout"):

        @flow.task(timeout=timeout)
        async def body() -> None: ...


async def test_the_longest_wait_is_one_that_clocks_take() -> None:
    waiting = asyncio.create_task(clock.current.clock.sleep_async(1e9))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
