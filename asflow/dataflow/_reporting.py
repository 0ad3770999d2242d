"""How a data flow shows: a call as a flow, its members as tasks of that flow.

Everything that a data flow tells a progress sink goes through here, and through the public `@flow` and
`@flow.task`, so that it looks like any other pipeline. Members that are tasks already show themselves.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import TYPE_CHECKING, assert_never, cast

from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition
from asflow.dataflow._execution import call_function
from asflow.dataflow._signatures import MAPPED
from asflow.dataflow._tree import Function, Node, Parallel, Serial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asflow._flow import Flow

__all__ = ["shown", "shown_call"]


def shown_call(
    call: Callable[[dict[str, object]], Awaitable[dict[str, object]]], name: str, flow: Flow
) -> Callable[..., Awaitable[dict[str, object]]]:
    """Return *call* as a flow called *name*, whose keywords are the call's arguments."""

    async def dataflow(**arguments: object) -> dict[str, object]:
        return await call(arguments)

    _name(dataflow, name)
    return flow(dataflow)


def shown(node: Node, flow: Flow) -> Node:
    """Return *node* with each member as a task of *flow*, to be run in the place of *node*."""
    match node:
        case Function():
            return node if _shows_itself(node.call) else _as_task(node, flow)
        case Serial():
            return Serial(tuple(shown(step, flow) for step in node.steps))
        case Parallel():
            return Parallel(tuple(shown(member, flow) for member in node.members))
        case _:
            assert_never(node)


def _as_task(function: Function, flow: Flow) -> Function:
    async def member(**arguments: object) -> object:
        return await call_function(function, arguments)

    # No limit: neighbours may wait for each other, and so may concurrent calls.
    _name(member, function.name)
    return dataclasses.replace(function, call=flow.task(limit=0)(member), on_loop=True)


def _name(function: Callable[..., object], name: str) -> None:
    function.__name__ = function.__qualname__ = name


def _shows_itself(func: object) -> bool:
    """Tell whether *func*, or what a partial, a method or `amapper` has in it, is a task already."""
    while True:
        if attached(func, TaskDefinition) is not None:
            return True
        if isinstance(func, functools.partial):
            func = cast("functools.partial[object]", func).func
        elif inspect.ismethod(func):
            func = func.__func__
        elif MAPPED in getattr(func, "__dict__", ()):
            func = getattr(func, MAPPED)
        else:
            method = getattr(type(func), "__call__", None)  # noqa: B004 - a callable object's own task
            return attached(method, TaskDefinition) is not None
