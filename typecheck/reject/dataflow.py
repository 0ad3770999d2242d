"""Declared data flows: what must fail. Each ignore that a checker doesn't need is an error."""

from __future__ import annotations

from asflow.dataflow import DataFlow, amapper, fdispatch, stage


async def source(endpoint: str) -> dict[str, list[int]]:
    return {"rows": [len(endpoint)]}


def total(rows: list[int]) -> int:
    return sum(rows)


def keyed(rows: list[int]) -> dict[int, str]:
    return {len(rows): ""}


# A definition holds functions that return mappings or None, and nothing else.
DataFlow((source, "save"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow("source")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source, None))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow(source)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow({"source": source})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source, [3]))  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
DataFlow((source, total))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source, keyed))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source("e"),))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# Options.
DataFlow((source,), args_visibility="Some")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source,), args_visibility=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source,), True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
DataFlow((source,), carry=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
DataFlow((source,), forever=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# Operators.
stage(source) | 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
"source" | stage(source)  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]
stage(total)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def calls(dataflow: DataFlow) -> None:
    await dataflow("endpoint")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await dataflow({1: "endpoint"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    result = await dataflow(endpoint="e")
    total(result["rows"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dataflow.run_forever = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# A mapped function keeps its parameters.
amapper(total, output="total")("rows")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
amapper(total, output="total")([1], 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
amapper(total, output=("a", "b"))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
amapper(total, output=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
amapper("total", output="t")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


@fdispatch
def load(kind: str) -> None: ...


load(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
load.register(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
load.register("total")(total)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
load.registry["csv"] = source  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
