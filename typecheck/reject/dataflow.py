"""Declared data flows: what must fail."""

from __future__ import annotations

from asflow.dataflow import DataFlow, amapper, fdispatch, optional, stage


async def source(endpoint: str) -> dict[str, list[int]]:
    return {"rows": [len(endpoint)]}


def total(rows: list[int]) -> int:
    return sum(rows)


def keyed(rows: list[int]) -> dict[int, str]:
    return {len(rows): ""}


# A definition holds functions that return mappings or None, and nothing else.
DataFlow((source, "save"))  # E
DataFlow("source")  # E
DataFlow((source, None))  # E
DataFlow(source)  # E
DataFlow({"source": source})  # E
DataFlow((source, [3]))  # E
DataFlow((source, total))  # E
DataFlow((source, keyed))  # E
DataFlow((source("e"),))  # E

# Options.
DataFlow((source,), args_visibility="Some")  # E
DataFlow((source,), args_visibility=None)  # E
DataFlow((source,), True)  # E
DataFlow((source,), carry=3)  # E
DataFlow((source,), forever=True)  # E

# Operators.
stage(source) | 3  # E
"source" | stage(source)  # E
stage(total)  # E

# A member can be optional, a group can't, nor what is not a member.
optional((source, source))  # E
optional(total)  # E
optional("source")  # E


async def calls(dataflow: DataFlow) -> None:
    await dataflow("endpoint")  # E
    await dataflow({1: "endpoint"})  # E
    result = await dataflow(endpoint="e")
    total(result["rows"])  # E
    dataflow.run_forever = True  # E


# A mapped function keeps its parameters.
amapper(total, output="total")("rows")  # E
amapper(total, output="total")([1], 2)  # E
amapper(total, output=())("rows")  # E
amapper(total, output=("a", "b"))  # E
amapper(total, output=3)  # E
amapper("total", output="t")  # E


@fdispatch
def load(kind: str) -> None: ...


load(3)  # E
load.register(3)  # E
load.register("total")(total)  # E
load.registry["csv"] = source  # E
