"""A `functools.partial` of a task, in `flow.task.map` and in `output`, `make` and `outputs`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from asflow import Flow, MemoryStore
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink


class Client:
    """Something that a label need not show."""


def labels(sink: RecordingSink) -> list[str]:
    return sorted({event.label for event in sink.events if event.kind == "task_finished"})


async def test_the_bound_arguments_are_passed_and_labels_show_what_varies(
    flow: Flow, sink: RecordingSink
) -> None:
    seen: list[tuple[object, ...]] = []
    client = Client()

    @flow.task(limit=2)
    async def fetch(client: Client, base: str, day: int, *, lang: str = "en", deep: bool = False) -> int:
        seen.append((client, base, day, lang, deep))
        return day

    fetched = await flow.task.map(partial(fetch, client, "a", deep=True), range(3))
    assert fetched == [0, 1, 2]
    assert sorted(seen, key=str) == [(client, "a", day, "en", True) for day in range(3)]
    assert labels(sink) == ["0", "1", "2"]


def test_of_a_sync_task_in_a_sync_flow(flow: Flow, sink: RecordingSink) -> None:
    @flow.task(limit=2, retry=1)
    def power(base: int, exponent: int) -> int:
        return int(base**exponent)

    @flow
    def pipeline() -> list[int]:
        return list(flow.task.map(partial(power, exponent=2), range(4)))

    assert pipeline() == [0, 1, 4, 9]
    assert labels(sink) == ["0", "1", "2", "3"]


async def test_a_partial_of_a_partial_and_of_a_method(flow: Flow, sink: RecordingSink) -> None:
    class Archive:
        @flow.task
        async def fetch(self, host: str, day: int, *, lang: str) -> str:
            return f"{host}/{day}/{lang}"

    class Odd(functools.partial[Any]):
        """Python does not flatten partials of another class."""

    archive = Archive()
    of_method: Any = partial(Odd(archive.fetch, "h"), lang="en")
    assert await flow.task.map(of_method, [1, 2]) == ["h/1/en", "h/2/en"]
    unbound: Any = partial(Archive.fetch, archive, "u", lang="fr")
    assert await flow.task.map(unbound, [3]) == ["u/3/fr"]
    assert labels(sink) == ["1", "2", "3"]


if hasattr(functools, "Placeholder"):  # from Python 3.14 on

    async def test_a_partial_with_a_placeholder(flow: Flow, sink: RecordingSink) -> None:
        @flow.task
        async def power(base: int, exponent: int) -> float:
            return float(base) ** exponent

        square: Any = partial(power, getattr(functools, "Placeholder"), 2)  # noqa: B009 - not for 3.11
        assert await flow.task.map(square, [3]) == [9]
        assert labels(sink) == ["3, 2"]


async def test_what_wraps_the_task_is_called_too(flow: Flow, sink: RecordingSink) -> None:
    calls: list[int] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            return await function(*args, **kwargs)

        return call

    @counted
    @flow.task
    async def first(a: int, b: int) -> int:
        return a + b

    @flow
    @flow.task
    async def second(a: int, b: int) -> int:
        return a + b

    assert await flow.task.map(partial(first, 1), [1, 2]) == [2, 3]
    assert len(calls) == 2
    assert await flow.task.map(partial(second, 1), [1, 2]) == [2, 3]
    assert sink.kinds().count("flow_started") == 2


@pytest.mark.parametrize("sink", [NullSink(), RecordingSink()], ids=["quick", "reported"])
async def test_outputs_and_outcomes_are_those_of_the_task(store: MemoryStore, sink: Any) -> None:
    flow = Flow(store=store, sink=sink)

    @flow.task(on="{lang}/{day}.txt", limit=2)
    async def fetch(client: Client, day: int, lang: str = "en") -> None:
        flow.task.write(f"{lang} {day}")

    french = partial(fetch, Client(), lang="fr")
    for outcome in ("completed", "cached"):
        results = await flow.task.map(french, range(2), on_error="collect")
        assert [getattr(each, "outcome", None) for each in results] == [outcome] * 2
    assert list(store.list("")) == ["fr/0.txt", "fr/1.txt"]
    assert flow.task.output(french, 1).text() == "fr 1"
    assert (await flow.task.make(french, 2)).text() == "fr 2"
    assert [output.name for output in flow.task.outputs(french)] == ["fr/0.txt", "fr/1.txt", "fr/2.txt"]


def test_making_the_output_of_a_partial_of_a_sync_task(flow: Flow) -> None:
    @flow.task(on="{day}-{lang}.txt")
    def fetch(day: int, lang: str) -> None:
        flow.task.write("a")

    assert flow.task.make(partial(fetch, lang="en"), 1).name == "1-en.txt"
    assert flow.task.make(partial(fetch, 1), lang="fr").name == "1-fr.txt"


def test_a_partial_of_something_else_is_refused(flow: Flow) -> None:
    with pytest.raises(DefinitionTypeError, match=r"flow\.task\.map\(\): takes a function under @flow\.task"):
        flow.task.map(partial(divmod, 1), [1]).close()
    with pytest.raises(DefinitionTypeError, match=r"flow\.task\.output\(\): takes a function"):
        flow.task.output(partial(divmod, 1), 1)


async def test_a_wrong_argument_is_refused_as_ever(flow: Flow) -> None:
    @flow.task
    async def fetch(day: int) -> int:
        return day

    too_many: Any = partial(fetch, 1)
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        await flow.task.map(too_many, [1])


def test_the_display_shows_the_short_labels(store: MemoryStore) -> None:
    """A quick call has its label only when something asks for it, from another context."""
    flow, seen = Flow(store=store, sink=NullSink()), list[str]()

    @flow.task(limit=2)
    async def fetch(client: Client, day: int, *, lang: str) -> None:
        run = flow.task.run
        assert run is not None
        seen.append(run.label)

    asyncio.run(flow.task.map(partial(fetch, Client(), lang="en"), range(2)))
    assert sorted(seen) == ["0", "1"]
