"""The wrappers that replace a decorated function, and the only module with shortcuts.

Two kinds of calls don't go through `step`: a task without options (nothing to decide, only a limit, a run and
counts), and an output that already exists (`step` decides "started, then found" once, at decoration).
If the sink wants every call, the driver takes the call, so that events come from one place.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeVar, cast

from asflow._engine import vocabulary as words
from asflow._engine.lifecycle import NEW, step
from asflow._runtime.admission import acquire, acquire_blocking, drop, release
from asflow._runtime.drive_async import run_async
from asflow._runtime.drive_sync import run_sync
from asflow._runtime.observing import count, count_body
from asflow._runtime.runs import TaskCall, current, leave, pinned, reports_calls, reports_found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from asflow._runtime.runs import FlowCall
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
    if _has_no_options(spec):
        return _bare_async(spec, body)
    if spec.output is not None and _found_is_cached(spec):
        wrap = _dated_async if spec.output.ages else _saved_async if spec.policy.saved else _kept_async
        return wrap(spec, spec.output, body)

    async def task(*args: object, **kwargs: object) -> R | None:
        return await run_async(spec, body, args, kwargs)

    return task


def wrap_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    """Return the function that replaces the sync *body*."""
    if _has_no_options(spec):
        return _bare_sync(spec, body)
    if spec.output is not None and _found_is_cached(spec):
        wrap = _dated_sync if spec.output.ages else _saved_sync if spec.policy.saved else _kept_sync
        return wrap(spec, spec.output, body)

    def task(*args: object, **kwargs: object) -> R | None:
        return run_sync(spec, body, args, kwargs)

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


def _bare_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    slots = spec.limit.slots
    if slots is None or slots.is_shared:

        async def task(*args: object, **kwargs: object) -> R | None:
            return await _counted_async(spec, body, args, kwargs)

        return task

    reporter, paced = spec.reporter, spec.limit.starts
    waiters, take, put = slots.waiters, slots.free.pop, slots.free.append

    async def quick_task(*args: object, **kwargs: object) -> R | None:
        if reporter.outside or _get_run() is not None or paced.delays:
            return await _counted_async(spec, body, args, kwargs)
        # What follows is `acquire`, the body, `release`, written out for speed (hence the longest function
        # here): no sink to notify, nothing to count.
        slot: Slot | None
        try:
            slot = await slots.acquire() if waiters else take()
        except IndexError:
            slot = await slots.acquire()
        run = _Running()
        run.spec = spec
        run.args = args
        run.kwargs = kwargs
        run.slot = slot
        token = _set_run(run)
        try:
            return await (body(*args, **kwargs) if kwargs else body(*args))
        except GeneratorExit:
            run.slot = slot = None  # see `Slot`
            raise
        finally:
            run.slot = None
            if slot is None:
                pass
            elif not (slots.lent or slots.debts):
                put(slot)
                if waiters:
                    slots.grant()
            else:
                slots.release(slot)
            slot = None  # a traceback may hold this frame, and must not hold the slot
            try:  # noqa: SIM105 - as in `leave`, without the call
                _reset_run(token)
            except ValueError:
                pass

    return quick_task


def _bare_sync(spec: TaskSpec, body: Callable[..., R]) -> Callable[..., R | None]:
    slots = spec.limit.slots
    if slots is None or slots.is_shared:

        def task(*args: object, **kwargs: object) -> R | None:
            return _counted_sync(spec, body, args, kwargs)

        return task

    reporter, paced = spec.reporter, spec.limit.starts
    waiters, take, put = slots.waiters, slots.free.pop, slots.free.append

    def quick_task(*args: object, **kwargs: object) -> R | None:
        if reporter.outside or waiters or _get_run() is not None or paced.delays:
            return _counted_sync(spec, body, args, kwargs)
        # Ctrl-C may come after any call: a slot on the stack is dropped, which returns it; one in `slot`
        # is released, and nothing is called between `run.slot = None` and `put`.
        run = _Running()
        run.spec = spec
        run.args = args
        run.kwargs = kwargs
        slot: Slot | None = None
        try:
            try:
                slot = take()
            except IndexError:
                return _counted_sync(spec, body, args, kwargs)
            run.slot = slot
            _set_run(run)
            return body(*args, **kwargs) if kwargs else body(*args)
        finally:
            try:
                if slot is not None:
                    run.slot = None
                    if not (slots.lent or slots.debts):
                        put(slot)
                        if waiters:
                            slots.grant()
                    else:
                        slots.release(slot)
                    slot = None  # a traceback may hold this frame, and must not hold the slot
            finally:
                _set_run(None)

    return quick_task


async def _counted_async(
    spec: TaskSpec,
    body: Callable[..., Awaitable[R]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> R | None:
    parent = _get_run()
    if reports_calls(spec, parent):
        return await run_async(spec, body, args, kwargs)
    tally = _queued(spec, parent)
    run = _made(spec, args, kwargs, parent)
    try:
        await acquire(spec.limit, run)
        _begin(run, tally)
        token = _set_run(run)
        try:
            value = await body(*args, **kwargs)
        finally:
            leave(token)
    except BaseException as error:
        _ended(tally, run, "failed" if isinstance(error, Exception) else "cancelled", error)
        raise
    _ended(tally, run, "completed")
    return value


def _counted_sync(
    spec: TaskSpec, body: Callable[..., R], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> R | None:
    parent = _get_run()
    if reports_calls(spec, parent):
        return run_sync(spec, body, args, kwargs)
    tally = _queued(spec, parent)
    run = _made(spec, args, kwargs, parent)
    try:
        acquire_blocking(spec.limit, run)
        _begin(run, tally)
        try:
            _set_run(run)
            value = body(*args, **kwargs)
        finally:
            _set_run(parent)
    except BaseException as error:
        _ended(tally, run, "failed" if isinstance(error, Exception) else "cancelled", error)
        raise
    _ended(tally, run, "completed")
    return value


def _queued(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> Tally | None:
    flow = None if parent is None else parent.flow
    if flow is None:
        return None
    tally = flow.tally(spec.name)
    with tally.lock:
        tally.queued += 1
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
    run.slot = None
    return run


def _begin(run: _Running, tally: Tally | None) -> None:
    if tally is not None:
        run.started = monotonic()
        tally.active[run] = run


def _ended(tally: Tally | None, run: _Running, outcome: Outcome, error: BaseException | None = None) -> None:
    try:
        if tally is not None:
            count_body(run, tally)
    finally:
        if isinstance(error, GeneratorExit):
            drop(run)
        else:
            release(run)
    if tally is not None:
        count(None if run.started is None else run, tally, outcome, error)


# ------------------------------------------------------------------ outputs that exist


def _kept_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    reporter, locate, is_complete = spec.reporter, output.locate, _look_of(output)
    is_relative = output.is_relative

    async def task(*args: object, **kwargs: object) -> R | None:
        if reporter.outside or _get_run() is not None:
            if _is_cached(spec, locate, is_relative, is_complete, args, kwargs):
                return None
        elif is_complete(locate(*args, **kwargs) if kwargs else locate(*args)):
            return None  # no sink to notify, nothing to count
        return await run_async(spec, body, args, kwargs)

    return task


def _kept_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    reporter, locate, is_complete = spec.reporter, output.locate, _look_of(output)
    is_relative = output.is_relative

    def task(*args: object, **kwargs: object) -> R | None:
        if reporter.outside or _get_run() is not None:
            if _is_cached(spec, locate, is_relative, is_complete, args, kwargs):
                return None
        elif is_complete(locate(*args, **kwargs) if kwargs else locate(*args)):
            return None
        return run_sync(spec, body, args, kwargs)

    return task


def _saved_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    async def task(*args: object, **kwargs: object) -> R | None:
        parent = _get_run()
        if not (reporter.swapped or reports_found(spec, parent)):
            name = locate(*args, **kwargs) if kwargs else locate(*args)
            value = recall_small(pinned(name, parent) if is_relative else name)
            if value is not ...:
                _count_cached(spec, parent)
                return cast("R", value)
        return await run_async(spec, body, args, kwargs)

    return task


def _saved_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    locate, is_relative, recall_small = output.locate, output.is_relative, output.recall_small
    reporter = spec.reporter

    def task(*args: object, **kwargs: object) -> R | None:
        parent = _get_run()
        if not (reporter.swapped or reports_found(spec, parent)):
            name = locate(*args, **kwargs) if kwargs else locate(*args)
            value = recall_small(pinned(name, parent) if is_relative else name)
            if value is not ...:
                _count_cached(spec, parent)
                return cast("R", value)
        return run_sync(spec, body, args, kwargs)

    return task


def _dated_async(
    spec: TaskSpec, output: Outputs, body: Callable[..., Awaitable[R]]
) -> Callable[..., Coroutine[object, None, R | None]]:
    async def task(*args: object, **kwargs: object) -> R | None:
        parent = _get_run()
        if not reports_calls(spec, parent):
            value = _fresh_value(spec, output, parent, args, kwargs)
            if value is not ...:
                return cast("R", value)
        return await run_async(spec, body, args, kwargs)

    return task


def _dated_sync(spec: TaskSpec, output: Outputs, body: Callable[..., R]) -> Callable[..., R | None]:
    def task(*args: object, **kwargs: object) -> R | None:
        parent = _get_run()
        if not reports_calls(spec, parent):
            value = _fresh_value(spec, output, parent, args, kwargs)
            if value is not ...:
                return cast("R", value)
        return run_sync(spec, body, args, kwargs)

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
        with tally.lock:
            tally.queued += 1
            tally.cached += 1
