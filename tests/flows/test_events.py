"""What the events of a call say, where they are emitted, and when none comes any more."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import dataclasses
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import pytest

from asflow import Flow, Limit, LocalStore, MemoryStore, Secret
from asflow.events import (
    Event,
    FlowFinished,
    FlowStarted,
    RunningCall,
    Tally,
    TaskFinished,
    TaskQueued,
    TaskStarted,
    TaskWaiting,
)
from asflow.testing import RecordingSink, fake_clock

if TYPE_CHECKING:
    from pathlib import Path


def of(sink: RecordingSink, kind: type[Any], name: str) -> Any:
    found = [event for event in sink.events if isinstance(event, kind)]
    (only,) = [event for event in found if getattr(event, "task", getattr(event, "flow", "")) == name]
    return only


def test_who_called_whom(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def inner() -> None: ...

    @flow
    def part() -> None:
        inner()

    @flow.task
    def outer() -> None:
        inner_alone()
        part()

    @flow.task
    def inner_alone() -> None: ...

    @flow
    def pipeline() -> None:
        outer()

    pipeline()
    name = "test_who_called_whom.<locals>."
    root, sub = of(sink, FlowStarted, "pipeline"), of(sink, FlowStarted, "part")
    caller = of(sink, TaskQueued, "outer")
    assert {event.run_id for event in sink.events} == {root.run_id}
    assert len(bytes.fromhex(root.run_id)) == 16
    assert (root.parent_id, root.parent_call_id) == (None, None)
    assert (sub.parent_id, sub.parent_call_id) == (root.flow_id, caller.call_id)
    assert of(sink, FlowFinished, "part").parent_call_id == caller.call_id
    assert of(sink, TaskQueued, "inner_alone").parent_id == caller.call_id
    assert of(sink, TaskQueued, "inner").parent_id is None
    assert sub.qualname == f"{__name__}.{name}part"
    assert caller.qualname == f"{__name__}.{name}outer"
    first = root.run_id
    sink.events.clear()
    pipeline()
    assert sink.events[0].run_id != first


def test_outside_a_flow_a_run_is_this_process(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work() -> None: ...

    work()
    work()
    assert len({event.run_id for event in sink.events}) == 1
    if hasattr(os, "fork"):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            work()
            os.write(write, sink.events[-1].run_id.encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert len(of_child := os.read(read, 100)) == 32
        assert of_child.decode() != sink.events[0].run_id


def test_arguments_are_by_parameter_and_secrets_masked(flow: Flow, sink: RecordingSink) -> None:
    class Client:
        @flow.task
        def get(self, url: str, *parts: int, token: Secret[str] = "t0p", **rest: object) -> None: ...

    @flow
    def main(token: Secret[str], count: int = 3) -> None:
        Client().get("u", 1, 2, depth=7)
        Client().get("u", token=token)

    main("s3cret")
    queued = [event for event in sink.events if isinstance(event, TaskQueued)]
    assert queued[0].arguments == {"url": "u", "parts": (1, 2), "token": "***", "rest": {"depth": 7}}
    assert queued[1].arguments == {"url": "u", "parts": (), "token": "***", "rest": {}}
    started = cast("FlowStarted", sink.events[0])
    assert started.arguments == {"token": "***", "count": 3}
    assert queued[0].arguments is queued[0].arguments
    assert "s3cret" not in repr([event.arguments for event in sink.events])


def test_arguments_of_a_wrong_call(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work(number: int) -> None: ...

    with pytest.raises(TypeError):
        cast("Any", work)(1, 2, x=3)
    assert sink.finished()[0].arguments == {"args": (1, 2), "x": 3}


def test_what_was_published(tmp_path: Path, sink: RecordingSink) -> None:
    flow = Flow(tmp_path / "data", store=LocalStore(), sink=sink)

    @flow.task(on="{name}.jsonl.gz")
    def lines(name: str) -> None:
        flow.task.write({"n": 1})
        flow.task.write_all({"n": n} for n in range(1000))

    @flow.task(on="{name}.csv")
    def rows(name: str) -> None:
        flow.task.write_all([{"n": 1}, {"n": 2}])

    @flow.task(save="value.json")
    def value() -> list[int]:
        return [1, 2]

    for task, name, records in ((lines, "a.jsonl.gz", 1001), (rows, "a.csv", 2)):
        task("a")
        event = sink.finished()[-1]
        assert (event.output, event.records) == (name, records)
        assert event.output == flow.task.output(task, "a").name
        assert event.size == flow.path(name).stat().st_size
        task("a")
        again = sink.finished()[-1]
        assert (again.outcome, again.output) == ("cached", name)
        assert (again.size, again.records, again.attempts, again.seconds) == (None, None, 0, 0)
    value()
    assert (sink.finished()[-1].output, sink.finished()[-1].size) == ("value.json", 6)


def test_seconds_are_of_bodies_and_waiting_is_apart(store: MemoryStore, sink: RecordingSink) -> None:
    """What is compared happens within what it is compared with, so no machine is too slow for it."""
    entered, queued, gate = threading.Event(), threading.Event(), threading.Event()

    class Second:
        def emit(self, event: Event, /) -> None:
            if event.kind == "task_queued" and entered.is_set():
                queued.set()

    flow = Flow(store=store, sink=[sink, Second()])

    @flow.task(limit=Limit(1))
    def work(first: bool) -> None:
        if first:
            entered.set()
            assert gate.wait(30)

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(work, True)
        assert entered.wait(30)
        held_since = monotonic()
        waiter = pool.submit(work, False)
        assert queued.wait(30)
        opened = monotonic()
        gate.set()
        holder.result()
        waiter.result()
    held, waited = ends = sorted(sink.finished(), key=lambda event: event.call_id)
    starts = {event.call_id: event for event in sink.events if isinstance(event, TaskStarted)}
    queues = {event.call_id: event for event in sink.events if isinstance(event, TaskQueued)}
    for end in ends:
        assert end.waited_seconds == starts[end.call_id].at - queues[end.call_id].at
        assert end.seconds <= end.at - starts[end.call_id].at
    assert held.seconds >= opened - held_since
    assert waited.waited_seconds > 0


def test_a_retry_waits_between_two_bodies(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(retry=2, skip=OSError)
    def work() -> None:
        raise OSError

    with fake_clock():
        work()
    (end,) = sink.finished()
    starts = [event for event in sink.events if isinstance(event, TaskStarted)]
    retries = [event for event in sink.events if event.kind == "task_retrying"]
    assert [event.attempt for event in starts] == [1, 2, 3]
    assert [(event.attempt, event.retry) for event in retries] == [(1, 1), (2, 2)]
    assert (end.attempts, end.outcome) == (3, "skipped")
    assert end.seconds + end.waited_seconds <= end.at - cast("TaskQueued", sink.events[0]).at
    assert sink.events[0].time <= end.time


async def test_nothing_follows_the_end_of_a_flow(flow: Flow, sink: RecordingSink) -> None:
    gate = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    @flow.task
    async def work() -> None:
        with flow.task.progress(total=1):
            await gate.wait()

    @flow.task
    async def later() -> None: ...

    async def both() -> None:
        await work()
        await later()

    @flow
    async def pipeline() -> None:
        left.append(asyncio.create_task(both()))
        await asyncio.sleep(0)

    await pipeline()
    kinds = sink.kinds()
    assert kinds == ["flow_started", "task_queued", "task_started", "task_progressed", "flow_finished"]
    gate.set()
    await left[0]
    assert sink.kinds() == kinds


def test_the_end_of_a_flow_waits_for_an_event_on_another_thread() -> None:
    """Else it could come after the flow's last one."""
    inside, told = threading.Event(), list[str]()
    ending = threading.Event()

    class Slow:
        def emit(self, event: Event, /) -> None:
            if event.kind == "task_started":
                inside.set()
                ending.wait(30)
            told.append(event.kind)

    flow = Flow(store=MemoryStore(), sink=Slow())

    @flow.task
    def work() -> None: ...

    @flow
    def pipeline() -> threading.Thread:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(work,))
        thread.start()
        inside.wait(30)
        threading.Timer(0.01, ending.set).start()
        return thread

    pipeline().join()
    assert told == ["flow_started", "task_queued", "task_started", "flow_finished"]


