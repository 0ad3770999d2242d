"""Looks inside decorated tasks."""

from __future__ import annotations

from asflow._runtime.limits import Limit
from asflow._runtime.slots import Slots
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition

__all__ = ["limit_of", "slots_of"]


def limit_of(task: object) -> Limit:
    """Return the limit of a decorated function."""
    found = attached(task, TaskDefinition)
    assert found is not None
    return found[0].spec.limit


def slots_of(task: object) -> Slots:
    """Return the slots of a decorated function's limit."""
    slots = limit_of(task).slots
    assert slots is not None
    return slots
