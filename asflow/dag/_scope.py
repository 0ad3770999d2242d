"""Scopes: wait for every node called inside, fail like a TaskGroup, and record the graph of what ran."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from asflow._names import Sealed, create
from asflow.dag._errors import ScopeClosedError
from asflow.dag._graph import Graph, snapshot
from asflow.dag._records import Record
from asflow.dag._scheduled import NodeTask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from asflow.dag._scheduled import AnyFuture

_current: ContextVar[NodeGroup | None] = ContextVar("asflow.dag.scope", default=None)


def current_group(loop: asyncio.AbstractEventLoop) -> NodeGroup | None:
    """Return the nodes of the innermost scope that the code running on *loop* is in, or None.

    A thread inherits the context, and so the scope, of the code that started it; nodes on a loop of its
    own are not part of that scope.
    """
    innermost = _current.get()
    return innermost if innermost is None or innermost.loop is loop else None


def scope() -> Scope:
    """Wait at the end of an `async with` for every node called inside it, also from inside its nodes.

        async with scope() as pipeline:
            upload(concatenate(fetch("a1"), fetch("a2")))
        print(pipeline.graph().to_mermaid())

    Returns:
        A `Scope`, to be entered once.

    Raises:
        ExceptionGroup: at the end of the block, if a node or the block itself failed: each distinct
            exception once, even if several nodes failed with it. The first failure cancels all other
            nodes and the block. A failure that was handed to a `raw=True` node does so only if its
            exception was not retrieved, by that node or elsewhere, before the end.
        CancelledError: the block was cancelled from outside: so are its nodes, and they are waited for.
    """
    return create(Scope)


class Scope(metaclass=Sealed):
    """The block that `scope()` opens. One event loop's thread only; nested scopes are independent."""

    _made_by = "use scope()"

    __slots__ = ("_group",)

    def __init__(self) -> None:
        self._group = NodeGroup()

    async def __aenter__(self) -> Self:
        """Open the scope for the calls made in this block and in the nodes called in it."""
        self._group.enter()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for all nodes, then raise what failed."""
        await self._group.leave(exc)

    def graph(self) -> Graph:
        """Return what has run in this scope so far: nodes, dependencies, durations, the critical path.

        Call it inside the block, at its end or after it; each call returns a new picture. Calls in a
        nested scope belong to the graph of that scope.
        """
        return self._group.graph()

    def __repr__(self) -> str:
        return f"<Scope of {len(self._group.records)} nodes>"


class NodeGroup:
    """The nodes of one scope: what they wait for, how they ended, and what is to be raised in the end."""

    def __init__(self) -> None:
        self.tasks: dict[NodeTask[Any], None] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.records: list[Record] = []
        self._outside: WeakKeyDictionary[AnyFuture, Record] = WeakKeyDictionary()
        self._errors: dict[int, BaseException] = {}
        self._handed: list[NodeTask[Any]] = []
        self._exit_error: BaseException | None = None
        self._parent: asyncio.Task[Any] | None = None
        self._cancels_before = 0
        self._around: NodeGroup | None = None
        self._began = 0.0
        self._ended: float | None = None
        self._leaving = False
        self._cancelling = False
        self._cancelled_parent = False
        self._all_done: asyncio.Future[None] | None = None

    def enter(self) -> None:
        """Become the group of the calls made in the current context."""
        if self.loop is not None:
            raise ScopeClosedError("scope(): can be entered once; make a new one with scope()")
        self.loop = asyncio.get_running_loop()
        self._parent = asyncio.current_task()
        # On Python 3.11 and 3.12 a TaskGroup that has failed leaves one behind, which is not ours.
        self._cancels_before = 0 if self._parent is None else self._parent.cancelling()
        self._began = self.loop.time()
        self._around = _current.get()
        _current.set(self)

    async def leave(self, exc: BaseException | None) -> None:
        """Wait for all nodes, then raise what failed: *exc*, raised by the block, or nodes."""
        _current.set(self._around)
        self._leaving = True
        cancelled = exc if isinstance(exc, asyncio.CancelledError) else None
        if exc is not None:
            self._cancel_all()
        cancelled = await self._wait() or cancelled
        assert self.loop is not None
        self._ended = self.loop.time()
        # The cancelling of our own block must not look like one from outside (as in TaskGroup).
        if self._cancelled_parent and self._parent and self._parent.uncancel() <= self._cancels_before:
            cancelled = None
        try:
            self._raise(exc, cancelled)
        finally:
            # The exception group holds this frame, which holds this object: don't hold the exceptions too.
            self._errors.clear()
            self._handed.clear()
            self._parent = self._exit_error = None

    async def _wait(self) -> asyncio.CancelledError | None:
        """Wait until no task is left; if cancelled meanwhile, cancel them and go on waiting."""
        cancelled = None
        assert self.loop is not None
        while self.tasks:
            self._all_done = self.loop.create_future()
            try:
                await self._all_done
            except asyncio.CancelledError as error:
                cancelled = error
                self._cancel_all()
        return cancelled

    def _raise(self, exc: BaseException | None, cancelled: asyncio.CancelledError | None) -> None:
        if self._exit_error is not None:
            raise self._exit_error
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            return
        if exc is not None and not isinstance(exc, asyncio.CancelledError):
            self._errors.setdefault(id(exc), exc)
        for task in self._handed:
            if task.unseen():
                self._add(task)
        if self._errors:
            if self._parent is not None and self._parent.cancelling() > self._cancels_before:
                # Cancelled from outside too: the failures go first, the next await is cancelled.
                self._parent.uncancel()
                self._parent.cancel()
            message = "unhandled errors in a scope"
            raise BaseExceptionGroup(message, list(self._errors.values())) from None
        if cancelled is not None and cancelled is not exc:
            raise cancelled

    def node_ended(self, task: NodeTask[Any], error: BaseException | None) -> None:
        """Release *task*, and cancel the others if it failed. Called when the task ends."""
        self.tasks.pop(task, None)
        self._note_end(task, error)
        if error is not None:
            if task.taken_raw and isinstance(error, Exception):
                self._handed.append(task)
            else:
                self._add(task)
                self._cancel_all(task)
        if not self.tasks and self._all_done is not None and not self._all_done.done():
            self._all_done.set_result(None)

    def _add(self, task: NodeTask[Any]) -> None:
        error = task.exception()  # retrieved from now on: the exception group will be raised
        if error is None:
            return
        self._errors.setdefault(id(error), error)
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and self._exit_error is None:
            self._exit_error = error

    def _cancel_all(self, failed: NodeTask[Any] | None = None) -> None:
        if self._cancelling:
            return
        self._cancelling = True
        # Dependents of the failed node fail with it anyway. Calls are in order, so one pass finds all.
        failing: set[AnyFuture] = set() if failed is None else {failed}
        for task in list(self.tasks):
            if task.latch is not None and task.latch.can_fail_by(failing):
                failing.add(task)
            else:
                task.cancel()
        if not self._leaving and self._parent is not None:
            self._cancelled_parent = True
            self._parent.cancel()

    def refuse_if_closed(self, name: str) -> None:
        """Raise ScopeClosedError for the node *name*, unless calls may be made in this scope."""
        if self._cancelling or self._ended is not None:
            why = "is cancelling its nodes" if self._ended is None else "has ended"
            raise ScopeClosedError(
                f"task {name}(): can't be called in a scope that {why}; "
                "call it before that, or in a scope of its own"
            )

    def record(self, name: str, dependencies: Iterable[AnyFuture], label: str = "") -> Record:
        """Record a node, what it waits for, and its arguments as one line."""
        needs = dict.fromkeys(record.index for future in dependencies for record in self._records_of(future))
        record = Record(len(self.records), name, tuple(needs), label=label)
        self.records.append(record)
        return record

    def _records_of(self, future: AnyFuture) -> list[Record]:
        """Return the record of *future*, or those of its members if it is an `asyncio.gather` of nodes."""
        if isinstance(future, NodeTask) and future.group is self and future.record is not None:
            return [future.record]
        children: list[AnyFuture] | None = getattr(future, "_children", None)
        if children:
            return [record for child in children for record in self._records_of(child)]
        record = self._outside.get(future)
        if record is None:
            name = future.get_name() if isinstance(future, asyncio.Task) else type(future).__name__
            record = Record(len(self.records), name, (), outside=True)
            self.records.append(record)
            self._outside[future] = record
            if future.done():
                record.state = _state_of(future)
            else:
                future.add_done_callback(self._outside_ended)
        return [record]

    def _outside_ended(self, future: AnyFuture) -> None:
        record = self._outside.get(future)
        if record is not None:
            record.ended = future.get_loop().time()
            record.state = _state_of(future)

    def _note_end(self, task: NodeTask[Any], error: BaseException | None) -> None:
        record = task.record
        if record is not None:
            if record.ended is None:
                record.ended = task.get_loop().time()
            record.state = "cancelled" if task.cancelled() else "completed" if error is None else "failed"

    def graph(self) -> Graph:
        """Return the nodes called so far as a graph."""
        if self.loop is None:
            return snapshot([], began=0.0, now=0.0)
        now = self._ended if self._ended is not None else self.loop.time()
        return snapshot(self.records, began=self._began, now=now)


def _state_of(future: AnyFuture) -> Any:
    if future.cancelled():
        return "cancelled"
    # Not exception(): a picture must not mark it as retrieved.
    return "completed" if getattr(future, "_exception", None) is None else "failed"
