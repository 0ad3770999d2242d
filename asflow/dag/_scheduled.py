"""A scheduled node: its task, how it waits for its dependencies, and what its end sets off.

One Python callback at a task's end does everything that the end needs: let go of the task, wake its
dependents, file its failure, tell its scope. So an edge of the graph costs no callback of its own.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from asflow.dag._cycles import refuse_cycle
from asflow.dag._failures import Path, forget, register

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine, Generator, Iterable

    from asflow.dag._failures import Failure
    from asflow.dag._records import Record
    from asflow.dag._scope import Scope

__all__ = ["AnyFuture", "Latch", "NodeTask", "failure_of", "has_failed", "schedule"]

R = TypeVar("R")
AnyFuture = asyncio.Future[Any]

_alive: dict[asyncio.AbstractEventLoop, set[NodeTask[Any]]] = {}
"""Tasks that have not ended: asyncio itself holds them weakly, and the caller need not hold them."""

_alive_lock = threading.Lock()


class NodeTask(asyncio.Task[R]):
    """The task of one node. To users it is an `asyncio.Task`."""

    # Set for every node; the class attributes below are defaults for what most nodes never need.
    __slots__ = ("dependents", "latch", "record", "scope")

    latch: Latch | None
    """What it waits on, until the body starts."""
    dependents: dict[Latch, None] | None
    """Whom to wake at the end, in the order in which they began to wait."""
    scope: Scope | None
    record: Record | None

    owned: list[NodeTask[Any]] | None = None
    """Tasks made of coroutines that were given as arguments: cancelled if this node ends before them."""
    taken_raw: bool = False
    """Whether a raw node was handed this task, and so may look at its failure."""
    path: Path | None = None
    """How the failure of a dependency came here."""
    failure: Failure | None = None

    def error(self) -> BaseException | None:
        """Return the exception without counting as somebody who looked at it."""
        return self._exception

    def join(self, failure: Failure) -> None:
        """Become one of those who failed with the same exception."""
        self.failure = failure
        failure.members += 1

    def unseen(self) -> bool:
        """Tell whether the node failed and nobody has looked at the exception yet."""
        return self._log_traceback

    def __await__(self) -> Generator[Any, None, R]:
        """Wait for the result. Raises CycleError where this node waits for the task that awaits it."""
        if not self.done():
            refuse_cycle(self)
        return super().__await__()

    def __del__(self) -> None:
        """Report the failure if this was the last task that failed with it and nobody looked at any."""
        failure, error = self.failure, self._exception
        if failure is not None and error is not None:
            if self._log_traceback:
                self._log_traceback = False  # asyncio would report each task
            else:
                failure.looked_at = True
            failure.members -= 1
            if not failure.members:
                forget(error)
                if not failure.looked_at:
                    self._report(error)
        super().__del__()

    def _report(self, error: BaseException) -> None:
        context: dict[str, Any] = {
            "message": f"The failure of graph node {self.get_name()!r} was never looked at",
            "exception": error,
            "task": self,
        }
        self.get_loop().call_exception_handler(context)


class Latch:
    """What a node waits on: opens when its last dependency has ended, or the first argument has failed.

    It is hung up when the node is called, so that whoever waits for whom shows from then on.
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
        """Take note that *dependency* has ended."""
        self.left -= 1
        if self.open:
            return
        failed = self.strict and dependency not in self.lenient and has_failed(dependency)
        if failed or not self.left:
            self.open = True
            if self.waiter is not None and not self.waiter.done():
                self.waiter.set_result(None)

    def can_fail_by(self, failing: Container[AnyFuture]) -> bool:
        """Tell whether one of *failing* will make the waiting node fail too."""
        return self.strict and any(
            future in failing and future not in self.lenient for future in self.pending
        )

    def leave(self) -> None:
        """Wait no longer; takes the same time however many others wait for a node."""
        if self.left:
            for future in self.pending:
                if not isinstance(future, NodeTask):
                    future.remove_done_callback(self)
                elif future.dependents is not None:
                    future.dependents.pop(self, None)
        self.pending.clear()


def has_failed(future: AnyFuture) -> bool:
    """Tell whether *future*, which is done, was cancelled or holds an exception."""
    if future.cancelled():
        return True
    return (future.error() if isinstance(future, NodeTask) else future.exception()) is not None


def failure_of(dependency: AnyFuture, own_name: str) -> BaseException:
    """Return what *dependency* failed with, for the current node to raise.

    Returns:
        The very exception object, with the path from there to here in a note; a CancelledError of its own
        where the dependency was cancelled.
    """
    name = dependency.get_name() if isinstance(dependency, asyncio.Task) else type(dependency).__name__
    if dependency.cancelled():
        return asyncio.CancelledError(f"{own_name!r} can't run: its dependency {name!r} was cancelled")
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
        # Now and not at its end: the dependency may be gone by then, and must know that it isn't the last.
        current.join(failure)
    return error


def schedule(
    coroutine: Coroutine[Any, Any, R],
    loop: asyncio.AbstractEventLoop,
    name: str,
    scope: Scope | None,
) -> NodeTask[R]:
    """Make a task of *coroutine* that lives until it has ended, and that *scope* waits for."""
    # Not loop.create_task: a task factory would give a task that can't tell who looked at its failure.
    task = NodeTask(coroutine, loop=loop, name=name)
    task.latch = task.dependents = task.record = None
    task.scope = scope
    try:
        _alive[loop].add(task)
    except KeyError:
        _open(loop).add(task)
    if scope is not None:
        scope.tasks[task] = None
    task.add_done_callback(_ended)
    return task


def _open(loop: asyncio.AbstractEventLoop) -> set[NodeTask[Any]]:
    """Begin to hold tasks of *loop*, and let go of those whose loop was closed under them."""
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
    if task.scope is not None:
        task.scope.node_ended(task, error)