_seen: contextvars.ContextVar[str] = contextvars.ContextVar("_seen", default="nothing")


class Marking:
    """Sets a context variable for the body, as a tracer does, and resets it at the end of the call."""

    def __init__(self) -> None:
        self.tokens: dict[int, contextvars.Token[str]] = {}

    def emit(self, event: Event, /) -> None:
        if event.kind == "task_started":
            self.tokens[event.call_id] = _seen.set(f"{event.task} {event.attempt}")
        elif event.kind == "task_finished" or event.kind == "task_retrying":
            _seen.reset(self.tokens.pop(event.call_id))


@pytest.mark.parametrize("executor", [False, True])
def test_what_a_sink_sets_is_in_effect_in_a_sync_body(executor: bool) -> None:
    sink = Marking()
    flow = Flow(store=MemoryStore(), sink=sink)
    seen: list[str] = []

    def work() -> None:
        seen.append(_seen.get())
        if len(seen) == 1:
            raise OSError

    with ThreadPoolExecutor(1) as pool, fake_clock():
        task = flow.task(retry=1, executor=pool)(work) if executor else flow.task(retry=1)(work)
        task()
    assert seen == ["work 1", "work 2"]
    assert (_seen.get(), sink.tokens) == ("nothing", {})


async def test_what_a_sink_sets_is_in_effect_in_async_bodies_and_their_threads() -> None:
    sink = Marking()
    flow = Flow(store=MemoryStore(), sink=sink)
    seen: list[str] = []

    @flow.task
    async def outer() -> None:
        seen.append(_seen.get())
        await inner()
        seen.append(_seen.get())
        await asyncio.to_thread(in_thread)

    @flow.task
    async def inner() -> None:
        seen.append(_seen.get())

    @flow.task
    def in_thread() -> None:
        seen.append(_seen.get())

    @flow.task
    async def cancelled() -> None:
        seen.append(_seen.get())
        await asyncio.sleep(30)

    @flow
    async def pipeline() -> None:
        await asyncio.gather(outer(), outer())
        call = asyncio.create_task(cancelled())
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    await pipeline()
    assert sorted(seen[:-1]) == sorted(2 * ["outer 1", "inner 1", "outer 1", "in_thread 1"])
    assert seen[-1] == "cancelled 1"
    assert (_seen.get(), sink.tokens) == ("nothing", {})


