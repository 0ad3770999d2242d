"""Rows about many calls with bounded concurrency."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

from asflow import Flow
from asflow.sinks import NullSink
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import peer, where_installed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

__all__ = ["grouped", "limited", "mapped", "rows", "waits"]

_flow = Flow(sink=NullSink())


async def waits(x: int) -> int:
    """Wait for one turn of the loop, so that other calls wait for the limit."""
    await asyncio.sleep(0)
    return x


async def returns(x: int) -> int:
    """Return without waiting: the limit is never reached."""
    return x


limited = _flow.task(limit=100)(waits)


def grouped(name: str, function: Callable[[int], Awaitable[object]], units: int) -> Contender:
    """Start all calls in a task group."""

    async def run(_folder: Path) -> None:
        async with asyncio.TaskGroup() as group:
            for index in range(units):
                group.create_task(function(index))  # type: ignore[arg-type]

    return Contender(name, run, units)


def by_semaphore(function: Callable[[int], Awaitable[object]], limit: int, units: int) -> Contender:
    """Bound a task group by hand."""

    async def run(_folder: Path) -> None:
        semaphore = asyncio.Semaphore(limit)

        async def bounded(index: int) -> object:
            async with semaphore:
                return await function(index)

        async with asyncio.TaskGroup() as group:
            for index in range(units):
                group.create_task(bounded(index))

    return Contender("TaskGroup + Semaphore", run, units)


def mapped(function: Callable[[int], Awaitable[object]], limit: int, units: int) -> Contender:
    """Map a task over a range."""
    task = _flow.task(limit=limit)(function)

    async def run(_folder: Path) -> None:
        async for _ in _flow.task.map(task, range(units)):
            pass

    return Contender(ASFLOW, run, units)


def by_workers(function: Callable[[int], Awaitable[object]], limit: int, units: int) -> Contender:
    """Let a few workers pull from one iterator, by hand."""

    async def run(_folder: Path) -> None:
        items = iter(range(units))

        async def work() -> None:
            for index in items:
                await function(index)

        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(work())

    return Contender("worker pool by hand", run, units)


def _aiometer(function: Callable[[int], Awaitable[object]], limit: int, units: int) -> Contender:
    async def run(_folder: Path) -> None:
        calls = [partial(function, index) for index in range(units)]
        await peer("aiometer").run_all(calls, max_at_once=limit)

    return Contender("aiometer", run, units)


def rows(short: bool) -> Iterator[Row]:
    """Yield the rows about fan-out."""
    units = 1_000 if short else 10_000
    for limit in (4, 100):
        task = _flow.task(limit=limit)(waits)
        yield Row(
            f"fan-out-{limit}",
            f"{units:,} tasks in a TaskGroup, `limit={limit}`",
            (
                by_semaphore(waits, limit, units),
                grouped(ASFLOW, task, units),
                *where_installed("aiometer", partial(_aiometer, waits, limit, units)),
            ),
            bound=1.1,
            cost="asyncio's own task (two thirds); a place in the limit's queue and one wake-up, as with "
            "the semaphore; and a call, which the semaphore's version does not have.",
            floor="`asyncio.TaskGroup` and `asyncio.Semaphore`, by hand. The body waits one turn, "
            "so the limit is always reached.",
        )
    idle = _flow.task(limit=100)(returns)
    yield Row(
        "fan-out-idle",
        f"{units:,} tasks in a TaskGroup whose bodies never wait",
        (by_semaphore(returns, 100, units), grouped(ASFLOW, idle, units)),
        cost="as above, without any wait: the difference is the cost of a call.",
        floor="as above; the semaphore is always free.",
    )
    yield Row(
        "map",
        f"{units:,} items through `flow.task.map`, `limit=4`",
        (
            by_semaphore(waits, 4, units),
            mapped(waits, 4, units),
            by_workers(waits, 4, units),
            *where_installed("aiometer", lambda: _aiometer(waits, 4, units)),
        ),
        bound=0.35,
        cost="the call; a fresh context for each item; the result handed to the consumer in order. There is "
        "no asyncio task and no queue per item.",
        floor="as for fan-out. The worker pool by hand has no results, no order, and one context.",
    )
    yield Row(
        "map-flow",
        "the same inside a flow",
        (by_semaphore(waits, 4, units), _in_flow(mapped(waits, 4, units))),
        bound=0.42,
        cost="as above, and the counts of the flow's tally.",
        floor="as above.",
    )
    if sys.version_info >= (3, 12):
        yield Row(
            "fan-out-eager",
            f"{units:,} tasks in a TaskGroup under `asyncio.eager_task_factory`",
            (_eager(by_semaphore(returns, 100, units)), _eager(grouped(ASFLOW, idle, units))),
            cost="an eager task starts its body at once; a call that does not wait never reaches the loop.",
            floor="the semaphore by hand under the same factory.",
        )


def _in_flow(contender: Contender) -> Contender:
    @_flow
    async def in_a_flow(folder: Path) -> object:
        return await contender.run(folder)  # type: ignore[misc]

    return Contender(contender.name, in_a_flow, contender.units)


def _eager(contender: Contender) -> Contender:
    async def run(folder: Path) -> object:
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await contender.run(folder)  # type: ignore[misc]

    return Contender(contender.name, run, contender.units)
