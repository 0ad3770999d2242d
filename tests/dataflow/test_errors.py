"""The exception tree, as its users catch it."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import asflow
import asflow.dataflow as dataflow
from asflow.dataflow import DataFlow, Dispatcher, Stage, amapper, fdispatch, stage
from asflow.errors import AsflowError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

TREE = {
    "DataFlowException": AsflowError,
    "DataFlowError": dataflow.DataFlowException,
    "DataFlowRunItemError": dataflow.DataFlowError,
    "DataFlowMergeResultError": dataflow.DataFlowRunItemError,
    "DataFlowFunctionResultError": dataflow.DataFlowRunItemError,
    "DataFlowDefinitionError": dataflow.DataFlowError,
    "DataFlowFunctionArgsError": dataflow.DataFlowDefinitionError,
    "DataFlowNotCallableError": dataflow.DataFlowDefinitionError,
    "DataFlowNotTupleError": dataflow.DataFlowDefinitionError,
    "DataFlowEmptyError": dataflow.DataFlowDefinitionError,
    "ArgsMapperError": dataflow.DataFlowError,
    "ArgsMapperInputKeyError": dataflow.ArgsMapperError,
    "ArgsMapperOutputKeyError": dataflow.ArgsMapperError,
    "ArgsMapperArgsError": dataflow.ArgsMapperError,
    "DispatchError": dataflow.DataFlowException,
}


@pytest.mark.parametrize(("name", "parent"), TREE.items())
def test_each_stands_under_its_parent(name: str, parent: type[Exception]) -> None:
    kind = getattr(dataflow, name)
    assert name in dataflow.__all__
    assert kind.__bases__[0] is parent
    assert issubclass(kind, AsflowError)


def test_nothing_else_is_raised() -> None:
    public = {name for name in dataflow.__all__ if isinstance(getattr(dataflow, name), type)}
    assert {name for name in public if issubclass(getattr(dataflow, name), Exception)} == TREE.keys()


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("DataFlowMergeResultError", ValueError),
        ("DataFlowFunctionResultError", TypeError),
        ("DataFlowDefinitionError", DefinitionError),
        ("DataFlowDefinitionError", ValueError),
        ("DataFlowFunctionArgsError", TypeError),
        ("DataFlowNotCallableError", TypeError),
        ("DataFlowNotTupleError", TypeError),
        ("ArgsMapperInputKeyError", KeyError),
        ("ArgsMapperOutputKeyError", KeyError),
        ("ArgsMapperArgsError", TypeError),
        ("DispatchError", KeyError),
    ],
)
def test_each_is_what_python_would_call_it(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(dataflow, name), builtin)


@pytest.mark.parametrize("name", sorted(TREE))
def test_messages_are_shown_as_they_are(name: str) -> None:
    """A KeyError would put quotes around them."""
    assert str(getattr(dataflow, name)("It's so.")) == "It's so."


def test_all_names_exist() -> None:
    assert all(hasattr(dataflow, name) for name in dataflow.__all__)


def test_everything_that_is_named_says_where_it_is_imported_from() -> None:
    aliases = {"ArgsVisibility", "Definition", "Group", "Member"}
    for name in set(dataflow.__all__) - aliases:
        assert getattr(dataflow, name).__module__ == "asflow.dataflow"


async def load(path: str) -> list[str]:
    return [path]


def lines(text: str, /) -> None: ...


def rows() -> Any:
    yield 1


@fdispatch
def read(kind: str) -> None: ...


FORM = re.compile(r"(task \w+\(\)|DataFlow\(\)): [^;]+; [^;]*[^.;]")

# Checkers would refuse most of these.
declare: Any = DataFlow
mapper: Any = amapper
begin: Any = stage

MISTAKES: list[Callable[[], object]] = [
    lambda: declare(()),
    lambda: declare({"load": load}),
    lambda: declare((load, {})),
    lambda: declare((read,)),
    lambda: declare(([],)),
    lambda: declare((rows,)),
    lambda: declare((lines,)),
    lambda: declare((max,)),
    lambda: declare((saved,), args_visibility="all"),
    lambda: declare((saved,), name=3),
    lambda: declare((saved,), flow=3),
    lambda: declare((saved,), carry="x"),
    lambda: declare((saved,), carry=(3,)),
    lambda: declare((saved,), carry=("x",)),
    lambda: begin(),
    lambda: begin("load"),
    lambda: begin(saved) | 3,
    lambda: mapper(3),
    lambda: mapper(rows, output="rows"),
    lambda: mapper(load, {"url": "x"}),
    lambda: mapper(load, 3),
    lambda: mapper(load, output=("a", "a")),
    lambda: mapper(load, output=""),
    lambda: read("csv"),
]


def saved(path: str) -> None: ...


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_message_names_the_mistake_and_then_the_remedy(mistake: Callable[[], object]) -> None:
    """In one form, and raised without asflow's own frames but the first."""
    with pytest.raises(dataflow.DataFlowException) as caught:
        mistake()
    assert FORM.fullmatch(str(caught.value)), str(caught.value)
    package = str(Path(asflow.__file__).parent)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert sum(frame.filename.startswith(package) for frame in frames) <= 2


@pytest.mark.parametrize("kind", [Dispatcher, Stage])
def test_what_only_asflow_makes_has_no_public_constructor(kind: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\(\): has no public constructor; (use|take) "):
        kind(load)
