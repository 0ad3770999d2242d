"""Nothing grows with the number of finished tasks and flows."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, MemoryStore
from asflow.sinks import NullSink


class Forgetful:
    """Is told of everything and keeps nothing."""

    def emit(self, event: object, /) -> None:
        """Forget it."""


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize("sink", [NullSink, Forgetful])
def test_a_flow_after_20_000_finished_tasks(sink: Callable[[], Any]) -> None:
    flow = Flow(store=MemoryStore(), sink=sink())

    @flow.task(limit=10)
    async def bare(number: int) -> int:
        return number

    @flow.task(on="x.txt", skip=OSError)
    async def kept(number: int) -> None: ...

    @flow.task(save="x.json", skip=OSError)
    async def saved(number: int) -> int:
        return number

    @flow.task(retry=0, skip=OSError)
    def failing(number: int) -> None:
        raise OSError

    counts: list[int] = []

    @flow
    async def pipeline() -> None:
        for _ in range(2):
            for _ in range(10):
                await asyncio.gather(*map(bare, range(500)))
            await flow.task.map(bare, range(2500))
            for number in range(1250):
                await kept(number)
                await saved(number)
                failing(number)
            counts.append(objects())

    asyncio.run(pipeline())
    assert counts[1] - counts[0] < 200


def test_a_process_after_300_flows() -> None:
    flow = Flow(store=MemoryStore(), sink=Forgetful())

    @flow.task(limit=2)
    async def work(number: int) -> int:
        return number

    @flow
    async def pipeline() -> None:
        await asyncio.gather(*map(work, range(3)))

    counts: list[int] = []
    for _ in range(2):
        for _ in range(150):
            asyncio.run(pipeline())
        counts.append(objects())
    assert counts[1] - counts[0] < 200


@pytest.mark.parametrize("mapped", [False, True])
def test_a_thousand_failures_with_a_megabyte_in_their_frames(tmp_path: Path, mapped: bool) -> None:
    """The report keeps texts: of the exceptions, and so of their frames, nothing stays."""
    flow = Flow(tmp_path, sink=Forgetful())

    @flow.task(skip=LookupError)
    def page(number: int) -> None:
        content = bytes(1_000_000)
        raise LookupError(f"{number} of {len(content)}")

    kept: list[int] = []

    @flow
    def pipeline() -> str:
        numbers = range(1000)
        for _ in flow.task.map(page, numbers) if mapped else map(page, numbers):
            pass
        kept.append(tracemalloc.get_traced_memory()[0])
        assert flow.run is not None
        return str(flow.run.report())

    tracemalloc.start()
    try:
        assert "page() skipped, 1,000 LookupError" in pipeline()
    finally:
        tracemalloc.stop()
    assert kept[0] < 10_000_000


def test_decorating_anew_leaves_nothing_behind() -> None:
    """A Streamlit script runs again with each click."""
    flow = Flow(store=MemoryStore(), sink=NullSink())

    def rerun() -> None:
        task = flow.task(on="{number}.txt", suppress=OSError, limit=3)(module_level)
        task(1)

    for _ in range(20):
        rerun()
    before = objects()
    for _ in range(300):
        rerun()
    assert objects() - before < 200


def module_level(number: int) -> None: ...
