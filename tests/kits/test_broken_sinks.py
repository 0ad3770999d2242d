"""`check_sink` tells a sink all that asflow may, so one that counts on less does not pass."""

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

    with pytest.raises(AssertionError, match=r"the sink breaks a promise: emit\(\) is no async function"):
        check_sink(Async)


def test_a_wish_without_a_hash_is_refused_in_words() -> None:
    class Wishes:
        wants_tasks: tuple[object, ...] = ("all", [])

        def emit(self, event: Event, /) -> None: ...

    with pytest.raises(AssertionError, match="wants_tasks is 'all', 'outside' or 'none'"):
        check_sink(cast("Any", Wishes))


class CountsOnAStart:
    def __init__(self) -> None:
        self.running: set[int] = set()
        self.lock = threading.Lock()

    def emit(self, event: Event, /) -> None:
        with self.lock:
            if event.kind == "task_started":
                self.running.add(event.call_id)
            elif event.kind == "task_finished" and event.outcome != "cached":
                assert event.call_id in self.running, "not started"


class CountsOnAnError:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_finished" and event.outcome == "suppressed":
            assert event.error is not None, "no error"


class CountsOnTwoFlowOutcomes:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_finished":
            assert event.outcome in {"completed", "failed"}, "third outcome"


class CountsOnAnExceptionOfACall:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_finished" and event.error is not None:
            assert isinstance(event.error, Exception), "no Exception"


class CountsOnAnExceptionOfAFlow:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_finished" and event.error is not None:
            assert isinstance(event.error, Exception), "no Exception"


class CountsOnFlowsOfTheirOwn:
    def emit(self, event: Event, /) -> None:
        if event.kind == "flow_started":
            assert event.parent_id is None, "flow in a flow"


class CountsOnCallsOfTheirOwn:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_queued":
            assert event.parent_id is None, "call in a call"


class CountsOnATotal:
    def emit(self, event: Event, /) -> None:
        if event.kind == "task_queued":
            assert event.total is not None, "no total"


class InTheirFlow:
    """Takes only events of *kind* whose flow has not ended."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ended: set[int] = set()
        self.lock = threading.Lock()

    def emit(self, event: Event, /) -> None:
        with self.lock:
            if event.kind == "flow_finished":
                self.ended.add(event.flow_id)
            elif event.kind == self.kind:
                assert event.flow_id not in self.ended, "after its flow"


@pytest.mark.parametrize(
    ("sink", "missed"),
    [
        (CountsOnAStart, "not started"),
        (CountsOnAnError, "no error"),
        (CountsOnTwoFlowOutcomes, "third outcome"),
        (CountsOnAnExceptionOfACall, "no Exception"),
        (CountsOnAnExceptionOfAFlow, "no Exception"),
        (CountsOnFlowsOfTheirOwn, "flow in a flow"),
        (CountsOnCallsOfTheirOwn, "call in a call"),
        (CountsOnATotal, "no total"),
        (lambda: InTheirFlow("task_queued"), "after its flow"),
        (lambda: InTheirFlow("task_finished"), "after its flow"),
    ],
)
def test_a_sink_that_counts_on_less(sink: Any, missed: str) -> None:
    with pytest.raises(AssertionError, match=missed) as caught:
        check_sink(sink)
    assert any(note.startswith("check_sink told it ") for note in caught.value.__notes__)


def test_asflow_tells_such_stories() -> None:
    """Ends without a start, cancellations and calls after their flow do happen."""
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
    assert any(event.kind == "task_queued" and event.flow_id == flow_ids[0] for event in after)
    assert [event.outcome for event in sink.events if event.kind == "flow_finished"] == [
        "completed",
        "cancelled",
    ]
    started = {event.call_id for event in sink.events if event.kind == "task_started"}
    unstarted = [event for event in sink.finished() if event.call_id not in started]
    assert {event.outcome for event in unstarted} == {"cancelled"}
    assert all(isinstance(event.error, asyncio.CancelledError) for event in unstarted)
