"""What an attempt leaves running when it ends: it reaches neither the next attempt nor its own output."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

import pytest

from asflow import Flow, MemoryStore, Retry
from asflow.errors import OutputClosedError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = Retry(1, backoff_factor=0, backoff_jitter=0)


class Page(TypedDict):
    number: int


@pytest.fixture
def flow() -> Flow:
    return Flow(store=MemoryStore(), sink=NullSink())


async def test_a_neighbour_of_a_failed_attempt_does_not_write_into_the_next(flow: Flow) -> None:
    """`asyncio.gather` lets the others go on when one has failed."""
    failed, late = asyncio.Event(), asyncio.Event()
    refused: list[OutputClosedError] = []

    async def page(number: int) -> None:
        if number == 1:
            if not failed.is_set():
                failed.set()
                raise ConnectionError
            await late.wait()
        flow.task.write({"number": number})

    async def slow() -> None:
        await failed.wait()
        while not late.is_set():
            await asyncio.sleep(0)
            if len(attempts) == 2:
                try:
                    flow.task.write({"number": 99})
                except OutputClosedError as error:
                    refused.append(error)
                late.set()

    attempts: list[int] = []

    @flow.task(on="{name}.jsonl", retry=ONCE)
    async def pages(name: str) -> None:
        attempts.append(len(attempts))
        work = [page(1), page(2)] if len(attempts) == 2 else [page(1), slow()]
        await asyncio.gather(*work)

    await pages("a")
    assert len(refused) == 1
    numbers = [record["number"] for record in flow.task.output(pages, "a").records(Page)]
    assert sorted(numbers) == [1, 2]


def test_a_thread_of_a_failed_attempt_does_not_write_into_the_next(flow: Flow) -> None:
    second, over = threading.Event(), threading.Event()
    refused: list[OutputClosedError] = []

    def linger(write: Callable[[str], None]) -> None:
        second.wait(20)
        try:
            write("late")
        except OutputClosedError as error:
            refused.append(error)
        over.set()

    @flow.task(on="{name}.txt", retry=ONCE)
    def text(name: str) -> None:
        run = flow.task.run
        assert run is not None
        if run.attempt == 1:
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(linger, flow.task.write)).start()
            raise ConnectionError
        second.set()
        assert over.wait(20)
        flow.task.write("whole")

    text("a")
    assert flow.task.output(text, "a").text() == "whole"
    assert len(refused) == 1


async def test_a_run_keeps_its_number_over_attempts(flow: Flow) -> None:
    seen: list[tuple[int, int, str | None]] = []

    @flow.task(on="{name}.txt", retry=ONCE)
    async def text(name: str) -> None:
        run = flow.task.run
        assert run is not None
        seen.append((run.call_id, run.attempt, run.output))
        if run.attempt == 1:
            raise ConnectionError

    await text("a")
    assert [attempt for _, attempt, _ in seen] == [1, 2]
    assert len({(call, output) for call, _, output in seen}) == 1


async def test_a_body_that_swallows_its_timeout_has_not_returned_in_time(flow: Flow) -> None:
    @flow.task(on="{name}.txt", timeout=0.01)
    async def text(name: str) -> None:
        flow.task.write("half")
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    @flow.task(save="saved-{name}.txt", timeout=0.01)
    async def saved(name: str) -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "too late"

    for task in (text, saved):
        with pytest.raises(TimeoutError):
            await task("a")
        assert flow.task.output(task, "a").status == "absent"
