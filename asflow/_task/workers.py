"""The workers of a `flow.task.map` on an event loop: each applies the task to one item after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from itertools import repeat
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asflow._labels import short
from asflow._runtime.current import current
from asflow._runtime.skipping import skips_of
from asflow._runtime.stopping import Stop, is_cancelled, stopping
from asflow._runtime.threads import settled, without_stop_iteration
from asflow._runtime.watching import Watch, watching
from asflow._task.outcomes import Completed, Failed
from asflow._task.passing import Passing
from asflow._task.room import PassedOver, Room, Source, Staff
from asflow._tracebacks import leave_out_ours

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import Context

    from asflow._runtime.skipping import Skips
    from asflow._runtime.spec import TaskSpec
    from asflow._task.finding import Mapped
    from asflow.stores._local_scan import Scans

T = TypeVar("T")
R = TypeVar("R")

_UNLIMITED = 100
"""Workers for a task without a limit: enough to keep any one server busy, few enough for descriptors."""

_PARKED = 10
"""How many calls may wait for a retry or another owner, as a multiple of the workers."""

_PARKED_THREADS = 250
"""... and how many at most if each takes a thread."""

_MOST_SKIPPED = 1000
"""How many items are passed over before the event loop has a turn: one or two milliseconds."""

_PASSED: tuple[int, Any] = (-1, None)
"""Is returned instead of an item if there may be more of them."""


class Work:
    """What a map is to do.

    Attributes:
        task: called with each item.
        absent: called with an item instead if its output was looked for a moment ago, and is not there.
        spec: the task behind it.
        is_async: whether a call returns an awaitable.
        skips: finds items whose calls have nothing to do; None if there can be none, or only calls know it.
        items: sync or async.
        ordered: whether results come in the order of the items.
        collect: whether failures are results.
        size: calls at a time.
    """

    __slots__ = (
        "_definition",
        "_locate",
        "absent",
        "collect",
        "is_async",
        "items",
        "ordered",
        "size",
        "skips",
        "spec",
        "task",
    )

    def __init__(
        self,
        mapped: Mapped,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        ordered: bool,
        collect: bool,
    ) -> None:
        definition = self._definition = mapped.definition
        self.task: Callable[[Any], Any] = mapped.call
        self.spec: TaskSpec = definition.spec
        self.is_async: bool = definition.is_async
        self.skips: Skips | None = skips_of(self.spec, mapped.locate)
        self.absent: Callable[[Any], Any] = self.task
        if self.skips is not None and self.is_async:
            self.absent = mapped.bind(definition.absent())
        self._locate = mapped.locate
        self.items: Iterable[Any] | AsyncIterable[Any] = items
        self.ordered: bool = ordered
        self.collect: bool = collect
        slots = self.spec.limit.slots
        self.size: int = _UNLIMITED if slots is None else slots.total

    @property
    def places(self) -> int:
        """The number of results that may wait for a consumer that takes them one by one.

        Between outputs that exist, or that others have made, few bodies are left to run: look further ahead.
        Not so if each result is a value, which takes memory.
        """
        policy = self.spec.policy
        return (2 + _PARKED if policy.persistent and not policy.saved else 2) * self.size

    @property
    def most_parked(self) -> int:
        """The number of calls that may wait, for a retry or another owner, without holding up the rest."""
        policy = self.spec.policy
        if not (policy.persistent or policy.retry):
            return 0
        # The call of a sync task waits in a thread of its own.
        return _PARKED * self.size if self.is_async else min(_PARKED * self.size, _PARKED_THREADS)

    def watch(self, park: Callable[[bool], object]) -> Watch | None:
        """Return what follows the calls of one worker; None if they have nothing to report.

        Args:
            park: see `Watch`.
        """
        policy = self.spec.policy
        if policy.persistent or policy.retry or (self.collect and (policy.skip or policy.suppress)):
            return Watch(self.spec, current.get(), park)
        return None

    def cancelled(self, item: object, error: BaseException) -> RuntimeError:
        """Return the failure of a call for *item* that raised *error*, but was not cancelled."""
        failure = RuntimeError(
            f"task {self.spec.name}(): raised CancelledError for the item {short(item)}, although it was not "
            f"cancelled; catch it in the body where a library may raise it"
        )
        failure.__cause__ = error
        return failure

    def passing(self) -> Passing | None:
        """Return what pulls the items and passes over some; None if each has to be called."""
        if self.skips is None or hasattr(self.items, "__aiter__"):
            return None
        return Passing(self.skips, current.get(), self.items, self._new_scans)

    def _new_scans(self, looks: int, start: str, of_texts: bool) -> Scans | None:
        plan, signature = self._definition.plan, self.spec.signature
        parameters = () if signature is None else tuple(signature.parameters)[:1]
        # Of a method or a partial, the first parameter is not the item.
        of_texts = of_texts and self._locate is plan.locate and any(map(plan.is_text_of, parameters))
        return plan.scans(looks, start, of_texts=of_texts)

    def passed(self, items: list[Any]) -> PassedOver:
        """Return the results of *items*, whose outputs exist."""
        return PassedOver(len(items), map(_found, items) if self.collect else repeat(None))

    def announce(self) -> None:
        """Report to the display how many calls will come, if that is known."""
        run = current.get()
        if run is not None and run.flow is not None and isinstance(self.items, Sized):
            tally = run.flow.tally(self.spec.name)
            with tally.lock:
                # Another map of this task may be under way, with calls still to come.
                tally.total = max(tally.queued, tally.total or 0) + len(self.items)


def _found(item: object) -> Completed[object, None]:
    return Completed(item, None, "cached")


class _Crew:
    """What the workers of one map on one loop share."""

    __slots__ = ("context", "loop", "passing", "pool", "room", "source", "staff", "work")

    def __init__(self, work: Work, capacity: int) -> None:
        self.work: Work = work
        self.source: Source = Source(work.items)
        self.passing: Passing | None = work.passing()
        self.room: Room = Room(capacity, ordered=work.ordered, one_by_one=self.passing is not None)
        self.staff: Staff = Staff(work.size, work.most_parked)
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.context: Context = copy_context()
        self.pool: ThreadPoolExecutor | None = None
        if not work.is_async:
            from concurrent.futures import ThreadPoolExecutor

            self.pool = ThreadPoolExecutor(work.size + work.most_parked, "asflow-map")

    def hire(self, *, waits: bool = False) -> None:
        """Start one more worker, which first *waits* until another one wakes it."""
        self.staff.workers += 1
        # Its own context: this may be called in that of a body.
        self.room.watch(_work(self, self.room.line_up() if waits else None), self.context.copy())

    def pass_over(self, passing: Passing) -> tuple[int, Any] | None:
        """Store the results of the next items whose outputs exist; return the next one to call the task with.

        None if there is no further item, and `_PASSED` if others may follow when there are places again.
        """
        room = self.room
        if passing.step():
            return _PASSED
        places = min(room.places, _MOST_SKIPPED)
        first, passed, called = room.pulled, list[Any](), ()
        try:
            called = passing.next(passed, places)
        finally:
            room.pulled += len(passed) + len(called)
            if passed:
                room.results[first] = self.work.passed(passed)
                room.stored()
        if called:
            return first + len(passed), called[0]
        if len(passed) == places:
            return _PASSED
        room.pulled += 1
        return None

    def park(self, parks: bool) -> None:
        """Note that a call is parked (True), or no longer; called on the thread of the call."""
        if self.pool is None:
            self._park(parks)
        else:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._park, parks)

    def _park(self, parks: bool) -> None:
        if self.room.closed:
            return
        more = self.staff.park(parks)
        if more:
            self.room.resize(more)
        if self.staff.is_short and not self.room.exhausted:
            self.hire()


async def results_of(work: Work, capacity: int) -> AsyncGenerator[Any, None]:
    """Run the calls and yield their results, of which *capacity* may wait for the consumer."""
    work.announce()
    crew = _Crew(work, capacity)
    room, pool = crew.room, crew.pool
    for number in range(work.size):
        crew.hire(waits=number > 0 and crew.passing is not None)
    try:
        while await room.filled():
            for result in room.drain():
                yield result
    except BaseException as error:
        leave_out_ours(error)
        raise
    finally:
        room.closed = True
        try:
            await _end(room.workers)
        finally:
            # The traceback of a failure holds this frame and the workers': don't let them hold it.
            room.workers.clear()
            room.forget_failure()
            if pool is not None:
                pool.shutdown(wait=False)
            await crew.source.close()


async def _work(crew: _Crew, turn: asyncio.Future[None] | None) -> None:
    """Apply the task to one item after the other, until there is none; wait for the *turn* first, if any."""
    try:
        if turn is not None:
            await crew.room.freed(turn)
        await _work_on(crew)
    finally:
        crew.staff.workers -= 1


async def _work_on(crew: _Crew) -> None:
    work, source, room, staff, pool = crew.work, crew.source, crew.room, crew.staff, crew.pool
    call = work.task if pool is None else partial(_in_pool, pool, work.spec.name, work.task)
    absent = work.absent if pool is None else call
    context, watch, numbered, is_sync = copy_context(), work.watch(crew.park), source.numbered, source.is_sync
    passing = crew.passing
    if watch is not None:
        context.run(watching.set, watch)
    outcomes = watch if work.collect else None
    while True:
        while room.pulled - room.taken >= room.capacity and not room.exhausted:
            await room.freed()
        # A body may swallow the cancellation that was to end its worker.
        if room.closed or room.exhausted or (watch is not None and staff.is_over):
            if passing is not None:
                room.wake_next()
            return
        if passing is None:
            room.pulled += 1
            pulled = next(numbered, None) if is_sync else await source.pull_async()
        elif (pulled := crew.pass_over(passing)) is _PASSED:
            await asyncio.sleep(0)
            continue
        else:
            room.wake_next()
        if pulled is None or room.closed:
            room.exhaust()
            return
        index, item = pulled
        if outcomes is not None:
            outcomes.begin()
        try:
            # A context for each item: what one body sets in its own, the next one does not see.
            begin = absent if passing is not None and passing.was_absent else call
            value = await _in_context(context.copy(), begin(item))
        except Exception as error:
            if not work.collect:
                raise
            room.put(index, Failed(item, error))
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            failure = work.cancelled(item, error)
            if not work.collect:
                raise failure from error
            room.put(index, Failed(item, failure))
        else:
            if work.collect:
                value = (
                    Completed(item, value) if outcomes is None else Completed(item, value, outcomes.outcome)
                )
            room.put(index, value)
        if watch is not None and watch.is_parked:
            watch.resume()


async def _in_pool(pool: ThreadPoolExecutor, name: str, task: Callable[[T], R], item: T) -> R:
    """Call a sync task in a thread of *pool*, in this context.

    Cancellation: the body can't be stopped, so this waits for its end before it lets the cancellation pass;
    but for a body on an executor, which is cancelled there, or left alone if it has begun.
    """
    in_context, stop = copy_context(), Stop()
    in_context.run(stopping.set, stop)
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(
        pool, lambda: in_context.run(without_stop_iteration, f"task {name}()", task, item)
    )
    return await settled(future, stop)


async def _end(running: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the workers that are *running* and wait for their end."""
    workers = list(running)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@coroutine
def _in_context(context: Context, awaited: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await *awaited* with every step run in *context*, at a fraction of the price of a task for it."""
    run, send = context.run, awaited.send
    step: Callable[[Any], Any] = send
    value: Any = None
    while True:
        try:
            pending = run(step, value)
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            value = None  # what was thrown in has a traceback that holds this frame
        try:
            step, value = send, (yield pending)
        except GeneratorExit:
            run(awaited.close)
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the body, as `await` would
            step, value = awaited.throw, error
