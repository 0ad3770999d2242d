"""The function that replaces a decorated one: one of the shortcuts, or the driver.

Three kinds of calls don't go through `step`. In `quick.py`: those of a task without options (nothing to
decide, only a limit, a run and counts), and of one with policies about what the body raises, if it returns
(`step` decides "returned: completed" once, at decoration; what it raises enters the driver as that of attempt
1). In `found.py`: those whose output exists (`step` decides "started, then found" once, too; if a sink wants
the calls, the driver takes them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asflow._runtime.drive_async import run_async
from asflow._runtime.drive_sync import run_sync
from asflow._runtime.found import (
    dated_async,
    dated_sync,
    found_is_cached,
    kept_async,
    kept_sync,
    saved_async,
    saved_sync,
)
from asflow._runtime.leaving import leaving
from asflow._runtime.quick import begun_state, has_no_options, quick_async, quick_sync

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from asflow._runtime.spec import TaskSpec

R = TypeVar("R")


def wrap_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the coroutine function that replaces the async *body*."""
    if spec.limits is not None:
        return _keyed_async(spec, body)
    begun = begun_state(spec)
    if begun is not None or has_no_options(spec):
        return quick_async(spec, body, begun)
    if spec.output is not None and found_is_cached(spec):
        wrap = dated_async if spec.output.ages else saved_async if spec.policy.saved else kept_async
        return wrap(spec, spec.output, body)

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            return await run_async(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def wrap_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    """Return the function that replaces the sync *body*."""
    if spec.limits is not None:
        return _keyed_sync(spec, body)
    begun = begun_state(spec)
    if begun is not None or has_no_options(spec):
        return quick_sync(spec, body, begun)
    if spec.output is not None and found_is_cached(spec):
        wrap = dated_sync if spec.output.ages else saved_sync if spec.policy.saved else kept_sync
        return wrap(spec, spec.output, body)

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            return run_sync(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _keyed_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the wrapper of a task whose limit depends on the call."""

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            return await run_async(spec.for_call(args, kwargs), body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _keyed_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    def task(*args: object, **kwargs: object) -> R | None:
        try:
            return run_sync(spec.for_call(args, kwargs), body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task
