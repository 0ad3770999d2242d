# ruff: noqa: PT012 -- the scope is the statement
"""Scopes: they wait for all, fail like a TaskGroup, and cancel the rest."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asflow.dag import ScopeClosedError, scope, task


@task
async def give(value: Any) -> Any:
    return value


@task
async def fail(message: str) -> Any:
    raise ValueError(message)


@task
async def hang(*_: Any) -> None:
    await asyncio.Event().wait()


async def test_waits_for_everything_called_inside() -> None:
    """From the block, from inside nodes, and from tasks made in the block."""
    done: list[str] = []

    @task
    async def leaf(name: str) -> None:
        await asyncio.sleep(0)
        done.append(name)

    @task
    async def calls(depth: int) -> None:
        await asyncio.sleep(0)
        if depth:
            calls(depth - 1)
            leaf(str(depth))

    async def plain() -> None:
        leaf("plain")

    async with scope():
        calls(3)
        await asyncio.create_task(plain())
        assert len(done) < 4
    assert sorted(done) == ["1", "2", "3", "plain"]


async def test_an_empty_scope() -> None:
    async with scope() as empty:
        pass
    assert empty.graph().nodes == ()


async def test_calls_outside_are_not_waited_for() -> None:
    outside = hang()
    async with scope():
        give(1)
    assert not outside.done()
    outside.cancel()


async def test_one_failure_is_a_group_of_one_however_many_failed_with_it() -> None:
    """The block is cancelled, the rest too, and dependents fail with the same exception."""
    reached: list[str] = []
    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            failed = fail("boom")
            dependents = [give(failed), give(give(failed))]
            rest = hang(1)
            await asyncio.Event().wait()
            reached.append("the end of the block")
    assert not reached
    [error] = raised.value.exceptions
    assert error is failed.exception()
    assert [dependent.exception() for dependent in dependents] == [error, error]
    assert rest.cancelled()


async def test_distinct_failures_are_all_in_the_group() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            fail("one")
            fail("two")
    assert sorted(str(error) for error in raised.value.exceptions) == ["one", "two"]


async def test_an_error_of_the_block_is_in_the_group_and_cancels_the_nodes() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            rest = hang()
            raise KeyError("block")
    assert [type(error) for error in raised.value.exceptions] == [KeyError]
    assert rest.cancelled()


async def test_a_node_failure_awaited_in_the_block_is_there_once() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            await fail("boom")
    assert [str(error) for error in raised.value.exceptions] == ["boom"]


async def test_failures_while_the_rest_is_cancelled_are_in_the_group() -> None:
    @task
    async def breaks_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("cleanup")

    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            breaks_when_cancelled()
            await asyncio.sleep(0)
            fail("boom")
    assert {type(error) for error in raised.value.exceptions} == {ValueError, KeyError}


async def test_a_cancelled_node_is_no_failure() -> None:
    async with scope():
        hang().cancel()


async def test_cancelled_from_outside_cancels_and_waits_for_the_nodes() -> None:
    nodes: list[asyncio.Task[Any]] = []
    cleaned: list[int] = []

    @task
    async def slow_to_leave() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(1)

    async def run(at_end: bool) -> None:
        async with scope():
            nodes.append(slow_to_leave())
            if not at_end:
                await asyncio.Event().wait()

    for at_end in (True, False):
        running = asyncio.create_task(run(at_end))
        for _ in range(3):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert nodes[-1].cancelled()
    assert cleaned == [1, 1]


async def test_the_scopes_own_cancelling_does_not_leak() -> None:
    """After a failed scope the task isn't cancelling, as after a TaskGroup."""
    with pytest.raises(ExceptionGroup):
        async with scope():
            fail("boom")
            await asyncio.Event().wait()
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0
    await asyncio.sleep(0)


async def failed_group() -> None:
    """Before Python 3.13 a TaskGroup that waits leaves its task's `cancelling()` raised after a failure."""

    async def fails() -> None:
        raise OSError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())


