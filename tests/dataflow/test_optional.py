"""`optional(member)`: it runs only if its arguments are there; and results that are dropped."""

from __future__ import annotations

import functools
import threading
from typing import Any, TypedDict

import pytest

from asflow import Flow
from asflow.dataflow import (
    DataFlow,
    DataFlowFunctionArgsError,
    DataFlowNotCallableError,
    DataFlowRunItemError,
    amapper,
    fdispatch,
    optional,
    stage,
)
from asflow.sinks import NullSink


async def load(n: int) -> dict[str, Any]:
    return {"rows": [n], "errors": n} if n < 0 else {"rows": [n]}


async def repair(rows: list[int], errors: int) -> dict[str, Any]:
    return {"rows": [*rows, -errors]}


async def save(rows: list[int]) -> dict[str, Any]:
    return {"saved": rows}


@pytest.mark.parametrize(
    "definition", [(load, optional(repair), save), stage(load) | optional(repair) | save]
)
async def test_it_runs_if_its_arguments_are_there(definition: Any) -> None:
    """Else what it would have seen goes on to the next stage."""
    dataflow = DataFlow(definition)
    assert await dataflow(n=-3) == {"saved": [-3, 3]}
    assert await dataflow(n=3) == {"saved": [3]}


async def test_in_a_group_it_adds_nothing() -> None:
    dataflow = DataFlow((load, (optional(repair), save)))
    assert await dataflow(n=3) == {"saved": [3]}
    assert await dataflow(n=-3) == {"rows": [-3, 3], "saved": [-3]}


async def test_a_group_that_is_passed_over_as_a_whole() -> None:
    """As if it were not there: in a sequence, and inside a group."""

    def audit(errors: int) -> None: ...

    dataflow = DataFlow((load, (optional(repair), optional(audit)), save))
    assert await dataflow(n=3) == {"saved": [3]}
    nested = DataFlow((load, (save, (optional(repair), optional(audit)))))
    assert await nested(n=3) == {"saved": [3]}


@pytest.mark.parametrize("visibility", ["None", "Initial", "All"])
async def test_with_every_visibility(visibility: Any) -> None:
    dataflow = DataFlow((load, optional(repair), save), args_visibility=visibility)
    seen: dict[str, dict[str, Any]] = {"None": {}, "Initial": {"n": 3}, "All": {"n": 3, "rows": [3]}}
    assert await dataflow(n=3) == {**seen[visibility], "saved": [3]}


async def test_the_first_and_the_last_may_be_passed_over() -> None:
    """The call's arguments go on; the result is that of the last one that ran, or nothing."""
    ran: list[str] = []

    async def greet(name: str) -> None:
        ran.append(name)

    assert await DataFlow((optional(greet), load))(n=1) == {"rows": [1]}
    assert await DataFlow((load, optional(greet)))(n=1) == {"rows": [1]}
    assert await DataFlow((optional(greet),))(n=1) == {}
    assert await DataFlow((optional(greet),), args_visibility="Initial")(n=1) == {"n": 1}
    assert ran == []
    assert await DataFlow((optional(greet),))(name="me", n=1) == {}
    assert ran == ["me"]


async def test_defaults_are_not_missing() -> None:
    async def label(rows: list[int], prefix: str = "x") -> dict[str, Any]:
        return {"label": f"{prefix}{rows}"}

    assert await DataFlow((load, optional(label)))(n=1) == {"label": "x[1]"}


class Client:
    async def put(self, errors: int) -> dict[str, Any]:
        return {"put": errors}


@fdispatch
def choose(kind: str) -> None: ...


@choose.register("put")
async def _(errors: int) -> dict[str, Any]:
    return {"put": errors}


def in_thread(errors: int) -> dict[str, Any]:
    return {"put": errors, "thread": threading.get_ident()}


async def plain(errors: int, more: int = 0) -> dict[str, Any]:
    return {"put": errors}


task = Flow(sink=NullSink()).task(plain)


@pytest.mark.parametrize(
    "member",
    [
        optional(plain),
        optional(in_thread),
        optional(Client().put),
        optional(choose("put")),
        optional(task),
        optional(optional(plain)),
        optional(functools.partial(plain, more=3)),
        functools.partial(optional(plain), more=3),
        optional(amapper(plain, input={"errors": "errors"})),
        amapper(optional(plain), input={"errors": "errors"}),
    ],
    ids=range(10),
)
async def test_every_kind_of_member_can_be_optional(member: Any) -> None:
    dataflow = DataFlow((load, member))
    assert await dataflow(n=3) == {"rows": [3]}
    result = await dataflow(n=-3)
    assert result["put"] == -3
    assert result.get("thread") != threading.get_ident()


