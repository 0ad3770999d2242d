"""`flow.task.map`: lazily, in order or as they come, bounded, and clean however it ends."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from support.tasks import flow_call, slots_of

from asflow import Completed, Failed, Flow
from asflow.events import FlowStarted
from asflow.sinks import NullSink
from asflow.testing import RecordingSink


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("source", ["list", "generator", "async"])
async def test_every_item_once(flow: Flow, ordered: bool, source: str) -> None:
    @flow.task(limit=7)
    async def double(number: int) -> int:
        for _ in range(number * 7 % 5):
            await asyncio.sleep(0)
        return 2 * number

    items: Any = {"list": list(range(200)), "generator": iter(range(200)), "async": numbers(200)}[source]
    results: list[int] = await flow.task.map(double, items, ordered=ordered)
    expected = [2 * number for number in range(200)]
    assert results == expected if ordered else sorted(results) == expected
    assert len(slots_of(double).free) == 7


async def test_as_they_come_means_as_they_come(flow: Flow) -> None:
    gates = [asyncio.Event() for _ in range(3)]

    @flow.task(limit=3)
    async def wait(number: int) -> int:
        await gates[number].wait()
        return number

    seen: list[int] = []
    gates[2].set()
    async for number in flow.task.map(wait, range(3), ordered=False):
        seen.append(number)
        if number:
            gates[number - 1].set()
    assert seen == [2, 1, 0]


async def test_items_are_pulled_lazily_and_a_slow_consumer_slows_it_down(flow: Flow) -> None:
    pulled = 0

    def endless() -> Iterator[int]:
        nonlocal pulled
        while True:
            pulled += 1
            yield pulled

    @flow.task(limit=4)
    async def same(number: int) -> int:
        return number

    mapped = aiter(flow.task.map(same, endless()))
    for expected in range(1, 100):
        assert await anext(mapped) == expected
        for _ in range(20):
            await asyncio.sleep(0)
        assert pulled <= expected + 3 * 4
    await mapped.aclose()


async def test_sync_tasks_run_in_threads_up_to_their_limit(flow: Flow) -> None:
    meet, threads = threading.Barrier(3), set[int]()

    @flow.task(limit=3)
    def work(number: int) -> int:
        meet.wait(30)
        threads.add(threading.get_ident())
        return number

    assert await flow.task.map(work, range(9)) == list(range(9))
    assert len(threads) == 3
    assert threading.get_ident() not in threads


async def test_a_sync_body_may_raise_stop_iteration(flow: Flow) -> None:
    """A future can't hold one: without care the map would wait for ever."""

    @flow.task(limit=2)
    def first(items: list[int]) -> int:
        return next(iter(items))

    with pytest.raises(RuntimeError, match=r"first\(\): raised StopIteration"):
        await flow.task.map(first, [[]])


async def test_the_first_failure_stops_it_and_is_raised_unchanged(flow: Flow, sink: RecordingSink) -> None:
    error, started = OSError("the third"), list[int]()

    @flow.task(limit=4)
    async def work(number: int) -> int:
        started.append(number)
        if number == 3:
            raise error
        if number > 3:
            await asyncio.Event().wait()
        return number

    with pytest.raises(OSError) as caught:  # noqa: PT011 - the object is compared
        await flow.task.map(work, range(1000))
    assert caught.value is error
    assert len(started) < 20
    outcomes = sink.outcomes()
    assert outcomes.count("failed") == 1
    assert len(outcomes) == len(started), "all calls under way have ended"


