"""A map over outputs that exist passes over them without a call: with the same results, counts and order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow import Completed, Failed, Flow, MemoryStore
from asflow.errors import OutputNameError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from asflow import FlowReport

ITEMS = [f"n{number}" for number in range(50)]
WAYS = ("async for", "await", "sync task, async for", "sync task, await", "for")


class Case:
    """A task in a flow of its own, whose outputs exist for some of the items."""

    def __init__(self, flow: Flow, way: str, *, limit: int = 3) -> None:
        self.flow = flow
        self.way = way
        self.called: list[str] = []

        async def make(name: str) -> None:
            await asyncio.sleep(0)
            self.called.append(name)
            flow.task.write(name)

        def make_sync(name: str) -> None:
            self.called.append(name)
            flow.task.write(name)

        is_sync = way.startswith("sync") or way == "for"
        self.task: Callable[[str], Any] = flow.task(on="d/{name}.txt", limit=limit)(
            make_sync if is_sync else make
        )

    def make(self, names: Iterable[str]) -> None:
        for name in names:
            done = self.task(name)
            if asyncio.iscoroutine(done):
                asyncio.run(done)
        self.called.clear()

    def run(self, items: Any, **options: Any) -> tuple[list[Any], FlowReport]:
        """Map the task over *items* in a flow; return the results and the flow's report."""
        if self.way == "for":
            return self.flow(self._run_sync)(items, options)
        return asyncio.run(self.flow(self._run_async)(items, options))

    def _run_sync(self, items: Any, options: dict[str, Any]) -> tuple[list[Any], FlowReport]:
        mapped: Any = self.flow.task.map(self.task, items, **options)
        return list(mapped), report_of(self.flow)

    async def _run_async(self, items: Any, options: dict[str, Any]) -> tuple[list[Any], FlowReport]:
        mapped: Any = self.flow.task.map(self.task, items, **options)
        results = await mapped if "await" in self.way else [result async for result in mapped]
        return results, report_of(self.flow)


def report_of(flow: Flow) -> FlowReport:
    assert flow.run is not None
    return flow.run.report()


def counts(report: FlowReport) -> tuple[int, int, int]:
    (task,) = report.tasks
    return task.calls, task.cached, task.completed


@pytest.fixture(params=["files", "memory"])
def flow(request: pytest.FixtureRequest, tmp_path: Path) -> Flow:
    if request.param == "files":
        return Flow(tmp_path, sink=NullSink(), verbose=False)
    return Flow(store=MemoryStore(), sink=NullSink(), verbose=False)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("source", [list, iter])
def test_only_the_missing_ones_are_made(
    flow: Flow, way: str, ordered: bool, source: Callable[[list[str]], Any]
) -> None:
    case = Case(flow, way)
    missing = {"n0", "n7", "n8", "n9", "n10", "n30", "n49"}
    case.make(set(ITEMS) - missing)
    results, report = case.run(source(ITEMS), ordered=ordered)
    assert results == [None] * 50
    assert sorted(case.called) == sorted(missing)
    assert counts(report) == (50, 43, 7)
    results, report = case.run(source(ITEMS), ordered=ordered)
    assert (results, counts(report)) == ([None] * 50, (50, 50, 0))


@pytest.mark.parametrize("way", WAYS)
def test_collected_results_say_which_were_there(flow: Flow, way: str) -> None:
    case = Case(flow, way)
    case.make(["n1", "n2"])
    results, _ = case.run(["n0", "n1", "n2", "n3"], on_error="collect")
    assert results == [
        Completed("n0", None, "completed"),
        Completed("n1", None, "cached"),
        Completed("n2", None, "cached"),
        Completed("n3", None, "completed"),
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_output_that_is_deleted_between_two_maps_is_made_again(flow: Flow, way: str) -> None:
    case = Case(flow, way)
    case.make(ITEMS)
    flow.task.output(case.task, "n40").delete()
    case.run(ITEMS)
    assert case.called == ["n40"]


@pytest.mark.parametrize("way", ["async for", "for"])
def test_one_that_the_consumer_deletes_is_made_again_by_the_next_map(flow: Flow, way: str) -> None:
    case = Case(flow, way)
    case.make(ITEMS)

    async def twice() -> None:
        async for _ in flow.task.map(case.task, ITEMS):
            pass
        flow.task.output(case.task, "n3").delete()
        async for _ in flow.task.map(case.task, ITEMS):
            pass

    asyncio.run(flow(twice)())
    assert case.called == ["n3"]


@pytest.mark.parametrize("way", WAYS)
def test_an_item_that_does_not_fit_fails_as_in_a_call(flow: Flow, way: str) -> None:
    case = Case(flow, way)
    case.make(["n0", "n2"])
    results, report = case.run(["n0", object(), "n2"], on_error="collect")
    assert [type(result) for result in results] == [Completed, Failed, Completed]
    assert isinstance(results[1].error, OutputNameError)
    assert counts(report)[1] == 2


@pytest.mark.parametrize("way", ["async for", "for"])
def test_what_wraps_the_task_is_called_for_each_item(flow: Flow, way: str) -> None:
    case = Case(flow, way)
    case.make(ITEMS)
    seen: list[str] = []
    task = case.task

    @wraps(task)
    def around(name: str) -> Any:
        seen.append(name)
        return task(name)

    case.task = around
    case.run(ITEMS)
    assert sorted(seen) == sorted(ITEMS)
    assert case.called == []


def test_of_a_method_and_of_a_partial(flow: Flow) -> None:
    called: list[str] = []

    class Client:
        def __init__(self, host: str) -> None:
            self.host = host

        @flow.task(on="{name}/{part}.txt", limit=2)
        async def fetch(self, part: int, name: str) -> None:
            called.append(f"{self.host}:{name}/{part}")
            flow.task.write("x")

    async def main(name: str) -> tuple[list[Any], FlowReport]:
        mapped = flow.task.map(partial(Client("h").fetch, name=name), range(4))
        return await mapped, report_of(flow)

    asyncio.run(flow(main)("a"))
    called.clear()
    assert counts(asyncio.run(flow(main)("a"))[1]) == (4, 4, 0)
    assert called == []
    asyncio.run(flow(main)("b"))
    assert sorted(called) == [f"h:b/{part}" for part in range(4)]


def test_the_key_of_a_sync_task_is_asked_in_its_threads(flow: Flow) -> None:
    threads = set[threading.Thread]()

    def key(name: str) -> str:
        threads.add(threading.current_thread())
        return name

    @flow.task(on="*.txt", key=key, limit=2)
    def make(name: str) -> None:
        flow.task.write(name)

    async def main() -> list[None]:
        return await flow.task.map(make, ITEMS)

    asyncio.run(main())
    asyncio.run(main())
    assert threading.main_thread() not in threads


async def test_the_event_loop_has_turns_while_a_list_of_outputs_is_passed_over() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink(), verbose=False)

    @flow.task(on="{name}.txt", limit=2)
    async def make(name: int) -> None:
        flow.task.write(str(name))

    async def all_of_them() -> list[None]:
        return await flow.task.map(make, range(5000))

    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    await all_of_them()
    counter = asyncio.create_task(count())
    await all_of_them()
    counter.cancel()
    assert turns >= 5


