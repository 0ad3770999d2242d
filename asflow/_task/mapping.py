"""`flow.task.map`: a task over a lazy iterable, with bounded concurrency and constant memory.

A few workers pull items while the buffer of results has free places, so a million items use no more memory
than a hundred. A result keeps its place until the consumer takes it: a slow consumer slows the workers down.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import deque
from collections.abc import Sized
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from asflow._names import Sealed
from asflow._runtime.runs import current
from asflow._runtime.threads import Stop, settled, stopping, without_stop_iteration

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
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

T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)

# Workers for a task without a limit: enough to keep a server busy, few enough for descriptors.
_UNLIMITED = 100


@dataclass(frozen=True, slots=True)
class Completed(Generic[T_co, R_co]):
    """The call for *item* returned *value* (None also if it was cached, skipped or suppressed)."""

    item: T_co
    value: R_co


@dataclass(frozen=True, slots=True)
class Failed(Generic[T_co]):
    """The call for *item* raised *error*, the same object."""

    item: T_co
    error: Exception


class TaskMap(Generic[R_co], metaclass=Sealed):
    """A task to be applied to items: `async for` yields the results one by one, `await` returns a list.

    It starts then, and runs once. Cancellation and, with `on_error="raise"`, the first failure cancel the
    running calls and wait for their end. Leaving an `async for` early cancels them, too, but can't wait;
    `async with contextlib.aclosing(aiter(mapped)) as results` around the loop does.
    """

    _made_by = "use flow.task.map(task, items)"
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
        self._task = task
        self._items = items
        self._name = name
        self._is_async = is_async
        self._workers = workers or _UNLIMITED
        self._ordered = ordered
        self._collect = collect
        self._used = False

    def __repr__(self) -> str:
        return f"<TaskMap of {self._name}()>"

    def __aiter__(self) -> AsyncGenerator[R_co, None]:
        """Run the calls and yield their results, in the order of the items or of completion."""
        return self._results()

    def __await__(self) -> Generator[Any, None, list[R_co]]:
        """Run all calls and return the list of their results."""
        return self._all().__await__()

    async def _all(self) -> list[R_co]:
        # The list holds every result anyway, so making the workers wait would save no memory.
        return [result async for result in self._results(sys.maxsize)]

    async def _results(self, capacity: int = 0) -> AsyncGenerator[R_co, None]:
        if self._used:
            raise RuntimeError(
                f"task {self._name}(): its map has run, and runs once; call flow.task.map(...) again"
            )
        self._used = True
        self._announce()
        source = _Source(self._items)
        buffer = _Buffer(capacity or 2 * self._workers, ordered=self._ordered)
        pool = None
        if not self._is_async:
            from concurrent.futures import ThreadPoolExecutor

            pool = ThreadPoolExecutor(self._workers, "asflow-map")
        call = self._task if pool is None else partial(_in_pool, pool, self._name, self._task)
        workers = [buffer.watch(self._work(call, source, buffer)) for _ in range(self._workers)]
        try:
            while await buffer.filled():
                for result in buffer.drain():
                    yield cast("R_co", result)
        finally:
            buffer.closed = True
            try:
                await _end(workers)
            finally:
                # A failure's traceback holds this frame and the workers': don't let the frames hold it.
                workers.clear()
                buffer.forget_failure()
                if pool is not None:
                    pool.shutdown(wait=False)
                await source.close()

    def _announce(self) -> None:
        """Add the number of items to the display's total, if it is known."""
        run = current.get()
        if run is not None and run.flow is not None and isinstance(self._items, Sized):
            tally = run.flow.tally(self._name)
            with tally.lock:
                # Another map of this task may be running, with calls still to come.
                tally.total = max(tally.queued, tally.total or 0) + len(self._items)

    async def _work(
        self, call: Callable[[Any], Coroutine[Any, Any, Any]], source: _Source, buffer: _Buffer
    ) -> None:
        """Apply *call* to one item after another, to the end of *source*."""
        context, numbered, is_sync = copy_context(), source.numbered, source.is_sync
        while True:
            while buffer.pulled - buffer.taken >= buffer.capacity:
                await buffer.freed()
            # A body may swallow the cancellation of its worker.
            if buffer.closed:
                return
            buffer.pulled += 1
            pulled = next(numbered, None) if is_sync else await source.pull_async()
            if pulled is None or buffer.closed:
                return
            index, item = pulled
            try:
                # One context per item, so that a body does not see what another one has set.
                result = await _in_context(context.copy(), call(item))
            except Exception as error:
                if not self._collect:
                    raise
                buffer.put(index, Failed(item, error))
            else:
                buffer.put(index, Completed(item, result) if self._collect else result)


