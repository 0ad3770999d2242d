"""The items of a `flow.task.map` on their way in, its results on their way out, and who works in between."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator
    from contextvars import Context


class Source:
    """The items, numbered, for several workers of one loop.

    Once it has ended, the iterator is not asked again: one that takes from a queue up to a sentinel would
    wait for ever.

    Attributes:
        is_sync: whether `next(numbered)` pulls an item; else `pull_async` does.
        numbered: numbers and items; of an async iterable only the numbers.
    """

    __slots__ = ("_async_items", "_ended", "_lock", "is_sync", "numbered")

    def __init__(self, items: Iterable[Any] | AsyncIterable[Any]) -> None:
        self.is_sync = not hasattr(items, "__aiter__")
        self.numbered: Iterator[tuple[int, Any]]
        self._async_items: AsyncIterator[Any] | None = None
        if self.is_sync:
            # A chain knows that it has ended; the iterator inside may not.
            self.numbered = enumerate(chain(cast("Iterable[Any]", items)))
        else:
            self.numbered = enumerate(repeat(None))
            self._async_items = aiter(cast("AsyncIterable[Any]", items))
        self._ended = False
        self._lock = asyncio.Lock()

    async def pull_async(self) -> tuple[int, Any] | None:
        """Return the next item and its number, or None at the end; one worker at a time advances."""
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
        """Let an async generator that was not exhausted run its `finally`."""
        if inspect.isasyncgen(self._async_items):
            await self._async_items.aclose()


class Staff:
    """The number of workers of a map: one for each slot, and another for each parked call, within bounds.

    A parked call waits for a retry or for another owner, and keeps its worker; the map must go on without.
    Each such call takes memory, so that past a number of them the others wait.

    Args:
        size: workers while no call is parked, >= 1.
        most: parked calls that are replaced, >= 0.

    Attributes:
        workers: those that are there.
        parked: calls that are parked.
    """

    __slots__ = ("most", "parked", "size", "workers")

    def __init__(self, size: int, most: int) -> None:
        self.size: int = size
        self.most: int = most
        self.workers: int = 0
        self.parked: int = 0

    @property
    def is_short(self) -> bool:
        """Whether one more worker may start."""
        return self.workers < self.size + min(self.parked, self.most)

    @property
    def is_over(self) -> bool:
        """Whether a worker that has ended its call must leave."""
        return self.workers > self.size + min(self.parked, self.most)

    def park(self, parks: bool) -> int:
        """Count a call that is parked (True), or is no longer. Return how many places that adds.

        Results in order wait behind the first parked call, so they get more places meanwhile: as many as
        calls may be parked. These places are bounded all the same.
        """
        self.parked += 1 if parks else -1
        if self.parked == parks:  # the first one, or none left
            return self.most if parks else -self.most
        return 0


_AT_ONCE = 64
"""How many results of items that were passed over are taken before workers may have their places."""


class PassedOver:
    """The results of items that were passed over one after the other, of which some are taken at a time.

    Args:
        count: how many there are.
        results: an iterator that has them, or more.
    """

    __slots__ = ("count", "results")

    def __init__(self, count: int, results: Iterator[object]) -> None:
        self.count: int = count
        self.results: Iterator[object] = results

    def take(self, places: int) -> tuple[int, Iterator[object]]:
        """Return how many results are taken now, of a map with a number of *places*, and these results.

        Less than a half of the places: while the rest is taken, workers are under way again.
        """
        taken = min(self.count, max(places // 4, 1), _AT_ONCE)
        self.count -= taken
        return taken, islice(self.results, taken)


class Room:
    """Results on their way to the consumer. An item takes a place from the moment it is pulled.

    Args:
        capacity: see below.
        ordered: whether results are taken in the order of the items.
        one_by_one: whether a worker that waits for a place is woken by the one before, as that begins a call:
            the first one may find nothing but outputs that exist, which takes no other.

    Attributes:
        capacity: the number of places; while all are taken, no item is pulled.
        closed: results are no longer taken, so no further item is to be pulled.
        exhausted: there are no further items.
        pulled: items pulled so far.
        results: those that were not taken yet, by the number of the item.
        taken: results that the consumer has taken.
        workers: the workers that have not ended.
    """

    __slots__ = (
        "_blocked",
        "_consumer",
        "_error",
        "_is_waking",
        "_one_by_one",
        "_ordered",
        "capacity",
        "closed",
        "exhausted",
        "pulled",
        "results",
        "taken",
        "workers",
    )

    def __init__(self, capacity: int, *, ordered: bool, one_by_one: bool) -> None:
        self.capacity = capacity
        self._ordered = ordered
        self.results: dict[int, object] = {}
        self._one_by_one = one_by_one
        self._is_waking = False
        self._blocked: deque[asyncio.Future[None]] = deque()
        self._consumer: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self.workers: set[asyncio.Task[None]] = set()
        self.closed = self.exhausted = False
        self.taken = 0
        self.pulled = 0

    def watch(self, work: Coroutine[Any, Any, None], context: Context) -> None:
        """Start a worker in *context*; its failure is the consumer's."""
        worker = asyncio.get_running_loop().create_task(work, context=context)
        self.workers.add(worker)
        worker.add_done_callback(self._worker_done)

    def exhaust(self) -> None:
        """Let workers that wait for a place leave: there is no further item, nor one for the last place."""
        self.exhausted = True
        self.pulled -= 1
        self._wake_blocked()

    def resize(self, more: int) -> None:
        """Change the number of places by *more*; fewer take effect as results are taken."""
        self.capacity += more
        if more > 0:
            self._wake_blocked()

    def _worker_done(self, worker: asyncio.Task[None]) -> None:
        self.workers.discard(worker)
        if worker.cancelled():
            self._error = self._error or asyncio.CancelledError()
        elif (error := worker.exception()) is not None:
            self._error = self._error or error
        if self._error is not None or not self.workers:
            self._wake_consumer()

    def forget_failure(self) -> None:
        """Let go of what was raised."""
        self._error = None

    def line_up(self) -> asyncio.Future[None]:
        """Queue a worker, and return what it has to wait for; see `freed`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._blocked.append(future)
        return future

    async def freed(self, turn: asyncio.Future[None] | None = None) -> None:
        """Wait until half of the places are free, or until it is this worker's *turn*."""
        try:
            await (turn or self.line_up())
        finally:
            self._is_waking = False

    @property
    def places(self) -> int:
        """How many are free."""
        return self.capacity - self.pulled + self.taken

    def wake_next(self) -> None:
        """Wake one worker that waits for a place, if there is a place, and no other has just been woken."""
        while self._blocked and not self._is_waking and self.places > 0:
            future = self._blocked.popleft()
            if not future.done():
                self._is_waking = True
                future.set_result(None)

    def put(self, index: int, result: object) -> None:
        """Store the result of item number *index*."""
        self.results[index] = result
        if self._consumer is not None and (not self._ordered or index == self.taken):
            self._wake_consumer()

    def stored(self) -> None:
        """Wake the consumer, if it waits and what was put into `results` is for it."""
        if self._consumer is not None and self.ready:
            self._wake_consumer()

    @property
    def ready(self) -> bool:
        """Whether a result can be taken now."""
        return self.taken in self.results if self._ordered else bool(self.results)

    def drain(self) -> Iterator[object]:
        """Take what can be taken now: the results of the next items, or of any."""
        results, ordered = self.results, self._ordered
        while results:
            index = self.taken if ordered else next(iter(results))
            if index not in results:
                return
            result = results.pop(index)
            if type(result) is PassedOver:
                taken, some = result.take(self.capacity)
                if result.count:
                    results[index + taken] = result
                yield from some
                self.taken += taken
                self._wake_if_roomy()
            else:
                self.taken += 1
                self._wake_if_roomy()
                yield result

    def _wake_if_roomy(self) -> None:
        # Not one by one: a worker that is woken for a single place costs a turn of the loop.
        if self._blocked and self.pulled - self.taken <= self.capacity // 2:
            self.wake_next() if self._one_by_one else self._wake_blocked()

    def _wake_blocked(self) -> None:
        while self._blocked:
            future = self._blocked.popleft()
            if not future.done():
                future.set_result(None)

    async def filled(self) -> bool:
        """Wait for a result; False when all work is done. Raises the first failure at once."""
        while not self.ready or self._error is not None:
            if self._error is not None:
                raise self._error
            if not self.workers:
                return False
            self._consumer = asyncio.get_running_loop().create_future()
            await self._consumer
            self._consumer = None
        return True

    def _wake_consumer(self) -> None:
        if self._consumer is not None and not self._consumer.done():
            self._consumer.set_result(None)
