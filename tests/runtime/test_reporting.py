"""The delivery of events: a sink that raises is dropped and logged once, and no task fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from asflow import Flow, MemoryStore
from asflow._reporter import Reporter
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.events import Event
from asflow.testing import RecordingSink


class Broken:
    """Raises at the *after*-th event."""

    def __init__(self, after: int = 0, error: type[Exception] = ValueError) -> None:
        self.calls = 0
        self._after = after
        self._error = error

    def emit(self, event: Event, /) -> None:
        self.calls += 1
        if self.calls > self._after:
            raise self._error("broken sink")


@pytest.mark.parametrize("after", range(6))
async def test_a_sink_that_raises_is_dropped_logged_once_and_breaks_nothing(
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
    assert sink.calls == after + 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Broken" in caplog.text
    assert len(list(store.list(""))) == 5


def test_a_sink_that_raises_in_many_threads_at_once_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start = threading.Barrier(8)

    class Together:
        def emit(self, event: Event, /) -> None:
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
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("wish", "kinds"),
    [
        ("all", ["flow_started", "task_queued", "task_started", "task_finished", "flow_finished", "task"]),
        ("outside", ["flow_started", "flow_finished", "task"]),
        ("none", ["flow_started", "flow_finished"]),
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
    expected = [kind for kind in kinds if kind != "task"]
    if "task" in kinds:
        expected += ["task_queued", "task_started", "task_finished"]
    assert sink.kinds() == expected


@pytest.mark.parametrize("sink", [None, 3, "sink", object()])
def test_anything_but_a_sink_is_refused(sink: Any) -> None:
    with pytest.raises(
        DefinitionTypeError, match=r"^Flow\(\): sink takes an object with a method emit\(event\), not "
    ):
        Reporter(sink)


@pytest.mark.parametrize(("wish", "error"), [("some", DefinitionValueError), (True, DefinitionTypeError)])
def test_an_unknown_value_of_wants_tasks_is_refused(wish: object, error: type[Exception]) -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = wish
    with pytest.raises(error, match=rf"^Flow\(\): sink takes .* not {wish!r}; remove "):
        Flow(sink=sink)
