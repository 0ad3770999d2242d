"""The shortcut of calls that are over when their body returns: see `wrapping`."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from asflow._runtime import observing
from asflow._runtime.admission import acquire, acquire_blocking, release
from asflow._runtime.calls import FlowCall, TaskCall
from asflow._runtime.counted import counted_async, counted_sync, ended, how
from asflow._runtime.current import current, leave
from asflow._runtime.leaving import leaving
from asflow._runtime.observing import FREE_THREADED, count
from asflow._runtime.slots import ENDLESS, quick_ways
from asflow._runtime.threads import UNSTARTED, refuse_unstarted
from asflow._runtime.writing import no_output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from asflow._engine.lifecycle import State
    from asflow._runtime.slots import LoopWaiter, Slot
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Tally

R = TypeVar("R")

# Bound once, which saves 25 ns per call of a method; a bare call of a task makes five.
# `**kwargs` builds another dict, 15 ns even if it is empty: hence each `if kwargs` below.
_get_run, _set_run, _reset_run = current.get, current.set, current.reset


class _Running(TaskCall):
    """A call whose body runs on a slot from the start and that no sink receives. It is created empty.

    What it doesn't set has a default, at the cost of 40 ns for every read of any attribute.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self) -> None: ...

    else:
        __init__ = object.__init__  # setting all attributes would cost 0.2 us per call

        def __getattr__(self, name: str) -> object:
            try:
                return _UNSET[name]
            except KeyError:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None


_UNSET: dict[str, object] = {
    "_call_id": 0,
    "_label": None,
    "attempt": 1,
    "body_over": False,
    "borrowed": (),
    "broken": None,
    "keep": None,
    "lines": None,
    "completed": 0,
    "description": None,
    "flow": None,
    "has_news": False,
    "held": None,
    "is_running": False,
    "new_scratch": None,
    "output": None,
    "parent": None,
    "put": no_output,
    "records": None,
    "reported": float("-inf"),
    "seconds": 0.0,
    "since": 0.0,
    "size": None,
    "slot": None,
    "started": None,
    "total": None,
    "turn": None,
    "unit": None,
    "waited_seconds": 0.0,
}


def quick_async(
    spec: TaskSpec, body: Callable[..., Awaitable[R]], begun: State | None
) -> Callable[..., Coroutine[object, None, R | None]]:
    """Return the wrapper of a task whose call is over when its async *body* returns.

    Args:
        spec: the task.
        body: the decorated function.
        begun: the engine's state while the body runs for the first time; None if no policy says anything
            about what it raises.
    """
    slots = spec.limit.slots or ENDLESS
    reporter, paced, name = spec.reporter, spec.limit.starts, spec.name
    waiters, (take, put) = slots.waiters, quick_ways(slots)

    async def quick_task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            tally: Tally | None = None
            reported = False
            if parent is None:
                if reporter.outside or paced.delays:
                    return await counted_async(spec, body, args, kwargs, begun)
            elif (
                not isinstance(parent, FlowCall)
                or parent.is_in_task  # whose body may lend its slot
                or paced.delays
                or FREE_THREADED
            ):
                return await counted_async(spec, body, args, kwargs, begun)
            else:
                reported = parent.reporter.inside
                if reported and waiters:
                    return await counted_async(spec, body, args, kwargs, begun)
                if not reported:
                    try:
                        tally = parent.tallies[name]
                    except KeyError:
                        tally = parent.tally(name)
                    tally.queued += 1
            # What follows is `acquire`, the body, `release` and the counts, written out for speed (hence the
            # longest function here).
            run: TaskCall | None = None
            slot: Slot | None = None
            waiter: LoopWaiter | None = None
            token = failure = value = None
            began = 0.0
            try:
                if reported:
                    run = TaskCall(spec, args, kwargs, parent)
                    observing.queued(run)
                if not waiters:
                    try:  # noqa: SIM105 - as in `leave`
                        slot = take()
                    except IndexError:
                        pass
                if run is None:
                    if slot is None:  # `Slots.acquire`, without its coroutine: thousands may wait here
                        waiter = slots.enqueue()
                        await waiter[0]
                        slot, waiter[1][0] = waiter[1][0], None
                        waiter = None
                    run = _Running()
                    run.spec = spec
                    run.args = args
                    run.kwargs = kwargs
                elif slot is None:
                    await acquire(spec.limit, run)  # which reports a long wait
                    slot = run.slot
                run.slot = slot
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
                if waiter is not None:
                    slots.abandon(waiter)
                    waiter = None
                if run is None:  # it has not got its slot
                    if tally is not None:
                        count(None, tally, how(error), error)
                    raise
                if slot is None or token is None or begun is None or not isinstance(error, Exception):
                    if isinstance(error, GeneratorExit):
                        run.slot = slot = None  # see `Slot`
                    if tally is not None or reported:
                        slot = None  # released there
                        ended(tally, run, how(error), error, reported=reported)
                    raise
                slot = None  # the driver releases it
                leave(token)
                token = None
                failure = error
            finally:
                if slot is not None:
                    if run is not None:
                        run.slot = None
                    if slots.lent or slots.debts:
                        slots.release(slot)
                    elif not (waiters and slots.pass_on(slot)):
                        put(slot)
                        if waiters:
                            slots.grant()
                    slot = None  # a traceback may hold this frame, and must not hold the slot
                if token is not None:
                    try:  # noqa: SIM105 - as in `leave`, without the call
                        _reset_run(token)
                    except ValueError:
                        pass
            if failure is not None and begun is not None and run is not None:
                try:
                    from asflow._runtime.drive_async import run_async

                    return await run_async(spec, body, args, kwargs, (run, begun, failure))
                finally:
                    failure = None
            if reported and run is not None:
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


