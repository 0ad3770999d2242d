"""One call of a data flow: wiring, merging, visibility, threads."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from asflow.dataflow import (
    DataFlow,
    DataFlowFunctionResultError,
    DataFlowMergeResultError,
    DataFlowRunItemError,
)


def returns(**values: Any) -> Any:
    """An async function without parameters that returns *values*."""

    async def source() -> dict[str, Any]:
        return values

    return source


# -- wiring


async def test_functions_are_wired_by_parameter_name() -> None:
    async def source_a(endpoint_a: str) -> dict[str, Any]:
        return {"source_a": [endpoint_a, 1]}

    def source_b(endpoint_b: str) -> dict[str, Any]:
        return {"source_b": [endpoint_b, 2]}

    async def merge(source_b: list[Any], source_a: list[Any]) -> dict[str, Any]:
        return {"data": source_a + source_b}

    def save(data: list[Any]) -> dict[str, Any]:
        return {"saved": len(data)}

    async def log(data: list[Any]) -> dict[str, Any]:
        return {"last": data[-1]}

    flow = DataFlow(((source_a, source_b), merge, (save, log)))
    expected = {"saved": 4, "last": 2}
    assert await flow({"endpoint_a": "A", "endpoint_b": "B"}) == expected
    assert await flow(endpoint_a="A", endpoint_b="B") == expected
    assert await flow({"endpoint_a": "A"}, endpoint_b="B") == expected
    assert await flow(MappingProxyType({"endpoint_a": "A", "endpoint_b": "B"})) == expected


async def test_any_name_can_be_an_argument() -> None:
    """`self` and `params` are the user's names, too."""

    async def f(self: int, params: int, definition: int) -> dict[str, int]:
        return {"sum": self + params + definition}

    assert await DataFlow((f,))(self=1, params=2, definition=3) == {"sum": 6}


async def test_defaults_are_optional() -> None:
    async def f(x: int, y: int = 10) -> dict[str, int]:
        return {"sum": x + y}

    flow = DataFlow((f,))
    assert await flow(x=1) == {"sum": 11}
    assert await flow(x=1, y=2) == {"sum": 3}


async def test_functions_without_parameters_are_called() -> None:
    assert await DataFlow((returns(x=1),))() == {"x": 1}


async def test_keyword_only_parameters_are_wired() -> None:
    async def f(*, x: int, y: int = 1) -> dict[str, int]:
        return {"sum": x + y}

    assert await DataFlow((f,))(x=1) == {"sum": 2}


