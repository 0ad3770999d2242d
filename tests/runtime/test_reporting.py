"""Events on their way: a sink that raises is told nothing more, once, and harms nobody."""

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
        self.told = 0
        self._after = after
        self._error = error

    def emit(self, event: Event, /) -> None:
        self.told += 1
        if self.told > self._after:
            raise self._error("broken sink")


@pytest.mark.parametrize("after", range(6))
async def test_a_sink_that_raises_is_dropped_logged_once_and_breaks_nothing(
    after: int, caplog: pytest.LogCaptureFixture
) -> None:
    sink, store = Broken(after), MemoryStore()
    flow = Flow(store=store, sink=sink)

    @flow.task(on="{number}.txt", limit=2)
    async def work(number: int) -> int:
        with flow.task.progress("lines", total=1) as progress:
            flow.task.write("text")
            progress.advance()
        return number

    @flow
    async def pipeline() -> list[int | None]:
        return await asyncio.gather(*map(work, range(5)))

    assert await pipeline() == [0, 1, 2, 3, 4]
    assert sink.told == after + 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "Broken" in caplog.text
    assert len(list(store.list(""))) == 5


def test_a_sink_that_raises_in_many_threads_at_once_is_reported_once(
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
    ("wish", "told"),
    [
        ("all", ["flow_started", "task_queued", "task_started", "task_finished", "flow_finished", "task"]),
        ("outside", ["flow_started", "flow_finished", "task"]),
        ("none", ["flow_started", "flow_finished"]),
    ],
)
def test_a_sink_is_told_what_it_wants(wish: str, told: list[str]) -> None:
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
    expected = [kind for kind in told if kind != "task"]
    if "task" in told:
        expected += ["task_queued", "task_started", "task_finished"]
    assert sink.kinds() == expected


@pytest.mark.parametrize("sink", [None, 3, "sink", object()])
def test_what_is_no_sink_is_refused(sink: Any) -> None:
    with pytest.raises(DefinitionTypeError, match="emit"):
        Reporter(sink)


@pytest.mark.parametrize(("wish", "error"), [("some", DefinitionValueError), (True, DefinitionTypeError)])
def test_an_unknown_wish_is_refused(wish: object, error: type[Exception]) -> None:
    sink: Any = RecordingSink()
    sink.wants_tasks = wish
    with pytest.raises(error, match=f"not {wish!r}"):
        Flow(sink=sink)