class Rows(TypedDict):
    rows: list[int]


class Loaded(Rows, total=False):
    errors: int


async def typed(n: int) -> Loaded:
    return {"rows": [n]}


async def only_rows(n: int) -> Rows:
    return {"rows": [n]}


async def typed_repair(rows: list[int], errors: int) -> Rows:
    return {"rows": rows}


async def needs_count(count: int) -> None: ...


def test_one_that_can_never_run_is_refused_at_definition() -> None:
    """A name that may be there is enough; one that can't be is a mistake."""
    DataFlow((typed, optional(typed_repair), save))
    with pytest.raises(DataFlowFunctionArgsError, match=r"typed_repair\(\): nothing provides its .*'errors'"):
        DataFlow((only_rows, optional(typed_repair)))


def test_what_may_go_past_it_counts_as_there() -> None:
    """The next stage sees what it added, or what it would have seen: either, and nothing else."""

    async def add(errors: int) -> dict[str, int]:
        return {"count": errors}

    async def typed_count(errors: int) -> Count:
        return {"count": errors}

    DataFlow((typed, optional(add), needs_count))
    DataFlow((typed, optional(typed_count), (needs_count, save)))
    with pytest.raises(DataFlowFunctionArgsError, match="there was rows"):
        DataFlow((only_rows, save_typed, needs_count))
    with pytest.raises(DataFlowFunctionArgsError, match="there was count, errors, rows"):
        DataFlow((typed, optional(typed_count), other))


class Count(TypedDict):
    count: int


async def save_typed(rows: list[int]) -> Rows:
    return {"rows": rows}


async def other(nowhere: int) -> None: ...


async def test_what_it_leaves_out_is_missed_by_those_that_are_not_optional() -> None:
    async def count(errors: int) -> Count:
        return {"count": errors}

    dataflow = DataFlow((load, optional(count), needs_count))
    assert await dataflow(n=-3) == {}
    with pytest.raises(
        DataFlowRunItemError, match=r"needs_count\(\): nothing provides its parameter 'count'"
    ):
        await dataflow(n=3)


async def test_a_call_that_can_not_provide_for_it_is_no_error() -> None:
    """The same call is checked before anything runs: nothing is missing but what may be."""
    dataflow = DataFlow((optional(typed_repair), only_rows), args_visibility="Initial")
    assert await dataflow(n=1) == {"n": 1, "rows": [1]}
    with pytest.raises(DataFlowRunItemError, match=r"only_rows\(\): nothing provides its parameter 'n'"):
        await dataflow(m=1)


def test_it_is_in_the_picture() -> None:
    dataflow = DataFlow((load, {optional(repair), optional(in_thread), save}))
    assert str(dataflow) == "DataFlow([load, {optional(in_thread), optional(repair), save}])"
    text = dataflow.to_mermaid()
    dashed = [line.split()[1] for line in text.splitlines() if "stroke-dasharray" in line]
    named = {line.strip().partition("[")[0]: line for line in text.splitlines() if "[" in line}
    assert len(dashed) == 2
    assert all("repair" in named[each] or "in_thread" in named[each] for each in dashed)


def test_what_can_not_be_optional() -> None:
    group: Any = (load, save)
    with pytest.raises(
        DataFlowNotCallableError, match=r"optional takes a function, not .*; write it around each"
    ):
        optional(group)
    name: Any = choose
    with pytest.raises(DataFlowFunctionArgsError, match=r"optional\(choose\('key'\)\)"):
        optional(name)


@pytest.mark.parametrize("result", [None, 3, "text", ("a", "b"), {"rows": 1}])
@pytest.mark.parametrize("renamed", [None, {"value": "x"}])
async def test_amapper_drops_a_result(result: object, renamed: Any) -> None:
    """Of any type, of an async function and of a plain one; nothing of it is merged or seen."""

    async def put(value: object) -> object:
        return value

    def put_in_thread(value: object) -> object:
        return value

    name = "x" if renamed else "value"
    for function in (put, put_in_thread):
        dropped: Any = amapper(function, renamed, output=())
        assert await DataFlow((dropped,))({name: result}) == {}
        assert await DataFlow(({dropped, load},))({name: result, "n": 1}) == {"rows": [1]}


def test_what_a_dropped_result_provides_is_known_to_be_nothing() -> None:
    with pytest.raises(DataFlowFunctionArgsError, match="there was nothing"):
        DataFlow((amapper(load, output=()), save))
