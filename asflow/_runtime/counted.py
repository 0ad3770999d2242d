"""The same calls as in `quick`, step by step: where the shortcut does not apply, and how its failures end."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from asflow._runtime import observing
from asflow._runtime.admission import acquire, acquire_blocking, acquired_at_once, drop, release
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current, leave, reports_calls
from asflow._runtime.observing import count, count_body, count_queued
from asflow._runtime.threads import refuse_unstarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from asflow._engine.lifecycle import State
    from asflow._runtime.calls import FlowCall
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Outcome, Tally

R = TypeVar("R")

_get_run, _set_run = current.get, current.set


async def counted_async(
    spec: TaskSpec,
    body: Callable[..., Awaitable[R]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: State | None,
) -> R | None:
    """Call *body* under the limit of *spec*, and count or report it; *begun* as in `quick_async`."""
    parent = _get_run()
    reported = reports_calls(spec, parent)
    if begun is not None and spec.limit.paced:
        from asflow._runtime.drive_async import run_async

        return await run_async(spec, body, args, kwargs)
    run = TaskCall(spec, args, kwargs, parent)
    tally = None
    if reported:
        observing.queued(run)
    else:
        tally = _queued(spec, parent)
    failure = value = None
    try:
        if not acquired_at_once(spec.limit, run):
            await acquire(spec.limit, run)
        token = _set_run(run)
        try:
            if reported:
                observing.started(run, 1)
            else:
                _begin(run, tally)
            value = await body(*args, **kwargs)
        except Exception as error:
            if begun is None:
                raise
            failure = error
        finally:
            leave(token)
    except BaseException as error:
        ended(tally, run, how(error), error, reported=reported)
        raise
    if failure is not None and begun is not None:
        try:
            from asflow._runtime.drive_async import run_async

            return await run_async(spec, body, args, kwargs, (run, begun, failure))
        finally:
            failure = None
    ended(tally, run, "completed", reported=reported)
    return value


def counted_sync(
    spec: TaskSpec,
    body: Callable[..., R],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: State | None,
) -> R | None:
    """Do as `counted_async` for a sync *body*."""
    parent = _get_run()
    reported = reports_calls(spec, parent)
    if begun is not None and spec.limit.paced:
        from asflow._runtime.drive_sync import run_sync

        return run_sync(spec, body, args, kwargs)
    run = TaskCall(spec, args, kwargs, parent)
    tally = None
    if reported:
        observing.queued(run)
    else:
        tally = _queued(spec, parent)
    failure = value = None
    returned = False
    try:
        acquire_blocking(spec.limit, run)
        try:
            _set_run(run)
            if reported:
                observing.started(run, 1)
            else:
                _begin(run, tally)
            value = body(*args, **kwargs)
            returned = True
            if begun is not None:
                refuse_unstarted(spec, body, value)
        except Exception as error:
            if begun is None or returned:
                raise
            failure = error  # the driver releases the slot
        finally:
            _set_run(parent)
        if failure is None:
            ended(tally, run, "completed", reported=reported)
            return value
        assert begun is not None
        from asflow._runtime.drive_sync import run_sync

        return run_sync(spec, body, args, kwargs, (run, begun, failure))
    except BaseException as error:
        if failure is None:
            ended(tally, run, how(error), error, reported=reported)
        raise
    finally:
        failure = None
        if run.slot is not None:  # Ctrl-C in `_ended`, or before the driver had it
            release(run)


def how(error: BaseException) -> Outcome:
    """Return how a call ends that *error* leaves."""
    return "failed" if isinstance(error, Exception) else "cancelled"


def _queued(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> Tally | None:
    flow = None if parent is None else parent.flow
    if flow is None:
        return None
    tally = flow.tally(spec.name)
    count_queued(tally)
    return tally


def _begin(run: TaskCall, tally: Tally | None) -> None:
    if tally is not None:
        run.started = monotonic()
        tally.active[run] = run


def ended(
    tally: Tally | None,
    run: TaskCall,
    outcome: Outcome,
    error: BaseException | None = None,
    *,
    reported: bool = False,
) -> None:
    """Release the slot of *run*, and count or report its end."""
    try:
        if reported:
            observing.body_ended(run)
        elif tally is not None:
            count_body(run, tally)
    finally:
        if isinstance(error, GeneratorExit):
            drop(run)
        else:
            release(run)
    if reported:
        observing.finished(run, outcome, error)
    elif tally is not None:
        count(None if run.started is None else run, tally, outcome, error)
