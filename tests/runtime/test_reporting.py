"""The delivery of events: a sink that raises is logged, and dropped in the end, and no task fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, cast

import pytest

from asflow import Flow, MemoryStore
from asflow._reporter import MOST_ERRORS, Reporter
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.events import Event
from asflow.testing import RecordingSink


class Broken:
    """Raises at each event after the first *after* ones."""

    def __init__(self, after: int = 0, error: type[Exception] = ValueError) -> None:
        self.calls = 0
        self._after = after
        self._error = error

    def emit(self, event: Event, /) -> None:
        self.calls += 1
        if self.calls > self._after:
            raise self._error("broken sink")


@pytest.mark.parametrize("after", range(6))
async def test_a_sink_that_always_raises_is_dropped_logged_once_and_breaks_nothing(
    after: int, caplog: pytest.LogCaptureFixture
) -> None:
    sink, store = Broken(after), MemoryStore()
    flow = Flow(store=store, sink=sink)

    @flow.task(save="{number}.json", limit=2)
    async def work(number: int) -> int:
        with flow.task.progress("lines", total=1) as progress:
            progress.advance()
        return number

    @flow
    async def pipeline() -> list[int]:
        return await asyncio.gather(*map(work, range(5)))

    assert await pipeline() == [0, 1, 2, 3, 4]
    assert sink.calls == after + MOST_ERRORS
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert "Broken.emit(): raised on " in caplog.text
    assert "Broken.emit(): raised 5 times in a row and receives no more events" in caplog.text
    assert len(list(store.list(""))) == 5


def test_a_sink_that_raises_in_many_threads_at_once_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start = threading.Barrier(8)

    class Together:
        def emit(self, event: Event, /) -> None:
            if event.kind == "task_queued":  # the first of each thread; after these the sink is dropped
                start.wait(30)
            raise ValueError("all at once")

    flow = Flow(sink=Together())

    @flow.task
    def work() -> None: ...

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.records) == 2


def test_an_error_now_and_then_drops_no_sink(caplog: pytest.LogCaptureFixture) -> None:
    """Each first of its kind is logged, with its traceback."""

    class Shaky:
        def __init__(self) -> None:
            self.received: list[str] = []

        def emit(self, event: Event, /) -> None:
            self.received.append(event.kind)
            if len(self.received) % MOST_ERRORS:
                raise [KeyError, OSError][len(self.received) % 2]("locked")

    sink = Shaky()
    flow = Flow(store=MemoryStore(), sink=sink)

    @flow.task
    def work() -> None: ...

    for _ in range(20):
        work()
    assert len(sink.received) == 60
    assert sorted(str(record.exc_text).splitlines()[-1] for record in caplog.records) == [
        "KeyError: 'locked'", "OSError: locked"
    ]  # fmt: skip


CALL = ["task_queued", "task_started", "task_finished"]


@pytest.mark.parametrize(
    ("wish", "kinds"),
    [
        ("all", ["flow_started", "task_queued", "task_started", "task_finished", "flow_finished", "task"]),
        ("outside", ["flow_started", "flow_finished", "task"]),
        ("none", ["flow_started", "flow_finished"]),
        ("made", ["flow_started", *CALL, "flow_finished", "task"]),
        ("finished", ["flow_started", "task_finished", "flow_finished", "end"]),
    ],
)
def test_a_sink_receives_what_it_asks_for(wish: str, kinds: list[str]) -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = wish
    flow = Flow(sink=sink)

    @flow.task
    def work() -> None: ...

    @flow
    def pipeline() -> None:
        work()

    pipeline()
    work()
    expected = [kind for kind in kinds if kind not in ("task", "end")]
    if "task" in kinds:
        expected += CALL
    if "end" in kinds:
        expected += ["task_finished"]
    assert sink.kinds() == expected


def test_made_leaves_out_calls_that_had_nothing_to_do() -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = "made"
    flow = Flow(store=MemoryStore(), sink=sink)

    @flow.task(on="{name}.txt", suppress=KeyError)
    def work(name: str) -> None:
        if name == "suppressed":
            raise KeyError(name)
        if name == "failing":
            raise ValueError(name)
        flow.task.write(name)

    @flow.task(save="{name}.json")
    def value(name: str) -> str:
        return name

    @flow
    def pipeline() -> None:
        for _ in range(2):
            work("made")
            work("suppressed")
            value("made")
            with pytest.raises(ValueError, match="failing"):
                work("failing")

    for _ in range(2):
        pipeline()
        work("made")
        value("made")
    assert sink.outcomes("work") == ["completed", "suppressed", *["failed"] * 4]
    assert sink.outcomes("value") == ["completed"]
    assert sink.kinds("value") == CALL
    assert sink.kinds("work") == CALL * 6
    tally = sink.events[0].tallies["work"]
    assert (tally.queued, tally.cached, tally.suppressed) == (6, 1, 2)


def test_made_includes_a_call_that_is_cancelled_while_it_waits() -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = "made"
    flow = Flow(store=MemoryStore(), sink=sink)

    @flow.task(limit=1)
    async def work() -> None:
        await asyncio.sleep(30)

    async def main() -> None:
        calls = [asyncio.ensure_future(work()) for _ in range(2)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(main())
    by_call: dict[int, list[str]] = {}
    for event in sink.events:
        by_call.setdefault(event.call_id, []).append(event.kind)
    assert list(by_call.values()) == [CALL, ["task_queued", "task_finished"]]


@pytest.mark.parametrize("sink", [None, 3, "sink", object()])
def test_anything_but_a_sink_is_refused(sink: Any) -> None:
    with pytest.raises(
        DefinitionTypeError, match=r"^Flow\(\): sink takes an object with a method emit\(event\), not "
    ):
        Reporter(sink)


def test_an_async_sink_is_refused() -> None:
    class Async:
        async def emit(self, event: Event, /) -> None: ...

    class AsyncClose:
        def emit(self, event: Event, /) -> None: ...

        async def close(self) -> None: ...

    sinks: list[Any] = [Async(), AsyncClose(), [RecordingSink(), Async()]]
    for sink, method in zip(sinks, ("emit", "close", "emit"), strict=True):
        with pytest.raises(
            DefinitionTypeError, match=rf"^Flow\(\): sink .* whose {method}\(\) is async and "
        ):
            Flow(sink=sink)
    with pytest.raises(DefinitionTypeError, match=r"^Flow\(\): store .* whose claim\(\) is async and "):
        Flow(store=cast("Any", AsyncStore()))


class AsyncStore(MemoryStore):
    async def claim(self, *args: Any, **kwargs: Any) -> Any: ...  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]


@pytest.mark.parametrize(("wish", "error"), [("some", DefinitionValueError), (True, DefinitionTypeError)])
def test_an_unknown_value_of_wants_tasks_is_refused(wish: object, error: type[Exception]) -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = wish
    with pytest.raises(error, match=rf"^Flow\(\): sink takes .* not {wish!r}; remove "):
        Flow(sink=sink)
