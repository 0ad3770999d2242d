"""Where return types are TypedDicts, the wiring is checked before anything runs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

import pytest
import typing_extensions

from asflow.dataflow import DataFlow, DataFlowFunctionArgsError, DataFlowRunItemError, amapper

if TYPE_CHECKING:
    from nowhere import ForCheckersOnly  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]


class Rows(TypedDict):
    rows: list[int]
    source: NotRequired[str]


class Newer(typing_extensions.TypedDict):
    """On older Pythons not a TypedDict to the typing module."""

    rows: list[int]


class Total(TypedDict, total=False):
    total: int


async def load() -> Rows:
    return {"rows": [1, 2]}


async def load_newer() -> Newer:
    return {"rows": [1, 2]}


def load_maybe() -> Rows | None:
    return None


def load_annotated() -> Annotated[Rows, "fresh"]:
    return {"rows": [1]}


async def load_untyped():  # type: ignore[no-untyped-def]
    return {"anything": 1}


async def load_mapping() -> dict[str, Any]:
    return {"anything": 1}


def load_strange(x: ForCheckersOnly) -> Rows:
    """Its parameter's annotation can't be evaluated, its return annotation can."""
    return {"rows": [x]}


def load_unknowable() -> ForCheckersOnly:
    return {"anything": 1}


async def save(row: list[int]) -> None: ...


async def save_rows(rows: list[int]) -> None: ...


async def optional(row: int = 1) -> None: ...


async def uses_source(source: str) -> None: ...


async def anything(anything: int) -> dict[str, int]:
    return {"anything": anything}


class Client:
    async def load(self) -> Rows:
        return {"rows": []}

    async def __call__(self) -> Rows:
        return {"rows": []}


CERTAIN: list[Any] = [
    load,
    load_newer,
    load_maybe,
    load_annotated,
    load_strange,
    Client().load,
    Client(),
    functools.partial(load),
    amapper(load_untyped, output="rows"),
    amapper(load_untyped, output=("rows", "source")),
    amapper(load_untyped, output={"rows": "anything"}),
    amapper(load),
]


@pytest.mark.parametrize("source", CERTAIN)
def test_a_parameter_that_nothing_can_provide_is_refused_at_definition(source: Any) -> None:
    with pytest.raises(
        DataFlowFunctionArgsError, match=r"^task save\(\): nothing provides its parameter 'row'"
    ) as caught:
        DataFlow((source, save))
    assert "there was rows" in str(caught.value)
    assert "; did you mean 'rows'?" in str(caught.value)


@pytest.mark.parametrize("source", CERTAIN)
def test_what_may_be_there_is_accepted(source: Any) -> None:
    DataFlow((source, (save_rows, optional)))


def test_a_key_that_may_be_absent_is_accepted() -> None:
    DataFlow((load, uses_source))


@pytest.mark.parametrize("source", [load_untyped, load_mapping, load_unknowable])
def test_what_is_not_known_is_not_checked(source: Any) -> None:
    DataFlow((source, (save, anything)))


def test_neighbours_add_up() -> None:
    async def total() -> Total:
        return {}

    async def both(rows: list[int], total: int) -> None: ...

    DataFlow(((load, total), both))
    DataFlow(((load, load_untyped), both))
    with pytest.raises(DataFlowFunctionArgsError, match=r"both\(\): .* 'total', there was rows, source;"):
        DataFlow(((load, (total, load)), both))


def test_a_function_that_returns_none_provides_nothing() -> None:
    with pytest.raises(DataFlowFunctionArgsError, match=r"save_rows\(\): .* 'rows', there was nothing;"):
        DataFlow((load, save_rows, save_rows))


def test_with_initial_or_all_the_call_may_still_provide_it() -> None:
    DataFlow((load, save), args_visibility="Initial")
    DataFlow((load, save), args_visibility="All")


async def test_and_then_the_call_is_checked_before_anything_runs() -> None:
    ran: list[str] = []

    async def first() -> Rows:
        ran.append("first")
        return {"rows": []}

    async def second(row: int) -> None:
        ran.append("second")

    for visibility in ("Initial", "All"):
        flow = DataFlow((first, second), args_visibility=visibility)
        with pytest.raises(DataFlowRunItemError, match=r"second\(\): .* 'row'"):
            await flow(column=1)
        assert ran == []
        await flow(row=1)
        assert ran == ["first", "second"]
        ran.clear()


async def test_all_keeps_what_earlier_stages_provide() -> None:
    async def uses_rows(rows: list[int]) -> Total:
        return {"total": sum(rows)}

    flow = DataFlow((load, uses_rows, save_rows), args_visibility="All")
    assert await flow() == {"rows": [1, 2], "total": 3}


async def test_an_annotation_is_no_promise_at_run_time() -> None:
    """`Rows | None` may be None: then the argument is missing while running."""
    with pytest.raises(DataFlowRunItemError, match=r"save_rows\(\): .* 'rows', there was nothing;"):
        await DataFlow((load_maybe, save_rows))()
