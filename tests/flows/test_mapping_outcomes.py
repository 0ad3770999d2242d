"""`flow.task.map(..., on_error="collect")` says of each call how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asflow import Completed, Failed, Flow, MemoryStore
from asflow.sinks import NullSink
from asflow.testing import RecordingSink


@pytest.fixture(params=["NullSink", "RecordingSink"])
def flow(request: pytest.FixtureRequest, store: MemoryStore, sink: RecordingSink) -> Flow:
    """One whose calls are quick, and one whose calls are all reported."""
    return Flow(store=store, sink=NullSink() if request.param == "NullSink" else sink)


@pytest.fixture(params=["outside", "inside"])
def collected(request: pytest.FixtureRequest, flow: Flow) -> Callable[..., list[Any]]:
    """Maps and collects, outside any flow or inside one."""

    async def outcomes(task: Any, items: Any) -> list[Any]:
        results: list[Any] = await flow.task.map(task, items, on_error="collect")
        return results

    return lambda task, items: asyncio.run(
        (flow(outcomes) if request.param == "inside" else outcomes)(task, items)
    )


def made(flow: Flow, is_async: bool, body: Callable[[int], Any], **options: Any) -> Any:
    """Make a task of *body*, async or sync."""

    def task(n: int) -> Any:
        return body(n)

    async def async_task(n: int) -> Any:
        await asyncio.sleep(0)
        return body(n)

    function = async_task if is_async else task
    function.__annotations__["return"] = int if "save" in options else None
    function.__name__ = function.__qualname__ = "task"
    return flow.task(limit=2, **options)(function)


BOTH = pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])


@BOTH
def test_a_task_without_an_output(flow: Flow, collected: Callable[..., list[Any]], is_async: bool) -> None:
    error = OSError()

    def body(n: int) -> int:
        if n == 1:
            raise KeyError(n)
        if n == 2:
            raise ValueError(n)
        if n == 3:
            raise error
        return n

    task = made(flow, is_async, body, skip=KeyError, suppress=ValueError)
    assert collected(task, range(5)) == [
        Completed(0, 0),
        Completed(1, None, "skipped"),
        Completed(2, None, "suppressed"),
        Failed(3, error),
        Completed(4, 4),
    ]


@BOTH
@pytest.mark.parametrize("option", ["on", "save"])
def test_outputs(flow: Flow, collected: Callable[..., list[Any]], is_async: bool, option: str) -> None:
    broken = {1, 2}

    def body(n: int) -> int | None:
        if n in broken:
            raise KeyError(n) if n == 1 else ValueError(n)
        if option == "save":
            return n
        flow.task.write(n)
        return None

    def value(n: int) -> int | None:
        return n if option == "save" else None

    task = made(flow, is_async, body, skip=KeyError, suppress=ValueError, **{option: "{n}.json"})
    assert collected(task, range(4)) == [
        Completed(0, value(0), "completed"),
        Completed(1, None, "skipped"),
        Completed(2, None, "suppressed"),
        Completed(3, value(3), "completed"),
    ]
    broken.clear()
    assert collected(task, range(5)) == [
        Completed(0, value(0), "cached"),
        Completed(1, value(1), "completed"),
        Completed(2, None, "suppressed"),  # it is on record
        Completed(3, value(3), "cached"),
        Completed(4, value(4), "completed"),
    ]


@BOTH
def test_calls_of_the_body_do_not_count(
    flow: Flow, collected: Callable[..., list[Any]], is_async: bool
) -> None:
    """Neither those of another task nor those of the same one."""

    @flow.task(on="other/{n}.txt")
    def other(n: int) -> None: ...

    other(0)

    running: list[asyncio.Task[None]] = []

    def body(n: int) -> None:
        if n < 3:
            other(0)
            return
        if is_async:
            running.append(asyncio.get_running_loop().create_task(task(n - 3)))
        else:
            task(n - 3)

    task = made(flow, is_async, body, on="{n}.txt")
    if is_async:
        asyncio.run(task(0))
    else:
        task(0)
    assert [each.outcome for each in collected(task, [3, 0])] == ["completed", "cached"]


def test_a_flow_around_the_task(flow: Flow, collected: Callable[..., list[Any]]) -> None:
    @flow
    @flow.task(on="{n}.txt", skip=OSError)
    def both(n: int) -> None:
        if n == 2:
            raise OSError

    assert [each.outcome for each in collected(both, range(3))] == ["completed", "completed", "skipped"]
    assert [each.outcome for each in collected(both, range(3))] == ["cached", "cached", "skipped"]


def test_an_outcome_may_be_left_out() -> None:
    assert Completed(1, "a") == Completed(item=1, value="a", outcome="completed")
    assert Completed(1, "a") != Completed(1, "a", "cached")
    match Completed(1, "a", "skipped"):
        case Completed(item, value):
            assert (item, value) == (1, "a")
