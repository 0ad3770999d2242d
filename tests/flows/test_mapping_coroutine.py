"""What `flow.task.map` returns is a coroutine: asyncio runs it, and one that is forgotten is reported."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import warnings
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from asflow import Flow, SyncTaskMap, TaskMap
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())


@flow.task(limit=2)
async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


@flow.task(limit=2)
def triple(n: int) -> int:
    return 3 * n


def test_it_is_a_coroutine_to_asyncio() -> None:
    mapped = flow.task.map(double, [1])
    assert asyncio.iscoroutine(mapped)
    assert isinstance(mapped, Coroutine)
    assert isinstance(mapped, Awaitable)
    assert inspect.isawaitable(mapped)
    assert type(mapped) is TaskMap
    other = flow.task.map(triple, asyncio.run(mapped))
    assert type(other) is SyncTaskMap
    assert asyncio.run(other) == [6]


def test_asyncio_runs_it() -> None:
    assert asyncio.run(flow.task.map(double, range(3))) == [0, 2, 4]
    assert asyncio.run(flow.task.map(triple, range(3))) == [0, 3, 6]


async def test_as_a_task_and_in_a_group() -> None:
    task = asyncio.create_task(flow.task.map(double, range(3)))
    assert "flow.task.map of double()" in repr(task)
    async with asyncio.TaskGroup() as group:
        others = [group.create_task(flow.task.map(each, range(3))) for each in (double, triple)]
    assert await task == [0, 2, 4]
    assert [other.result() for other in others] == [[0, 2, 4], [0, 3, 6]]
    gathered: list[Any] = list(await asyncio.gather(flow.task.map(double, [1]), flow.task.map(triple, [1])))
    assert gathered == [[2], [3]]
    assert await asyncio.wait_for(flow.task.map(double, [1]), 30) == [2]


async def test_a_task_of_it_can_be_cancelled_before_and_while_it_runs() -> None:
    begun, ended = asyncio.Event(), list[int]()

    @flow.task(limit=2)
    async def wait(n: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(n)

    early = asyncio.create_task(flow.task.map(wait, range(9)))
    early.cancel()
    with pytest.raises(asyncio.CancelledError):
        await early
    assert not begun.is_set()
    late = asyncio.create_task(flow.task.map(wait, range(9)))
    await begun.wait()
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    assert sorted(ended) == [0, 1]


async def test_the_three_steps_of_a_coroutine() -> None:
    mapped = flow.task.map(double, [1])
    mapped.close()
    mapped.close()
    with pytest.raises(RuntimeError, match="runs once"):
        mapped.send(None)

    thrown = flow.task.map(double, [1])
    with pytest.raises(LookupError):
        thrown.throw(LookupError())

    begun = flow.task.map(double, [1])
    pending = begun.send(None)
    assert isinstance(pending, asyncio.Future)
    with pytest.raises(RuntimeError, match="runs once"):
        await begun
    with pytest.raises(RuntimeError, match="runs once"):
        aiter(begun)
    waited = asyncio.ensure_future(_rest(begun, pending))
    assert await waited == [2]
    with pytest.raises(RuntimeError, match="already awaited"):
        begun.send(None)


async def _rest(mapped: TaskMap[int], pending: Any) -> list[int]:
    """Drive a coroutine that has begun by hand."""
    while True:
        pending._asyncio_future_blocking = False
        await pending
        try:
            pending = mapped.send(None)
        except StopIteration as stop:
            result: list[int] = stop.value
            return result


# ------------------------------------------------------------------------ never awaited


def forget() -> None:
    flow.task.map(double, range(3))  # type: ignore[unused-awaitable]


def forgotten_line() -> int:
    return forget.__code__.co_firstlineno + 1


def test_one_that_nothing_uses_is_reported_where_it_was_made() -> None:
    message = r"flow\.task\.map\(\.\.\.\) of task double\(\) was never awaited"
    with pytest.warns(RuntimeWarning, match=message) as seen:
        forget()
    assert [(warning.filename, warning.lineno) for warning in seen] == [(__file__, forgotten_line())]


@contextmanager
def unraisable() -> Generator[list[Any]]:
    seen: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, seen.append
    try:
        yield seen
    finally:
        sys.unraisablehook = before


def test_where_warnings_are_errors_it_is_unraisable_as_python_s_own() -> None:
    with warnings.catch_warnings(), unraisable() as seen:
        warnings.simplefilter("error")
        forget()
    assert [type(each.exc_value) for each in seen] == [RuntimeWarning]


def test_by_default_it_is_shown_once_for_each_place() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(3):
            forget()
    assert len(seen) == 1


@pytest.mark.filterwarnings("error")
def test_one_that_was_used_is_not_reported() -> None:
    async def in_all_ways() -> None:
        assert await flow.task.map(double, [1]) == [2]
        assert [n async for n in flow.task.map(double, [1])] == [2]
        async for _ in flow.task.map(triple, range(9)):
            break
        flow.task.map(double, [1]).close()
        task = asyncio.create_task(flow.task.map(double, [1]))
        task.cancel()
        await asyncio.wait([task])

    with unraisable() as seen:
        asyncio.run(in_all_ways())
        assert list(flow.task.map(triple, [1])) == [3]
        gc.collect()
    assert seen == []
