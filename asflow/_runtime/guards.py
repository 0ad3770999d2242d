"""Outcomes of a sync body that can't be handed on as they are."""

from __future__ import annotations

import inspect
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._runtime.spec import TaskSpec

__all__ = ["contained", "refuse_unstarted"]

P = ParamSpec("P")
R = TypeVar("R")


def contained(name: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call *function* in a thread that a future waits for, and return what it returns.

    Raises:
        RuntimeError: it raised StopIteration. asyncio's futures can't hold one, and on Python 3.11 whoever
            awaits it would wait for ever; an `async def` turns it into this, too.
    """
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError(f"{name} raised StopIteration") from error


def refuse_unstarted(spec: TaskSpec, body: Callable[..., object], value: object) -> None:
    """Refuse what a sync *body* returned if all of its work is still to be done, by whoever awaits it.

    A task without options only hands *value* on, and whoever awaits it gets what the body gives. With
    options, the call would end before the body has begun, with an output that is complete and empty.

    Raises:
        TypeError: *value* is a coroutine, or a generator that *body* itself is.
    """
    kind = type(value)
    if kind is not CoroutineType and kind is not GeneratorType and kind is not AsyncGeneratorType:
        return
    policy = spec.policy
    if not (policy.persistent or policy.skip or policy.suppress or policy.retry):
        return
    if isinstance(value, CoroutineType):
        value.close()
        raise TypeError(
            f"task {spec.name}() returned a coroutine, but it is no `async def`: put functools.wraps on the "
            f"decorator below @flow.task, or annotate the result as Coroutine[...]"
        )
    # Any other generator may be a result: of records to be had later, say.
    code = getattr(value, "gi_code" if kind is GeneratorType else "ag_code")
    if code is getattr(inspect.unwrap(body), "__code__", None):
        raise TypeError(
            f"task {spec.name}() is a generator function below its decorator, and nothing of it has run: a "
            f"task ends when it returns, once; return a list, or write the items with flow.task.write(...)"
        )
