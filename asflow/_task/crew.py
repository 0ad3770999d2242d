"""A `flow.task.map` without an event loop: a sync task in the map's own threads, for a `for` loop."""

from __future__ import annotations

import os
import threading
from asyncio import CancelledError
from collections import deque
from contextvars import copy_context
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from asflow import _forks
from asflow._runtime.stopping import Stop, stopping
from asflow._runtime.threads import without_stop_iteration
from asflow._runtime.watching import watching
from asflow._task.outcomes import Completed, Failed
from asflow._task.room import PassedOver, Staff
from asflow._tracebacks import leave_out_ours

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from contextvars import Context

    from asflow._runtime.watching import Watch
    from asflow._task.passing import Passing
    from asflow._task.workers import Work

_TICK = 0.2 if os.name == "nt" else None  # seconds; on Windows, Ctrl-C does not end a wait


class Crew:
    """Applies the task to items in threads, and passes the results to the thread that iterates.

    That thread pulls the items as well, one before each result that it takes, since their iterator may work
    in no other. A result takes a place from the moment its item is pulled, as in `Room`.
    """

    def __init__(self, work: Work) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._work = work
        self._context = copy_context()
        self._passing = work.passing()
        self._staff = Staff(work.size, work.most_parked)
        self._pool = ThreadPoolExecutor(work.size + work.most_parked, "asflow-map")
        # Reentrant, as it is by default: a garbage collection inside the lock may end another map.
        self._changed = _forks.renewed(self, "_changed", threading.Condition)
        self._pulled: deque[tuple[int, Any]] = deque()
        self._results: dict[int, object] = {}
        self._error: BaseException | None = None
        self._stops: set[Stop] = set()
        self._closed = self._ended = False
        self._capacity = work.places
        self._count = self._taken = 0

    def results(self) -> Generator[Any, None, None]:
        """Run the calls and yield their results; ending it early stops the calls and waits for them."""
        self._work.announce()
        passing = self._passing
        items = None if passing is not None else enumerate(chain(cast("Iterable[Any]", self._work.items)))
        try:
            while not (self._ended and self._taken == self._count):
                if self._has_place:
                    if passing is not None:
                        self._pass_over(passing)
                    elif items is None or (pulled := next(items, None)) is None:
                        self._ended = True
                    else:
                        self._add(pulled)
                    if self._ended:
                        continue
                if self._error is not None:
                    raise self._error
                if self._is_ready:
                    yield from self._take()
                elif not self._has_place:
                    self._wait()
        except BaseException as error:
            leave_out_ours(error)
            raise
        finally:
            try:
                self._close()
            finally:
                self._error = None  # its traceback holds this frame

    @property
    def _has_place(self) -> bool:
        return not self._ended and self._count - self._taken < self._capacity

    @property
    def _is_ready(self) -> bool:
        return self._taken in self._results if self._work.ordered else bool(self._results)

    def _pass_over(self, passing: Passing) -> None:
        """Pull items: store the results of those whose outputs exist, and add the next one for a worker."""
        while passing.step():
            pass
        # To pull the next item may take long: then a result that is ready comes first.
        places = self._capacity - self._count + self._taken if passing.is_in_memory else 1
        first, passed, called = self._count, list[Any](), ()
        try:
            called = passing.next(passed, places)
        finally:
            if passed:
                with self._changed:
                    self._count += len(passed)
                    self._results[first] = self._work.passed(passed)
        if called:
            self._add((first + len(passed), called[0]))
        else:
            self._ended = len(passed) < places

    def _add(self, pulled: tuple[int, Any]) -> None:
        with self._changed:
            self._count += 1
            self._pulled.append(pulled)
            self._hire()

    def _hire(self) -> None:
        """Start one more worker, if one is missing; called with the lock."""
        if self._pulled and self._staff.is_short and not self._closed:
            self._staff.workers += 1
            self._pool.submit(self._run)

    def _take(self) -> Iterable[object]:
        with self._changed:
            index = self._taken if self._work.ordered else next(iter(self._results))
            result = self._results.pop(index)
            if type(result) is not PassedOver:
                self._taken += 1
                return (result,)
            taken, some = result.take(self._capacity)
            self._taken += taken
            if result.count:
                self._results[index + taken] = result
            return some

    def _wait(self) -> None:
        """Wait for a result or a failure. Raises CancelledError if this thread belongs to a map that ends."""
        outer = stopping.get()
        if outer is not None:
            outer.wake = self._wake
        with self._changed:
            while not self._is_ready and self._error is None and not self._has_place:
                if outer is not None and outer.asked:
                    raise CancelledError
                self._changed.wait(_TICK)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _close(self) -> None:
        """Stop the calls and wait for their end. A body can't be stopped, but what it waits for can."""
        with self._changed:
            self._closed = True
            self._pulled.clear()
            stops = list(self._stops)
        for stop in stops:
            stop()
        self._pool.shutdown()

    # ------------------------------------------------------------------------ in the threads

    def _run(self) -> None:
        """Apply the task to one item after the other, as long as some have been pulled."""
        context = self._context.copy()
        watch = context.run(self._work.watch, self._park)
        if watch is not None:
            context.run(watching.set, watch)
        while (pulled := self._next()) is not None:
            stop, index, item = pulled
            try:
                result = self._call(context.copy(), stop, item, watch)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that iterates
                self._fail(error)
            else:
                with self._changed:
                    self._results[index] = result
                    self._changed.notify()
            finally:
                self._stops.discard(stop)
                if watch is not None:
                    watch.resume()

    def _park(self, parks: bool) -> None:
        """Note that a call is parked (True), or no longer."""
        with self._changed:
            more = self._staff.park(parks)
            self._capacity += more
            self._hire()
            if more > 0:
                self._changed.notify()

    def _next(self) -> tuple[Stop, int, Any] | None:
        with self._changed:
            if self._closed or self._error is not None or not self._pulled or self._staff.is_over:
                self._staff.workers -= 1
                return None
            stop = Stop()
            self._stops.add(stop)
            return stop, *self._pulled.popleft()

    def _call(self, context: Context, stop: Stop, item: object, watch: Watch | None) -> object:
        """Return the result of one item, whose call runs in *context*."""
        work = self._work
        context.run(stopping.set, stop)
        if watch is not None:
            watch.begin()
        try:
            value = context.run(without_stop_iteration, f"task {work.spec.name}()", work.task, item)
        except Exception as error:
            if not work.collect:
                raise
            return Failed(item, error)
        except CancelledError as error:
            if stop.asked:
                raise
            failure = work.cancelled(item, error)
            if not work.collect:
                raise failure from error
            return Failed(item, failure)
        if not work.collect:
            return value
        return Completed(item, value) if watch is None else Completed(item, value, watch.outcome)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if not self._closed:
                self._error = self._error or error
                self._changed.notify()
