"""`flow.task.map`: a task over a lazy iterable, so many at a time, in constant memory.

A few workers pull items when they have room for a result; nothing is queued in between, which is why a
million items cost no more memory than a hundred. A result that nobody has taken yet takes up room, so
a slow consumer slows the workers down.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Sized
from contextvars import copy_context
from functools import partial
from itertools import count, repeat
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from asflow.outcomes import Completed, Failed
from asflow.runtime.offload import settled
from asflow.runtime.runs import current

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Callable,
        Coroutine,
        Generator,
        Iterable,
        Iterator,
    )
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import Context

__all__ = ["TaskMap"]

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

# Workers for a task without a limit: enough to keep any one server busy, few enough for descriptors.
_UNLIMITED = 100


class TaskMap(Generic[R_co]):
    """A task being applied to items: `async for` gives the results one by one, `await` a list of them.

    Nothing runs before that, and it can be done once. Leaving the loop early, cancelling, or (with
    `on_error="raise"`) the first failure cancels the calls under way and waits for their end.
    """

    __slots__ = ("_collect", "_is_async", "_items", "_name", "_ordered", "_task", "_used", "_workers")

    def __init__(
        self,
        task: Callable[[Any], Any],
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        name: str,
        is_async: bool,
        workers: int,
        ordered: bool,
        collect: bool,
    ) -> None:
        """Prepare to apply *task*; see `flow.task.map`."""
        self._task = task
        self._items = items
        self._name = name
        self._is_async = is_async
        self._workers = workers or _UNLIMITED
        self._ordered = ordered
        self._collect = collect
        self._used = False

    def __aiter__(self) -> AsyncIterator[R_co]:
        """Run the calls and give their results, in the order of the items or as they come."""
        return self._results()

    def __await__(self) -> Generator[Any, None, list[R_co]]:
        """Run all calls and give the list of their results."""
        return self._all().__await__()

    async def _all(self) -> list[R_co]:
        return [result async for result in self._results()]

    async def _results(self) -> AsyncIterator[R_co]:
        if self._used:
            raise RuntimeError("a map runs once; call flow.task.map(...) again")
        self._used = True
        self._announce()
        source, room = _Source(self._items), _Room(2 * self._workers, ordered=self._ordered)
        pool = None
        if not self._is_async:
            from concurrent.futures import ThreadPoolExecutor

            pool = ThreadPoolExecutor(self._workers, "asflow-map")
        call = self._task if pool is None else partial(_in_pool, pool, self._task)
        workers = [room.watch(self._work(call, source, room)) for _ in range(self._workers)]
        try:
            while await room.filled():
                while room.ready:
                    yield cast("R_co", room.take())
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await source.close()
            if pool is not None:
                pool.shutdown(wait=False)

    def _announce(self) -> None:
        """Let the display know how many calls will come, where that is known."""
        run = current.get()
        if run is not None and run.flow is not None and isinstance(self._items, Sized):
            tally = run.flow.tally(self._name)
            with tally.lock:
                tally.total = tally.queued + len(self._items)

    async def _work(
        self, call: Callable[[Any], Coroutine[Any, Any, Any]], source: _Source, room: _Room
    ) -> None:
        """Apply *call* to one item after the other, until there is none."""
        context = copy_context()
        while True:
            while room.full:
                await room.freed()
            room.pulled += 1
            pulled = source.pull() if source.is_sync else await source.pull_async()
            if pulled is None:
                return
            index, item = pulled
            try:
                # A context for each item: what one body sets in its own, the next one does not see.
                result = await _in_context(context.copy(), call(item))
            except Exception as error:
                if not self._collect:
                    raise
                room.put(index, Failed(item, error))
            else:
                room.put(index, Completed(item, result) if self._collect else result)


class _Source:
    """The items, numbered, for several workers of one loop."""

    __slots__ = ("_async_items", "_lock", "_numbered", "is_sync")

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.is_sync = not hasattr(items, "__aiter__")
        self._numbered: Iterator[tuple[int, Any]] | None = None
        self._async_items: AsyncIterator[Any] | None = None
        if self.is_sync:
            self._numbered = enumerate(cast("Iterable[Any]", items))
        else:
            self._async_items = aiter(cast("AsyncIterable[Any]", items))
            self._numbered = zip(count(), repeat(None))
        self._lock = asyncio.Lock()

    def pull(self) -> tuple[int, Any] | None:
        """Return the next item and its number, or None at the end."""
        assert self._numbered is not None
        return next(self._numbered, None)

    async def pull_async(self) -> tuple[int, Any] | None:
        """The same for an async iterable, which only one worker at a time may advance."""
        assert self._async_items is not None
        async with self._lock:
            try:
                item = await anext(self._async_items)
            except StopAsyncIteration:
                return None
            numbered = self.pull()
            assert numbered is not None
            return numbered[0], item

    async def close(self) -> None:
        """Let a generator that was not exhausted run its `finally`."""
        for items in (self._async_items, self._numbered):
            if inspect.isasyncgen(items):
                await items.aclose()


class _Room:
    """Results on their way to the consumer: so many places, taken from the pulling of an item on."""

    __slots__ = (
        "_active",
        "_blocked",
        "_capacity",
        "_consumer",
        "_error",
        "_ordered",
        "_results",
        "_taken",
        "pulled",
    )

    def __init__(self, capacity: int, *, ordered: bool) -> None:
        self._capacity = capacity
        self._ordered = ordered
        self._results: dict[int, object] = {}
        self._blocked: deque[asyncio.Future[None]] = deque()
        self._consumer: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._active = 0
        self._taken = 0
        self.pulled = 0

    def watch(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a worker; its failure is the consumer's."""
        worker = asyncio.get_running_loop().create_task(work)
        self._active += 1
        worker.add_done_callback(self._worker_done)
        return worker

    def _worker_done(self, worker: asyncio.Task[None]) -> None:
        self._active -= 1
        if worker.cancelled():
            self._error = self._error or asyncio.CancelledError()
        elif (error := worker.exception()) is not None:
            self._error = self._error or error
        if self._error is not None or not self._active:
            self._wake_consumer()

    @property
    def full(self) -> bool:
        """Whether pulling another item has to wait."""
        return self.pulled - self._taken >= self._capacity

    async def freed(self) -> None:
        """Wait until a result was taken."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._blocked.append(future)
        await future

    def put(self, index: int, result: object) -> None:
        """Store the result of item number *index*."""
        self._results[index] = result
        if self._consumer is not None and (not self._ordered or index == self._taken):
            self._wake_consumer()

    @property
    def ready(self) -> bool:
        """Whether a result can be taken now."""
        return self._taken in self._results if self._ordered else bool(self._results)

    def take(self) -> object:
        """Take the next result: of the next item, or whichever came first."""
        index = self._taken if self._ordered else next(iter(self._results))
        self._taken += 1
        while self._blocked:
            future = self._blocked.popleft()
            if not future.done():
                future.set_result(None)
                break
        return self._results.pop(index)

    async def filled(self) -> bool:
        """Wait for a result; False when all work is done. Raises the first failure at once."""
        while not self.ready or self._error is not None:
            if self._error is not None:
                raise self._error
            if not self._active:
                return False
            self._consumer = asyncio.get_running_loop().create_future()
            await self._consumer
            self._consumer = None
        return True

    def _wake_consumer(self) -> None:
        if self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)


async def _in_pool(pool: ThreadPoolExecutor, task: Callable[[T], R], item: T) -> R:
    """Call a sync task in a thread of *pool*, in this context.

    Cancellation: the body can't be stopped, so this waits for its end before it lets the cancellation pass.
    """
    in_context = copy_context()
    future = asyncio.get_running_loop().run_in_executor(pool, lambda: in_context.run(task, item))
    return await settled(future)


@coroutine
def _in_context(context: Context, awaited: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await *awaited* with every step run in *context*, at a fraction of the price of a task for it."""
    step: Callable[[Any], Any] = awaited.send
    value: Any = None
    while True:
        try:
            pending = context.run(step, value)
        except StopIteration as stop:
            return cast("T", stop.value)
        try:
            step, value = awaited.send, (yield pending)
        except GeneratorExit:
            context.run(awaited.close)
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the body, as `await` would
            step, value = awaited.throw, error