class Scale:
    """Methods of every kind, and a callable object."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    async def method(self, x: int) -> dict[str, int]:
        return {"method": x * self.factor}

    def in_thread(self, x: int) -> dict[str, Any]:
        return {"in_thread": x * self.factor, "thread": threading.get_ident()}

    @classmethod
    async def of_class(cls, x: int) -> dict[str, int]:
        return {"of_class": x}

    @staticmethod
    def static(x: int) -> dict[str, int]:
        return {"static": x}

    async def __call__(self, x: int) -> dict[str, int]:
        return {"call": x + self.factor}


async def test_methods_and_callable_objects_are_members() -> None:
    three = Scale(3)
    result = await DataFlow({three.method, three.in_thread, Scale.of_class, three.static, three})(x=2)
    assert result.pop("thread") != threading.get_ident()
    assert result == {"method": 6, "in_thread": 6, "of_class": 2, "static": 2, "call": 5}


async def test_what_a_partial_has_bound_stays_bound() -> None:
    async def f(x: int, y: int, z: int) -> dict[str, int]:
        return {"digits": 100 * x + 10 * y + z}

    def g(x: int, y: int) -> dict[str, int]:
        return {"product": x * y}

    flow = DataFlow({functools.partial(f, z=3), functools.partial(g, 5)})
    assert await flow(x=1, y=2, z=9) == {"digits": 123, "product": 10}


async def test_a_plain_function_that_returns_a_coroutine_is_awaited_on_the_loop() -> None:
    async def body(x: int) -> dict[str, Any]:
        return {"x": x, "loop": asyncio.get_running_loop()}

    def decorated(x: int) -> Any:
        return body(x)

    assert await DataFlow((decorated,))(x=1) == {"x": 1, "loop": asyncio.get_running_loop()}


async def test_a_missing_argument_names_function_parameter_and_what_was_there() -> None:
    ran: list[str] = []

    async def first(endpoint: str) -> dict[str, str]:
        ran.append(endpoint)
        return {"rows": "r", "count": "c"}

    async def second(row: str) -> None:
        ran.append(row)

    flow = DataFlow((first, second))
    with pytest.raises(DataFlowRunItemError) as caught:
        await flow(endpont="e")
    assert str(caught.value).startswith(
        "task first(): nothing provides its parameter 'endpoint', there was endpont; did you mean 'endpont'?"
    )
    assert ran == []

    with pytest.raises(DataFlowRunItemError) as caught:
        await flow(endpoint="e")
    text = str(caught.value)
    assert (
        "task second(): nothing provides its parameter 'row', there was count, rows; did you mean 'rows'?"
        in text
    )
    assert ran == ["e"]


async def test_a_missing_argument_that_the_call_gave_points_at_args_visibility() -> None:
    async def first(x: int) -> dict[str, int]:
        return {"y": x}

    async def second(x: int, y: int) -> dict[str, int]:
        return {"sum": x + y}

    with pytest.raises(DataFlowRunItemError, match="args_visibility='Initial'"):
        await DataFlow((first, second))(x=1)
    assert await DataFlow((first, second), args_visibility="Initial")(x=1) == {"x": 1, "sum": 2}


@pytest.mark.parametrize("params", ["x", 3, [("x", 1)], {1: 2}])
async def test_arguments_are_a_mapping_of_names(params: Any) -> None:
    with pytest.raises(TypeError, match="mapping"):
        await DataFlow((returns(),))(params)


async def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="'x' is in the mapping and a keyword too"):
        await DataFlow((returns(),))({"x": 1}, x=1)


def test_a_call_outside_a_loop_is_a_coroutine_for_asyncio_run() -> None:
    """Nothing is scheduled before it is awaited, and each run may have a loop of its own."""
    flow = DataFlow(((returns(x=1), returns(y=2)),))
    for _ in range(2):
        assert asyncio.run(flow()) == {"x": 1, "y": 2}


# -- results


@pytest.mark.parametrize("result", [3, "text", [1], ("a", 1), {1, 2}, 0, "", [], pd.DataFrame({"a": [1]})])
async def test_a_result_is_a_mapping_or_none(result: Any) -> None:
    async def wrong() -> Any:
        return result

    with pytest.raises(
        DataFlowFunctionResultError, match=r"^task wrong\(\): must return a mapping or None, not .*; return"
    ):
        await DataFlow((wrong,))()
    with pytest.raises(
        DataFlowFunctionResultError, match=r"^task wrong\(\): must return a mapping or None, not .*; return"
    ):
        await DataFlow(((wrong, returns(x=1)),))()


async def test_the_keys_of_a_result_are_names() -> None:
    async def wrong() -> Any:
        return {3: 4}

    with pytest.raises(
        DataFlowFunctionResultError, match=r"^task wrong\(\): must return .* names as keys, not 3;"
    ):
        await DataFlow((wrong,))()


async def test_none_adds_nothing() -> None:
    async def nothing() -> None: ...

    assert await DataFlow((returns(x=1), nothing))() == {}
    assert await DataFlow(((returns(x=1), nothing),))() == {"x": 1}
    assert await DataFlow((returns(x=1), nothing), args_visibility="All")() == {"x": 1}


async def test_any_mapping_will_do_and_is_not_changed() -> None:
    owned = {"x": 1}

    async def keeps() -> MappingProxyType[str, int]:
        return MappingProxyType(owned)

    result = await DataFlow((keeps,))()
    result["y"] = 2
    assert owned == {"x": 1}


async def test_the_arguments_are_not_changed() -> None:
    params = {"x": 1}
    result = await DataFlow((returns(x=2),), args_visibility="All")(params)
    assert (params, result) == ({"x": 1}, {"x": 2})


# -- merging


async def test_equal_duplicates_merge() -> None:
    flow = DataFlow(((returns(x=[1, 2], y=1), returns(x=[1, 2], z=2), returns(x=[1, 2])),))
    assert await flow() == {"x": [1, 2], "y": 1, "z": 2}


async def test_different_duplicates_are_an_error_that_names_both() -> None:
    async def left() -> dict[str, int]:
        return {"x": 1}

    def right() -> dict[str, int]:
        return {"x": 2}

    with pytest.raises(
        DataFlowMergeResultError,
        match=r"^DataFlow\(\): left and right both returned 'x', 1 and 2, which differ; return",
    ):
        await DataFlow(((left, right),))()


async def test_nested_results_are_kept_and_merged() -> None:
    """A sequence inside a group adds what its last step returned."""

    async def double(x: int) -> dict[str, int]:
        return {"double": 2 * x}

    async def square(x: int) -> dict[str, int]:
        return {"square": x * x}

    async def both(double: int, square: int, y: int) -> dict[str, int]:
        return {"sum": double + square + y}

    flow = DataFlow((((returns(x=3), (double, square)), returns(y=1)), both))
    assert await flow() == {"sum": 16}


class Odd:
    """Equal to nothing, itself included."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