@pytest.mark.parametrize("ordered", [True, False])
async def test_items_are_pulled_as_lazily_as_ever(tmp_path: Path, ordered: bool) -> None:
    """A task with outputs looks twelve times its limit ahead, at most."""
    flow = Flow(tmp_path, sink=NullSink(), verbose=False)

    @flow.task(on="{name}.txt", limit=2)
    async def make(name: int) -> None:
        flow.task.write(str(name))

    await flow.task.map(make, range(200))
    pulled = 0

    def items() -> Iterator[int]:
        nonlocal pulled
        for number in range(200):
            pulled += 1
            yield number

    taken = 0
    async for _ in flow.task.map(make, items(), ordered=ordered):
        taken += 1
        assert pulled - taken <= 24
    assert taken == 200


async def test_all_slots_are_used_when_calls_begin_again_after_outputs_that_exist(tmp_path: Path) -> None:
    """Workers that wait for a place are woken one by one; none is forgotten."""
    flow = Flow(tmp_path, sink=NullSink(), verbose=False)
    meeting = asyncio.Barrier(4)

    @flow.task(on="{name}.txt", limit=4)
    async def make(name: int) -> None:
        await meeting.wait()
        flow.task.write(str(name))

    for name in (*range(100), *range(108, 200)):
        (tmp_path / f"{name}.txt").write_text("x")
    taken = 0
    async for _ in flow.task.map(make, range(200)):
        taken += 1
        if taken < 90:
            await asyncio.sleep(0)  # all places are taken now and then
    assert taken == 200


@given(
    there=st.lists(st.booleans(), max_size=60),
    limit=st.integers(1, 4),
    ordered=st.booleans(),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_any_of_them_may_be_missing(there: list[bool], limit: int, ordered: bool, pauses: list[int]) -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink(), verbose=False)
    called: list[int] = []

    @flow.task(on="{number}.txt", limit=limit)
    async def make(number: int) -> None:
        called.append(number)
        for _ in range(pauses[number % len(pauses)]):
            await asyncio.sleep(0)
        flow.task.write("x")

    async def main() -> None:
        for number, exists in enumerate(there):
            if exists:
                await make(number)
        called.clear()
        count = 0
        async for result in flow.task.map(make, range(len(there)), ordered=ordered, on_error="collect"):
            assert isinstance(result, Completed)
            assert result.outcome == ("cached" if there[result.item] else "completed")
            assert not ordered or result.item == count
            count += 1
            for _ in range(pauses[count % len(pauses)]):
                await asyncio.sleep(0)
        assert count == len(there)

    asyncio.run(main())
    assert sorted(called) == [number for number, exists in enumerate(there) if not exists]


async def test_leaving_early_and_cancelling_leave_nothing(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink(), verbose=False)

    @flow.task(on="{name}.txt", limit=4)
    async def make(name: int) -> None:
        flow.task.write("x")

    await flow.task.map(make, range(300))
    async with contextlib.aclosing(aiter(flow.task.map(make, range(300)))) as results:
        await anext(results)
    for turns in range(12):
        mapping = asyncio.create_task(flow.task.map(make, range(300)))
        for _ in range(turns):
            await asyncio.sleep(0)
        mapping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await mapping
    assert asyncio.all_tasks() == {asyncio.current_task()}
