"""aiodag and async-data-flow, row by row."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest
from coming.rows import row

from asflow.dag import later, scope, task
from asflow.dataflow import DataFlow, DataFlowRunItemError, amapper, fdispatch, optional, stage

aiodag = partial(row, "aiodag")
declared = partial(row, "async-data-flow")


@task
async def fetch(some_id: str) -> str:
    await asyncio.sleep(0)
    return some_id + "x"


async def strip_numbers(text: str) -> str:
    return "".join(char for char in text if not char.isdigit())


@aiodag("`from aiodag import task`")
@aiodag("`@task` on an async function")
@aiodag("`task(strip_numbers)(ca)`")
async def test_nodes() -> None:
    assert await task(strip_numbers)(fetch("a1")) == "ax"


@aiodag("`task(function, *deps)(x)`")
@aiodag("`@task(raw=True)`")
async def test_dependencies() -> None:
    done: list[str] = []

    @task
    async def first() -> None:
        await asyncio.sleep(0.01)
        done.append("first")

    async def second(text: str) -> str:
        return f"{text} after {done}"

    @task(raw=True)
    async def state(node: asyncio.Task[str]) -> bool:
        return node.done()

    assert await task(second, first())("second") == "second after ['first']"
    assert await state(fetch("a"))


@aiodag("`await asyncio.sleep(10)` at the end")
async def test_a_scope_waits() -> None:
    async with scope():
        node = fetch("a1")
    assert node.result() == "a1x"


@aiodag("keyword arguments that are tasks")
async def test_keywords() -> None:
    @task
    async def label(text: str, *, prefix: str = "") -> str:
        return prefix + text

    assert await label("a", prefix=later(fetch("b"))) == "bxa"


async def source_a(endpoint_a: str) -> dict[str, list[int]]:
    return {"rows_a": [1, 2]}


def source_b(endpoint_b: str) -> dict[str, object]:
    return {"rows_b": [3, 4], "thread": threading.get_ident()}


async def merge(rows_a: list[int], rows_b: list[int]) -> dict[str, int]:
    return {"total": sum(rows_a + rows_b)}


@declared("`from asyncdataflow import DataFlow`")
@declared("`((source_a, source_b), merge, save)`")
@declared("`await dataflow(params)`")
async def test_a_nested_tuple() -> None:
    dataflow = DataFlow(((source_a, source_b), merge))
    params = {"endpoint_a": "A", "endpoint_b": "B"}
    assert await dataflow(params) == await dataflow(**params) == {"total": 10}


@declared("a sync function")
async def test_threads() -> None:
    result = await DataFlow((source_b,))(endpoint_b="B")
    assert result["thread"] != threading.get_ident()


@declared('`args_visibility="All"`')
async def test_visibility() -> None:
    result = await DataFlow(((source_a, source_b), merge), args_visibility="All")(
        endpoint_a="A", endpoint_b="B"
    )
    assert {"rows_a", "rows_b", "total", "endpoint_a"} <= set(result)


@declared("`run_forever=True`")
async def test_forever() -> None:
    seen: list[int] = []

    async def step(cursor: int) -> dict[str, int]:
        seen.append(cursor)
        if cursor == 3:
            raise LookupError("the end")
        return {"cursor": cursor + 1}

    with pytest.raises(LookupError):
        await DataFlow((step,), run_forever=True, carry=("cursor",))(cursor=1)
    assert seen == [1, 2, 3]


@declared("`amapper(read, input=..., output=...)`")
async def test_amapper() -> None:
    async def read(path: str) -> list[int]:
        return [len(path)]

    dataflow = DataFlow((amapper(read, input={"path": "source"}, output="rows"),))
    assert await dataflow(source="abc") == {"rows": [3]}


@declared("`fdispatch`, `.register`, `.registry`")
async def test_fdispatch() -> None:
    @fdispatch
    def load(kind: str) -> None: ...

    @load.register("csv")
    async def _(path: str) -> dict[str, str]:
        return {"read": path}

    assert list(load.registry) == ["csv"]
    assert await DataFlow((load("csv"),))(path="a") == {"read": "a"}


@declared("a function whose argument is missing is passed over")
async def test_missing_arguments() -> None:
    async def never(what: str) -> None:
        raise AssertionError(what)

    with pytest.raises(DataFlowRunItemError, match="what"):
        await DataFlow((source_a, never))(endpoint_a="A")
    assert await DataFlow((source_a, optional(never)))(endpoint_a="A") == {"rows_a": [1, 2]}


@declared("`source | split | out1, out2`")
async def test_operators() -> None:
    async def split(rows_a: list[int]) -> dict[str, int]:
        return {"first": rows_a[0], "second": rows_a[1]}

    async def out1(first: int) -> dict[str, int]:
        return {"one": first}

    async def out2(second: int) -> dict[str, int]:
        return {"two": second}

    assert await DataFlow(stage(source_a) | split | (out1, out2))(endpoint_a="A") == {"one": 1, "two": 2}
