"""Declared data flows: a nested tuple of plain functions, wired by the names of their parameters.

from asflow.dataflow import DataFlow

dataflow = DataFlow(((source_a, source_b), merge, (save, log)))
result = await dataflow(endpoint_a="A", endpoint_b="B")
"""

from __future__ import annotations

from asflow._names import set_homes
from asflow.dataflow._amapper import amapper
from asflow.dataflow._declared import DataFlow
from asflow.dataflow._dispatch import Dispatcher, fdispatch
from asflow.dataflow._errors import (
    ArgsMapperArgsError,
    ArgsMapperError,
    ArgsMapperInputKeyError,
    ArgsMapperOutputKeyError,
    DataFlowDefinitionError,
    DataFlowEmptyError,
    DataFlowError,
    DataFlowException,
    DataFlowFunctionArgsError,
    DataFlowFunctionResultError,
    DataFlowMergeResultError,
    DataFlowNotCallableError,
    DataFlowNotTupleError,
    DataFlowRunItemError,
    DispatchError,
)
from asflow.dataflow._members import Member
from asflow.dataflow._optional import optional
from asflow.dataflow._tree import Definition, Group, Stage, stage
from asflow.dataflow._wiring import ArgsVisibility

__all__ = [
    "ArgsMapperArgsError",
    "ArgsMapperError",
    "ArgsMapperInputKeyError",
    "ArgsMapperOutputKeyError",
    "ArgsVisibility",
    "DataFlow",
    "DataFlowDefinitionError",
    "DataFlowEmptyError",
    "DataFlowError",
    "DataFlowException",
    "DataFlowFunctionArgsError",
    "DataFlowFunctionResultError",
    "DataFlowMergeResultError",
    "DataFlowNotCallableError",
    "DataFlowNotTupleError",
    "DataFlowRunItemError",
    "Definition",
    "DispatchError",
    "Dispatcher",
    "Group",
    "Member",
    "Stage",
    "amapper",
    "fdispatch",
    "optional",
    "stage",
]

set_homes(
    __name__,
    (
        ArgsMapperArgsError,
        ArgsMapperError,
        ArgsMapperInputKeyError,
        ArgsMapperOutputKeyError,
        DataFlow,
        DataFlowDefinitionError,
        DataFlowEmptyError,
        DataFlowError,
        DataFlowException,
        DataFlowFunctionArgsError,
        DataFlowFunctionResultError,
        DataFlowMergeResultError,
        DataFlowNotCallableError,
        DataFlowNotTupleError,
        DataFlowRunItemError,
        DispatchError,
        Dispatcher,
        Stage,
        amapper,
        fdispatch,
        optional,
        stage,
    ),
)
