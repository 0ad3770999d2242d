"""Flows: what runs in them is told together, in order, and all of it before the call returns."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.tasks import flow_call

import asflow.sinks
from asflow import Flow, FlowRun, MemoryStore
from asflow.errors import DefinitionTypeError, NoPathError
from asflow.events import FlowFinished, FlowStarted, TaskFinished, TaskQueued
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

if TYPE_CHECKING:
    from asflow.events import Event


def test_the_events_of_a_flow_in_order(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(save="{word}.txt")
    def extract(word: str) -> str:
        return word

    @flow
    def pipeline(words: list[str]) -> list[str]:
        return [extract(word) for word in words]

    assert pipeline(["Hello", "Hello"]) == ["Hello", "Hello"]
    assert sink.kinds() == [
        *("flow_started", "task_queued", "task_started", "task_finished"),
        *("task_queued", "task_finished", "flow_finished"),
    ]
    started, finished = sink.events[0], sink.events[-1]
    assert isinstance(started, FlowStarted)
    assert isinstance(finished, FlowFinished)
    assert (started.flow, started.label, started.parent_id) == (finished.flow, "['Hello', ...]", None)
    assert started.flow_id == finished.flow_id
    assert finished.outcome == "completed"
    first, second = sink.finished()
    assert (first.outcome, first.output, first.label) == ("completed", "Hello.txt", "'Hello'")
    assert (second.outcome, second.output) == ("cached", "Hello.txt")
    assert first.call_id != second.call_id
    assert 0 <= first.seconds <= finished.seconds
    tally = started.tallies["extract" if "extract" in started.tallies else next(iter(started.tallies))]
    assert (tally.queued, tally.completed, tally.cached, tally.finished) == (2, 1, 1, 2)
    assert tally.active == {}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ValueError, "failed"), (KeyboardInterrupt, "cancelled"), (asyncio.CancelledError, "cancelled")],
)
def test_how_a_flow_ends(flow: Flow, sink: RecordingSink, error: type[BaseException], outcome: str) -> None:
    thrown = error()

    @flow
    def pipeline() -> None:
        raise thrown

    with pytest.raises(error) as caught:
        pipeline()
    assert caught.value is thrown
    finished = sink.events[-1]
    assert isinstance(finished, FlowFinished)
    assert (finished.outcome, finished.error) == (outcome, thrown)
    assert flow.run is None


async def test_every_event_has_come_when_an_async_flow_returns(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=5)
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    @flow
    async def pipeline() -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work(number)) for number in range(50)]
        return sum(task.result() for task in tasks)

    assert await pipeline() == 1225
    assert sink.kinds()[0] == "flow_started"
    assert sink.kinds()[-1] == "flow_finished"
    assert len(sink.outcomes()) == 50
    for call in {event.call_id for event in sink.finished()}:
        told = [event.kind for event in sink.events if getattr(event, "call_id", None) == call]
        assert told == ["task_queued", "task_started", "task_finished"]


def test_flows_and_tasks_within_each_other(flow: Flow, sink: RecordingSink) -> None:
    runs: list[Any] = []

    @flow.task
    def inner_task() -> None:
        runs.append((flow.run, flow.task.run))

    @flow
    def inner() -> None:
        inner_task()

    @flow.task
    def outer_task() -> None:
        runs.append((flow.run, flow.task.run))
        inner()
        runs.append((flow.run, flow.task.run))

    @flow
    def outer() -> None:
        outer_task()

    outer()
    (first, outer_run), (second, inner_run), (third, again) = runs
    assert isinstance(first, FlowRun)
    assert (first.name.rpartition(".")[2], second.name.rpartition(".")[2]) == ("outer", "inner")
    assert first == third != second
    assert hash(first) == hash(third)
    assert outer_run == again != inner_run
    starts = [event for event in sink.events if isinstance(event, FlowStarted)]
    assert starts[1].parent_id == starts[0].flow_id
    queued = [event for event in sink.events if isinstance(event, TaskQueued)]
    assert [event.flow_id for event in queued] == [start.flow_id for start in starts]
    assert flow.run is None
    assert flow.task.run is None


def test_a_task_inside_a_flow_is_told_to_that_flows_sink(sink: RecordingSink) -> None:
    other = RecordingSink()
    first, second = Flow(sink=sink), Flow(sink=other)

    @second.task
    def work() -> None: ...

    @first
    def pipeline() -> None:
        work()

    pipeline()
    work()
    assert len(sink.finished()) == 1
    assert len(other.finished()) == 1


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Flow(tmp_path).path("a/b.txt") == tmp_path / "a" / "b.txt"
    assert Flow("data").path("b.txt") == Path("data/b.txt")
    assert Flow().path(Path("b.txt")) == Path("b.txt")
    with pytest.raises(NoPathError, match=r"MemoryStore\(\): keeps no files"):
        Flow(store=MemoryStore()).path("b.txt")
    assert repr(Flow("data")) == "Flow('data')"


def test_a_relative_base_is_resolved_at_each_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow("data", sink=NullSink())

    made: list[str] = []

    @flow.task(on="{name}.txt")
    def make(name: str, elsewhere: str | None = None) -> None:
        if elsewhere:
            monkeypatch.chdir(elsewhere)
        flow.task.write(name)
        made.append(Path.cwd().name)

    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
    for folder in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / folder)
        make("x")
        assert flow.task.output(make, "x").text() == "x"
    assert made == ["one", "two"]
    monkeypatch.chdir(tmp_path / "one")
    make("moved", str(tmp_path / "three"))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt")) == [
        *("one/data/moved.txt", "one/data/x.txt", "two/data/x.txt")
    ]


def test_three_runs_in_a_row_make_each_thing_once(tmp_path: Path) -> None:
    """A second `asyncio.run` on the same task just works: limits, waiters and outputs know no loop."""
    flow, made = Flow(tmp_path, sink=RecordingSink()), list[int]()

    @flow.task(on="{number}.jsonl.zst", limit=2)
    async def make(number: int) -> None:
        made.append(number)
        await asyncio.sleep(0)
        flow.task.write({"number": number})

    @flow
    async def pipeline() -> None:
        await asyncio.gather(*(make(number) for number in range(6) for _ in range(2)))

    for _ in range(3):
        asyncio.run(pipeline())
    assert sorted(made) == list(range(6))
    assert [output.name for output in flow.task.outputs(make)] == [f"{n}.jsonl.zst" for n in range(6)]
    assert [path.name for path in tmp_path.rglob("*.part")] == []


LINE = r"\[\d\d:\d\d:\d\d\] Task {} finished in \d+\.\d\ds\n"


def test_outside_a_flow_a_finished_task_logs_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    flow = Flow()

    @flow.task
    def extract(text: str, times: int = 1) -> None: ...

    @flow
    def pipeline() -> None:
        extract("quiet")

    extract("Hello", times=3)
    out, err = capfd.readouterr()
    assert out == ""
    name = re.escape(extract.__qualname__.rpartition("<locals>.")[2])
    assert re.fullmatch(LINE.format(name + r"\('Hello', times=3\)"), err)
    pipeline()
    assert "quiet" not in capfd.readouterr().err


@pytest.mark.parametrize(("verbose", "lines"), [(True, 2), (False, 0)])
def test_verbose(capfd: pytest.CaptureFixture[str], verbose: bool, lines: int) -> None:
    flow = Flow(verbose=verbose, sink=RecordingSink())

    @flow.task
    def extract(text: str) -> None: ...

    @flow
    def pipeline() -> None:
        extract("inside")

    pipeline()
    extract("outside")
    assert capfd.readouterr().err.count("Task extract(") == lines


def test_verbose_for_one_flow_alone(capfd: pytest.CaptureFixture[str]) -> None:
    sink = RecordingSink()
    flow = Flow(sink=sink)

    @flow.task
    def extract(text: str) -> None: ...

    @flow(verbose=True, progress=False)
    def loud() -> None:
        extract("inside")

    loud()
    assert capfd.readouterr().err.count("Task extract('inside') finished") == 1
    started = sink.events[0]
    assert isinstance(started, FlowStarted)
    assert started.progress is False
    assert sys.stdout is not None


@pytest.mark.parametrize("options", [{"progress": None}, {"progress": 0}, {"verbose": 1}])
def test_a_flow_takes_true_or_false(flow: Flow, options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionTypeError, match=r"takes a bool( or None)?, not"):
        flow(**options)


def test_flows_that_begin_together_share_the_default_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one of them would be announced to a sink that never hears of its end."""
    meeting = threading.Barrier(2)
    told: list[tuple[object, str]] = []

    class Slow:
        def __init__(self, **options: object) -> None:
            meeting.wait(30)

        def emit(self, event: Event, /) -> None:
            told.append((self, event.kind))

    monkeypatch.setattr(asflow.sinks, "RichSink", Slow)
    flow = Flow()

    @flow
    def pipeline() -> None: ...

    threads = [threading.Thread(target=pipeline) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind for _, kind in told) == ["flow_finished"] * 2 + ["flow_started"] * 2
    assert len({sink for sink, _ in told}) == 1


def test_flows_in_threads_keep_apart(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2)
    async def work(number: int) -> None:
        run = flow_call()
        assert run.tallies[next(iter(run.tallies))].queued <= 20

    @flow
    async def pipeline(name: str) -> None:
        await asyncio.gather(*map(work, range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(pipeline("x"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends = [event for event in sink.events if isinstance(event, FlowFinished)]
    assert len({end.flow_id for end in ends}) == 4
    for end in ends:
        mine = [
            event for event in sink.events if isinstance(event, TaskFinished) and event.flow_id == end.flow_id
        ]
        assert len(mine) == 20
        assert sink.events.index(mine[-1]) < sink.events.index(end)
