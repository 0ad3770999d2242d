"""The tasks of a module that a command names."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

from asflow._cli.console import UsageError
from asflow._cli.run import imported
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition
from asflow._task.graph import inputs_of_task

if TYPE_CHECKING:
    from collections.abc import Iterator


def tasks_of(target: str) -> tuple[list[TaskDefinition], list[TaskDefinition]]:
    """Import the module of *target* (`package.module` or `package.module:task`) and return its tasks.

    Returns:
        All tasks with what they read, those of other modules included; and those that *target* names.

    Raises:
        UsageError: there is no such module or task, or it has none.
    """
    module_name, _, name = target.partition(":")
    if not module_name or module_name.endswith(".py") or "/" in module_name:
        raise UsageError(f"{target!r} is not a module; name it as Python does, as in package.module")
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    module = imported(module_name)
    found = dict(_found(vars(module), ""))
    if not found:
        raise UsageError(f"{module_name} has no task; decorate a function with @flow.task")
    if name and name not in found:
        known = ", ".join(sorted(found))
        raise UsageError(f"{module_name} has no task {name!r}; choose one of {known}")
    wanted = list({id(each): each for each in ([found[name]] if name else found.values())}.values())
    everything = list({id(each): each for each in found.values()}.values())
    for each in everything:
        for read in inputs_of_task(each):
            maker = None if read.task is None else cast("TaskDefinition", read.task.definition)
            if maker is not None and all(maker is not one for one in everything):
                everything.append(maker)
    return everything, wanted


def _found(names: object, start: str) -> Iterator[tuple[str, TaskDefinition]]:
    """Yield the tasks among *names*, and those in the classes among them, with their dotted names."""
    for name, value in list(cast("dict[str, object]", names).items()):
        function = getattr(value, "__func__", value)  # of a staticmethod or a classmethod
        found = attached(function, TaskDefinition)
        if found is not None:
            yield start + name, found[0]
        elif isinstance(value, type) and not start:
            yield from _found(vars(value), f"{name}.")
