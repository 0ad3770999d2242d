"""`flow.task.map`: a task over a lazy iterable, a few calls at a time, in constant memory.

A few workers pull items when there is a place for the result; nothing is queued in between, which is why a
million items take no more memory than a hundred. A result that was not taken yet keeps its place, so a slow
consumer slows the workers down.
"""

from __future__ import annotations

import sys
import warnings
from abc import ABCMeta
from collections.abc import Coroutine
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, currentframe
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asflow._names import Sealed, set_homes
from asflow._runtime.slots import running_loop
from asflow._task.workers import results_of
from asflow._tracebacks import leave_out_ours

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from types import FrameType, TracebackType

    from asflow._task.workers import Work

R_co = TypeVar("R_co", covariant=True)


class _Sealed(Sealed, ABCMeta):
    """`Sealed` for a class that is an abstract base class too."""


class TaskMap(
    Coroutine[Any, Any, list[R_co]],  # pyright: ignore[reportInvalidTypeArguments] - each list is a new one
    Generic[R_co],
    metaclass=_Sealed,
):
    """A task being applied to items: `async for` yields the results one by one, `await` returns all of them.

    It is a coroutine: `asyncio.run`, `asyncio.create_task` and task groups take it. Nothing runs before it is
    used, and it can be used once; if it never is, Python warns, as of any coroutine that was not awaited.

    Cancelling, or (with `on_error="raise"`) the first failure cancels the calls under way and waits for their
    end. Leaving an `async for` early cancels them too, but can't wait there:
    `async with contextlib.aclosing(aiter(mapped)) as results` around it does.
    """

    _made_by = "use flow.task.map(task, items)"
    __slots__ = ("__name__", "_coroutine", "_origin", "_used", "_work")

    def __init__(self, work: Work, frame: FrameType | None) -> None:
        """Prepare to do *work*; *frame* is that of `flow.task.map`, whose caller a warning points at."""
        self._used = False
        self._work = work
        self._coroutine: Coroutine[Any, Any, list[R_co]] | None = None
        caller = None if frame is None else frame.f_back
        self._origin: tuple[str, int, dict[str, Any]] = ("<unknown>", 1, {})
        if caller is not None:
            self._origin = caller.f_code.co_filename, caller.f_lineno, caller.f_globals
        self.__name__: str = f"flow.task.map of {work.spec.name}"  # in the repr of an asyncio task

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._work.spec.name}()>"

    def __del__(self) -> None:
        if not self._used:
            file, line, names = self._origin
            warnings.warn_explicit(
                f"flow.task.map(...) of task {self._work.spec.name}() was never awaited",
                RuntimeWarning,
                file,
                line,
                names.get("__name__"),
                names.setdefault("__warningregistry__", {}),
                source=self,
            )

    def __aiter__(self) -> AsyncGenerator[R_co, None]:
        """Run the calls and yield their results, in the order of the items or as they come."""
        self._use()
        return results_of(self._work, self._work.places)

    def __await__(self) -> Generator[Any, None, list[R_co]]:
        """Run all calls and return the list of their results."""
        self._use()
        return self._all().__await__()

    def send(self, value: Any, /) -> Any:
        """Go on to the next wait; called by asyncio, as for any coroutine.

        Args:
            value: None, or what the last wait returns.
        """
        return self._begun().send(value)

    def throw(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> Any:
        """Raise an exception in the last wait; called by asyncio, as for any coroutine.

        Args:
            typ: the exception, or its class.
            val: the exception, if *typ* is a class.
            tb: its traceback.
        """
        if val is None and tb is None:
            return self._begun().throw(typ)
        return self._begun().throw(typ, val, tb)

    def close(self) -> None:
        """End the map; one that has not begun never will."""
        self._used = True
        if self._coroutine is not None:
            self._coroutine.close()

    if not TYPE_CHECKING:  # for checkers, the map of an async task can't be iterated by `for`

        def __iter__(self) -> object:
            self._used = True
            raise TypeError(
                f"task {self._work.spec.name}(): is async, so `for` can't iterate over its map; "
                f"write `async for`, or asyncio.run(flow.task.map(...)) for the list"
            )

    def _begun(self) -> Coroutine[Any, Any, list[R_co]]:
        if self._coroutine is None:
            self._use()
            self._coroutine = self._all()
        return self._coroutine

    async def _all(self) -> list[R_co]:
        # The list holds every result anyway, so there is nothing to gain by making the workers wait.
        try:
            return [result async for result in results_of(self._work, sys.maxsize)]
        except BaseException as error:
            leave_out_ours(error)
            raise

    def _use(self) -> None:
        if self._used:
            raise RuntimeError(
                f"task {self._work.spec.name}(): its map has run, and runs once; "
                f"call flow.task.map(...) again"
            )
        self._used = True


class SyncTaskMap(TaskMap[R_co]):
    """A sync task being applied to items, in threads. In sync code, `for` yields the results one by one.

    Leaving the `for` loop early, or (with `on_error="raise"`) the first failure, drops what has not begun and
    waits for the bodies that run; a thread can't be stopped, but its wait for a retry is. Items are pulled by
    the thread that iterates. All else is as in `TaskMap`, with `async for` and `await` too.
    """

    __slots__ = ()

    def __iter__(self) -> Generator[R_co, None, None]:
        """Run the calls and yield their results, in the order of the items or as they come.

        Raises:
            TypeError: the items are async.
            RuntimeError: an event loop runs on this thread, which would have to wait: use `async for`. A sync
                flow may do it all the same.
        """
        from asflow._task.crew import Crew

        self._use()
        name = self._work.spec.name
        items = self._work.items
        if hasattr(items, "__aiter__") and not hasattr(items, "__iter__"):
            raise TypeError(
                f"task {name}(): `for` can't iterate over its map of async items; write `async for`"
            )
        if _stops_a_loop():
            raise RuntimeError(
                f"task {name}(): iterating over its map here would stop the event loop of this thread; "
                f"write `async for`, or call this function with asyncio.to_thread"
            )
        return Crew(self._work).results()


def _stops_a_loop() -> bool:
    """Whether an event loop runs on this thread and called what iterates, with no sync flow in between."""
    frame = None if running_loop() is None else currentframe()
    while frame is not None:
        if frame.f_code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR):
            return True
        if frame.f_globals.get("__name__") == "asflow._flow":
            return False  # what calls a sync flow on a loop (a notebook, say) waits for it in any case
        frame = frame.f_back
    return running_loop() is not None


set_homes("asflow", (SyncTaskMap, TaskMap))