class Raises:
    """Can't be compared at all."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [
        np.arange(3),
        np.arange(1),
        np.arange(0),
        pd.DataFrame({"a": [1]}),
        pl.DataFrame({"a": [1]}),
        float("nan"),
        Odd(),
    ],
)
async def test_the_same_object_merges_whatever_its_equality_says(value: object) -> None:
    result = await DataFlow(((returns(x=value), returns(x=value)),))()
    assert result["x"] is value


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.arange(3), np.arange(3)),
        (np.arange(1), np.arange(1)),
        (np.arange(0), np.arange(0)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})),
        (pd.Series([1]), pd.Series([1])),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]})),
        (pl.Series([1]), pl.Series([1])),
        ([np.arange(3)], [np.arange(3)]),
        (Raises(), Raises()),
    ],
)
async def test_values_that_equality_cannot_tell_apart_are_a_merge_error(
    first: object, second: object
) -> None:
    with pytest.raises(DataFlowMergeResultError, match="which == can't compare"):
        await DataFlow(((returns(x=first), returns(x=second)),))()


async def test_numpy_scalars_are_compared_like_numbers() -> None:
    assert await DataFlow(((returns(x=np.float64(1)), returns(x=np.float64(1))),))() == {"x": 1.0}
    with pytest.raises(DataFlowMergeResultError, match="which differ"):
        await DataFlow(((returns(x=np.float64(1)), returns(x=np.float64(2))),))()


async def test_a_set_is_merged_in_the_order_of_names() -> None:
    functions: list[Any] = []
    for name in ("c", "a", "d", "b"):
        one = returns(**{name: 1})
        one.__name__ = name
        functions.append(one)
    assert list(await DataFlow(set(functions))()) == ["a", "b", "c", "d"]


# -- visibility


async def seen(flow: DataFlow, log: dict[str, dict[str, Any]], **arguments: Any) -> tuple[Any, Any]:
    return await flow(**arguments), log


def spy(log: dict[str, dict[str, Any]], name: str, **result: Any) -> Any:
    """A member that logs which of p, q, r, s it was given, and returns *result*."""

    async def member(p: Any = None, q: Any = None, r: Any = None, s: Any = None) -> dict[str, Any]:
        given = {"p": p, "q": q, "r": r, "s": s}
        log[name] = {key: value for key, value in given.items() if value is not None}
        return result

    return member


@pytest.mark.parametrize(
    ("visibility", "second", "third", "result"),
    [
        ("None", {"q": 2}, {"r": 3, "p": 9}, {"s": 4}),
        ("Initial", {"p": 1, "q": 2}, {"p": 9, "r": 3}, {"p": 1, "s": 4}),
        ("All", {"p": 1, "q": 2}, {"p": 9, "q": 2, "r": 3}, {"p": 9, "q": 2, "r": 3, "s": 4}),
    ],
)
async def test_what_each_stage_sees(
    visibility: Any, second: dict[str, int], third: dict[str, int], result: dict[str, int]
) -> None:
    """The second stage returns p again, and the newest wins."""
    log: dict[str, dict[str, Any]] = {}
    definition = (spy(log, "1", q=2), spy(log, "2", r=3, p=9), spy(log, "3", s=4))
    assert await DataFlow(definition, args_visibility=visibility)(p=1) == result
    assert log == {"1": {"p": 1}, "2": second, "3": third}


async def test_all_shows_what_nested_sequences_returned_on_the_way() -> None:
    log: dict[str, dict[str, Any]] = {}
    nested = ((spy(log, "a", q=2), spy(log, "b", r=3)), spy(log, "c", s=4))
    flow = DataFlow((nested, spy(log, "end")), args_visibility="All")
    assert await flow(p=1) == {"p": 1, "q": 2, "r": 3, "s": 4}
    assert log["c"] == {"p": 1}
    assert log["b"] == {"p": 1, "q": 2}
    assert log["end"] == {"p": 1, "q": 2, "r": 3, "s": 4}


# -- threads and contexts


async def test_sync_functions_run_in_threads_with_the_callers_context() -> None:
    request = contextvars.ContextVar("request", default="none")

    def read() -> dict[str, Any]:
        found = request.get()
        request.set("changed in the thread")
        return {"request": found, "thread": threading.get_ident()}

    request.set("mine")
    result = await DataFlow((read,))()
    assert result["request"] == "mine"
    assert result["thread"] != threading.get_ident()
    assert request.get() == "mine"


async def test_neighbours_run_at_the_same_time() -> None:
    """Each waits for all the others: two in threads, two on the loop."""
    in_threads = threading.Barrier(2)
    on_loop = asyncio.Barrier(2)

    def thread() -> None:
        in_threads.wait(timeout=30)

    async def loop() -> None:
        await on_loop.wait()

    assert await DataFlow(((thread, thread, loop, loop),))() == {}


async def test_a_thread_does_not_hold_up_the_loop() -> None:
    go = threading.Event()

    def waits() -> dict[str, bool]:
        return {"went": go.wait(timeout=30)}

    async def starts() -> None:
        go.set()

    assert await DataFlow(((waits, starts),))() == {"went": True}


async def test_concurrent_calls_do_not_see_each_other() -> None:
    barrier = asyncio.Barrier(10)

    async def first(x: int) -> dict[str, int]:
        await barrier.wait()
        return {"y": x}

    async def second(x: int, y: int) -> dict[str, tuple[int, int]]:
        await barrier.wait()
        return {"pair": (x, y)}

    flow = DataFlow((first, second), args_visibility="All")
    results = await asyncio.gather(*[flow(x=number) for number in range(10)])
    assert results == [{"x": n, "y": n, "pair": (n, n)} for n in range(10)]


async def test_a_thread_that_raises_stop_iteration_does_not_hang() -> None:
    """No future can hold a StopIteration."""

    def empty() -> dict[str, int]:
        return {"first": next(iter(()))}

    with pytest.raises(RuntimeError, match=r"empty\(\): raised StopIteration") as caught:
        await DataFlow((empty,))()
    assert isinstance(caught.value.__cause__, StopIteration)
