"""Every kind of callable can be a task, and stays what it was."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from support.tasks import limit_of

from asflow import Flow, MemoryStore
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

module_flow = Flow(store=MemoryStore(), sink=NullSink())


@module_flow.task
def picklable(number: int) -> int:
    return number + 1


@module_flow.task(save="{number}.json")
async def documented(number: int, *, base: int = 2) -> int:
    """Say what it does."""
    return number * base


def test_a_function_stays_a_function() -> None:
    assert inspect.isfunction(documented)
    assert inspect.iscoroutinefunction(documented)
    assert documented.__name__ == "documented"
    assert documented.__doc__ == "Say what it does."
    assert str(inspect.signature(documented)) == "(number: 'int', *, base: 'int' = 2) -> 'int'"
    assert documented.__module__ == __name__
    assert not inspect.iscoroutinefunction(picklable)
    assert pickle.loads(pickle.dumps(picklable)) is picklable
    assert copy.deepcopy(picklable) is picklable


@pytest.mark.parametrize("options", [{}, {"retry": 1}, {"save": "*.json"}])
def test_functions_sync_and_async(flow: Flow, options: dict[str, Any]) -> None:
    decorate: Any = flow.task

    def add(a: int, b: int = 2, *more: int, c: int = 0, **rest: int) -> int:
        return a + b + sum(more) + c + sum(rest.values())

    async def add_async(a: int, b: int = 2, *more: int, c: int = 0, **rest: int) -> int:
        return a + b + sum(more) + c + sum(rest.values())

    task, task_async = decorate(**options)(add), decorate(**options)(add_async)
    assert task(1) == asyncio.run(task_async(1)) == 3
    assert task(1, 2, 3, c=4, d=5) == asyncio.run(task_async(1, 2, 3, c=4, d=5)) == 15
    for wrong in (task, lambda: asyncio.run(task_async())):
        with pytest.raises(TypeError, match=r"add(_async)?\(\) missing 1 required"):
            wrong()


def test_functions_that_write_sync_and_async(flow: Flow) -> None:
    decorate: Any = flow.task

    def add(a: int, b: int = 2, *more: int, c: int = 0, **rest: int) -> None:
        flow.task.write(str(a + b + sum(more) + c + sum(rest.values())))

    async def add_async(a: int, b: int = 2, *more: int, c: int = 0, **rest: int) -> None:
        add(a, b, *more, c=c, **rest)

    task, task_async = decorate(on="*.txt")(add), decorate(on="async-*.txt")(add_async)
    for args, kwargs, expected in [((1,), {}, "3"), ((1, 2, 3), {"c": 4, "d": 5}, "15")]:
        assert task(*args, **kwargs) is asyncio.run(task_async(*args, **kwargs)) is None
        for each in (task, task_async):
            assert flow.task.output(each, *args, **kwargs).text() == expected
    for wrong in (task, lambda: asyncio.run(task_async())):
        with pytest.raises(TypeError, match=r"add(_async)?\(\) missing 1 required"):
            wrong()


class Client:
    """Holds every kind of method."""

    flow = Flow(store=MemoryStore(), sink=NullSink())

    def __init__(self, name: str) -> None:
        self.name = name

    def rename(self, name: str) -> str:
        self.name = name
        return name

    @flow.task
    def method(self, number: int) -> str:
        return f"{self.name}{number}"

    @flow.task(on="{number}.txt")
    async def kept(self, number: int) -> None:
        self.flow.task.write(self.name)

    @flow.task(save="saved-{number}.txt")
    async def saved(self, number: int) -> str:
        return f"{self.name}{number}"

    @classmethod
    @flow.task
    def inner_class_method(cls, number: int) -> str:
        return f"{cls.__name__}{number}"

    @flow.task
    @classmethod
    def outer_class_method(cls, number: int) -> str:
        return f"{cls.__name__}{number}"

    @flow.task(on="static-{number}.txt")
    @staticmethod
    def static(number: int) -> None:
        Client.flow.task.write(str(number))

    @flow.task(save="of-static-{number}.txt")
    @staticmethod
    def static_saved(number: int) -> str:
        return str(number)


def test_methods() -> None:
    client = Client("a")
    assert client.method(1) == "a1"
    assert Client.method(client, 2) == "a2"
    assert asyncio.run(client.saved(1)) == "a1"
    assert client.inner_class_method(1) == Client.inner_class_method(1) == "Client1"
    assert client.outer_class_method(1) == Client.outer_class_method(1) == "Client1"
    assert client.static_saved(1) == "1"
    assert Client.static_saved(2) == "2"
    task = Client.flow.task
    asyncio.run(client.kept(1))
    client.static(1)
    Client.static(2)
    output = task.output(client.kept, 1)
    assert (output.name, output.text()) == ("1.txt", "a")
    assert task.output(client.saved, 1).name == "saved-1.txt"
    assert task.output(Client.static, 1).name == "static-1.txt"
    assert [output.text() for output in task.outputs(Client.static)] == ["1", "2"]


def test_a_method_is_labelled_without_self(flow: Flow, sink: RecordingSink) -> None:
    class Local:
        @flow.task
        def method(self, number: int) -> None: ...

        @flow.task
        @classmethod
        def of_class(cls, number: int) -> None: ...

    Local().method(3)
    Local.of_class(4)
    assert [(event.task, event.label) for event in sink.finished()] == [
        *(("Local.method", "3"), ("Local.of_class", "4"))
    ]


class Doubler:
    """A callable object with something of its own."""

    factor = 2

    def __call__(self, number: int) -> int:
        """Double it."""
        return number * self.factor


class AsyncDoubler(Doubler):
    async def __call__(self, number: int) -> int:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return number * self.factor


def test_callable_objects_and_partials(flow: Flow) -> None:
    doubled = flow.task(Doubler())
    assert doubled(2) == 4
    assert doubled.factor == 2
    assert not inspect.iscoroutinefunction(doubled)
    awaited = flow.task(AsyncDoubler())
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(awaited)
    if sys.version_info < (3, 14):  # where it is deprecated
        assert asyncio.iscoroutinefunction(awaited)  # pyright: ignore[reportDeprecated] - what older code asks
    assert asyncio.run(awaited(2)) == 4
    partial = flow.task(save="{number}.json")(functools.partial(Doubler().__call__, number=4))
    assert partial() == partial() == 8
    assert flow.task.output(partial).name == "4.json"
    bound = flow.task(Client("b").rename)
    assert bound("c") == "c"
    assert flow.task(len)("abc") == 3
    assert repr(doubled).startswith("<task ")
    assert copy.copy(doubled)(3) == 6


def test_mocks_neither_hang_nor_confuse(flow: Flow) -> None:
    assert flow.task(Mock(return_value=3))() == 3
    mock: Any = flow.task(AsyncMock(return_value=4))
    assert asyncio.run(mock()) == 4


def test_lambdas_and_local_functions_have_limits_of_their_own(flow: Flow) -> None:
    def make() -> Any:
        @flow.task(limit=1)
        def local() -> None: ...

        return local

    first, second = make(), make()
    assert limit_of(first) is not limit_of(second)
    assert flow.task(lambda number: number + 1)(1) == 2


def test_a_function_that_says_it_returns_an_awaitable_is_async(flow: Flow) -> None:
    async def inner(number: int) -> int:
        return number

    @flow.task(retry=1)
    @functools.wraps(inner)
    def wrapping(number: int) -> Any:
        return inner(number)

    assert asyncio.run(wrapping(3)) == 3


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class GeneratorObject:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "candidate", [generator, async_generator, GeneratorObject(), functools.partial(generator)]
)
@pytest.mark.parametrize("decorator", ["flow", "flow.task"])
def test_generator_functions_are_refused(flow: Flow, candidate: Callable[[], object], decorator: str) -> None:
    decorate: Any = flow if decorator == "flow" else flow.task
    kind = decorator.rpartition(".")[2]
    with pytest.raises(
        DefinitionTypeError, match=rf"^{kind} .*\(\): takes a function that returns once, not a gen"
    ):
        decorate(candidate)


@pytest.mark.parametrize("candidate", [3, "data/*.txt", Client, [1]])
def test_what_can_not_be_called_is_refused(flow: Flow, candidate: object) -> None:
    decorate: Any = flow.task
    with pytest.raises(
        DefinitionTypeError, match=r"^task .*\(\): takes a function or .*; give options by name"
    ):
        decorate(candidate)


def test_a_task_of_a_task_and_of_a_wrapper(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(retry=1)
    @flow.task
    def twice() -> int:
        return 1

    assert twice() == 1
    assert sink.kinds().count("task_finished") == 2
