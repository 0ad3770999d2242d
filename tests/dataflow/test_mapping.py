"""amapper: other names for what a function takes and returns."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from asflow import Flow
from asflow.dataflow import (
    ArgsMapperArgsError,
    ArgsMapperInputKeyError,
    ArgsMapperOutputKeyError,
    DataFlow,
    DataFlowRunItemError,
    amapper,
)


def add(a: int, b: int = 10) -> int:
    """Add."""
    return a + b


async def pair(a: int, b: int) -> tuple[int, int]:
    return b, a


async def stats(rows: list[int]) -> dict[str, float]:
    return {"mean": sum(rows) / len(rows), "max": max(rows)}


def test_input_renames_parameters() -> None:
    mapped = amapper(add, input={"a": "x", "b": "y"})
    assert mapped(x=1, y=2) == 3
    assert mapped(x=1) == 11
    assert mapped(1, y=5) == 6
    assert amapper(add, {"a": "x"})(x=1, b=2) == 3


def test_parameters_can_be_swapped_and_can_share_a_key() -> None:
    def minus(a: int, b: int) -> int:
        return a - b

    assert amapper(minus, {"a": "b", "b": "a"})(a=1, b=5) == 4
    assert amapper(minus, {"a": "x", "b": "x"})(x=3) == 0
    assert amapper(minus, {"a": "b"})(b=3) == 0


def test_a_key_need_not_be_an_identifier() -> None:
    mapped = amapper(add, {"a": "in", "b": "user id"}, "out")
    assert mapped(**{"in": 1, "user id": 2}) == {"out": 3}


async def test_output_is_a_name_names_or_a_mapping() -> None:
    assert amapper(add, output="sum")(1, 2) == {"sum": 3}
    assert await amapper(pair, output=("second", "first"))(1, 2) == {"second": 2, "first": 1}
    assert await amapper(stats, output={"average": "mean"})([1, 3]) == {"average": 2.0}
    assert await amapper(pair)(1, 2) == (2, 1)


def test_it_stays_what_it_is() -> None:
    mapped = amapper(add, {"a": "x"}, "sum")
    assert (mapped.__name__, mapped.__doc__, inspect.iscoroutinefunction(mapped)) == ("add", "Add.", False)
    assert str(inspect.signature(mapped)) == "(x: 'int', b: 'int' = 10)"
    assert inspect.iscoroutinefunction(amapper(pair, output="x"))
    assert add(1) == 11


async def test_in_a_data_flow() -> None:
    double = amapper(functools.partial(add, b=1), {"a": "in"}, "user id")
    swap = amapper(pair, {"a": "user id", "b": "in"}, ("in", "out"))
    flow = DataFlow((double, swap), args_visibility="All")
    assert await flow(**{"in": 4}) == {"in": 4, "out": 5, "user id": 5}
    with pytest.raises(DataFlowRunItemError, match=r"task add\(\): .* 'in'"):
        await flow(x=4)


async def test_mapped_twice() -> None:
    once = amapper(add, {"a": "x"}, "sum")
    twice = amapper(once, {"x": "in"}, {"out": "sum"})
    assert await DataFlow((twice,))(**{"in": 1}) == {"out": 11}
    assert await DataFlow((functools.partial(twice, b=2),))(**{"in": 1, "b": 7}) == {"out": 3}


async def test_mapped_methods() -> None:
    class Client:
        def get(self, url: str) -> str:
            return url.upper()

        fetch = amapper(get, {"url": "page"}, "body")

    client = Client()
    assert await DataFlow((amapper(client.get, {"url": "page"}, "body"),))(page="a") == {"body": "A"}
    assert await DataFlow((client.fetch,))(page="b") == {"body": "B"}


async def test_a_plain_function_that_returns_a_coroutine() -> None:
    def decorated(a: int, b: int) -> Any:
        return pair(a, b)

    assert await DataFlow((amapper(decorated, output=("x", "y")),))(a=1, b=2) == {"x": 2, "y": 1}


async def test_around_and_under_a_task() -> None:
    local = Flow(verbose=False)

    @local.task
    async def task(a: int) -> int:
        return a + 1

    around = amapper(task, {"a": "x"}, "y")
    under = local.task(amapper(pair, {"a": "x", "b": "y"}, ("p", "q")))
    assert await DataFlow((around,), flow=local)(x=1) == {"y": 2}
    assert await DataFlow((under,), flow=local)(x=1, y=2) == {"p": 2, "q": 1}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"input": {"c": "x"}}, ArgsMapperInputKeyError),
        ({"input": "x"}, ArgsMapperArgsError),
        ({"input": {"a": 3}}, ArgsMapperArgsError),
        ({"input": ["a"]}, ArgsMapperArgsError),
        ({"output": 3}, ArgsMapperArgsError),
        ({"output": ["a"]}, ArgsMapperArgsError),
        ({"output": ("a", 3)}, ArgsMapperArgsError),
        ({"output": {"a": 0}}, ArgsMapperArgsError),
        ({"output": {3: "a"}}, ArgsMapperArgsError),
        ({"output": ("",)}, ArgsMapperOutputKeyError),
        ({"output": {}}, ArgsMapperOutputKeyError),
        ({"output": ""}, ArgsMapperOutputKeyError),
        ({"output": ("a", "a")}, ArgsMapperOutputKeyError),
    ],
)
def test_bad_options_are_refused_at_definition(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^DataFlow\(\): amapper\(add\) takes .*[^.]$"):
        amapper(add, **options)


@pytest.mark.parametrize("bad", ["add", None, 3])
def test_it_needs_a_function(bad: Any) -> None:
    with pytest.raises(ArgsMapperArgsError, match=r"^DataFlow\(\): amapper takes a function, not .*; write"):
        amapper(bad, output="x")


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "says"),
    [
        (
            (),
            {"a": 1},
            ArgsMapperInputKeyError,
            "takes 'a' from the key 'x', which is missing; there was a",
        ),
        ((), {"x": 1, "c": 2}, ArgsMapperArgsError, "got an unexpected argument 'c'"),
        ((), {"x": 1, "a": 2}, ArgsMapperArgsError, "got an unexpected argument 'a'"),
        ((1,), {"x": 2}, ArgsMapperArgsError, "got 'x' by position and by keyword"),
        ((1, 2, 3), {}, ArgsMapperArgsError, "takes 2 arguments, not 3"),
    ],
)
def test_bad_calls_are_refused(args: Any, kwargs: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        amapper(add, {"a": "x"})(*args, **kwargs)


def test_an_unmapped_argument_that_is_missing() -> None:
    with pytest.raises(ArgsMapperArgsError, match=r"amapper\(add\) misses the argument 'a'; it takes a, b"):
        amapper(add, output="x")(b=1)  # type: ignore[call-arg]


def test_a_type_error_of_the_body_is_its_own() -> None:
    """It is not taken for a wrong argument."""
    with pytest.raises(TypeError, match="can only concatenate") as caught:
        amapper(add, output="x")("a", 1)  # type: ignore[arg-type]
    assert type(caught.value) is TypeError


@pytest.mark.parametrize(
    ("result", "output", "says"),
    [
        ({"b": 1}, {"x": "a"}, "found no 'a' in the result, only b;"),
        ((1, 2), {"x": "a"}, "needs a mapping"),
        (None, {"x": "a"}, "needs a mapping"),
        ((1, 2, 3), ("a", "b"), "got 3 values for 2 names"),
        ((1,), ("a", "b"), "got 1 values for 2 names"),
        ("ab", ("a", "b"), "needs a tuple as the result"),
        (None, ("a", "b"), "needs a tuple as the result"),
    ],
)
async def test_a_result_that_does_not_fit_is_an_error(result: Any, output: Any, says: str) -> None:
    async def made() -> Any:
        return result

    with pytest.raises(ArgsMapperOutputKeyError, match=says):
        await DataFlow((amapper(made, output=output),))()