class _Source:
    """The items, numbered, for several workers of one loop.

    It never advances an iterator that has ended: one that reads from a queue up to a sentinel would wait
    forever.

    Attributes:
        is_sync: whether to use `next(numbered)`; otherwise `pull_async`.
        numbered: numbers and items; for an async iterable, only numbers.
    """

    __slots__ = ("_async_items", "_ended", "_lock", "is_sync", "numbered")

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.is_sync = not hasattr(items, "__aiter__")
        self.numbered: Iterator[tuple[int, Any]]
        self._async_items: AsyncIterator[Any] | None = None
        if self.is_sync:
            # A chain stays ended; a user's iterator may not.
            self.numbered = enumerate(chain(cast("Iterable[Any]", items)))
        else:
            self.numbered = enumerate(repeat(None))
            self._async_items = aiter(cast("AsyncIterable[Any]", items))
        self._ended = False
        self._lock = asyncio.Lock()

    async def pull_async(self) -> tuple[int, Any] | None:
        """Return the next number and item, or None at the end; one worker at a time."""
        assert self._async_items is not None
        async with self._lock:
            if self._ended:
                return None
            try:
                item = await anext(self._async_items)
            except StopAsyncIteration:
                self._ended = True
                return None
            return next(self.numbered)[0], item

    async def close(self) -> None:
        """Close an async generator, so that its `finally` runs."""
        if inspect.isasyncgen(self._async_items):
            await self._async_items.aclose()


class _Buffer:
    """Results on their way to the consumer. An item takes a place when it is pulled.

    Attributes:
        capacity: the number of places.
        closed: True once the consumer is gone; no further item is pulled.
        pulled: items pulled so far.
        taken: results that the consumer has taken.
    """

    __slots__ = (
        "_active",
        "_blocked",
        "_consumer",
        "_error",
        "_ordered",
        "_results",
        "capacity",
        "closed",
        "pulled",
        "taken",
    )

    def __init__(self, capacity: int, *, ordered: bool) -> None:
        self.capacity = capacity
        self._ordered = ordered
        self._results: dict[int, object] = {}
        self._blocked: deque[asyncio.Future[None]] = deque()
        self._consumer: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._active = 0
        self.closed = False
        self.taken = 0
        self.pulled = 0

    def watch(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a worker; the consumer raises its failure."""
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

    def forget_failure(self) -> None:
        self._error = None

    async def freed(self) -> None:
        """Wait until half of the places are free again."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._blocked.append(future)
        await future

    def put(self, index: int, result: object) -> None:
        """Add the result of item number *index*."""
        self._results[index] = result
        if self._consumer is not None and (not self._ordered or index == self.taken):
            self._wake_consumer()

    @property
    def ready(self) -> bool:
        return self.taken in self._results if self._ordered else bool(self._results)

    def drain(self) -> Iterator[object]:
        """Take the results that are ready, in order or as they came."""
        results, ordered = self._results, self._ordered
        while results:
            index = self.taken if ordered else next(iter(results))
            if index not in results:
                return
            self.taken += 1
            # In batches: waking a worker for every single place costs a turn of the loop each.
            if self._blocked and self.pulled - self.taken <= self.capacity // 2:
                self._wake_blocked()
            yield results.pop(index)

    def _wake_blocked(self) -> None:
        while self._blocked:
            future = self._blocked.popleft()
            if not future.done():
                future.set_result(None)

    async def filled(self) -> bool:
        """Wait for a result; False once all work is done. Raises the first failure at once."""
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


async def _in_pool(pool: ThreadPoolExecutor, name: str, task: Callable[[T], R], item: T) -> R:
    """Call a sync task in a thread of *pool*, in this context.

    Cancellation: the body can't be stopped, so this waits for its end before it re-raises. A body on an
    executor is cancelled there, or abandoned if it has started.
    """
    in_context, stop = copy_context(), Stop()
    in_context.run(stopping.set, stop)
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(
        pool, lambda: in_context.run(without_stop_iteration, f"task {name}()", task, item)
    )
    return await settled(future, stop)


async def _end(workers: list[asyncio.Task[None]]) -> None:
    """Cancel *workers* and wait until they have ended."""
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@coroutine
def _in_context(context: Context, awaited: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await *awaited* with every step in *context*, far cheaper than in a task of its own."""
    run, send = context.run, awaited.send
    step: Callable[[Any], Any] = send
    value: Any = None
    while True:
        try:
            pending = run(step, value)
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            value = None  # an exception that was thrown in has a traceback that holds this frame
        try:
            step, value = send, (yield pending)
        except GeneratorExit:
            run(awaited.close)
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the body, as `await` would
            step, value = awaited.throw, error
