"""A call shows as a flow, its members as tasks of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.dataflow import DataFlow, DataFlowDefinitionError, amapper
from asflow.events import FlowFinished, FlowStarted, TaskFinished, TaskStarted

if TYPE_CHECKING:
    from pathlib import Path

    from asflow.events import Event


class Record:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def get(x: int) -> dict[str, int]:
    return {"y": x + 1}


def save(y: int) -> None: ...


async def test_a_call_is_a_flow_and_its_members_are_tasks_of_it() -> None:
    sink = Record()
    await DataFlow((get, (save, lambda y: None)), name="nightly", flow=Flow(sink=sink))(x=1)
    (started,), (finished,) = sink.of(FlowStarted), sink.of(FlowFinished)
    assert (started.flow, started.label, finished.outcome) == ("nightly", "x=1", "completed")
    assert sink.events[0] is started
    assert sink.events[-1] is finished
    tasks = sink.of(TaskFinished)
    assert {(one.task, one.label, one.outcome) for one in tasks} == {
        ("get", "x=1", "completed"),
        ("save", "y=2", "completed"),
        ("<lambda>", "y=2", "completed"),
    }
    assert {one.flow_id for one in tasks} == {started.flow_id}
    assert tasks[0].task == "get"


async def test_a_failure_is_reported_and_passes_unchanged() -> None:
    sink = Record()
    error = ValueError("mine")

    def fails(y: int) -> None:
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        await DataFlow((get, fails), flow=Flow(sink=sink))(x=1)
    assert caught.value is error
    assert [(one.task, one.outcome) for one in sink.of(TaskFinished)] == [
        ("get", "completed"),
        ("fails", "failed"),
    ]
    assert sink.of(FlowFinished)[0].error is error


async def test_a_task_shows_itself_and_keeps_its_policy(tmp_path: Path) -> None:
    """What it writes and what it returns is kept: the second call hands the value on, and runs no body."""
    sink = Record()
    local = Flow(tmp_path, sink=sink)
    threads: list[int] = []

    @local.task(on="{x}.jsonl")
    def write(x: int) -> None:
        threads.append(threading.get_ident())
        local.task.write({"x": x})

    @local.task(save="{x}.json")
    def fetch(x: int) -> dict[str, int]:
        threads.append(threading.get_ident())
        return {"z": x}

    @local.task(skip=KeyError)
    async def flaky(x: int) -> dict[str, int]:
        raise KeyError(x)

    flow = DataFlow(((write, fetch, amapper(flaky, {"x": "x"}), get),), flow=local)
    for _ in range(2):
        assert await flow(x=1) == {"y": 2, "z": 1}
    assert len(threads) == 2
    assert threading.get_ident() not in threads
    assert (tmp_path / "1.jsonl").read_text("utf-8") == '{"x":1}\n'
    assert (tmp_path / "1.json").read_text("utf-8") == '{"z":1}\n'
    ends = [(one.task.rpartition(".")[2], one.outcome) for one in sink.of(TaskFinished)]
    assert sorted(ends) == [
        *(("fetch", "cached"), ("fetch", "completed"), ("flaky", "skipped"), ("flaky", "skipped")),
        *(("get", "completed"), ("get", "completed"), ("write", "cached"), ("write", "completed")),
    ]


class Client:
    async def __call__(self, x: int) -> dict[str, int]:
        return {"y": x, "thread": threading.get_ident()}


async def test_a_callable_object_made_a_task_runs_on_the_loop() -> None:
    sink = Record()
    local = Flow(sink=sink)
    result = await DataFlow((local.task(Client()),), flow=local)(x=1)
    assert result == {"y": 1, "thread": threading.get_ident()}
    assert [one.task for one in sink.of(TaskFinished)] == ["Client"]


async def test_progress_can_be_reported_from_a_thread() -> None:
    local = Flow(sink=Record())

    def steps() -> dict[str, Any]:
        run = local.task.run
        assert run is not None
        return {"task": run.task, "flow": run.flow and run.flow.name}

    assert await DataFlow((steps,), flow=local)() == {"task": "steps", "flow": "dataflow"}


async def test_inside_a_flow_it_is_part_of_it() -> None:
    sink = Record()
    local = Flow(sink=sink)

    @local
    async def outer() -> dict[str, object]:
        return await DataFlow((get,), flow=local)(x=1)

    assert await outer() == {"y": 2}
    outer_started, inner_started = sink.of(FlowStarted)
    assert inner_started.parent_id == outer_started.flow_id
    assert [one.flow_id for one in sink.of(TaskStarted)] == [inner_started.flow_id]


@pytest.mark.parametrize("options", [{"name": 3}, {"flow": None}, {"flow": "x"}])
def test_name_and_flow_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(DataFlowDefinitionError, match=next(iter(options))):
        DataFlow((get,), **options)
