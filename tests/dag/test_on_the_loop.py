"""Plain functions as nodes: what they return to be awaited, and which of them run on the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import sys
import threading
import types
from asyncio import gather as side_by_side
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

import pytest

from asflow._inspect import name_of
from asflow.dag import scope, task

if TYPE_CHECKING:
    from asyncio import Future as SeenByCheckers


class Call:
    """As grpc.aio and asyncpg return them: it can be awaited, and is not a coroutine."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, int]:
        yield from asyncio.sleep(0).__await__()
        return self.value


async def later(value: int) -> int:
    await asyncio.sleep(0.01)
    return value


@types.coroutine
def by_generator(value: int) -> Generator[Any, None, int]:
    yield from asyncio.sleep(0).__await__()
    return value


def rpc(value: int) -> Call:
    return Call(value)


def untyped_rpc(value):  # type: ignore[no-untyped-def]
    return Call(value)


def coroutine(value: int) -> Any:
    return later(value)


def of_a_generator(value: int) -> Any:
    return by_generator(value)


def spawn(value: int) -> Any:
    return asyncio.ensure_future(later(value))


def spawn_by_loop(value: int) -> Any:
    return asyncio.get_running_loop().create_task(later(value))


def gathered(value: int) -> Any:
    return functools.reduce(lambda a, _: a, (side_by_side(later(value)),))


def imported_inside(value: int) -> Any:
    import asyncio

    return asyncio.create_task(later(value))


def declared(value: int) -> Awaitable[int]:
    return helper(value)


def declared_by_a_checkers_name(value: int) -> Coroutine[Any, Any, int]:
    return coroutine(value)  # type: ignore[no-any-return]


def declared_task(value: int) -> asyncio.Task[int]:
    return helper(value)


def helper(value: int) -> asyncio.Task[int]:
    return asyncio.get_running_loop().create_task(later(value))


class Client:
    def call(self, value: int) -> Any:
        return asyncio.create_task(later(value))

    def __call__(self, value: int) -> Call:
        return Call(value)


@pytest.mark.parametrize(
    "function",
    [
        *(rpc, untyped_rpc, coroutine, of_a_generator, spawn, spawn_by_loop, imported_inside),
        *(declared, declared_by_a_checkers_name, declared_task, Client().call, Client()),
        functools.partial(spawn, 7),
        lambda value: asyncio.ensure_future(later(value)),
        lambda value: asyncio.wrap_future(resolved(value)),
        functools.wraps(spawn)(lambda value: spawn(value)),
    ],
    ids=lambda function: name_of(function),
)
@pytest.mark.parametrize("within", [True, False], ids=["in a scope", "alone"])
async def test_what_a_plain_function_returns_is_awaited(function: Callable[..., Any], within: bool) -> None:
    """On the loop, whether the function ran there or in a thread; its dependents get the result."""
    arguments = () if isinstance(function, functools.partial) else (later(7),)

    @task
    async def double(value: int) -> int:
        return 2 * value

    if within:
        async with scope():
            result = double(task(function)(*arguments))
        assert result.result() == 14
    else:
        assert await double(task(function)(*arguments)) == 14


def resolved(value: int) -> concurrent.futures.Future[int]:
    made: concurrent.futures.Future[int] = concurrent.futures.Future()
    made.set_result(value)
    return made


async def test_gathers_are_awaited() -> None:
    assert await task(gathered)(later(7)) == [7]
    tasks = [asyncio.create_task(later(each)) for each in (1, 2)]
    assert await task(lambda each: asyncio.gather(*each))(tasks) == [1, 2]


async def test_methods_of_a_loop_and_of_a_task_group() -> None:
    loop = asyncio.get_running_loop()
    assert await task(loop.run_in_executor)(None, len, "abc") == 3
    async with asyncio.TaskGroup() as group:
        assert await task(lambda value: group.create_task(later(value)))(5) == 5


def thread_of() -> int:
    return threading.get_ident()


async def test_what_needs_no_loop_stays_in_a_thread() -> None:
    """Code that blocks, code that brings a loop of its own, and code that only names other things so."""

    def brings_a_loop(value: int) -> tuple[int, int]:
        return asyncio.run(later(value)), threading.get_ident()

    def hands_over(loop: asyncio.AbstractEventLoop) -> tuple[int, int]:
        return asyncio.run_coroutine_threadsafe(later(3), loop).result(5), threading.get_ident()

    def api(client: Api) -> tuple[int, int]:
        return client.create_task(3), threading.get_ident()

    def future_of_a_thread() -> concurrent.futures.Future[int]:
        return resolved(threading.get_ident())

    here = threading.get_ident()
    assert await task(thread_of)() != here
    for call in (
        task(brings_a_loop)(3),
        task(hands_over)(asyncio.get_running_loop()),
        task(api)(Api()),
    ):
        value, thread = await call
        assert value == 3
        assert thread != here
    assert (await task(future_of_a_thread)()).result() != here


class Api:
    def create_task(self, number: int) -> int:
        return number


async def test_a_name_that_only_checkers_see_says_nothing() -> None:
    def nameless(value: int) -> SeenByCheckers[int]:
        return Call(value)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    assert await task(nameless)(4) == 4


async def test_marked_functions_run_on_the_loop() -> None:
    """By `inspect.markcoroutinefunction`, and by asyncio's own older mark."""

    def marked(value: int) -> Any:
        return helper(value)

    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(marked)
    else:
        marked._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    assert await task(marked)(5) == 5


async def test_one_that_calls_what_needs_a_loop_is_told_how_to_say_so() -> None:
    """What is done in functions that it calls isn't seen."""

    def indirectly(value: int) -> Any:
        return helper(value)

    with pytest.raises(RuntimeError, match="no running event loop") as raised:
        await task(indirectly)(1)
    [note] = raised.value.__notes__
    assert note.startswith("asflow graph: indirectly() ran in a thread")
    assert "Awaitable" in note


async def test_cancelling_a_node_cancels_what_its_function_started() -> None:
    started: list[asyncio.Task[int]] = []

    def begin() -> asyncio.Task[int]:
        started.append(asyncio.create_task(asyncio.sleep(60, 1)))
        return started[0]

    node = task(begin)()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    node.cancel()
    with pytest.raises(asyncio.CancelledError):
        await node
    assert started[0].cancelled()


async def test_a_failure_of_what_it_returns_is_the_nodes_own() -> None:
    async def fail() -> int:
        raise LookupError("late")

    def begin() -> Any:
        return asyncio.create_task(fail())

    with pytest.raises(LookupError, match="late"):
        await task(lambda value: value)(task(begin)())