async def test_failures_as_values(flow: Flow) -> None:
    error = OSError("odd")

    @flow.task(limit=2, skip=KeyError)
    async def work(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        if number % 2:
            raise error
        return number

    outcomes = await flow.task.map(work, range(4), on_error="collect")
    assert outcomes == [Completed(0, 0), Failed(1, error), Completed(2, 2), Completed(3, None, "skipped")]


async def test_cancelling_cancels_what_is_under_way_and_waits_for_it(flow: Flow, sink: RecordingSink) -> None:
    ended = 0

    @flow.task(limit=5)
    async def work(number: int) -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended += 1

    async def drain() -> list[None]:
        return await flow.task.map(work, range(100))

    task = asyncio.create_task(drain())
    while sink.kinds().count("task_started") < 5:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == 5
    assert sink.outcomes() == ["cancelled"] * 5


async def test_leaving_the_loop_early_cancels_and_aclosing_waits(flow: Flow, sink: RecordingSink) -> None:
    cancelled = 0

    @flow.task(limit=3)
    async def work(number: int) -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(0 if number == 0 else 3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cancelled += 1
            raise
        return number

    async with aclosing(aiter(flow.task.map(work, range(9)))) as results:
        async for number in results:
            assert number == 0
            break
    assert cancelled == len(sink.outcomes()) - 1 > 0
    before = cancelled
    async for _ in flow.task.map(work, range(9)):
        break
    while cancelled == before:  # soon, if not at once
        await asyncio.sleep(0)


async def test_an_items_error_stops_it_too_and_its_finally_runs(flow: Flow) -> None:
    closed: list[str] = []

    async def broken() -> AsyncIterator[int]:
        try:
            yield 1
            raise LookupError("no more pages")
        finally:
            closed.append("items")

    @flow.task(limit=2)
    async def work(number: int) -> int:
        return number

    with pytest.raises(LookupError, match="no more pages"):
        await flow.task.map(work, broken())
    mapped = aiter(flow.task.map(work, numbers(100)))
    await anext(mapped)
    await mapped.aclose()
    assert closed == ["items"]


class UpToSentinel:
    """Takes from a queue up to a None; asked once more, it waits for ever."""

    def __init__(self) -> None:
        self.queue = asyncio.Queue[int | None]()
        for item in (1, 2, 3, None):
            self.queue.put_nowait(item)

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        item = await self.queue.get()
        if item is None:
            raise StopAsyncIteration
        return item


class GoesOn:
    """Ends, and gives more to whoever asks once more."""

    def __init__(self) -> None:
        self.items: list[int | None] = [1, 2, 3, None, 4, 5, None]

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        item = self.items.pop(0)
        if item is None:
            raise StopIteration
        return item


@pytest.mark.parametrize("items", [UpToSentinel, GoesOn])
@pytest.mark.parametrize("limit", [1, 2, 8])
async def test_an_iterator_that_has_ended_is_not_asked_again(flow: Flow, items: Any, limit: int) -> None:
    @flow.task(limit=limit)
    async def same(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async with asyncio.timeout(30):
        assert await flow.task.map(same, items()) == [1, 2, 3]


async def test_a_map_runs_once(flow: Flow) -> None:
    @flow.task
    async def work(number: int) -> int:
        return number

    mapped = flow.task.map(work, [1, 2])
    assert await mapped == [1, 2]
    with pytest.raises(RuntimeError, match="runs once"):
        await mapped


async def test_a_body_does_not_see_what_another_one_set(flow: Flow) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    @flow.task(limit=1)
    async def work(number: int) -> int:
        before = variable.get()
        variable.set(number)
        await asyncio.sleep(0)
        assert variable.get() == number
        return before

    variable.set(99)
    assert await flow.task.map(work, range(5)) == [99] * 5


async def test_the_total_is_told_where_it_is_known(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2)
    async def work(number: int) -> None: ...

    totals: list[int | None] = []

    @flow
    async def pipeline() -> None:
        run = flow_call()
        await flow.task.map(work, iter(range(3)))
        tally = next(iter(run.tallies.values()))
        totals.append(tally.total)
        await asyncio.gather(flow.task.map(work, range(10)), flow.task.map(work, range(20)))
        totals.append(tally.total)
        assert tally.queued == 33

    await pipeline()
    assert totals == [None, 33]
    assert isinstance(sink.events[0], FlowStarted)


async def test_outputs_that_exist_are_skipped_in_a_map(flow: Flow, sink: RecordingSink) -> None:
    made: list[int] = []

    async def body(number: int) -> int:
        made.append(number)
        return number

    task: Any = flow.task
    make = task(save="{number}.json", limit=3)(body)
    assert await flow.task.map(make, range(5)) == list(range(5))
    assert await flow.task.map(make, range(7)) == list(range(7))
    assert sorted(made) == list(range(7))


async def test_a_map_inside_a_body_of_the_same_task() -> None:
    flow = Flow(sink=NullSink())

    @flow.task(limit=2)
    async def tree(depth: int) -> int:
        if depth == 0:
            return 1
        return sum(await flow.task.map(tree, [depth - 1] * 3))

    assert await asyncio.gather(*(tree(3) for _ in range(3))) == [27] * 3


@pytest.mark.parametrize("end", ["failure", "timeout", "closed", "collected"])
async def test_a_body_that_swallows_the_cancellation_does_not_go_on_with_further_items(
    flow: Flow, end: str
) -> None:
    begun: list[int] = []

    @flow.task(limit=2)
    async def stubborn(item: int) -> int:
        begun.append(item)
        if item == 1 and end == "failure":
            raise ValueError(item)
        if item == 0 and end == "closed":
            return item
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if end == "collected":
                raise OSError from None
        return item

    if end == "failure":
        with pytest.raises(ValueError, match="1"):
            await flow.task.map(stubborn, range(50))
    elif end == "closed":
        async with aclosing(aiter(flow.task.map(stubborn, range(50)))) as results:
            assert await anext(results) == 0
    else:

        async def run() -> None:
            if end == "collected":
                await flow.task.map(stubborn, range(50), on_error="collect")
            else:
                await flow.task.map(stubborn, range(50))

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(), 0.01)
    assert len(begun) <= 4
