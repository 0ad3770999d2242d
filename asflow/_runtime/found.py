"""The shortcuts of calls whose output exists, so that there is nothing to do: see `wrapping`."""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Final, TypeVar, cast

from asflow._runtime.current import current, pinned, reports_calls, reports_found
from asflow._runtime.drive_async import run_async
from asflow._runtime.drive_sync import run_sync
from asflow._runtime.leaving import leaving
from asflow._runtime.looking import ABSENT
from asflow._runtime.observing import count, count_queued

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.spec import Locate, Outputs, TaskSpec

R = TypeVar("R")

_get_run = current.get

_MISSING: Final = object()
"""The first argument of a call without positional ones.

A single argument is passed on as it is: to pack it and to unpack it again takes 3 % of a skip.
"""


def found_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the wrapper of an async task whose call is over if its *output* exists."""
    wrap = _dated_async if output.ages else _saved_async if spec.policy.saved else _kept_async
    return wrap(spec, output, body)


def found_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    """Do as `found_async` for a sync *body*."""
    wrap = _dated_sync if output.ages else _saved_sync if spec.policy.saved else _kept_sync
    return wrap(spec, output, body)


def absent_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return what calls an async task whose output was looked for a moment ago, and is not there."""

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            return await run_async(spec, body, args, kwargs, absent=True)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _given(first: object, args: tuple[object, ...]) -> tuple[object, ...]:
    """Return the positional arguments of a call."""
    return args if first is _MISSING else (first, *args)


def _kept_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    reporter, locate, look = spec.reporter, output.locate, look_of(output)
    is_relative = output.is_relative

    async def task(first: object = _MISSING, /, *args: object, **kwargs: object) -> R | None:
        try:
            if reporter.outside or _get_run() is not None:
                found = _is_cached(spec, locate, is_relative, look, _given(first, args), kwargs)
            elif args or kwargs or first is _MISSING:
                found = look(locate(*_given(first, args), **kwargs))
            else:  # no sink to notify, nothing to count
                found = look(locate(first))
            if found:
                return None
            return await run_async(spec, body, _given(first, args), kwargs, absent=found is None)
        except BaseException as error:
            leaving(error, spec, _given(first, args), kwargs)
            raise

    return task


def _kept_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    reporter, locate, look = spec.reporter, output.locate, look_of(output)
    is_relative = output.is_relative

    def task(first: object = _MISSING, /, *args: object, **kwargs: object) -> R | None:
        try:
            if reporter.outside or _get_run() is not None:
                found = _is_cached(spec, locate, is_relative, look, _given(first, args), kwargs)
            elif args or kwargs or first is _MISSING:
                found = look(locate(*_given(first, args), **kwargs))
            else:
                found = look(locate(first))
            if found:
                return None
            return run_sync(spec, body, _given(first, args), kwargs, absent=found is None)
        except BaseException as error:
            leaving(error, spec, _given(first, args), kwargs)
            raise

    return task


def _saved_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent, value = _get_run(), cast("object", ...)
            if not (reporter.swapped or reports_found(spec, parent)):
                name = locate(*args, **kwargs) if kwargs else locate(*args)
                value = recall_small(pinned(name, parent) if is_relative else name)
                if value is not ... and value is not ABSENT:
                    _count_cached(spec, parent)
                    return cast("R", value)
            return await run_async(spec, body, args, kwargs, absent=value is ABSENT)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _saved_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent, value = _get_run(), cast("object", ...)
            if not (reporter.swapped or reports_found(spec, parent)):
                name = locate(*args, **kwargs) if kwargs else locate(*args)
                value = recall_small(pinned(name, parent) if is_relative else name)
                if value is not ... and value is not ABSENT:
                    _count_cached(spec, parent)
                    return cast("R", value)
            return run_sync(spec, body, args, kwargs, absent=value is ABSENT)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _dated_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            if not reports_calls(spec, parent):
                value = _fresh_value(spec, output, parent, args, kwargs)
                if value is not ...:
                    return cast("R", value)
            return await run_async(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _dated_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            if not reports_calls(spec, parent):
                value = _fresh_value(spec, output, parent, args, kwargs)
                if value is not ...:
                    return cast("R", value)
            return run_sync(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _fresh_value(
    spec: TaskSpec,
    output: Outputs,
    parent: TaskCall | FlowCall | None,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> object:
    """Return what a call returns whose output exists and is up to date, and count it; `...` if not."""
    name = output.locate(*args, **kwargs)
    if output.is_relative:
        name = pinned(name, parent)
    if not output.is_fresh(name, args, kwargs):
        return ...
    value = output.recall_small(name) if spec.policy.saved else None
    if value is ABSENT:  # removed since
        return ...
    if value is not ...:
        _count_cached(spec, parent)
    return value


def look_of(output: Outputs) -> Callable[[str], bool | None]:
    """Return a check whether an output exists: the store's own shortcut, or its `status`.

    It returns None if the output is certainly absent, and False if only the driver can know.
    """
    store, failure_of = output.store, output.failure_of
    # Not inherited: a subclass may look in a way of its own.
    own = cast("Callable[[object, str], bool | None] | None", vars(type(store)).get("_asflow_look"))
    if own is not None:
        return MethodType(own, store)
    short_cut = cast("Callable[[str], bool] | None", getattr(store, "is_complete", None))

    def look(name: str) -> bool:
        try:
            return store.status(name, failure_of(name)) == "complete"
        except Exception:  # noqa: BLE001 - the driver looks again, and reports it
            return False

    return look if short_cut is None else short_cut


def _is_cached(
    spec: TaskSpec,
    locate: Locate,
    is_relative: bool,
    look: Callable[[str], bool | None],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> bool | None:
    """Whether the output exists and the sink does not want the call; then count it in its flow.

    None and False as in `look_of`; False also if the sink wants the call.
    """
    parent = _get_run()
    flow = None if parent is None else parent.flow
    reporter = spec.reporter
    if reporter.swapped or (reporter.finds_outside if flow is None else flow.reporter.finds_inside):
        return False
    name = locate(*args, **kwargs)
    if flow is not None and is_relative:  # as `pinned`
        name = flow.folder + name
    found = look(name)
    if found and flow is not None:
        _count_cached(spec, flow)
    return found


def _count_cached(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> None:
    if parent is not None and parent.flow is not None:
        tally = parent.flow.tally(spec.name)
        count_queued(tally)
        count(None, tally, "cached", None)
