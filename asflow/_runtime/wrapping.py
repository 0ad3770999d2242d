"""The wrappers that replace a decorated function: which calls take a shortcut, and which go to the driver.

These calls don't go through `step`: of a task without options (nothing to decide, only a limit, a run and
counts); of one with policies about what the body raises, if it returns (`step` decides "returned: completed"
once, at decoration; what it raises enters the driver as that of attempt 1); and those whose output exists
(`step` decides "started, then found" once, too; if a sink wants the calls, the driver takes them).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from asflow._runtime import quick
from asflow._runtime.leaving import leaving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Literal

    from asflow._engine.lifecycle import State
    from asflow._runtime.spec import TaskSpec

R = TypeVar("R")


def wrap_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the coroutine function that replaces the async *body*."""
    _prepare(spec, "async")
    if spec.limits is not None or spec.limit.machine is not None:
        return _driven_async(spec, body)
    begun = _begun_state(spec)
    if begun is not None or _has_no_options(spec):
        return quick.quick_async(spec, body, begun)
    if spec.output is not None and found_is_cached(spec):
        from asflow._runtime.found import found_async

        return found_async(spec, spec.output, body)
    from asflow._runtime.drive_async import run_async

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            return await run_async(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def wrap_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    """Return the function that replaces the sync *body*."""
    _prepare(spec, "sync")
    if spec.limits is not None or spec.limit.machine is not None:
        return _driven_sync(spec, body)
    begun = _begun_state(spec)
    if begun is not None or _has_no_options(spec):
        return quick.quick_sync(spec, body, begun)
    if spec.output is not None and found_is_cached(spec):
        from asflow._runtime.found import found_sync

        return found_sync(spec, spec.output, body)
    from asflow._runtime.drive_sync import run_sync

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            return run_sync(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _prepare(spec: TaskSpec, kind: Literal["sync", "async"]) -> None:
    """Import now what a call may need when no more files can be opened, which an import does."""
    is_plain = _has_no_options(spec)
    if not is_plain or spec.limits is not None or spec.limit.slots is not None:
        import_module("asflow._runtime.deadlocks")  # for a call that waits: for a slot, or for an output
    if not is_plain:
        import_module(f"asflow._runtime.drive_{kind}")  # for a body that raises
        import_module("asflow._runtime.report")
    if spec.policy.retry:
        import_module("random")  # for the delay


def _driven_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the wrapper of a task whose limit depends on the call, or on other processes."""
    from asflow._runtime.drive_async import run_async

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            return await run_async(spec.for_call(args, kwargs), body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _driven_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    from asflow._runtime.drive_sync import run_sync

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            return run_sync(spec.for_call(args, kwargs), body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _has_no_options(spec: TaskSpec) -> bool:
    """Whether a call is only: acquire a slot, call the body, release the slot, return the body's value."""
    policy = spec.policy
    return not (policy.persistent or policy.skip or policy.suppress or policy.retry or spec.timeout)


def found_is_cached(spec: TaskSpec) -> bool:
    """Whether `step` ends a call at once if its output exists."""
    from asflow._engine import vocabulary as words
    from asflow._engine.lifecycle import NEW, step

    assert spec.output is not None
    if spec.output.store.blocking:
        return False
    state, action = step(spec.policy, NEW, words.Started())
    if not isinstance(action, words.Look):
        return False
    state, action = step(spec.policy, state, words.Found())
    if isinstance(action, words.Recall):
        action = step(spec.policy, state, words.Recalled())[1]
    return action == words.Finish("cached")


def _begun_state(spec: TaskSpec) -> State | None:
    """Return the engine's state while the body runs for the first time, if its return ends the call.

    None if the engine would have more to do then, or if no policy says anything about what the body raises.
    """
    if _has_no_options(spec) or spec.policy.persistent or spec.timeout:
        return None
    from asflow._engine import vocabulary as words
    from asflow._engine.lifecycle import NEW, step

    state, action = step(spec.policy, NEW, words.Started())
    if isinstance(action, words.Acquire):
        state, action = step(spec.policy, state, words.Acquired())
    if action != words.Call(1):
        return None
    after, action = step(spec.policy, state, words.Returned())
    if isinstance(action, words.Release):
        action = step(spec.policy, after, words.Done())[1]
    return state if action == words.Finish("completed") else None


_HOMES = (__name__, quick.__name__, "asflow._runtime.found")


def is_wrapper(function: object) -> bool:
    """Whether *function* is what `wrap_async` or `wrap_sync` returned, and nothing around that."""
    home = getattr(function, "__globals__", None)
    return home is not None and home.get("__name__") in _HOMES
