"""`save=` with `JsonValue` and a user's own recursive alias of all that JSON holds."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import pytest
from typing_extensions import TypeAliasType

from asflow import Flow, MemoryStore
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink
from asflow.typing import JsonValue
from asflow.writers._kept import Kept

Theirs: TypeAlias = bool | int | float | str | list["Theirs"] | dict[str, "Theirs"] | None
Tree: TypeAlias = int | list["Tree"]
Wide: TypeAlias = bool | int | float | str | list["Wide"] | dict[int, "Wide"] | None
make: Any = TypeAliasType
of_lists: Any = list
of_dicts: Any = dict
Named: Any = make("Named", bool | int | float | str | of_lists["Named"] | of_dicts[str, "Named"] | None)

VALUE: JsonValue = {"a": [1, 2.5, None, {"b": [True, "x"]}], "c": {"d": {"e": []}}}


def flow() -> Flow:
    return Flow(store=MemoryStore(), sink=NullSink())


def test_json_value_comes_back() -> None:
    work = flow()
    calls = 0

    @work.task(save="{name}.json")
    def fetch(name: str) -> JsonValue:
        nonlocal calls
        calls += 1
        return VALUE

    assert fetch("a") == VALUE
    assert fetch("a") == VALUE
    assert calls == 1
    assert work.task.output(fetch, "a").value() == VALUE


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "text", [], {}, [[[[None]]]]])
def test_each_kind_of_json_comes_back(value: JsonValue) -> None:
    work = flow()

    @work.task(save="x.json")
    def fetch() -> Theirs:
        return value

    assert fetch() == value
    assert fetch() == value


def test_records_and_parts_may_be_any_json() -> None:
    work = flow()

    @work.task(save="{name}.jsonl")
    def listed(name: str) -> list[JsonValue]:
        return [VALUE, None, 3]

    @work.task(save="{name}-by-key.json")
    def by_key(name: str) -> dict[str, Theirs]:
        return {"x": {"y": [1]}}

    @work.task(save="{name}-named.json")
    def named(name: str) -> Named:  # pyright: ignore[reportInvalidTypeForm] - made in another way for each Python
        return VALUE

    for _ in range(2):
        assert listed("a") == [VALUE, None, 3]
        assert by_key("a") == {"x": {"y": [1]}}
        assert named("a") == VALUE


if sys.version_info >= (3, 12):

    def test_a_type_statement_may_be_any_json() -> None:
        space: dict[str, Any] = {"work": flow()}
        exec(
            "type Json = bool | int | float | str | list[Json] | dict[str, Json] | None\n"
            "@work.task(save='x.json')\n"
            "def fetch() -> list[Json]: return [{'a': [None]}]\n",
            space,
        )
        assert space["fetch"]() == [{"a": [None]}]
        assert space["fetch"]() == [{"a": [None]}]


@pytest.mark.parametrize("kind", [Tree, Wide, dict[str, Tree]])
def test_another_recursive_alias_is_refused(kind: Any) -> None:
    """Its values could not be checked."""
    with pytest.raises(DefinitionTypeError, match=r"annotate a type that msgspec decodes"):
        Kept("fetch", ".json", kind)
