"""The exception tree, as its users catch it."""

from __future__ import annotations

import pytest

import asflow.dataflow as dataflow
from asflow.errors import AsflowError, DefinitionError

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
