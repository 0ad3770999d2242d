"""The pool for slow steps: the loop stays free, and no step outlives the task that asked for it."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from asflow._runtime.threads import in_thread, settled


async def test_the_loop_goes_on_meanwhile_and_the_result_or_error_comes_back() -> None:
    go, thread = threading.Event(), threading.get_ident()

    def slow() -> int:
        assert go.wait(30)
        return threading.get_ident()

    task = asyncio.create_task(in_thread(slow))
    await asyncio.sleep(0)
    go.set()
    assert await task != thread

    def fails() -> None:
        raise ArithmeticError("from the thread")

    with pytest.raises(ArithmeticError, match="from the thread"):
        await in_thread(fails)


async def test_a_cancellation_waits_for_the_end_and_then_passes() -> None:
    began, go, called, done = threading.Event(), threading.Event(), list[str](), threading.Event()

    def slow() -> None:
        began.set()
        assert go.wait(30)
        done.set()

    task = asyncio.create_task(in_thread(slow, lambda: called.append("abandon")))
    while not began.is_set():
        await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not task.done()
    assert called == ["abandon"]
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_an_error_after_a_cancellation_is_not_reported() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(settled(future))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    future.set_exception(OSError("looked at"))
    with pytest.raises(asyncio.CancelledError):
        await task
    del future, task


async def test_the_users_own_executor_may_be_full() -> None:
    """A commit does not wait behind `asyncio.to_thread` calls, one of which may wait for it."""
    from concurrent.futures import ThreadPoolExecutor

    go = threading.Event()
    with ThreadPoolExecutor(1) as only:
        asyncio.get_running_loop().set_default_executor(only)
        blocked = asyncio.create_task(asyncio.to_thread(go.wait, 30))
        await asyncio.sleep(0)
        assert await in_thread(lambda: "done") == "done"
        go.set()
        assert await blocked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_gets_a_pool_of_its_own() -> None:
    await in_thread(lambda: None)
    child = os.fork()
    if child == 0:
        done = threading.Event()
        from asflow._runtime.threads import submit

        submit(done.set)
        os._exit(0 if done.wait(20) else 1)
    assert await asyncio.to_thread(os.waitpid, child, 0) == (child, 0)
