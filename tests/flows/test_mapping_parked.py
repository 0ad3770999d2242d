"""Calls of a map that wait for a retry: they hold neither a slot nor a worker, in bounds, and end cleanly."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tasks import slots_of

from asflow import Completed, Failed, Flow, Retry
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

AT_ONCE = Retry(3, backoff_factor=0, backoff_jitter=0)
NEVER = Retry(1, delay=lambda error, n: 3600)


async def turns(count: int = 100) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def alone() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_others_go_on_while_as_many_as_the_limit_wait(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2, retry=NEVER)
    async def fetch(number: int) -> int:
        if number < 2:
            raise ConnectionError
        return number

    async with aclosing(aiter(flow.task.map(fetch, range(20), ordered=False))) as results:
        assert [await anext(results) for _ in range(18)] == list(range(2, 20))
    assert sink.outcomes() == ["completed"] * 18 + ["cancelled"] * 2
    assert len(slots_of(fetch).free) == 2
    assert alone()


def test_in_threads_too_and_the_end_does_not_wait_for_the_retry(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2, retry=NEVER)
    def fetch(number: int) -> int:
        if number < 2:
            raise ConnectionError
        return number

    before = threading.active_count()
    with closing(iter(flow.task.map(fetch, range(20), ordered=False))) as results:
        assert sorted(next(results) for _ in range(18)) == list(range(2, 20))
    assert sorted(sink.outcomes()) == ["cancelled"] * 2 + ["completed"] * 18
    assert len(slots_of(fetch).free) == 2
    assert threading.active_count() <= before


async def test_a_sync_task_on_a_loop(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2, retry=NEVER)
    def fetch(number: int) -> int:
        if number < 2:
            raise ConnectionError
        return number

    async with aclosing(aiter(flow.task.map(fetch, range(20), ordered=False))) as results:
        assert sorted([await anext(results) for _ in range(18)]) == list(range(2, 20))
    assert sorted(sink.outcomes()) == ["cancelled"] * 2 + ["completed"] * 18
    assert alone()


@pytest.mark.parametrize("is_async", [True, False])
async def test_results_in_order_wait_behind_the_first_in_bounds(flow: Flow, is_async: bool) -> None:
    """The room is 2 * limit, and while a call is parked 10 * limit more: item 0 and 23 behind it."""
    begun, last = list[int](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def called(number: int) -> int:
        begun.append(number)
        if len(begun) == 24:
            loop.call_soon_threadsafe(last.set)
        if number == 0:
            raise ConnectionError
        return number

    task: Any = flow.task(limit=2, retry=NEVER)
    if is_async:

        async def fetch(number: int) -> int:
            return called(number)

        mapped: Any = flow.task.map(task(fetch), range(1000))
    else:
        mapped = flow.task.map(task(called), range(1000))
    results = aiter(mapped)
    first = asyncio.ensure_future(anext(results))
    await last.wait()
    await turns()
    assert sorted(begun) == list(range(24))
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    await results.aclose()
    assert alone()


async def test_past_ten_times_the_limit_the_workers_wait(flow: Flow) -> None:
    begun, enough = Counter[int](), asyncio.Event()

    @flow.task(limit=2, retry=NEVER)
    async def fetch(number: int) -> None:
        begun[number] += 1
        if len(begun) == 22:
            enough.set()
        raise ConnectionError

    task = asyncio.ensure_future(flow.task.map(fetch, range(1000)))
    await enough.wait()
    await turns()
    assert begun == Counter(range(22))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert len(slots_of(fetch).free) == 2
    assert alone()


async def items_of(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@pytest.mark.parametrize("kind", ["async", "thread", "for"])
@given(
    failures=st.lists(st.integers(0, 4), max_size=40),
    limit=st.integers(1, 4),
    ordered=st.booleans(),
    collect=st.booleans(),
    is_listed=st.booleans(),
)
def test_any_failures_leave_results_and_order_as_they_should_be(
    kind: str, failures: list[int], limit: int, ordered: bool, collect: bool, is_listed: bool
) -> None:
    """Item i fails `failures[i]` times; three retries are allowed."""
    flow, calls, most, running, lock = Flow(sink=NullSink()), Counter[int](), 0, 0, threading.Lock()

    def body(number: int) -> int:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
            calls[number] += 1
        with lock:
            running -= 1
        if calls[number] <= failures[number]:
            raise ConnectionError(number)
        return number

    async def async_body(number: int) -> int:
        await asyncio.sleep(0)
        return body(number)

    task: Any = flow.task(limit=limit, retry=AT_ONCE)(async_body if kind == "async" else body)
    on_error: Any = "collect" if collect else "raise"
    items: Any = range(len(failures)) if is_listed or kind == "for" else items_of(len(failures))
    results, error = list[Any](), None

    async def run() -> None:
        async for result in flow.task.map(task, items, ordered=ordered, on_error=on_error):
            results.append(result)

    try:
        if kind == "for":
            mapped: Any = flow.task.map(task, items, ordered=ordered, on_error=on_error)
            results.extend(mapped)
        else:
            asyncio.run(run())
    except ConnectionError as raised:
        error = raised
    lost = [number for number, count in enumerate(failures) if count == 4]
    assert (error is not None) == bool(lost and not collect)
    values = [result.item if collect else result for result in results]
    if error is None:
        assert sorted(values) == list(range(len(failures)))
        assert calls == Counter({number: min(count + 1, 4) for number, count in enumerate(failures)})
    if ordered:
        assert values == list(range(len(values)))
    if collect:
        assert [result.item for result in results if isinstance(result, Failed)] == [
            value for value in values if value in lost
        ]
        assert sum(isinstance(result, Completed) for result in results) == len(failures) - len(lost)
    assert most <= limit
    assert len(slots_of(task).free) == limit


def test_a_loop_that_ends_first_leaves_nothing(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=1, retry=NEVER)
    async def fetch(number: int) -> int:
        if number == 0:
            raise ConnectionError
        return number

    kept = list[Any]()

    async def main() -> None:
        results = aiter(flow.task.map(fetch, range(5), ordered=False))
        assert await anext(results) == 1
        kept.append(results)  # not closed here

    asyncio.run(main())
    assert set(sink.outcomes()) == {"completed", "cancelled"}
    assert len(slots_of(fetch).free) == 1


async def test_a_failure_of_a_call_that_had_waited_stops_the_map(flow: Flow) -> None:
    gate = asyncio.Event()

    @flow.task(limit=1, retry=AT_ONCE)
    async def fetch(number: int) -> int:
        if number == 0:
            raise ConnectionError(number)
        await gate.wait()
        return number

    mapped = asyncio.ensure_future(flow.task.map(fetch, range(3)))
    await turns()
    gate.set()
    with pytest.raises(ConnectionError, match="0"):
        await mapped
    assert alone()


# ------------------------------------------------------------------------ a CancelledError without a cancel


async def closed_under_us() -> None:
    inner = asyncio.ensure_future(asyncio.sleep(3600))
    inner.cancel()
    await inner


@pytest.mark.parametrize("options", [{}, {"retry": 2}])
async def test_cancelled_error_of_a_body_is_a_failure(flow: Flow, options: dict[str, Any]) -> None:
    async def fetch(number: int) -> int:
        if number == 3:
            await closed_under_us()
        return number

    task: Any = flow.task(limit=2, **options)(fetch)

    results: list[Any] = await flow.task.map(task, range(6), on_error="collect")
    failed = results[3]
    assert isinstance(failed, Failed)
    assert type(failed.error) is RuntimeError
    assert isinstance(failed.error.__cause__, asyncio.CancelledError)
    assert str(failed.error).startswith("task fetch(): raised CancelledError for the item 3, although")
    assert [type(result) for result in results].count(Completed) == 5
    with pytest.raises(RuntimeError, match="item 3"):
        await flow.task.map(task, range(6))


@pytest.mark.parametrize("options", [{}, {"retry": 2}])
@pytest.mark.parametrize("on_loop", [True, False])
def test_of_a_sync_body_too(flow: Flow, options: dict[str, Any], on_loop: bool) -> None:
    def fetch(number: int) -> int:
        if number == 3:
            raise asyncio.CancelledError
        return number

    task: Any = flow.task(limit=2, **options)(fetch)

    def mapped(on_error: Any) -> list[Any]:
        work: Any = flow.task.map(task, range(6), on_error=on_error)
        return asyncio.run(work) if on_loop else list(work)

    results = mapped("collect")
    assert isinstance(results[3], Failed)
    assert isinstance(results[3].error.__cause__, asyncio.CancelledError)
    assert [type(result) for result in results].count(Completed) == 5
    with pytest.raises(RuntimeError, match="item 3"):
        mapped("raise")


async def test_outside_a_map_it_passes(flow: Flow) -> None:
    @flow.task(retry=2, skip=Exception)
    async def fetch() -> None:
        await closed_under_us()

    with pytest.raises(asyncio.CancelledError):
        await fetch()
