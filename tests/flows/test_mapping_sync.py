"""`for` over `flow.task.map` in sync code: own threads, and all else as in an async map."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from support.tasks import flow_call, slots_of

import asflow
from asflow import Completed, Failed, Flow
from asflow.events import FlowFinished
from asflow.sinks import NullSink
from asflow.testing import RecordingSink


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("source", [list, iter])
def test_every_item_once(flow: Flow, ordered: bool, source: Any) -> None:
    @flow.task(limit=7)
    def double(number: int) -> int:
        return 2 * number

    results = list(flow.task.map(double, source(range(200)), ordered=ordered))
    expected = [2 * number for number in range(200)]
    assert results == expected if ordered else sorted(results) == expected
    assert len(slots_of(double).free) == 7


def test_it_runs_in_threads_of_its_own_up_to_the_limit(flow: Flow) -> None:
    meet, threads = threading.Barrier(3), set[int]()

    @flow.task(limit=3)
    def work(number: int) -> int:
        meet.wait(30)
        threads.add(threading.get_ident())
        return number

    before = threading.active_count()
    assert list(flow.task.map(work, range(9))) == list(range(9))
    assert len(threads) == 3
    assert threading.get_ident() not in threads
    assert threading.active_count() == before


def test_as_they_come(flow: Flow) -> None:
    gates = [threading.Event() for _ in range(3)]

    @flow.task(limit=3)
    def wait(number: int) -> int:
        assert gates[number].wait(30)
        return number

    seen: list[int] = []
    gates[2].set()
    for number in flow.task.map(wait, range(3), ordered=False):
        seen.append(number)
        if number:
            gates[number - 1].set()
    assert seen == [2, 1, 0]


def test_items_are_pulled_lazily_by_the_thread_that_iterates(flow: Flow) -> None:
    pulled, threads = 0, set[int]()

    def endless() -> Iterator[int]:
        nonlocal pulled
        while True:
            pulled += 1
            threads.add(threading.get_ident())
            yield pulled

    @flow.task(limit=4)
    def same(number: int) -> int:
        return number

    with closing(iter(flow.task.map(same, endless()))) as mapped:
        for expected in range(1, 100):
            assert next(mapped) == expected
            assert pulled <= expected + 2 * 4
    assert threads == {threading.get_ident()}


def test_a_slow_source_holds_back_no_result(flow: Flow) -> None:
    """What is ready is yielded after one more pull, although more places are free."""
    ended, seen = threading.Semaphore(0), list[int]()

    def items() -> Iterator[int]:
        for number in range(12):
            yield number
            ended.acquire()
        assert seen

    @flow.task(limit=8)
    def same(number: int) -> int:
        ended.release()
        return number

    for number in flow.task.map(same, items()):
        seen.append(number)
    assert seen == list(range(12))


def test_a_body_may_raise_stop_iteration(flow: Flow) -> None:
    @flow.task(limit=2)
    def first(items: list[int]) -> int:
        return next(iter(items))

    with pytest.raises(RuntimeError, match=r"first\(\): raised StopIteration"):
        list(flow.task.map(first, [[]]))


def test_the_first_failure_stops_it_and_is_raised_unchanged(flow: Flow, sink: RecordingSink) -> None:
    error, started = OSError("the third"), list[int]()

    @flow.task(limit=4)
    def work(number: int) -> int:
        started.append(number)
        if number == 3:
            raise error
        return number

    with pytest.raises(OSError) as caught:  # noqa: PT011 - the object is compared
        list(flow.task.map(work, range(1000)))
    assert caught.value is error
    assert len(started) < 20
    outcomes = sink.outcomes()
    assert outcomes.count("failed") == 1
    assert len(outcomes) == len(started), "all calls under way have ended"


def test_failures_as_values(flow: Flow) -> None:
    error = OSError("odd")

    @flow.task(limit=2, skip=KeyError)
    def work(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        if number % 2:
            raise error
        return number

    assert list(flow.task.map(work, range(4), on_error="collect")) == [
        Completed(0, 0),
        Failed(1, error),
        Completed(2, 2),
        Completed(3, None, "skipped"),
    ]


def test_an_items_error_stops_it_too(flow: Flow) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more pages")

    @flow.task(limit=2)
    def work(number: int) -> int:
        return number

    with pytest.raises(LookupError, match="no more pages"):
        list(flow.task.map(work, broken()))


def test_leaving_the_loop_early_drops_what_waits_and_awaits_what_runs(
    flow: Flow, sink: RecordingSink
) -> None:
    begun, go_on = list[int](), threading.Event()

    @flow.task(limit=3)
    def work(number: int) -> int:
        begun.append(number)
        if number:
            go_on.wait(30)
        return number

    before = threading.active_count()
    for _ in flow.task.map(work, range(100)):
        threading.Timer(0.05, go_on.set).start()
        break
    assert len(begun) <= 4
    assert sink.outcomes() == ["completed"] * len(begun)
    while threading.active_count() > before:  # the timer
        pass


class GoesOn:
    """Ends, and continues for the caller that asks again."""

    def __init__(self) -> None:
        self.items: list[int | None] = [1, 2, None, 3, None]

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        item = self.items.pop(0)
        if item is None:
            raise StopIteration
        return item


def test_an_iterator_that_has_ended_is_not_asked_again(flow: Flow) -> None:
    @flow.task(limit=2)
    def same(number: int) -> int:
        return number

    assert list(flow.task.map(same, GoesOn())) == [1, 2]
    assert list(flow.task.map(same, [])) == []


def test_it_runs_once(flow: Flow) -> None:
    @flow.task
    def work(number: int) -> int:
        return number

    mapped = flow.task.map(work, [1, 2])
    assert list(mapped) == [1, 2]
    with pytest.raises(RuntimeError, match="runs once"):
        iter(mapped)


def test_a_body_does_not_see_what_another_one_set(flow: Flow) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    @flow.task(limit=1)
    def work(number: int) -> int:
        before = variable.get()
        variable.set(number)
        return before

    variable.set(99)
    assert list(flow.task.map(work, range(1, 5))) == [99] * 4


def test_progress_and_report_in_a_sync_flow(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2, skip=KeyError)
    def work(number: int) -> int:
        if number == 3:
            raise KeyError(number)
        return number

    @flow
    def pipeline() -> list[int | None]:
        results = list(flow.task.map(work, range(6)))
        tally = flow_call().tally("work")
        assert (tally.total, tally.queued, tally.completed, tally.skipped) == (6, 6, 5, 1)
        (problem,) = flow_call().report().problems
        assert problem.outcome == "skipped"
        return results

    assert pipeline() == [0, 1, 2, None, 4, 5]
    assert isinstance(sink.events[-1], FlowFinished)
    assert sink.kinds().count("task_finished") == 6
    assert {event.flow_id for event in sink.events} == {sink.events[0].flow_id}


def test_a_map_inside_a_body_of_the_same_task() -> None:
    flow = Flow(sink=NullSink())

    @flow.task(limit=2)
    def tree(depth: int) -> int:
        return 1 if depth == 0 else sum(flow.task.map(tree, [depth - 1] * 3))

    assert tree(3) == 27


def test_a_failing_map_leaves_no_reference_cycle() -> None:
    flow, seen = Flow(sink=NullSink()), list[weakref.ref[Any]]()

    class Held:
        pass

    class MineError(Exception):
        pass

    @flow.task(limit=3)
    def body(number: int) -> None:
        if number == 5:
            held = Held()
            seen.append(weakref.ref(held))
            raise MineError("text")

    gc.collect()
    gc.disable()
    try:
        with suppress(MineError):
            list(flow.task.map(body, range(100)))
        assert [ref() for ref in seen] == [None]
    finally:
        gc.enable()


# ------------------------------------------------------------------------ where it is refused


async def numbers() -> AsyncIterator[int]:
    yield 1


def test_an_async_task_is_refused_and_the_remedy_works(flow: Flow) -> None:
    @flow.task
    async def work(number: int) -> int:
        return number

    mapped: Any = flow.task.map(work, [1])
    with pytest.raises(TypeError, match=r"^task work\(\): is async.* write `async for`, or asyncio\.run"):
        list(mapped)
    assert asyncio.run(flow.task.map(work, [1])) == asflow.run(flow.task.map(work, [1])) == [1]


def test_async_items_are_refused(flow: Flow) -> None:
    @flow.task
    def work(number: int) -> int:
        return number

    with pytest.raises(TypeError, match="async items; write `async for`"):
        list(flow.task.map(work, numbers()))


async def test_on_an_event_loop_it_is_refused_but_in_a_sync_flow(flow: Flow) -> None:
    @flow.task
    def work(number: int) -> int:
        return number

    def helper() -> list[int]:
        return list(flow.task.map(work, range(3)))

    with pytest.raises(RuntimeError, match="would stop the event loop"):
        list(flow.task.map(work, range(3)))
    with pytest.raises(RuntimeError, match="would stop the event loop"):
        helper()
    with pytest.raises(RuntimeError, match="would stop the event loop"):
        await flow(_as_async(helper))()
    assert await asyncio.to_thread(helper) == [0, 1, 2]
    assert flow(helper)() == [0, 1, 2]


def _as_async(function: Any) -> Any:
    async def call() -> Any:
        return function()

    return call
