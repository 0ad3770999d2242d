"""Looks inside decorated tasks and running calls."""

from __future__ import annotations

from asflow._runtime.calls import FlowCall, TaskCall
from asflow._runtime.current import current
from asflow._runtime.limiters import Limiter
from asflow._runtime.slots import Slots
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition

__all__ = ["flow_call", "limit_of", "slots_of", "task_call"]


def limit_of(task: object) -> Limiter:
    """Return the limit of a decorated function."""
    found = attached(task, TaskDefinition)
    assert found is not None
    return found[0].spec.limit


def slots_of(task: object) -> Slots:
    """Return the slots of a decorated function's limit."""
    slots = limit_of(task).slots
    assert slots is not None
    return slots


def flow_call() -> FlowCall:
    """Return the call of the flow that runs here."""
    call = current.get()
    assert call is not None
    assert call.flow is not None
    return call.flow


def task_call() -> TaskCall:
    """Return the call of the task that runs here."""
    call = current.get()
    assert isinstance(call, TaskCall)
    return call