def test_the_body_is_the_current_call_when_its_start_is_reported() -> None:
    runs: list[object] = []

    class Looking:
        def emit(self, event: Event, /) -> None:
            if event.kind == "task_started":
                run = flow.task.run
                assert run is not None
                runs.append((run.task, run.attempt))

    flow = Flow(store=MemoryStore(), sink=Looking())

    @flow.task
    def work() -> None: ...

    work()
    assert runs == [("work", 1)]


# ------------------------------------------------------------------ the classes


def test_events_are_frozen_values() -> None:
    made = TaskStarted(call_id=1, flow_id=None, task="a", attempt=1, at=0.5, arguments={"x": [1]})
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.attempt = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.attempt  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="no attribute 'note'"):
        _ = made.note  # type: ignore[attr-defined]
    assert made == dataclasses.replace(made)
    assert made != dataclasses.replace(made, attempt=2)
    assert hash(made) == hash(copy.copy(made))
    assert pickle.loads(pickle.dumps(made)).arguments == {"x": [1]}
    assert dataclasses.asdict(made)["arguments"] == {"x": [1]}
    other: Event = TaskWaiting(call_id=1, flow_id=None, task="a", reason="slot", waited_seconds=1, at=0.5)
    assert made != other
    assert repr(made).startswith("TaskStarted(run_id='', time=0.0, at=0.5, flow_id=None, call_id=1, ")
    with pytest.raises(TypeError, match="without at="):
        TaskStarted(call_id=1, flow_id=None, task="a", attempt=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no field 'extra'"):
        TaskStarted(call_id=1, flow_id=None, task="a", attempt=1, at=0, extra=1)  # type: ignore[call-arg]


def test_events_of_a_run_are_the_same_values(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work(number: int) -> None: ...

    @flow
    def pipeline() -> None:
        work(3)

    pipeline()
    for event in sink.events:
        assert event == copy.copy(event)
        assert {field.name for field in dataclasses.fields(event)} >= {"run_id", "time", "at", "kind"}
    end = of(sink, TaskFinished, "work")
    again = pickle.loads(pickle.dumps(end))
    assert (again, again.arguments) == (end, {"number": 3})


def test_a_snapshot_no_longer_changes() -> None:
    tally = Tally("work")
    tally.queued, tally.completed, tally.seconds = 3, 1, 0.5
    tally.active[1] = RunningCall()
    taken = tally.snapshot()
    tally.queued, tally.completed = 4, 2
    tally.active.clear()
    assert (taken.queued, taken.finished, taken.seconds, len(taken.active)) == (3, 1, 0.5, 1)


def test_running_calls_can_be_iterated_while_others_come_and_go() -> None:
    tally, over = Tally("work"), threading.Event()

    def change() -> None:
        for number in range(20_000):
            tally.active[number] = RunningCall()
            tally.active.pop(number - 50, None)
        over.set()

    thread = threading.Thread(target=change)
    thread.start()
    while not over.is_set():
        assert all(call.attempt == 1 for call in tally.active.values())
        assert len(list(tally.active)) == len({*tally.active.keys()})
        assert tally.snapshot().queued == 0
    thread.join()
