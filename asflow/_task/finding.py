"""From a decorated function, or a partial of one, to its definition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

from asflow._runtime.wrapping import is_wrapper
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition

Bind = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Returns a function with the arguments that a bound method, or a partial, of a task adds to each call."""


class Mapped(NamedTuple):
    """What `flow.task.map` applies to items.

    Args:
        definition: the task's.
        call: what is called with each item.
        locate: names the output of an item; None if a call does more than the task does, or keeps no output.
        bind: see `Bind`.
    """

    definition: TaskDefinition
    call: Callable[..., Any]
    locate: Callable[..., str] | None
    bind: Bind


def find(task: object) -> tuple[TaskDefinition, Bind] | None:
    """Return the definition of *task*, also through partials; None if it is not a task."""
    if issubclass(type(task), partial):
        given = cast("partial[object]", task)
        if (inner := find(given.func)) is None:
            return None
        definition, bind = inner
        return definition, lambda function: partial(bind(function), *given.args, **given.keywords)
    if (found := attached(task, TaskDefinition)) is None:
        return None
    definition, bound = found
    return definition, lambda function: partial(function, *bound) if bound else function


def tasks_read(reads: object) -> tuple[object, ...]:
    """Return the entries of the option `reads=`, with a `ReadTask` for each task."""
    is_several = isinstance(reads, (list, tuple))
    return tuple(_read(entry) for entry in (cast("tuple[object, ...]", reads) if is_several else (reads,)))


def _read(entry: object) -> object:
    if (found := find(entry)) is None:
        return entry
    from asflow._task.inputs import ReadTask

    definition, bind = found
    spec, marked = definition.spec, definition.spec.marked
    fixed: frozenset[str] = frozenset()
    given: Any = entry
    while issubclass(type(given), partial):
        fixed, given = fixed | given.keywords.keys(), given.func
    left_out: frozenset[str] = frozenset() if marked is None else marked.left_out
    if not definition.keeps_outputs:
        return ReadTask(spec.name, None, spec.name.format, False, None, left_out, fixed, entry, definition)
    plan = definition.plan
    return ReadTask(
        spec.name,
        plan.store,
        bind(plan.locate),
        plan.is_relative,
        plan.namer.pattern,
        left_out,
        fixed,
        entry,
        definition,
    )


def _is_named_at_once(definition: TaskDefinition) -> bool:
    """Whether an output may be named without a call. The `key=` of a sync task belongs in a thread."""
    return definition.keeps_outputs and (definition.is_async or not definition.plan.namer.pattern.keyed)


def find_for_map(task: Callable[..., Any]) -> Mapped | None:
    """Return the definition of a task of one argument, and what to call; None if it is not a task.

    The labels of a partial's calls show what varies. That takes a wrapper of their own, so a partial of
    something around the task (`@flow`, a decorator of the user's) is called as it is.
    """
    if (found := find(task)) is None:
        return None
    definition, bind = found
    function: Any = task
    while issubclass(type(function), partial):
        function = function.func
    wrapper = getattr(function, "__func__", function)
    if not is_wrapper(wrapper):
        return Mapped(definition, task, None, bind)
    locate = bind(definition.plan.locate) if _is_named_at_once(definition) else None
    if function is task:
        return Mapped(definition, task, locate, bind)
    item = object()
    args, kwargs = bind(lambda *args, **kwargs: (args, kwargs))(item)
    index = next(index for index, value in enumerate(args) if value is item)
    quieter = definition.with_labels(index, kwargs.keys())
    return Mapped(quieter, bind(quieter.wrapped()), locate, bind)
