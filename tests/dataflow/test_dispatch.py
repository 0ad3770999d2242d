"""fdispatch: one name for several functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from asflow.dataflow import DataFlow, Dispatcher, DispatchError, fdispatch


def make() -> Dispatcher[str]:
    @fdispatch
    def load(kind: str) -> None:
        """Load something."""
        raise AssertionError("the body is never run")

    @load.register("csv")
    async def _(path: str) -> dict[str, str]:
        return {"text": f"csv {path}"}

    @load.register("json")
    def _(path: str) -> dict[str, str]:
        return {"text": f"json {path}"}

    return load


async def test_a_key_gives_the_function_registered_under_it() -> None:
    load = make()
    assert await DataFlow((load("csv"),))(path="p") == {"text": "csv p"}
    assert await DataFlow((load("json"),))(path="p") == {"text": "json p"}


def test_registering_leaves_the_function_as_it_is() -> None:
    load = make()

    def parquet(path: str) -> dict[str, str]:
        return {"text": path}

    assert load.register("parquet")(parquet) is parquet
    assert load("parquet") is parquet


def test_the_registry_is_a_view_by_key() -> None:
    load = make()
    registry = load.registry
    assert isinstance(registry, Mapping)
    assert list(registry) == ["csv", "json"]
    assert registry["csv"] is load("csv")
    load.register("none")(print_nothing)
    assert "none" in registry
    with pytest.raises(TypeError):
        registry["x"] = print_nothing  # type: ignore[index]


def print_nothing() -> None: ...


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("cvs", "DataFlow(): load has no function under 'cvs'; did you mean 'csv'?"),
        ("parquet", "DataFlow(): load has no function under 'parquet'; there are 'csv', 'json'"),
        ("", "DataFlow(): load has no function under ''; there are"),
        (3, "DataFlow(): load has no function under 3; there are"),
        (None, "DataFlow(): load has no function under None; there are"),
        (["csv"], "DataFlow(): load has no function under ['csv']; there are"),
    ],
)
def test_an_unknown_key_is_named_with_near_matches(key: Any, says: str) -> None:
    with pytest.raises(DispatchError) as caught:
        DataFlow((make()(key),))
    assert str(caught.value).startswith(says)
    assert isinstance(caught.value, KeyError)


def test_an_empty_dispatcher_says_how_to_register() -> None:
    @fdispatch
    def load(kind: str) -> None: ...

    with pytest.raises(DispatchError, match=r"@load\.register\('csv'\)"):
        load("csv")
    assert repr(load) == "<fdispatch load: empty>"


def test_a_key_is_given_once() -> None:
    load = make()
    with pytest.raises(DispatchError, match="has a function under 'csv' already"):
        load.register("csv")(print_nothing)
    load.register("nothing")(print_nothing)
    load.register("nothing")(print_nothing)  # the same function again changes nothing


def test_it_keeps_name_and_docstring() -> None:
    load = make()
    assert (load.__name__, load.__doc__) == ("load", "Load something.")  # type: ignore[attr-defined]
    assert repr(load) == "<fdispatch load: 'csv', 'json'>"


def test_keys_can_be_anything_hashable() -> None:
    @fdispatch
    def step(number: int) -> None: ...

    step.register(1)(print_nothing)
    assert step(1) is print_nothing
    with pytest.raises(DispatchError, match="under 2"):
        step(2)
