"""`check_sink` emits every event that asflow can, so a sink that assumes less fails."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from asflow import Flow, Limit, MemoryStore
from asflow.events import Event
from asflow.testing import RecordingSink, check_sink


def test_an_async_sink_is_refused() -> None:
    class Async:
        async def emit(self, event: Event, /) -> None: ...

    with pytest.raises(AssertionError, match=r"^check_sink\(\): sink takes .* whose emit\(\) is async and "):
        check_sink(Async)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - what is tested

    class InDisguise:
        def emit(self, event: Event, /) -> Any:
            return Async().emit(event)

    with pytest.raises(AssertionError, match=r"^check_sink\(\): emit\(\) returned an awaitable; write it as"):
        check_sink(InDisguise)


def test_close_is_called_once_after_the_last_event() -> None:
    made: list[Any] = []

    class Closing:
        def __init__(self) -> None:
            self.calls: list[str] = []
            made.append(self)

        def emit(self, event: Event, /) -> None:
            self.calls.append("emit")

        def close(self) -> None:
            self.calls.append("close")

    check_sink(Closing)
    assert [each.calls.count("close") for each in made] == [1, 1, 1]
    assert all(each.calls[-1] == "close" for each in made)

    class NeedsAnEvent(Closing):
        def close(self) -> None:
            self.calls.remove("emit")

    with pytest.raises(ValueError, match="not in list") as caught:
        check_sink(NeedsAnEvent)
    assert caught.value.__notes__ == [
        "check_sink(): close() raised; asflow calls it once, after the last event"
    ]


def test_wants_tasks_without_a_hash_is_refused() -> None:
    class Unhashable:
        wants_tasks: tuple[object, ...] = ("all", [])

        def emit(self, event: Event, /) -> None: ...

    with pytest.raises(AssertionError, match="wants_tasks is 'all', 'made', 'finished', 'outside' or 'none'"):
        check_sink(cast("Any", Unhashable))


class AssumesAStart:
    def __init__(self) -> None:
        self.running: set[int] = set()
        self.lock = threading.Lock()

    def emit(self, event: Event, /) -> None:
        with self.lock:
            if event.kind == "task_started":
                self.running.add(event.call_id)
            elif event.kind == "task_finished" and event.outcome != "cached":
                assert event.call_id in self.running, "not started"


class AssumesAnError:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_finished" and event.outcome == "suppressed":
            assert event.error is not None, "no error"


class AssumesTwoFlowOutcomes:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_finished":
            assert event.outcome in {"completed", "failed"}, "third outcome"


class AssumesAnExceptionOfACall:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_finished" and event.error is not None:
            assert isinstance(event.error, Exception), "no Exception"


class AssumesAnExceptionOfAFlow:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_finished" and event.error is not None:
            assert isinstance(event.error, Exception), "no Exception"


class AssumesFlowsAreNotNested:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_started":
            assert event.parent_id is None, "flow in a flow"


class AssumesCallsAreNotNested:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_queued":
            assert event.parent_id is None, "call in a call"


class AssumesATotal:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_queued":
            assert event.total is not None, "no total"


class AssumesAnEnd:
    """Calls that the flow did not wait for have none."""

    def __init__(self) -> None:
        self.running: dict[int, int | None] = {}
        self.lock = threading.Lock()

    def emit(self, event: Event, /) -> None:
        with self.lock:
            if event.kind == "task_started":
                self.running[event.call_id] = event.flow_id
            elif event.kind == "task_finished":
                self.running.pop(event.call_id, None)
            elif event.kind == "flow_finished":
                assert event.flow_id not in self.running.values(), "no end"


class AssumesPlainArguments:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_queued":
            assert all(repr(value) for value in event.arguments.values())


class AssumesNoWait:
    def emit(self, event: Event, /) -> None:
        assert event.kind != "task_waiting" or event.owner is None, "an owner"


@pytest.mark.parametrize(
    ("sink", "missed"),
    [
        (AssumesAStart, "not started"),
        (AssumesAnError, "no error"),
        (AssumesTwoFlowOutcomes, "third outcome"),
        (AssumesAnExceptionOfACall, "no Exception"),
        (AssumesAnExceptionOfAFlow, "no Exception"),
        (AssumesFlowsAreNotNested, "flow in a flow"),
        (AssumesCallsAreNotNested, "call in a call"),
        (AssumesATotal, "no total"),
        (AssumesAnEnd, "no end"),
        (AssumesNoWait, "an owner"),
    ],
)
def test_a_sink_that_assumes_less(sink: Any, missed: str) -> None:
    with pytest.raises(AssertionError, match=missed) as caught:
        check_sink(sink)
    assert any(note.startswith("check_sink(): emit() raised on ") for note in caught.value.__notes__)


def test_arguments_are_not_always_printable() -> None:
    with pytest.raises(ValueError, match="no text"):
        check_sink(AssumesPlainArguments)


def test_asflow_emits_such_events() -> None:
    """Calls that end without a start, cancelled ones and calls whose end is not reported do occur."""
    sink = RecordingSink()
    flow = Flow(store=MemoryStore(), sink=sink)
    left: list[asyncio.Future[Any]] = []

    @flow.task(limit=Limit(1))
    async def work() -> None:
        await asyncio.sleep(0)

    @flow
    async def pipeline(cancelled: bool) -> None:
        first, second = asyncio.ensure_future(work()), asyncio.ensure_future(work())
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        if cancelled:
            raise asyncio.CancelledError
        left.append(asyncio.ensure_future(work()))

    async def main() -> None:
        await pipeline(False)
        await asyncio.gather(*left)
        await asyncio.gather(asyncio.ensure_future(pipeline(True)), return_exceptions=True)

    asyncio.run(main())
    flow_ids = [event.flow_id for event in sink.events if event.kind == "flow_finished"]
    after = sink.events[[event.kind for event in sink.events].index("flow_finished") + 1 :]
    assert not any(event.flow_id == flow_ids[0] for event in after)
    assert [event.outcome for event in sink.events if event.kind == "flow_finished"] == [
        "completed",
        "cancelled",
    ]
    started = {event.call_id for event in sink.events if event.kind == "task_started"}
    unstarted = [event for event in sink.finished() if event.call_id not in started]
    assert {event.outcome for event in unstarted} == {"cancelled"}
    assert all(isinstance(event.error, asyncio.CancelledError) for event in unstarted)
