"""A sync task whose body returns work that has not started: that completes no output."""

from __future__ import annotations

import asyncio
import functools
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.tasks import limit_of

from asflow import Flow
from asflow.errors import DefinitionTypeError
from asflow.testing import RecordingSink

OPTIONS: list[dict[str, Any]] = [
    {"on": "{day}.txt"},
    {"on": "{day}.txt", "retry": 3, "skip": Exception, "suppress": TypeError},
    {"skip": Exception},
    {"suppress": Exception},
    {"retry": 3, "limit": 1},
]


async def rows(day: str) -> str:
    return day


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that forgets `functools.wraps`."""

    def inner(day: str):  # type: ignore[no-untyped-def]
        return function(day)

    return inner


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that has it."""

    @functools.wraps(function)
    def inner(*args: object) -> Any:
        return function(*args)

    return inner


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("body", [timed(rows), lambda day: rows(day), functools.partial(timed(rows))])
def test_a_coroutine_is_refused(flow: Flow, sink: RecordingSink, options: dict[str, Any], body: Any) -> None:
    decorate: Any = flow.task
    task = decorate(**options)(body)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the coroutine is closed: Python doesn't warn that it was not awaited
        with pytest.raises(TypeError, match=r"^task .*\(\): returned a coroutine, but is not an"):
            task("mon")
    assert sink.kinds() == ["task_queued", "task_started", "task_finished"]
    assert sink.finished()[0].outcome == "failed"
    slots = limit_of(task).slots
    assert slots is not None
    assert len(slots.free) == slots.total
    if "on" in options:
        assert flow.task.output(task, "mon").status == "absent"
        assert list(flow.task.outputs(task)) == []


def test_a_coroutine_from_an_executor_is_refused(flow: Flow) -> None:
    with ThreadPoolExecutor(1) as pool:
        task = flow.task(on="{day}.txt", executor=pool)(timed(rows))
        with pytest.raises(TypeError, match="returned a coroutine"):
            task("mon")
    assert flow.task.output(task, "mon").status == "absent"


def test_the_output_can_be_made_afterwards(flow: Flow) -> None:
    answers: list[Any] = [rows("mon"), "text"]

    @flow.task(on="{day}.txt")
    def task(day: str) -> Any:
        flow.task.write(day)
        return answers.pop(0)

    with pytest.raises(TypeError, match="returned a coroutine"):
        task("mon")
    with pytest.warns(UserWarning, match=r"task task\(\): on= keeps what the body writes"):
        assert task("mon") == "text"
    assert flow.task.output(task, "mon").text() == "mon"


def generated(day: str) -> Any:
    yield day


async def generated_async(day: str) -> Any:
    yield day


class Source:
    @wrapped
    def generated(self, day: str) -> Any:
        yield day


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "body", [wrapped(generated), wrapped(wrapped(generated)), wrapped(generated_async), Source().generated]
)
def test_a_generator_function_below_a_decorator_is_refused(
    flow: Flow, sink: RecordingSink, options: dict[str, Any], body: Any
) -> None:
    decorate: Any = flow.task
    task = decorate(**options)(body)
    with pytest.raises(TypeError, match=r"generated.*\(\): is a generator function below its decorator"):
        task("mon")
    assert sink.kinds().count("task_started") == 1
    if "on" in options:
        assert flow.task.output(task, "mon").status == "absent"


def test_other_generators_are_results(flow: Flow) -> None:
    @flow.task(retry=1)
    def lines() -> Iterator[str]:
        records: Iterator[str] = generated("mon")
        return records

    @flow.task(on="{day}.txt")
    @wrapped
    def lengths(day: str) -> Any:
        flow.task.write(day)
        return (len(word) for word in (day, day))

    assert list(lines()) == ["mon"]
    with pytest.warns(UserWarning, match=r"lengths\(\): on= keeps what the body writes"):
        assert list(lengths("mon")) == [3, 3]
    assert flow.task.output(lengths, "mon").status == "complete"


@pytest.mark.parametrize("body", [wrapped(generated), Source().generated])
def test_an_unannotated_generator_is_refused_before_it_is_saved(flow: Flow, body: Any) -> None:
    with pytest.raises(DefinitionTypeError, match=r"generated\(\): save= can't keep Any"):
        flow.task(save="{day}.jsonl")(body)


def test_without_options_it_is_handed_on(flow: Flow) -> None:
    task: Any = flow.task(timed(rows))
    lazy: Any = flow.task(wrapped(generated))
    assert asyncio.run(task("mon")) == "mon"
    assert list(lazy("mon")) == ["mon"]


def test_a_body_that_says_so_is_async(flow: Flow) -> None:
    @flow.task(save="{day}.txt", retry=1)
    def task(day: str) -> Coroutine[Any, Any, str]:
        return rows(day)

    @flow.task(on="written-{day}.txt", retry=1)
    def writing(day: str) -> Coroutine[Any, Any, None]:
        return write(day)

    async def write(day: str) -> None:
        flow.task.write(await rows(day))

    for _ in range(2):
        assert asyncio.run(task("mon")) == "mon"
        asyncio.run(writing("mon"))
    assert flow.task.output(task, "mon").text() == flow.task.output(writing, "mon").text() == "mon"
