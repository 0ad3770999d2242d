"""Calls made inside a body of the same limit run on its slot: no deadlock, and never past the bound."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.tasks import slots_of

from asflow import Flow, Limit
from asflow.errors import DeadlockError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

SINKS = pytest.mark.parametrize("sink", [NullSink, RecordingSink])
"""Without and with a sink that receives every call: the fast path and the driver."""


class Bodies:
    """How many bodies are at work, in the sense of not waiting for a call of their own."""

    def __init__(self) -> None:
        self.most = self.now = self.entered = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.now += count
            self.entered += count > 0
            self.most = max(self.most, self.now)


@SINKS
async def test_async_recursion_is_bounded(sink: Callable[[], Any]) -> None:
    flow, bodies = Flow(sink=sink()), Bodies()

    @flow.task(limit=2)
    async def tree(depth: int) -> int:
        bodies.add(1)
        await asyncio.sleep(0)
        bodies.add(-1)
        if depth == 0:
            return 1
        return sum(await asyncio.gather(*(tree(depth - 1) for _ in range(3))))

    assert await asyncio.gather(*(tree(4) for _ in range(4))) == [81] * 4
    assert bodies.entered == 4 * 121
    assert bodies.most <= 2
    assert len(slots_of(tree).free) == 2


@SINKS
def test_sync_recursion(sink: Callable[[], Any]) -> None:
    flow = Flow(sink=sink())

    @flow.task(limit=1)
    def factorial(number: int) -> int:
        return 1 if number == 0 else number * factorial(number - 1)

    assert factorial(10) == 3628800
    assert len(slots_of(factorial).free) == 1


@SINKS
async def test_recursion_through_to_thread(sink: Callable[[], Any]) -> None:
    flow, bodies = Flow(sink=sink()), Bodies()

    @flow.task(limit=1)
    def tree(depth: int) -> int:
        bodies.add(1)
        bodies.add(-1)
        return 1 if depth == 0 else tree(depth - 1) + tree(depth - 1)

    assert await asyncio.gather(*(asyncio.to_thread(tree, 5) for _ in range(4))) == [32] * 4
    assert bodies.most == 1
    assert len(slots_of(tree).free) == 1


async def test_two_tasks_of_one_limit_that_call_each_other() -> None:
    flow, limit = Flow(sink=NullSink()), Limit(1)

    @flow.task(limit=limit)
    async def even(number: int) -> bool:
        return number == 0 or await odd(number - 1)

    @flow.task(limit=limit)
    async def odd(number: int) -> bool:
        return number != 0 and await even(number - 1)

    assert list(await asyncio.gather(even(8), even(7), odd(5))) == [True, False, True]
    assert slots_of(even) is slots_of(odd)
    assert len(slots_of(even).free) == 1


@SINKS
async def test_children_that_outlive_their_parent_keep_its_slot(sink: Callable[[], Any]) -> None:
    """The parent's slot is free again when parent and children have ended, and not before."""
    flow, go = Flow(sink=sink()), asyncio.Event()
    children: list[asyncio.Task[str]] = []
    order: list[str] = []

    @flow.task(limit=1)
    async def work(name: str) -> str:
        order.append(name)
        if name == "parent":
            children.extend(asyncio.create_task(work(f"child {n}")) for n in range(2))
            await asyncio.sleep(0)
        elif name.startswith("child"):
            await go.wait()
        return name

    assert await work("parent") == "parent"
    stranger = asyncio.create_task(work("stranger"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert order == ["parent", "child 0"]
    assert len(slots_of(work).free) == 0
    go.set()
    await asyncio.gather(*children, stranger)
    assert order == ["parent", "child 0", "child 1", "stranger"]
    assert len(slots_of(work).free) == 1


async def test_grandchildren_that_outlive_all_others() -> None:
    flow, go, tasks = Flow(sink=NullSink()), asyncio.Event(), list[asyncio.Task[None]]()

    @flow.task(limit=1)
    async def work(depth: int) -> None:
        if depth:
            tasks.append(asyncio.create_task(work(depth - 1)))
            await asyncio.sleep(0)
        else:
            await go.wait()

    await work(3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(slots_of(work).free) == 0
    go.set()
    while pending := [task for task in tasks if not task.done()]:
        await asyncio.wait(pending)
    assert len(tasks) == 3
    assert len(slots_of(work).free) == 1


async def test_cancelled_children_lose_no_slot() -> None:
    flow = Flow(sink=NullSink())

    @flow.task(limit=1)
    async def work(depth: int) -> None:
        if depth == 0:
            await asyncio.Event().wait()
        children = [asyncio.create_task(work(depth - 1)) for _ in range(4)]
        for _ in range(depth * 2):
            await asyncio.sleep(0)
        for child in children:
            child.cancel()
        await asyncio.gather(*children, return_exceptions=True)

    await asyncio.gather(*(work(2) for _ in range(5)))
    assert len(slots_of(work).free) == 1


async def test_a_sync_call_on_the_loop_that_could_never_go_on_is_refused_at_once() -> None:
    flow, limit = Flow(sink=NullSink()), Limit(1)

    @flow.task(limit=limit)
    async def holder(go: asyncio.Event) -> None:
        await go.wait()

    @flow.task(limit=limit)
    def blocking() -> str:
        return "done"

    go = asyncio.Event()
    held = asyncio.create_task(holder(go))
    await asyncio.sleep(0)
    with pytest.raises(DeadlockError, match=r"^task .*blocking\(\): needs a slot .* flow\.task\.to_thread"):
        blocking()
    waiting = asyncio.create_task(asyncio.to_thread(blocking))
    await asyncio.sleep(0)
    go.set()
    await held
    assert await waiting == "done"
    assert len(slots_of(blocking).free) == 1


async def test_a_sync_call_inside_a_body_on_the_loop_runs_on_its_slot() -> None:
    flow, limit = Flow(sink=NullSink()), Limit(1)

    @flow.task(limit=limit)
    def blocking() -> str:
        return "done"

    @flow.task(limit=limit)
    async def outer() -> str:
        return blocking()

    assert await outer() == "done"
    assert len(slots_of(blocking).free) == 1


@pytest.mark.parametrize("limit", [lambda: 1, lambda: Limit(1)])
@SINKS
def test_a_loop_that_is_closed_under_a_running_body_loses_no_slot(
    limit: Callable[[], Any], sink: Callable[[], Any]
) -> None:
    """The garbage collector closes the coroutine in another context, on a thread without that loop."""
    flow = Flow(sink=sink())

    @flow.task(limit=limit())
    async def work(wait: bool) -> str:
        if wait:
            await asyncio.get_running_loop().create_future()
        return "done"

    loop = asyncio.new_event_loop()
    task = loop.create_task(work(True))
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert len(slots_of(work).free) == 0
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    del task, loop
    gc.collect()
    assert len(slots_of(work).free) == 1
    assert asyncio.run(work(False)) == "done"
