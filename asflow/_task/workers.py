"""The workers of a `flow.task.map` on an event loop: each applies the task to one item after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from contextvars import copy_context
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asflow._runtime.runs import current
from asflow._runtime.threads import Stop, settled, stopping, without_stop_iteration
from asflow._runtime.watching import Watch, watching
from asflow._task.outcomes import Completed, Failed
from asflow._task.room import Room, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import Context

    from asflow._runtime.spec import TaskSpec

T = TypeVar("T")
R = TypeVar("R")

_UNLIMITED = 100
"""Workers for a task without a limit: enough to keep any one server busy, few enough for descriptors."""


class Work:
    """What a map is to do.

    Attributes:
        task: called with each item.
        spec: the task behind it.
        is_async: whether a call returns an awaitable.
        items: sync or async.
        ordered: whether results come in the order of the items.
        collect: whether failures are results.
        size: calls at a time.
    """

    __slots__ = ("collect", "is_async", "items", "ordered", "size", "spec", "task")

    def __init__(
        self,
        task: Callable[[Any], Any],
        spec: TaskSpec,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        is_async: bool,
        ordered: bool,
        collect: bool,
    ) -> None:
        self.task: Callable[[Any], Any] = task
        self.spec: TaskSpec = spec
        self.items: Iterable[Any] | AsyncIterable[Any] = items
        self.is_async: bool = is_async
        self.ordered: bool = ordered
        self.collect: bool = collect
        slots = spec.limit.slots
        self.size: int = _UNLIMITED if slots is None else slots.total

    def watch(self) -> Watch | None:
        """Return what follows the calls of one worker; None if they have nothing to report."""
        policy = self.spec.policy
        if self.collect and (policy.persistent or policy.skip or policy.suppress):
            return Watch(self.spec, current.get())
        return None

    def announce(self) -> None:
        """Report to the display how many calls will come, if that is known."""
        run = current.get()
        if run is not None and run.flow is not None and isinstance(self.items, Sized):
            tally = run.flow.tally(self.spec.name)
            with tally.lock:
                # Another map of this task may be under way, with calls still to come.
                tally.total = max(tally.queued, tally.total or 0) + len(self.items)


async def results_of(work: Work, capacity: int) -> AsyncGenerator[Any, None]:
    """Run the calls and yield their results, of which *capacity* may wait for the consumer."""
    work.announce()
    source = Source(work.items)
    room = Room(capacity, ordered=work.ordered)
    pool = None
    if not work.is_async:
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(work.size, "asflow-map")
    workers = [room.watch(_work(work, source, room, pool)) for _ in range(work.size)]
    try:
        while await room.filled():
            for result in room.drain():
                yield result
    finally:
        room.closed = True
        try:
            await _end(workers)
        finally:
            # The traceback of a failure holds this frame and the workers': don't let them hold it.
            workers.clear()
            room.forget_failure()
            if pool is not None:
                pool.shutdown(wait=False)
            await source.close()


async def _work(work: Work, source: Source, room: Room, pool: ThreadPoolExecutor | None) -> None:
    """Apply the task to one item after the other, until there is none."""
    call = work.task if pool is None else partial(_in_pool, pool, work.spec.name, work.task)
    context, watch, numbered, is_sync = copy_context(), work.watch(), source.numbered, source.is_sync
    if watch is not None:
        context.run(watching.set, watch)
    while True:
        while room.pulled - room.taken >= room.capacity:
            await room.freed()
        # A body may swallow the cancellation that was to end its worker.
        if room.closed:
            return
        room.pulled += 1
        pulled = next(numbered, None) if is_sync else await source.pull_async()
        if pulled is None or room.closed:
            return
        index, item = pulled
        if watch is not None:
            watch.begin()
        try:
            # A context for each item: what one body sets in its own, the next one does not see.
            value = await _in_context(context.copy(), call(item))
        except Exception as error:
            if not work.collect:
                raise
            room.put(index, Failed(item, error))
        else:
            if work.collect:
                value = Completed(item, value) if watch is None else Completed(item, value, watch.outcome)
            room.put(index, value)


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


async def _end(workers: list[asyncio.Task[None]]) -> None:
    """Cancel *workers* and wait for their end."""
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
