"""A scheduled node: its task, how it waits for its dependencies, and what its end triggers.

One Python callback at a task's end does everything that the end needs: release the task, wake its
dependents, record its failure, notify its scope. So an edge of the graph costs no callback of its own.

Cycles. A node's arguments exist before the node does, so a graph of calls alone has no cycle. One closes
only when code that is already waited for awaits a node by another road: a closure, a global, a container.
It is looked for at that `await`, and refused.

Seen: nodes waiting for their dependencies, tasks awaiting a task or an `asyncio.gather`. Not seen: what
waits through a bare future, an event, a queue, a thread, `asyncio.wait` or `asyncio.shield`, because
none of them says what will wake it; and a cycle of more than `MAX_STEPS` tasks.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from asflow import _forks
from asflow.dag._errors import CycleError
from asflow.dag._failures import Path, forget, register

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine, Generator, Iterable

    from asflow.dag._failures import Failure
    from asflow.dag._records import Record

R = TypeVar("R")
AnyFuture = asyncio.Future[Any]

MAX_STEPS: Final = 10_000
"""Tasks looked at for one `await`: keeps it cheap when many wait for the same large graph."""

_alive: dict[asyncio.AbstractEventLoop, set[NodeTask[Any]]] = {}
"""Tasks that have not ended: asyncio itself holds them weakly, and the caller need not hold them."""

_alive_lock = _forks.renewed(sys.modules[__name__], "_alive_lock", threading.Lock)


class Group(Protocol):
    """The nodes of a scope, as far as a node knows them."""

    tasks: dict[NodeTask[Any], None]

    def node_ended(self, task: NodeTask[Any], error: BaseException | None, /) -> None: ...


class NodeTask(asyncio.Task[R]):
    """The task of one node. To users it is an `asyncio.Task`."""

    # Set for every node; the class attributes below are defaults for what most nodes never need.
    __slots__ = ("dependents", "group", "latch", "record")

    latch: Latch | None
    """What it waits on, until the body starts."""
    dependents: dict[Latch, None] | None
    """What to wake at the end, in the order in which they began to wait."""
    group: Group | None
    """The nodes of its scope."""
    record: Record | None

    owned: list[NodeTask[Any]] | None = None
    """Tasks made of coroutines that were given as arguments: cancelled if this node ends before them."""
    taken_raw: bool = False
    """Whether a raw node was handed this task, and so may retrieve its exception."""
    path: Path | None = None
    """The path by which the failure of a dependency arrived."""
    failure: Failure | None = None

    def error(self) -> BaseException | None:
        """Return the exception without marking it as retrieved."""
        return self._exception

    def join(self, failure: Failure) -> None:
        """Count as one of the nodes that failed with the same exception."""
        self.failure = failure
        failure.members += 1

    def unseen(self) -> bool:
        """Return whether the node failed and its exception was not retrieved yet."""
        return self._log_traceback

    def __await__(self) -> Generator[Any, None, R]:
        """Wait for the result. Raises CycleError if this node waits for the task that awaits it."""
        if not self.done():
            _refuse_cycle(self)
        return super().__await__()

    def __del__(self) -> None:
        """Report the failure if this was the last task that failed with it and none was retrieved."""
        failure, error = self.failure, self._exception
        if failure is not None and error is not None:
            if self._log_traceback:
                self._log_traceback = False  # asyncio would report each task
            else:
                failure.retrieved = True
            failure.members -= 1
            if not failure.members:
                forget(error)
                if not failure.retrieved:
                    self._report(error)
        super().__del__()

    def _report(self, error: BaseException) -> None:
        name = self.get_name()
        context: dict[str, Any] = {
            "message": f"task {name}(): its exception was never retrieved; await it, or call its exception()",
            "exception": error,
            "task": self,
        }
        self.get_loop().call_exception_handler(context)


class Latch:
    """What a node waits on: opens when its last dependency has ended, or the first argument has failed.

    Registered with its dependencies when the node is called, so that cycle detection sees the edge from
    then on.
    """

    __slots__ = ("left", "lenient", "open", "pending", "strict", "waiter")

    def __init__(self, pending: Iterable[AnyFuture], *, strict: bool, lenient: frozenset[AnyFuture]) -> None:
        self.pending: dict[AnyFuture, Any | None] = dict.fromkeys(pending)
        self.left: int = len(self.pending)
        self.strict: bool = strict
        """Whether a failure opens it at once, unless it is one of the lenient."""
        self.lenient: frozenset[AnyFuture] = lenient
        self.open: bool = not self.left
        self.waiter: asyncio.Future[None] | None = None
        for future in self.pending:
            if not isinstance(future, NodeTask):
                future.add_done_callback(self)
            elif future.dependents is None:
                future.dependents = {self: None}
            else:
                future.dependents[self] = None

    def __call__(self, dependency: AnyFuture) -> None:
        """Count *dependency* as ended."""
        self.left -= 1
        if self.open:
            return
        failed = self.strict and dependency not in self.lenient and has_failed(dependency)
        if failed or not self.left:
            self.open = True
            if self.waiter is not None and not self.waiter.done():
                self.waiter.set_result(None)

    def can_fail_by(self, failing: Container[AnyFuture]) -> bool:
        """Return whether one of *failing* will make the waiting node fail too."""
        return self.strict and any(
            future in failing and future not in self.lenient for future in self.pending
        )

    def leave(self) -> None:
        """Stop waiting, in constant time for each dependency, even if thousands wait for it."""
        if self.left:
            for future in self.pending:
                if not isinstance(future, NodeTask):
                    future.remove_done_callback(self)
                elif future.dependents is not None:
                    future.dependents.pop(self, None)
        self.pending.clear()


def has_failed(future: AnyFuture) -> bool:
    """Return whether *future*, which is done, was cancelled or holds an exception."""
    if future.cancelled():
        return True
    return (future.error() if isinstance(future, NodeTask) else future.exception()) is not None


def failure_of(dependency: AnyFuture, own_name: str) -> BaseException:
    """Return what *dependency* failed with, for the current node to raise.

    Returns:
        The same exception object, with the path from there to here in a note; a new CancelledError if
        the dependency was cancelled.
    """
    name = dependency.get_name() if isinstance(dependency, asyncio.Task) else type(dependency).__name__
    if dependency.cancelled():
        return asyncio.CancelledError(f"task {own_name}(): its dependency {name!r} was cancelled")
    node = dependency if isinstance(dependency, NodeTask) else None
    error = dependency.exception() if node is None else node.error()
    assert error is not None
    failure = register(error)
    before = (node.path if node is not None else None) or Path((name,))
    after = before.then(own_name)
    failure.note(error, before, after)
    current = asyncio.current_task()
    if isinstance(current, NodeTask):
        current.path = after
        # Now and not at its end: the dependency may be freed before that, and must not count as the last.
        current.join(failure)
    return error


def schedule(
    coroutine: Coroutine[Any, Any, R],
    loop: asyncio.AbstractEventLoop,
    name: str,
    group: Group | None,
) -> NodeTask[R]:
    """Make a task of *coroutine* that is kept until it has ended, and that the scope of *group* waits for."""
    # Not loop.create_task: the task of a factory doesn't know whether its exception was retrieved.
    task = NodeTask(coroutine, loop=loop, name=name)
    task.latch = task.dependents = task.record = None
    task.group = group
    try:
        _alive[loop].add(task)
    except KeyError:
        _open(loop).add(task)
    if group is not None:
        group.tasks[task] = None
    task.add_done_callback(_ended)
    return task


def _open(loop: asyncio.AbstractEventLoop) -> set[NodeTask[Any]]:
    """Return a set to hold the tasks of *loop*, and drop those whose loop was closed before they ended."""
    with _alive_lock:
        for other in [other for other in _alive if other.is_closed()]:
            del _alive[other]
        return _alive.setdefault(loop, set())


def _ended(task: NodeTask[Any]) -> None:
    _alive[task.get_loop()].discard(task)
    if task.owned:
        for owned in task.owned:
            owned.cancel()  # does nothing to one that has ended
        task.owned = None
    if task.latch is not None:
        task.latch.leave()
        task.latch = None
    error = task.error()
    if error is not None and task.failure is None:
        task.join(register(error))
    dependents = task.dependents
    if dependents is not None:
        task.dependents = None
        for latch in dependents:
            latch(task)
    if task.group is not None:
        task.group.node_ended(task, error)


def _waited_for(future: AnyFuture) -> tuple[AnyFuture, ...]:
    """Return what *future* visibly waits for now: a node's dependencies, or what its code awaits."""
    latch: Latch | None = getattr(future, "latch", None)
    if latch is not None:
        return tuple(latch.pending)
    # asyncio shows both to debuggers only; without them the cycle stays unseen.
    children: list[AnyFuture] | None = getattr(future, "_children", None)
    if children:
        return tuple(children)
    awaited: AnyFuture | None = getattr(future, "_fut_waiter", None)
    return () if awaited is None else (awaited,)


