"""What replaces a decorated callable: how it binds, what it says that it is, how it is pickled."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from asflow import Flow, MemoryStore
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

module_flow = Flow(store=MemoryStore(), sink=NullSink())


@module_flow.task
@functools.cache
def cached(number: int) -> int:
    return number + 1


class Doubler:
    def __call__(self, number: int) -> int:
        return 2 * number


doubled = module_flow.task(Doubler())


class Table:
    """Has methods that are no functions."""

    flow = Flow(store=MemoryStore(), sink=NullSink())

    def __init__(self, width: int) -> None:
        self.width = width

    @flow.task
    @functools.lru_cache  # noqa: B019 - what it keeps is no more than this test's
    def cells(self, rows: int) -> int:
        return self.width * rows

    @flow.task(on="{rows}.txt")
    @functools.lru_cache  # noqa: B019 - what it keeps is no more than this test's
    def kept(self, rows: int) -> None:
        self.flow.task.write("x" * self.width * rows)

    @flow.task(save="{rows}.json")
    @functools.lru_cache  # noqa: B019 - as above
    def saved(self, rows: int) -> int:
        return self.width * rows

    partial = flow.task(functools.partial(max, 3))
    bound = flow.task("a-b".split)
    of_object = flow.task(Doubler())
    of_method = flow.task(Doubler().__call__)


def test_a_method_that_is_no_function_is_bound() -> None:
    table: Any = Table(4)
    assert table.cells(2) == Table.cells(table, 2) == 8
    assert table.kept(3) is table.kept(3) is None
    assert table.saved(3) == table.saved(3) == 12
    assert table.cells.cache_info().currsize == 1
    assert list(inspect.signature(table.cells).parameters) == ["rows"]
    task = Table.flow.task
    assert task.output(table.kept, 3).text() == "x" * 12

    async def mapped() -> list[list[int | None]]:
        return [await task.map(each, [1, 5]) for each in (table.cells, table.kept, table.saved, table.saved)]

    assert asyncio.run(mapped()) == [[4, 20], [None, None], [4, 20], [4, 20]]
    assert task.output(table.kept, 5).status == task.output(table.saved, 5).status == "complete"


def test_what_binds_nothing_stays_unbound() -> None:
    table: Any = Table(4)
    assert table.partial(5) == 5
    assert table.bound("-") == ["a", "b"]
    assert table.of_object(3) == 6
    assert table.of_method(3) == 6


class Posing:
    """Says that it is something else, as a proxy of wrapt does."""

    def __init__(self, function: Callable[..., object], posed: type) -> None:
        self._function, self._posed = function, posed

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride] - what wrapt does
        return self._posed

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self._function

    def __call__(self, *args: object) -> object:
        return self._function(*args)


@pytest.mark.parametrize("posed", [staticmethod, classmethod])
def test_what_only_says_that_it_is_a_staticmethod_is_not_taken_apart(flow: Flow, posed: type) -> None:
    task: Any = flow.task(Posing(lambda number: number, posed))
    assert task(3) == 3


def test_a_proxy_of_a_staticmethod_does_not_bind(flow: Flow) -> None:
    class Local:
        same: Any = flow.task(Posing(lambda number: number, staticmethod))

    assert Local().same(3) == Local.same(3) == 3


def test_a_flow_over_a_task_is_both(flow: Flow, sink: RecordingSink) -> None:
    @flow
    @flow.task(on="{number}.txt")
    def outer_flow(number: int) -> None:
        flow.task.write("a")

    @flow
    @flow.task(save="{number}.json")
    def saving_flow(number: int) -> int:
        return number

    @flow.task
    @flow
    def outer_task(number: int) -> int:
        return number

    async def mapped() -> list[list[int | None]]:
        tasks: list[Callable[[int], int | None]] = [outer_flow, saving_flow, outer_task]
        return [await flow.task.map(task, [1, 2]) for task in tasks]

    assert asyncio.run(mapped()) == [[None, None], [1, 2], [1, 2]]
    assert flow.task.output(outer_flow, 1).text() == "a"
    assert [output.name for output in flow.task.outputs(outer_flow)] == ["1.txt", "2.txt"]
    assert sink.kinds().count("flow_started") == sink.kinds().count("task_started") == 6
    for both in (outer_flow, saving_flow, outer_task):
        assert attached(both, Flow) is not None
        assert attached(both, TaskDefinition) is not None


def test_a_flow_over_a_task_is_both_as_a_method(flow: Flow) -> None:
    class Local:
        @flow
        @flow.task(on="{number}.txt")
        def method(self, number: int) -> None:
            flow.task.write("a")

        @flow.task(on="of-{number}.txt")
        def single(self, number: int) -> None: ...

    local = Local()
    assert flow.task.output(local.method, 1).name == "1.txt"
    assert flow.task.output(flow(local.single), 2).name == "of-2.txt"  # bound inside the flow


def test_a_flow_alone_is_no_task(flow: Flow) -> None:
    @flow
    def alone() -> None: ...

    with pytest.raises(TypeError, match=r"takes a function under @flow\.task"):
        flow.task.output(alone)
    with pytest.raises(TypeError, match=r"takes a function under @flow\.task"):
        _ = flow.task.map(flow(functools.partial(cached)), [1])  # nor is a partial of a task a task


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_task_made_of_a_callable_is_pickled_by_its_name(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(cached, protocol)) is cached
    assert pickle.loads(pickle.dumps(Table.cells, protocol)) is Table.cells
    assert pickle.loads(pickle.dumps([cached], protocol))[0](2) == 3


def test_a_task_with_a_name_is_copied_as_a_function_is() -> None:
    assert copy.deepcopy(cached) is copy.copy(cached) is cached
    assert copy.deepcopy({"task": cached})["task"] is cached


def test_what_another_object_is_called_is_not_pickled_by_that_name() -> None:
    copied: Any = copy.copy(doubled)  # `Doubler` is the name of its class
    assert copied is not doubled
    assert copied(2) == 4
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        pickle.dumps(doubled)


def test_a_task_without_a_name_is_its_own_deep_copy(flow: Flow) -> None:
    for local in (functools.cache(Doubler()), Doubler(), functools.partial(Doubler(), 1)):
        task = flow.task(local)
        assert copy.deepcopy(task) is task


def test_an_object_that_answers_to_every_name_is_no_task(flow: Flow) -> None:
    """`unittest.mock.call` has every attribute, and so has each of these."""
    with pytest.raises(TypeError, match=r"takes a function under @flow\.task"):
        flow.task.output(mock.call, 1)
