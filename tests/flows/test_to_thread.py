"""`flow.task.to_thread`: waiting calls are on the loop, and bodies in threads."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Limit, Retry
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=NullSink())


def slots_of(task: Any) -> Any:
    return task.__asflow__.spec.limit.slots


async def test_a_thousand_waiting_calls_leave_the_loops_own_pool_free(flow: Flow) -> None:
    """Far more than the pool has threads: all wait for the one slot, and a plain `to_thread` gets through."""
    begun, go = threading.Event(), threading.Event()
    most, inside = 0, 0

    @flow.task(limit=1)
    def work(n: int) -> int:
        nonlocal most, inside
        inside += 1
        most = max(most, inside)
        begun.set()
        assert go.wait(30)
        inside -= 1
        return n

    waiting = [asyncio.create_task(flow.task.to_thread(work, n)) for n in range(1000)]
    assert await asyncio.to_thread(begun.wait, 30)
    assert await asyncio.to_thread(lambda: "through") == "through"
    go.set()
    assert await asyncio.gather(*waiting) == list(range(1000))
    assert most == 1
    assert len(slots_of(work).free) == 1


async def test_the_context_the_flow_and_the_parent_are_the_callers(flow: Flow) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    @flow.task
    def work() -> tuple[str, str, bool]:
        assert flow.run is not None
        return variable.get(), flow.run.name, threading.current_thread() is threading.main_thread()

    @flow
    async def pipeline() -> tuple[str, str, bool]:
        variable.set("set")
        return await flow.task.to_thread(work)

    found, name, is_main = await pipeline()
    assert (found, name.rpartition(".")[2], is_main) == ("set", "pipeline", False)


async def test_outputs_retries_rates_and_methods(flow: Flow, tmp_path: Path) -> None:
    calls: list[int] = []

    class Client:
        @flow.task(
            on="{n}.txt", limit=Limit(2, rate="100000/s"), retry=Retry(1, backoff_factor=0, backoff_jitter=0)
        )
        def fetch(self, n: int) -> None:
            calls.append(n)
            if len(calls) == 1:
                raise ValueError
            flow.task.write("x")

    client = Client()
    await flow.task.to_thread(client.fetch, 1)
    await flow.task.to_thread(client.fetch, n=1)
    assert calls == [1, 1]
    assert (tmp_path / "1.txt").read_text() == "x"
    assert len(slots_of(Client.fetch).free) == 2


async def test_a_cancelled_wait_makes_no_call(flow: Flow) -> None:
    begun, go = threading.Event(), threading.Event()
    calls: list[int] = []

    @flow.task(limit=1)
    def work(n: int) -> None:
        calls.append(n)
        begun.set()
        assert go.wait(30)

    first = asyncio.create_task(flow.task.to_thread(work, 1))
    second = asyncio.create_task(flow.task.to_thread(work, 2))
    assert await asyncio.to_thread(begun.wait, 30)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go.set()
    await first
    assert calls == [1]
    assert len(slots_of(work).free) == 1


async def test_a_recursion_runs_on_the_slot_of_its_caller(flow: Flow) -> None:
    shared = Limit(1)

    @flow.task(limit=shared)
    def inner(n: int) -> int:
        return n + 1

    @flow.task(limit=shared)
    async def outer(n: int) -> int:
        return await flow.task.to_thread(inner, n)

    assert await asyncio.gather(*(outer(n) for n in range(20))) == list(range(1, 21))
    assert len(slots_of(inner).free) == 1


async def test_what_the_body_raises_comes_out(flow: Flow) -> None:
    @flow.task
    def work() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await flow.task.to_thread(work)
    assert len(slots_of(work).free) == slots_of(work).total


async def test_async_tasks_and_plain_functions_are_refused(flow: Flow) -> None:
    @flow.task
    async def work() -> None: ...

    as_any: Any = work

    with pytest.raises(DefinitionTypeError, match=r"takes a sync task, not the async task .*; await the"):
        await flow.task.to_thread(as_any)
    with pytest.raises(DefinitionTypeError, match=r"under @flow\.task, not .*; put @flow\.task on"):
        await flow.task.to_thread(len, [])


async def test_a_call_is_reported_from_its_wait_on(tmp_path: Path) -> None:
    """As one call: queued on the loop, started in the thread; cancelled, if it never gets there."""
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)
    begun, go = threading.Event(), threading.Event()

    @flow.task(limit=1, on="{n}.txt")
    def work(n: int) -> None:
        begun.set()
        assert go.wait(30)

    @flow
    async def pipeline() -> None:
        calls = [asyncio.create_task(flow.task.to_thread(work, n)) for n in range(3)]
        assert await asyncio.to_thread(begun.wait, 30)
        assert [event.kind for event in sink.events].count("task_queued") == 3
        calls[1].cancel()
        await asyncio.wait([calls[1]])
        go.set()
        await asyncio.gather(calls[0], calls[2])
        assert flow.run is not None
        (report,) = flow.run.report().tasks
        assert (report.completed, report.cancelled) == (2, 1)

    await pipeline()
    by_call: dict[str, list[str]] = {}
    for event in sink.events:
        if event.kind != "flow_started" and event.kind != "flow_finished":
            by_call.setdefault(f"{event.call_id} {event.label}", []).append(event.kind)
    assert sorted(by_call.values(), key=len) == [
        ["task_queued", "task_finished"],
        ["task_queued", "task_started", "task_finished"],
        ["task_queued", "task_started", "task_finished"],
    ]
    assert len(slots_of(work).free) == 1


async def test_a_call_without_a_name_is_not_reported(tmp_path: Path) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)

    @flow.task(on="{n}.txt")
    def work(n: int) -> None: ...

    wrong: Any = flow.task.to_thread
    with pytest.raises(TypeError):
        await wrong(work)
    assert not sink.events