def _refuse_cycle(node: NodeTask[Any]) -> None:
    """Check that *node* does not wait for the current task, which is about to await it.

    Raises:
        CycleError: it does; the message names the tasks of the cycle in the order in which they wait.
    """
    current = asyncio.current_task()
    if current is None or not _is_waited_for(current):
        return
    came_from: dict[AnyFuture, AnyFuture | None] = {node: None}
    to_visit: list[AnyFuture] = [node]
    while to_visit and len(came_from) < MAX_STEPS:
        future = to_visit.pop()
        if future is current:
            raise CycleError(_describe(future, came_from))
        for awaited in _waited_for(future):
            if awaited not in came_from and not awaited.done():
                came_from[awaited] = future
                to_visit.append(awaited)


def _is_waited_for(task: asyncio.Task[Any]) -> bool:
    """Return whether anything waits for *task*; if not, it can't be part of a cycle."""
    if getattr(task, "dependents", None):
        return True
    callbacks: list[Any] = getattr(task, "_callbacks", None) or []
    return len(callbacks) > (1 if hasattr(task, "dependents") else 0)  # a node has a callback of its own


def _describe(current: AnyFuture, came_from: dict[AnyFuture, AnyFuture | None]) -> str:
    names: list[str] = []
    step: AnyFuture | None = current
    while step is not None:
        if isinstance(step, asyncio.Task):
            names.append(step.get_name())
        step = came_from[step]
    names.reverse()
    waits = " waits for ".join(map(repr, names))
    return (
        f"task {names[0]}(): {names[-1]!r} awaits {names[0]!r}, which can't finish before it: {waits}; "
        "don't await a node in what the node itself waits for"
    )
