"""The wrappers that replace a decorated function, and the only module with shortcuts.

These calls don't go through `step`: of a task without options (nothing to decide, only a limit, a run and
counts); of one with policies about what the body raises, if it returns (`step` decides "returned: completed"
once, at decoration; what it raises enters the driver as that of attempt 1); and those whose output exists
(`step` decides "started, then found" once, too; if a sink wants the calls, the driver takes them).
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeVar, cast

from asflow._engine import vocabulary as words
from asflow._engine.lifecycle import NEW, step
from asflow._runtime import observing
from asflow._runtime.admission import acquire, acquire_blocking, acquired_at_once, drop, release
from asflow._runtime.drive_async import run_async
from asflow._runtime.drive_sync import run_sync
from asflow._runtime.leaving import leaving
from asflow._runtime.observing import FREE_THREADED, count, count_body, count_queued
from asflow._runtime.runs import (
    FlowCall,
    TaskCall,
    call_ids,
    current,
    leave,
    pinned,
    reports_calls,
    reports_found,
)
from asflow._runtime.threads import UNSTARTED, refuse_unstarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from asflow._engine.lifecycle import State
    from asflow._runtime.slots import Slot
    from asflow._runtime.spec import Locate, Outputs, TaskSpec
    from asflow.events import Outcome, Tally

R = TypeVar("R")

# Bound once, which saves 25 ns per call of a method; a bare call of a task makes five.
# `**kwargs` builds another dict, 15 ns even if it is empty: hence each `if kwargs` below.
_get_run, _set_run, _reset_run = current.get, current.set, current.reset


def wrap_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the coroutine function that replaces the async *body*."""
    if spec.limits is not None:
        return _keyed_async(spec, body)
    begun = _begun_state(spec)
    if begun is not None or _has_no_options(spec):
        return _quick_async(spec, body, begun)
    if spec.output is not None and _found_is_cached(spec):
        wrap = _dated_async if spec.output.ages else _saved_async if spec.policy.saved else _kept_async
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
    begun = _begun_state(spec)
    if begun is not None or _has_no_options(spec):
        return _quick_sync(spec, body, begun)
    if spec.output is not None and _found_is_cached(spec):
        wrap = _dated_sync if spec.output.ages else _saved_sync if spec.policy.saved else _kept_sync
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


def _has_no_options(spec: TaskSpec) -> bool:
    """Whether a call is only: acquire a slot, call the body, release the slot, return the body's value."""
    policy = spec.policy
    return not (policy.persistent or policy.skip or policy.suppress or policy.retry or spec.timeout)


def _found_is_cached(spec: TaskSpec) -> bool:
    """Whether `step` ends a call at once if its output exists."""
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


# ------------------------------------------------------------------ no options


class _Running(TaskCall):
    """A call whose body runs on a slot from the start. It is created empty; the call sets its attributes."""

    if TYPE_CHECKING:

        def __init__(self) -> None: ...

    else:
        __init__ = object.__init__  # a Python function would cost 60 ns per call

    __slots__ = ()


def _begun_state(spec: TaskSpec) -> State | None:
    """Return the engine's state while the body runs for the first time, if its return ends the call.

    None if the engine would have more to do then, or if no policy says anything about what the body raises.
    """
    if _has_no_options(spec) or spec.policy.persistent or spec.timeout:
        return None
    state, action = step(spec.policy, NEW, words.Started())
    if isinstance(action, words.Acquire):
        state, action = step(spec.policy, state, words.Acquired())
    if action != words.Call(1):
        return None
    after, action = step(spec.policy, state, words.Returned())
    if isinstance(action, words.Release):
        action = step(spec.policy, after, words.Done())[1]
    return state if action == words.Finish("completed") else None


