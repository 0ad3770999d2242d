"""The runner against a model of thirty lines that reads definitions on its own."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow import Flow
from asflow.dataflow import DataFlow, DataFlowRunItemError
from asflow.sinks import NullSink

NAMES = "abcd"
QUIET = Flow(sink=NullSink())


class Refused(Exception):  # noqa: N818 - the model's own
    """A missing argument or a merge of different values."""


def make(
    number: int, takes: list[str], optional: list[str], returned: dict[str, int], echo: str | None
) -> Any:
    """A member that takes and returns these names; under *echo* it returns all its arguments."""

    def body(**arguments: Any) -> dict[str, Any]:
        return returned if echo is None else {**returned, echo: tuple(sorted(arguments.items()))}

    name = f"f{number}"
    parameters = ", ".join([*takes, *(f"{one}=None" for one in optional if one not in takes)])
    passed = ", ".join(f"{one}={one}" for one in dict.fromkeys([*takes, *optional]))
    space: dict[str, Any] = {"body": body}
    prefix = "async " if number % 4 else ""  # a thread now and then; most on the loop, for speed
    exec(f"{prefix}def {name}({parameters}): return body({passed})", space)
    function = space[name]
    function.takes, function.optional, function.body = takes, optional, body
    return function


members = st.builds(
    make,
    st.integers(0, 99),
    st.lists(st.sampled_from(NAMES), max_size=1),
    st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1), max_size=3),
    st.sampled_from([None, None, None, "echo"]),
)
hashable = st.recursive(
    members,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(tuple), st.frozensets(inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)
anything = st.recursive(
    members | hashable,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.sets(hashable, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
definitions = anything.filter(lambda one: not callable(one))


def name_of(part: Any) -> Any:
    """How the runner orders a set: by name; a group by the names in it, from the left."""
    if callable(part):
        return part.__name__
    ordered = sorted(part, key=name_of) if isinstance(part, (set, frozenset)) else part
    return ", ".join(map(name_of, ordered))


def model(part: Any, given: dict[str, Any], initial: dict[str, Any], visibility: str, *, nested: bool) -> Any:
    """What *part* adds, seeing *given*; *nested*: a tuple here is concurrent."""

    def go(inner: Any, given: dict[str, Any], *, nested: bool) -> Any:
        return model(inner, given, initial, visibility, nested=nested)

    if callable(part):
        function: Any = part
        if any(name not in given for name in function.takes):
            raise Refused
        return function.body(
            **{name: given.get(name) for name in (*function.takes, *function.optional)},
        )
    if isinstance(part, (set, frozenset)) or (isinstance(part, tuple) and nested):
        merged: dict[str, Any] = {}
        for member in sorted(part, key=name_of) if isinstance(part, (set, frozenset)) else part:
            for key, value in go(member, given, nested=False).items():
                if merged.setdefault(key, value) != value:
                    raise Refused
        return merged
    seen = given
    added: dict[str, Any] = {}
    for step in part:
        result = go(step, seen, nested=True)
        added = {**added, **result} if visibility == "All" else result
        seen = {"None": added, "Initial": {**initial, **added}, "All": {**given, **added}}[visibility]
    return added


@settings(max_examples=examples(100))
@given(
    definitions,
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1), min_size=1),
    st.sampled_from(["None", "Initial", "All"]),
)
def test_every_definition_means_what_the_model_says(
    definition: Any, arguments: dict[str, Any], visibility: Any
) -> None:
    """Same result, or refused by both; and the arguments come back if the visibility says so."""
    try:
        added = model(definition, arguments, arguments, visibility, nested=False)
        expected = added if visibility == "None" else {**arguments, **added}
    except Refused:
        expected = None
    flow = DataFlow(definition, args_visibility=visibility, flow=QUIET)
    try:
        result = asyncio.run(flow(arguments))
    except DataFlowRunItemError:
        result = None
    event("refused" if expected is None else "ran")
    assert result == expected
