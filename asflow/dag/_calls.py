"""One call of a node: what it waits for, and how its body is run in the end."""

from __future__ import annotations

import asyncio
import inspect
from types import FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any, Literal

from asflow._inspect import body_of, is_async
from asflow._labels import short
from asflow._runtime.threads import without_stop_iteration
from asflow._tracebacks import after_packages, leave_out_ours
from asflow.dag._errors import ForeignLoopError
from asflow.dag._loop_bound import needs_loop
from asflow.dag._scheduled import Latch, NodeTask, failure_of, has_failed, schedule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from asflow.dag._records import Record
    from asflow.dag._scheduled import AnyFuture
    from asflow.dag._scope import NodeGroup

NONE: frozenset[Any] = frozenset()
NOTHING: list[Any] = []
"""Shared by calls that have nothing else: fewer containers a node, less work for the garbage collector."""

_NO_LOOP = ("no running event loop", "There is no current event loop")
"""How asyncio's own errors begin where no loop runs."""

Kind = Literal["native", "loop", "thread"]
"""An `async def`, anything else that runs on the loop, or a function for a thread."""


def kind_of(func: Any) -> Kind:
    """Return how the body is to be run."""
    body = body_of(func)
    if isinstance(body, FunctionType) and body.__code__.co_flags & inspect.CO_COROUTINE:
        return "native"
    return "loop" if is_async(func) or needs_loop(func) else "thread"


def is_awaitable(value: object) -> bool:
    """Return whether an argument is to be resolved. Much cheaper than `inspect.isawaitable`."""
    kind: type = type(value)
    return hasattr(kind, "__await__") or (kind is GeneratorType and inspect.isawaitable(value))


def close_unstarted(values: Iterable[object]) -> None:
    """Close the coroutines that are not awaited after all, so that Python doesn't warn about each."""
    for value in values:
        if asyncio.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
            value.close()


class Extra:
    """A dependency that passes no value. A coroutine becomes one task, at the first call that needs it."""

    __slots__ = ("awaitable", "future")

    def __init__(self, awaitable: Awaitable[object]) -> None:
        self.awaitable: Awaitable[object] | None = awaitable
        self.future: AnyFuture | None = None

    def started(self, loop: asyncio.AbstractEventLoop, group: NodeGroup | None) -> AnyFuture:
        """Return the future to wait for."""
        if self.future is None:
            assert self.awaitable is not None
            self.future = to_future(self.awaitable, loop, group)
            self.awaitable = None
        return self.future


def to_future(
    awaitable: Awaitable[Any], loop: asyncio.AbstractEventLoop, group: NodeGroup | None
) -> AnyFuture:
    """Return *awaitable* if it is a task or future, else a new task that awaits it."""
    if asyncio.isfuture(awaitable):
        return awaitable
    coroutine = awaitable if asyncio.iscoroutine(awaitable) else _await(awaitable)
    name = str(getattr(awaitable, "__name__", type(awaitable).__name__))
    task = schedule(coroutine, loop, name, group)
    if group is not None:
        task.record = group.record(name, ())
        task.record.started = loop.time()
    return task


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _return(value: Any) -> Any:
    return value


async def _wait_for(future: AnyFuture) -> Any:
    return await asyncio.shield(future)


