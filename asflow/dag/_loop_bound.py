"""Which plain functions run on the event loop, not in a thread: those that need it for what they do.

A function that starts a task or looks for the running loop fails in a thread. It says what it needs by its
annotation (it returns something to await), or by its code: it names one of asyncio's functions that need a
running loop, or a loop or task group that it closes over. Nothing is called or evaluated to find out.
"""

from __future__ import annotations

import asyncio
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

from asflow._inspect import annotations_of, body_of, layers, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NEED_A_LOOP: Final = frozenset(
    {"all_tasks", "create_task", "current_task", "ensure_future", "gather", "get_event_loop"}
    | {"get_running_loop", "shield", "wrap_future", "as_completed", "Future", "Task"}
)
"""Functions of asyncio that fail where no loop runs."""

_METHODS: Final = frozenset(
    {"call_at", "call_later", "call_soon", "create_future", "create_task", "run_in_executor"}
)
"""Methods of a loop or a task group that only the loop's own thread may call."""

_BRING_A_LOOP: Final = frozenset(
    {"Runner", "new_event_loop", "run", "run_coroutine_threadsafe", "run_until_complete"}
)
"""What fails where a loop runs, or belongs into another thread: such a function needs a thread."""

_AWAITABLE: Final = frozenset({"Awaitable", "Coroutine", "CoroutineType", "asyncio.Future", "asyncio.Task"})


def needs_loop(function: object) -> bool:
    """Return whether the plain *function* is to be called on the loop."""
    for layer in layers(function):
        if _is_of_a_loop(getattr(layer, "__self__", None)) or _declares_awaitable(layer):
            return True
    return _uses_loop(body_of(function)) or _uses_loop(unwrapped(body_of(function)))


def _is_of_a_loop(value: object) -> bool:
    return isinstance(value, (asyncio.AbstractEventLoop, asyncio.TaskGroup))


def _declares_awaitable(function: object) -> bool:
    """Return whether the annotation of the result is a class of awaitables, as far as it can be looked up."""
    returned: Any = annotations_of(function).get("return")
    text = getattr(returned, "__forward_arg__", returned)
    if not isinstance(text, str):
        return _is_awaitable_class(getattr(returned, "__origin__", returned))
    dotted = text.partition("[")[0].strip()
    first, *rest = dotted.split(".")
    found: object = cast("Mapping[str, object]", getattr(function, "__globals__", {})).get(first)
    for name in rest:
        found = getattr(found, name, None) if isinstance(found, (ModuleType, type)) else None
    if found is not None:
        return _is_awaitable_class(found)
    # A name that only checkers see.
    return dotted in _AWAITABLE or dotted.rpartition(".")[2] in {"Awaitable", "Coroutine", "CoroutineType"}


def _is_awaitable_class(kind: object) -> bool:
    origin: object = getattr(kind, "__origin__", kind)  # of typing.Awaitable, without its argument
    return isinstance(origin, type) and hasattr(origin, "__await__")


def _uses_loop(function: object) -> bool:
    if _is_asyncios(function, _NEED_A_LOOP):
        return True
    if not isinstance(function, FunctionType):
        return False
    attributes = frozenset(function.__code__.co_names)
    uses = False
    for value in _named_in(function, function.__code__):
        if _is_asyncio(value):
            if attributes & _BRING_A_LOOP:
                return False
            uses = uses or bool(attributes & _NEED_A_LOOP)
        elif _is_asyncios(value, _BRING_A_LOOP):
            return False
        elif _is_asyncios(value, _NEED_A_LOOP) or (_is_of_a_loop(value) and attributes & _METHODS):
            uses = True
    return uses


def _named_in(function: FunctionType, code: CodeType) -> Iterator[object]:
    """Yield the globals and closed-over values that the code of *function* names."""
    for name in code.co_names:
        if name in function.__globals__:
            yield function.__globals__[name]
        elif name == "asyncio":  # imported in the function
            yield asyncio
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _is_asyncio(value: object) -> bool:
    return isinstance(value, ModuleType) and value.__name__.partition(".")[0] == "asyncio"


def _is_asyncios(value: object, names: frozenset[str]) -> bool:
    """Return whether *value* is one of asyncio's functions or classes called *names*."""
    name = getattr(value, "__name__", None)
    return name in names and getattr(sys.modules["asyncio"], cast("str", name), None) is value
