"""Declared data flows: what must pass, and with which types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypedDict

from asflow.dataflow import DataFlow, Dispatcher, Group, Member, Stage, amapper, fdispatch, optional, stage
from typing_extensions import assert_type  # noqa: UP035


class Rows(TypedDict):
    rows: list[int]


async def source_a(endpoint: str) -> dict[str, list[int]]:
    return {"a": [len(endpoint)]}


def source_b(endpoint: str, *, limit: int = 10) -> Mapping[str, object]:
    return {"b": limit, "endpoint": endpoint}


async def merge(a: list[int], b: int) -> Rows:
    return {"rows": [*a, b]}


def save(rows: list[int]) -> None:
    print(rows)


async def log(rows: list[int]) -> Rows | None:
    return {"rows": rows} if rows else None


class Sink:
    async def put(self, rows: list[int]) -> dict[str, int]:
        return {"count": len(rows)}

    def __call__(self, rows: list[int]) -> None:
        print(rows)


def opaque(rows: list[int]) -> Any:
    return rows


# Every form of a definition, literal or from a variable, of functions of different types.
tuple_form = ((source_a, source_b), merge, (save, log))
list_form: Group = [{source_a, source_b}, merge, {save, log}]
set_form = {save, log}
DataFlow(((source_a, source_b), merge, (save, log)))
DataFlow([{source_a, source_b}, merge, {save, log}])
DataFlow({save, (merge, log)})
DataFlow(frozenset([save]))
DataFlow(tuple_form)
DataFlow(list_form)
DataFlow(set_form)
DataFlow((save,), run_forever=True, args_visibility="All", carry=("rows",))
DataFlow((Sink().put, Sink(), opaque, partial(source_b, limit=3), [(save, [log, save])]))

# The same with operators, from both sides.
assert_type(stage(source_a, source_b), Stage)
assert_type(stage(source_a) | merge | (save, log), Stage)
assert_type((source_a, source_b) | stage(merge) | (save, log), Stage)
assert_type({save, log} | stage(merge), Stage)
assert_type([source_a] | stage(merge), Stage)
assert_type(source_a | stage(merge) | stage(save, log), Stage)
DataFlow(stage(source_a, source_b) | merge | (save, log))
DataFlow((source_a, stage(merge) | save))


async def main(dataflow: DataFlow, arguments: Rows) -> None:
    assert_type(await dataflow({"endpoint": "e"}), dict[str, object])
    assert_type(await dataflow(endpoint="e"), dict[str, object])
    await dataflow(arguments)
    await dataflow({"endpoint": "e"}, limit=3)
    await dataflow()
    assert_type(dataflow.to_mermaid(), str)
    assert_type(dataflow.carry, frozenset[str])


asyncio.run(main(DataFlow((source_a,)), {"rows": []}))


# amapper keeps the parameters, and knows the result.
def total(rows: list[int], start: int = 0) -> int:
    return sum(rows, start)


async def fetch(url: str) -> bytes:
    return url.encode()


def halves(rows: list[int]) -> tuple[list[int], list[int]]:
    return rows[:1], rows[1:]


async def limits(rows: list[int]) -> tuple[int, int]:
    return min(rows), max(rows)


def stats(rows: list[int]) -> dict[str, float]:
    return {"mean": sum(rows) / len(rows)}


assert_type(amapper(total, output="total")([1], start=2), dict[str, int])
assert_type(amapper(halves, output=("first", "rest"))([1]), dict[str, list[int]])
assert_type(amapper(stats, output={"average": "mean"})([1]), dict[str, float])
assert_type(amapper(total, output=())([1], start=2), dict[str, object])
assert_type(amapper(total, {"rows": "data"}, ())(data=[1]), dict[str, object])
assert_type(amapper(total)([1]), int)
assert_type(amapper(total, {"rows": "data"})(data=[1]), int)
assert_type(amapper(total, input={"rows": "data"}, output="total")(data=[1]), dict[str, int])
assert_type(amapper(stats, input={"rows": "data"}, output={"average": "mean"})(data=[1]), dict[str, float])


async def mapped() -> None:
    assert_type(await amapper(fetch, output="body")("u"), dict[str, bytes])
    assert_type(await amapper(fetch, input={"url": "page"}, output="body")(page="u"), dict[str, bytes])
    assert_type(await amapper(limits, output=("low", "high"))([1]), dict[str, int])
    assert_type(await amapper(limits, {"rows": "data"}, ("low", "high"))(data=[1]), dict[str, int])
    assert_type(await amapper(fetch)("u"), bytes)
    assert_type(await amapper(fetch, output=())("u"), dict[str, object])
    assert_type(await amapper(limits, {"rows": "data"}, output=())(data=[1]), dict[str, object])
    assert_type(await optional(merge)([1], 2), Rows)


# An optional member is what it was.
assert_type(optional(save)([1]), None)
DataFlow(
    (source_a, optional(merge), {optional(save), optional(Sink().put), optional(partial(source_b, limit=3))})
)
DataFlow(stage(source_a) | optional(merge) | (optional(log), save))


DataFlow(
    (amapper(fetch, output="rows"), amapper(total, {"rows": "rows"}, "total"), amapper(opaque, output="x"))
)


# fdispatch knows its key, and leaves what it registers as it was.
@fdispatch
def load(kind: str) -> None: ...


@load.register("csv")
async def load_csv(path: str) -> dict[str, str]:
    return {"text": path}


@load.register("json")
def load_json(path: str, *, strict: bool = False) -> dict[str, bool]:
    return {path: strict}


assert_type(load, Dispatcher[str])
assert_type(load("csv"), Member)
assert_type(load.registry, Mapping[str, Member])
assert_type(load_json("p", strict=True), dict[str, bool])
DataFlow((load("csv"), (load("json"), save)))

declared_a: Callable[[str], Coroutine[Any, Any, dict[str, str]]] = load_csv
declared_b: Callable[[str], Awaitable[Mapping[str, object]]] = load_csv