class Inputs:
    """The arguments of a call, and the futures that some of them come from."""

    __slots__ = ("args", "extras", "kwargs", "name", "owned", "places", "raw", "seen")

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, raw: bool) -> None:
        self.name: str = name
        self.args: list[Any] = list(args)
        self.kwargs: dict[str, Any] = kwargs
        self.raw: bool = raw
        self.places: list[tuple[int | str, AnyFuture]] = []
        self.owned: list[NodeTask[Any]] | None = None
        self.seen: list[AnyFuture] = NOTHING
        """What the graph of the scope shows as dependencies. Empty without a scope."""
        self.extras: tuple[AnyFuture, ...] = ()

    def resolve(
        self, loop: asyncio.AbstractEventLoop, group: NodeGroup | None, extras: tuple[Extra, ...]
    ) -> None:
        """Find the awaitables, and make a task of each that is neither task nor future: all run side by side.

        Raises:
            ForeignLoopError: a future is pending and belongs to another loop.
        """
        if group is not None:
            self.seen = []
        for place, value in enumerate(self.args):
            if self.raw or is_awaitable(value):
                self.places.append((place, self._started(value, loop, group)))
        for name, value in self.kwargs.items():
            if self.raw or is_awaitable(value):
                self.places.append((name, self._started(value, loop, group)))
        if extras:
            self.extras = tuple(self._checked(extra.started(loop, group), loop) for extra in extras)
            if group is not None:
                self.seen += self.extras

    def _checked(self, future: AnyFuture, loop: asyncio.AbstractEventLoop) -> AnyFuture:
        if future.get_loop() is not loop and not future.done():
            raise ForeignLoopError(
                f"task {self.name}(): waits for tasks of its own event loop, not for {short(future)} "
                "of another; start it on the loop that calls the node"
            )
        return future

    def _started(self, value: Any, loop: asyncio.AbstractEventLoop, group: NodeGroup | None) -> AnyFuture:
        if not is_awaitable(value):
            return schedule(_return(value), loop, type(value).__name__, None)
        future = self._checked(to_future(value, loop, group), loop)
        if group is not None:
            self.seen.append(future)
        if future is not value and isinstance(future, NodeTask):
            self._own(future)
        if self.raw:
            if not isinstance(future, asyncio.Task):
                future = schedule(_wait_for(future), loop, type(future).__name__, None)
                self._own(future)
            if isinstance(future, NodeTask):
                future.taken_raw = True
        return future

    def cancel_owned(self) -> None:
        """Cancel what was started for a call that can't be made."""
        for task in self.owned or ():
            task.cancel()

    def _own(self, task: NodeTask[Any]) -> None:
        if self.owned is None:
            self.owned = []
        self.owned.append(task)

    def latch(self) -> Latch | None:
        """Return what to wait on; None if nothing is pending."""
        pending = [future for _, future in self.places if not future.done()]
        lenient = NONE
        if self.extras:
            lenient = frozenset(self.extras).difference(pending)
            pending += [future for future in self.extras if not future.done()]
        if not pending:
            return None
        return Latch(pending, strict=not self.raw, lenient=lenient)

    def failed(self) -> AnyFuture | None:
        """Return the first argument that has failed; None if the body can run. Always None if raw."""
        if self.raw:
            return None
        for _, future in self.places:
            if future.done() and has_failed(future):
                return future
        return None

    def fill_in(self) -> None:
        """Put the results in their places, or the tasks if raw."""
        for place, future in self.places:
            value = future if self.raw else future.result()
            if isinstance(place, int):
                self.args[place] = value
            else:
                self.kwargs[place] = value


async def _in_thread(name: str, func: Callable[..., object], args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return await asyncio.to_thread(without_stop_iteration, f"{name}()", func, *args, **kwargs)
    except RuntimeError as error:
        if str(error).startswith(_NO_LOOP):
            error.add_note(
                f"asflow graph: {name}() ran in a thread, which has no event loop; "
                "annotate what it returns as Awaitable, and it runs on the loop"
            )
        raise


async def run(func: Callable[..., Any], kind: Kind, inputs: Inputs, record: Record | None) -> Any:
    """Wait for the inputs, then run the body: on the loop, or in a thread so that the loop goes on.

    Any awaitable that a plain function returns is awaited here, on the loop.
    """
    loop = asyncio.get_running_loop()
    current = asyncio.current_task()
    assert isinstance(current, NodeTask)
    name, latch = inputs.name, current.latch
    failed = inputs.failed()
    if failed is None and latch is not None:
        if not latch.open:
            latch.waiter = loop.create_future()
            await latch.waiter
        failed = inputs.failed()
    if failed is not None:
        error = failure_of(failed, name)
        # The frames of its dependents, and of what awaited it: on a long path they would pile up.
        traceback = after_packages(error.__traceback__, ("asflow.dag",), search=True) or error.__traceback__
        try:
            raise error.with_traceback(traceback)
        finally:
            del inputs, failed, error, traceback  # what the traceback's frame would keep alive
    inputs.fill_in()
    if latch is not None:
        latch.leave()
        current.latch = latch = None
    args, kwargs = inputs.args, inputs.kwargs
    del inputs  # it holds the dependencies, and so their results
    if record is not None:
        record.started = loop.time()
    try:
        if kind == "native":
            return await func(*args, **kwargs)
        result = func(*args, **kwargs) if kind == "loop" else await _in_thread(name, func, args, kwargs)
        return await result if is_awaitable(result) else result
    except BaseException as error:
        leave_out_ours(error)
        raise
    finally:
        if record is not None:
            record.ended = loop.time()
