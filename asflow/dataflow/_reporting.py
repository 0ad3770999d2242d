"""How a data flow reports: a call as a flow, its members as tasks of that flow.

Everything that a progress sink receives from a data flow comes from the public `@flow` and `@flow.task`, so
that it looks like any other pipeline. Members that are tasks already report by themselves.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, assert_never

from asflow._inspect import layers
from asflow._markers import Secret
from asflow._runtime.calls import BRIEF
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition
from asflow.dataflow._execution import call_function
from asflow.dataflow._signatures import MAPPED, secrets_of
from asflow.dataflow._tree import Function, Node, Parallel, Serial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asflow._flow import Flow


def as_flow(
    call: Callable[[dict[str, object]], Awaitable[dict[str, object]]], node: Node, name: str, flow: Flow
) -> Callable[..., Awaitable[dict[str, object]]]:
    """Return *call* as a flow called *name*, whose keywords are the call's arguments."""

    async def dataflow(**arguments: object) -> dict[str, object]:
        return await call(arguments)

    _name(dataflow, name)
    _hide(dataflow, _secrets_in(node))
    setattr(dataflow, BRIEF, True)
    return flow(dataflow)


def as_tasks(node: Node, flow: Flow) -> Node:
    """Return *node* with each member as a task of *flow*."""
    match node:
        case Function():
            return node if _is_task(node.call) else _as_task(node, flow)
        case Serial():
            return Serial(tuple(as_tasks(step, flow) for step in node.steps))
        case Parallel():
            return Parallel(tuple(as_tasks(member, flow) for member in node.members))
        case _:
            assert_never(node)


def _as_task(function: Function, flow: Flow) -> Function:
    async def member(**arguments: object) -> object:
        return await call_function(function, arguments)

    # No limit: neighbours may wait for each other, and so may concurrent calls.
    _name(member, function.name)
    _hide(member, secrets_of(function.call))
    return dataclasses.replace(function, call=flow.task(limit=0)(member), on_loop=True)


def _secrets_in(node: Node) -> frozenset[str]:
    """Return the names that are secret for any member: a call may pass them."""
    if isinstance(node, Function):
        return secrets_of(node.call)
    parts = node.steps if isinstance(node, Serial) else node.members
    return frozenset(name for part in parts for name in _secrets_in(part))


def _hide(function: Callable[..., object], secrets: frozenset[str]) -> None:
    """Declare *secrets* as secret keywords of *function*, which takes any: they are shown as `***`."""
    if secrets:
        named = [
            inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Secret[object])
            for each in sorted(secrets)
        ]
        others = inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)
        setattr(function, "__signature__", inspect.Signature([*named, others]))  # noqa: B010 - checkers don't know it


def _name(function: Callable[..., object], name: str) -> None:
    function.__name__ = function.__qualname__ = name


def _is_task(func: object) -> bool:
    """Return whether *func* is a task already, or a partial, a method or an `amapper` of one."""
    for layer in layers(func):
        if attached(layer, TaskDefinition) is not None:
            return True
        if MAPPED in getattr(layer, "__dict__", ()):
            return _is_task(getattr(layer, MAPPED))
    return False
