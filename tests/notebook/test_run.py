"""`run`: the same call with and without a running loop; Ctrl-C stops it."""

from __future__ import annotations

import _thread
import asyncio
import threading
from contextvars import ContextVar

import pytest

from asflow._run import run

variable: ContextVar[str] = ContextVar("variable", default="unset")


async def look() -> tuple[str, str]:
    await asyncio.sleep(0)
    return variable.get(), threading.current_thread().name


def test_without_a_loop_it_is_asyncio_run() -> None:
    assert run(look()) == ("unset", "MainThread")


async def test_within_a_running_loop_it_uses_its_own_thread() -> None:
    variable.set("set")
    assert run(look()) == ("set", "asflow-run")
    assert await asyncio.to_thread(lambda: run(look())[0]) == "set"


async def test_an_exception_comes_out_unchanged() -> None:
    error = LookupError("mine")

    async def fail() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        run(fail())
    assert caught.value is error


async def test_anything_but_a_coroutine_is_refused() -> None:
    task = asyncio.ensure_future(look())
    with pytest.raises(TypeError, match=r"^run\(\): takes a coroutine, not .*; write asflow\.run"):
        run(task)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await task


def test_ctrl_c_cancels_and_waits() -> None:
    """The first one: asyncio.run cancels its task, and the coroutine with it, which may clean up."""
    ended: list[str] = []

    async def work() -> None:
        try:
            _thread.interrupt_main()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    async def main() -> None:
        try:
            run(work())
        finally:
            ended.append("main")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert ended == ["cleaned up", "main"]


def test_ctrl_c_on_a_loop_that_does_not_cancel() -> None:
    """On a loop that leaves Ctrl-C alone, as a notebook's does in a plain cell."""
    ended: list[str] = []

    async def work() -> None:
        try:
            _thread.interrupt_main()
            await asyncio.sleep(60)
        finally:
            ended.append("cleaned up")

    async def main() -> None:
        run(work())

    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(main())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(task)
        assert isinstance(task.exception(), KeyboardInterrupt)
    finally:
        loop.close()
    assert ended == ["cleaned up"]