def _quick_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]], begun: State | None
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the wrapper of a task whose call is over when its body returns; *begun*: see `_begun_state`."""
    slots = spec.limit.slots
    if slots is None or slots.is_shared:

        async def task(*args: object, **kwargs: object) -> R | None:
            try:
                return await _counted_async(spec, body, args, kwargs, begun)
            except BaseException as error:
                leaving(error, spec, args, kwargs)
                raise

        return task

    reporter, paced, name = spec.reporter, spec.limit.starts, spec.name
    waiters, take, put = slots.waiters, slots.free.pop, slots.free.append

    async def quick_task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            tally: Tally | None = None
            reported = False
            if parent is None:
                if reporter.outside or paced.delays:
                    return await _counted_async(spec, body, args, kwargs, begun)
            elif (
                not isinstance(parent, FlowCall)
                or parent.parent is not None  # an enclosing body may lend its slot
                or paced.delays
                or FREE_THREADED
            ):
                return await _counted_async(spec, body, args, kwargs, begun)
            else:
                reported = parent.reporter.inside
                if reported and waiters:
                    return await _counted_async(spec, body, args, kwargs, begun)
                if not reported:
                    try:
                        tally = parent.tallies[name]
                    except KeyError:
                        tally = parent.tally(name)
                    tally.queued += 1
            # What follows is `acquire`, the body, `release` and the counts, written out for speed (hence the
            # longest function here).
            slot: Slot | None = None
            run = _Running()
            run.spec = spec
            run.args = args
            run.kwargs = kwargs
            run.slot = None
            token = failure = value = None
            began = 0.0
            try:
                if reported:
                    run.parent = run.flow = parent
                    run.output = run._label = None  # pyright: ignore[reportPrivateUsage]
                    run._call_id = next(call_ids)  # pyright: ignore[reportPrivateUsage]
                    run.borrowed = ()
                    observing.queued(run)
                try:
                    run.slot = slot = await slots.acquire() if waiters else take()
                except IndexError:
                    if reported:  # which reports a long wait
                        await acquire(spec.limit, run)
                        slot = run.slot
                    else:
                        run.slot = slot = await slots.acquire()
                if tally is not None:
                    run.parent = run.flow = parent
                    run.started = began = monotonic()
                    tally.active[run] = run
                token = _set_run(run)
                if reported:
                    observing.started(run, 1)
                value = await (body(*args, **kwargs) if kwargs else body(*args))
                if reported:
                    observing.body_ended(run)
            except BaseException as error:
                if slot is None or token is None or begun is None or not isinstance(error, Exception):
                    if isinstance(error, GeneratorExit):
                        run.slot = slot = None  # see `Slot`
                    if tally is not None or reported:
                        slot = None  # released there
                        _ended(tally, run, _how(error), error, reported=reported)
                    raise
                slot = None  # the driver releases it
                leave(token)
                token = None
                failure = error
            finally:
                if slot is not None:
                    run.slot = None
                    if not (slots.lent or slots.debts):
                        put(slot)
                        if waiters:
                            slots.grant()
                    else:
                        slots.release(slot)
                    slot = None  # a traceback may hold this frame, and must not hold the slot
                if token is not None:
                    try:  # noqa: SIM105 - as in `leave`, without the call
                        _reset_run(token)
                    except ValueError:
                        pass
            if failure is not None and begun is not None:
                try:
                    return await run_async(spec, body, args, kwargs, (run, begun, failure))
                finally:
                    failure = None
            if reported:
                observing.finished(run, "completed", None)
            elif tally is not None:
                seconds = monotonic() - began
                tally.active.pop(run, None)
                tally.seconds += seconds
                if seconds > tally.slowest:
                    tally.slowest = seconds
                tally.completed += 1
            return value
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return quick_task


def _quick_sync(spec: TaskSpec, body: Callable[..., R], begun: State | None) -> Callable[..., R | None]:
    """Do as `_quick_async` for a sync *body*."""
    slots = spec.limit.slots
    if slots is None or slots.is_shared:

        def task(*args: object, **kwargs: object) -> R | None:
            try:
                return _counted_sync(spec, body, args, kwargs, begun)
            except BaseException as error:
                leaving(error, spec, args, kwargs)
                raise

        return task

    reporter, paced, name = spec.reporter, spec.limit.starts, spec.name
    waiters, take, put = slots.waiters, slots.free.pop, slots.free.append

    def quick_task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            tally: Tally | None = None
            if waiters or paced.delays or (parent is None and reporter.outside):
                return _counted_sync(spec, body, args, kwargs, begun)
            if parent is not None:
                if (
                    not isinstance(parent, FlowCall)
                    or parent.parent is not None
                    or parent.reporter.inside
                    or FREE_THREADED
                ):
                    return _counted_sync(spec, body, args, kwargs, begun)
                try:
                    tally = parent.tallies[name]
                except KeyError:
                    tally = parent.tally(name)
            # Ctrl-C may come after any call: a slot on the stack is dropped, which returns it; one in `slot`
            # is released, and nothing is called between `run.slot = None` and `put`.
            run = _Running()
            run.spec = spec
            run.args = args
            run.kwargs = kwargs
            slot: Slot | None = None
            failure = value = None
            began = 0.0
            returned = False
            try:
                try:
                    slot = take()
                except IndexError:
                    return _counted_sync(spec, body, args, kwargs, begun)
                run.slot = slot
                if tally is not None:
                    tally.queued += 1
                    run.parent = run.flow = parent
                    run.started = began = monotonic()
                    tally.active[run] = run
                _set_run(run)
                value = body(*args, **kwargs) if kwargs else body(*args)
                returned = True
                if begun is not None and type(value) in UNSTARTED:
                    refuse_unstarted(spec, body, value)
            except BaseException as error:
                if slot is None or begun is None or returned or not isinstance(error, Exception):
                    if tally is not None and slot is not None:
                        slot = None  # released there
                        _ended(tally, run, _how(error), error)
                    raise
                failure = error  # the driver releases the slot
            finally:
                try:
                    if slot is not None and failure is None:
                        run.slot = None
                        if not (slots.lent or slots.debts):
                            put(slot)
                            if waiters:
                                slots.grant()
                        elif slot not in slots.lent:
                            slots.put(slot)
                        slot = None  # a traceback may hold this frame, and must not hold the slot
                finally:
                    try:
                        _set_run(parent)
                    except BaseException:
                        slot = None
                        release(run)
                        raise
            if failure is not None and begun is not None:
                try:
                    return run_sync(spec, body, args, kwargs, (run, begun, failure))
                finally:
                    failure = slot = None
                    if run.slot is not None:  # Ctrl-C before the driver had it
                        release(run)
            if tally is not None:
                seconds = monotonic() - began
                tally.active.pop(run, None)
                tally.seconds += seconds
                if seconds > tally.slowest:
                    tally.slowest = seconds
                tally.completed += 1
            return value
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return quick_task


async def _counted_async(
    spec: TaskSpec,
    body: Callable[..., Awaitable[R]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: State | None,
) -> R | None:
    parent = _get_run()
    reported = reports_calls(spec, parent)
    if begun is not None and spec.limit.paced:
        return await run_async(spec, body, args, kwargs)
    run = _made(spec, args, kwargs, parent)
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
        _ended(tally, run, _how(error), error, reported=reported)
        raise
    if failure is not None and begun is not None:
        try:
            return await run_async(spec, body, args, kwargs, (run, begun, failure))
        finally:
            failure = None
    _ended(tally, run, "completed", reported=reported)
    return value


def _counted_sync(
    spec: TaskSpec,
    body: Callable[..., R],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: State | None,
) -> R | None:
    parent = _get_run()
    reported = reports_calls(spec, parent)
    if begun is not None and spec.limit.paced:
        return run_sync(spec, body, args, kwargs)
    run = _made(spec, args, kwargs, parent)
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
            _ended(tally, run, "completed", reported=reported)
            return value
        assert begun is not None
        return run_sync(spec, body, args, kwargs, (run, begun, failure))
    except BaseException as error:
        if failure is None:
            _ended(tally, run, _how(error), error, reported=reported)
        raise
    finally:
        failure = None
        if run.slot is not None:  # Ctrl-C in `_ended`, or before the driver had it
            release(run)


def _how(error: BaseException) -> Outcome:
    return "failed" if isinstance(error, Exception) else "cancelled"


def _queued(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> Tally | None:
    flow = None if parent is None else parent.flow
    if flow is None:
        return None
    tally = flow.tally(spec.name)
    count_queued(tally)
    return tally


def _made(
    spec: TaskSpec,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    parent: TaskCall | FlowCall | None,
) -> _Running:
    run = _Running()
    run.spec, run.args, run.kwargs, run.parent = spec, args, kwargs, parent
    run.flow = None if parent is None else parent.flow
    run.slot = run.output = run._label = None  # pyright: ignore[reportPrivateUsage]
    run._call_id = 0  # pyright: ignore[reportPrivateUsage]
    run.borrowed = ()
    return run


def _begin(run: _Running, tally: Tally | None) -> None:
    if tally is not None:
        run.started = monotonic()
        tally.active[run] = run


def _ended(
    tally: Tally | None,
    run: _Running,
    outcome: Outcome,
    error: BaseException | None = None,
    *,
    reported: bool = False,
) -> None:
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


# ------------------------------------------------------------------ outputs that exist


def _kept_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    reporter, locate, is_complete = spec.reporter, output.locate, _look_of(output)
    is_relative = output.is_relative

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            if reporter.outside or _get_run() is not None:
                if _is_cached(spec, locate, is_relative, is_complete, args, kwargs):
                    return None
            elif is_complete(locate(*args, **kwargs) if kwargs else locate(*args)):
                return None  # no sink to notify, nothing to count
            return await run_async(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _kept_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    reporter, locate, is_complete = spec.reporter, output.locate, _look_of(output)
    is_relative = output.is_relative

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            if reporter.outside or _get_run() is not None:
                if _is_cached(spec, locate, is_relative, is_complete, args, kwargs):
                    return None
            elif is_complete(locate(*args, **kwargs) if kwargs else locate(*args)):
                return None
            return run_sync(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _saved_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    async def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            if not (reporter.swapped or reports_found(spec, parent)):
                name = locate(*args, **kwargs) if kwargs else locate(*args)
                value = recall_small(pinned(name, parent) if is_relative else name)
                if value is not ...:
                    _count_cached(spec, parent)
                    return cast("R", value)
            return await run_async(spec, body, args, kwargs)
        except BaseException as error:
            leaving(error, spec, args, kwargs)
            raise

    return task


def _saved_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    def task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            if not (reporter.swapped or reports_found(spec, parent)):
                name = locate(*args, **kwargs) if kwargs else locate(*args)
                value = recall_small(pinned(name, parent) if is_relative else name)
                if value is not ...:
                    _count_cached(spec, parent)
                    return cast("R", value)
            return run_sync(spec, body, args, kwargs)
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
    if value is not ...:
        _count_cached(spec, parent)
    return value


def _look_of(output: Outputs) -> Callable[[str], bool]:
    """Return a check whether an output exists: the store's own shortcut, or its `status`."""
    store, failure_of = output.store, output.failure_of
    short_cut = cast("Callable[[str], bool] | None", getattr(store, "is_complete", None))

    def is_complete(name: str) -> bool:
        try:
            return store.status(name, failure_of(name)) == "complete"
        except Exception:  # noqa: BLE001 - the driver looks again, and reports it
            return False

    return is_complete if short_cut is None else short_cut


def _is_cached(
    spec: TaskSpec,
    locate: Locate,
    is_relative: bool,
    is_complete: Callable[[str], bool],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> bool:
    """Whether the output exists and the sink does not want the call; then count it in its flow."""
    parent = _get_run()
    flow = None if parent is None else parent.flow
    reporter = spec.reporter
    if reporter.swapped or (reporter.finds_outside if flow is None else flow.reporter.finds_inside):
        return False
    name = locate(*args, **kwargs)
    if flow is not None and is_relative:  # as `pinned`
        name = flow.folder + name
    if not is_complete(name):
        return False
    if flow is not None:
        _count_cached(spec, flow)
    return True


def _count_cached(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> None:
    if parent is not None and parent.flow is not None:
        tally = parent.flow.tally(spec.name)
        count_queued(tally)
        count(None, tally, "cached", None)