def quick_sync(spec: TaskSpec, body: Callable[..., R], begun: State | None) -> Callable[..., R | None]:
    """Do as `quick_async` for a sync *body*."""
    slots = spec.limit.slots or ENDLESS
    reporter, paced, name = spec.reporter, spec.limit.starts, spec.name
    waiters, (take, put) = slots.waiters, quick_ways(slots)

    def quick_task(*args: object, **kwargs: object) -> R | None:
        try:
            parent = _get_run()
            tally: Tally | None = None
            reported = False
            if waiters or paced.delays or (parent is None and reporter.outside):
                return counted_sync(spec, body, args, kwargs, begun)
            if parent is not None:
                if not isinstance(parent, FlowCall) or parent.is_in_task or FREE_THREADED:
                    return counted_sync(spec, body, args, kwargs, begun)
                reported = parent.reporter.inside
                if not reported:
                    try:
                        tally = parent.tallies[name]
                    except KeyError:
                        tally = parent.tally(name)
            # Ctrl-C may come after any call: a slot on the stack is dropped, which returns it; one in `slot`
            # is released, and nothing is called between `run.slot = None` and `put`.
            if reported:
                run = TaskCall(spec, args, kwargs, parent)
            else:
                run = _Running()
                run.spec = spec
                run.args = args
                run.kwargs = kwargs
            slot: Slot | None = None
            failure = value = None
            began = 0.0
            returned = False
            try:
                if reported:
                    observing.queued(run)
                try:
                    run.slot = slot = take()
                except IndexError:
                    if not reported:
                        return counted_sync(spec, body, args, kwargs, begun)
                    acquire_blocking(spec.limit, run)
                    slot = run.slot
                if tally is not None:
                    tally.queued += 1
                    run.parent = run.flow = parent
                    run.started = began = monotonic()
                    tally.active[run] = run
                _set_run(run)
                if reported:
                    observing.started(run, 1)
                value = body(*args, **kwargs) if kwargs else body(*args)
                returned = True
                if reported:
                    observing.body_ended(run)
                if begun is not None and type(value) in UNSTARTED:
                    refuse_unstarted(spec, body, value)
            except BaseException as error:
                if slot is None or begun is None or returned or not isinstance(error, Exception):
                    if reported or (tally is not None and slot is not None):
                        slot = None  # released there
                        ended(tally, run, how(error), error, reported=reported)
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
                    from asflow._runtime.drive_sync import run_sync

                    return run_sync(spec, body, args, kwargs, (run, begun, failure))
                finally:
                    failure = slot = None
                    if run.slot is not None:  # Ctrl-C before the driver had it
                        release(run)
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