async def swallowed_cancel() -> None:
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


@pytest.mark.parametrize("before", [failed_group, swallowed_cancel])
@pytest.mark.parametrize("at_end", [True, False])
async def test_a_cancel_of_long_ago_does_not_come_back_after_a_failure(
    before: Callable[[], Awaitable[None]], at_end: bool
) -> None:
    async def run() -> str:
        await before()
        with pytest.raises(ExceptionGroup):
            async with scope():
                fail("boom")
                if not at_end:
                    await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "went on"

    assert await asyncio.create_task(run()) == "went on"


async def test_timeout_around_a_scope() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), scope():
            hang()


async def test_raw_node_takes_a_failure_over() -> None:
    """A failure that a raw node looks at doesn't fail the scope; one that it ignores does."""

    @task(raw=True)
    async def looks(failed: asyncio.Task[Any]) -> str:
        return str(failed.exception())

    @task(raw=True)
    async def ignores(failed: asyncio.Task[Any]) -> bool:
        return failed.done()

    async with scope():
        text = looks(fail("boom"))
    assert text.result() == "boom"
    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            ran = ignores(fail("unseen"))
    assert ran.result() is True
    assert [str(error) for error in raised.value.exceptions] == ["unseen"]


async def test_coroutine_arguments_belong_to_the_scope() -> None:
    async def argument() -> int:
        raise ValueError("argument")

    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            give(argument())
    assert [str(error) for error in raised.value.exceptions] == ["argument"]


async def test_nested_scopes_wait_and_fail_for_themselves() -> None:
    order: list[str] = []

    @task
    async def inner(name: str) -> None:
        await asyncio.sleep(0)
        order.append(name)

    @task
    async def outer() -> None:
        async with scope():
            inner("first")
        order.append("second")

    async with scope():
        outer()
        with pytest.raises(ExceptionGroup):
            async with scope():
                fail("kept inside")
    assert order == ["first", "second"]


async def test_calls_after_the_end_are_refused_and_leave_nothing_behind() -> None:
    go = asyncio.Event()
    background: list[asyncio.Task[Any]] = []

    async def late() -> None:
        await go.wait()
        give(asyncio.sleep(0))

    async with scope():
        background.append(asyncio.create_task(late()))
    go.set()
    with pytest.raises(ScopeClosedError, match=r"^task give\(\): can't be called in a scope that has ended;"):
        await background[0]
    gc.collect()


async def test_calls_while_cancelling_are_refused() -> None:
    @task
    async def calls_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            give(1)

    with pytest.raises(ExceptionGroup) as raised:
        async with scope():
            calls_at_the_end()
            await asyncio.sleep(0)
            fail("boom")
    assert {type(error) for error in raised.value.exceptions} == {ValueError, ScopeClosedError}


async def test_a_loop_of_its_own_in_a_thread_is_no_part_of_the_scope() -> None:
    """The thread inherits the context, but its nodes run on another loop."""

    async def elsewhere() -> int:
        return await give(1)  # type: ignore[no-any-return]

    @task
    def in_thread() -> int:
        return asyncio.run(elsewhere())

    async with scope() as around:
        result = in_thread()
    assert result.result() == 1
    assert len(around.graph().nodes) == 1


async def test_a_scope_is_entered_once() -> None:
    once = scope()
    async with once:
        pass
    with pytest.raises(ScopeClosedError, match=r"^scope\(\): can be entered once;"):
        async with once:
            pass


def test_interrupt_in_the_block_or_a_node_passes() -> None:
    """KeyboardInterrupt and SystemExit are never wrapped in a group."""

    async def in_block() -> None:
        async with scope():
            raise KeyboardInterrupt

    @task
    async def stops() -> None:
        raise SystemExit(3)

    async def in_node() -> None:
        # asyncio.run itself leaves a SystemExit of its main task unlooked at.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with scope():
            stops()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(in_block())
    with pytest.raises(SystemExit):
        asyncio.run(in_node())
