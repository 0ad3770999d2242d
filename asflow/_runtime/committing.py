"""Commits of small outputs by async calls: one thread ends all that wait, together.

In a thread for each, the GIL would change hands with the event loop at every system call. Here the loop only
puts a commit into a queue. The thread takes what is there, and never waits for more: while it waits for the
disk, the next ones gather. Each loop is woken once for all of its commits in a batch.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, cast

from asflow import _forks
from asflow._engine import vocabulary as words
from asflow.protocols import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asflow._runtime.calls import TaskCall

    PublishMany = Callable[[Sequence[Claim]], Sequence[BaseException | None]]
    Queue = SimpleQueue["_Commit | None"]


class Grouped(Claim, Protocol):
    """A claim that can be published together with others; `LocalStore` has such.

    Attributes:
        size: the bytes written so far.
        publish_many: publishes all of some claims with the same function; returns what each has raised.
    """

    @property
    def size(self) -> int: ...

    @property
    def publish_many(self) -> PublishMany: ...


def as_grouped(claim: Claim | None) -> Grouped | None:
    """Return *claim* if it can be published together with others; a wrapped one can't."""
    return cast("Grouped", claim) if hasattr(claim, "publish_many") else None


_SCALARS = frozenset({int, float, bool, type(None)})
_FEW = 256  # items
_SHORT = 64 * 1024  # characters or bytes of all texts in a value


def is_small(value: object) -> bool:
    """Return whether *value* is encoded in a moment: a short text, or few of them in plain containers."""
    left, room, waiting = _FEW, _SHORT, [value]
    while waiting:
        if len(waiting) > left:
            return False
        item = waiting.pop()
        kind, left = type(item), left - 1
        if kind is str or kind is bytes:
            room -= len(cast("str | bytes", item))
            if room < 0:
                return False
        elif kind is dict or kind is list or kind is tuple:
            items = cast("dict[object, object] | list[object]", item)
            if len(items) > left:
                return False
            waiting += items
            if isinstance(items, dict):
                waiting += items.values()
        elif kind not in _SCALARS:
            return False
    return True


# ------------------------------------------------------------------ one commit


class Committed(Protocol):
    """An output whose commit has two halves; `asflow._runtime.making.Making` is one."""

    def begin_commit(self, run: TaskCall, /) -> Claim | None:
        """Do all but publishing; None if the call was cancelled. Raises what ends the commit."""
        ...

    def end_commit(self, run: TaskCall, error: BaseException | None, /) -> words.Event:
        """Note that the claim was published, or that *error* was raised; it is raised if no Exception."""
        ...

    def close(self, closing: words.Commit, run: TaskCall, /) -> words.Event:
        """Do both halves, and publish the claim in between."""
        ...

    def abandon(self) -> None:
        """Publish nothing, if there is still time."""
        ...


class _Commit:
    """The commit of one call, on its way to the thread and back."""

    __slots__ = ("_ended", "_error", "_event", "_future", "_making", "_run", "loop")

    def __init__(self, making: Committed, run: TaskCall) -> None:
        self._making = making
        self._run = run
        self.loop = asyncio.get_running_loop()
        self._future = self.loop.create_future()
        self._event: words.Event = words.Done()
        self._error: BaseException | None = None
        self._ended = False

    async def ended(self) -> words.Event:
        """Wait for the end; a cancellation is re-raised only then, as in `threads.in_thread`."""
        try:
            await self._future
        except asyncio.CancelledError:
            self._making.abandon()
            while not self._ended:
                self._future = self.loop.create_future()
                with suppress(asyncio.CancelledError):
                    await self._future
            raise
        if self._error is not None:
            raise self._error
        return self._event

    def wake(self) -> None:
        """Let the call go on. Called in its loop."""
        self._ended = True
        if not self._future.done():
            self._future.set_result(None)

    def begin(self) -> Grouped | None:
        """Do all but publishing; None if there is nothing to publish. Never raises."""
        try:
            claim = self._making.begin_commit(self._run)
        except BaseException as error:  # noqa: BLE001 - the call raises it
            self.end(error)
            return None
        if claim is None:
            self.end(None)
        return as_grouped(claim)

    def end(self, error: BaseException | None) -> None:
        """Note that the claim was published, or has raised *error*. Never raises."""
        try:
            self._event = self._making.end_commit(self._run, error)
        except BaseException as raised:  # noqa: BLE001 - as above
            self._error = raised


# ------------------------------------------------------------------ the thread


class _Committer:
    """The thread, started with the first commit, and its queue."""

    __slots__ = ("_exits", "_queue", "_threads")

    def __init__(self) -> None:
        # Its calls can't be interrupted halfway, as those of a lock and a list could by Ctrl-C.
        self._queue: Queue = SimpleQueue()
        # Two loops that start at once may start a thread each, which is as good.
        self._threads: list[threading.Thread] = []
        self._exits = False

    def take(self, commit: _Commit) -> bool:
        """Take a commit; False if there can be no thread: the interpreter is exiting, or out of threads."""
        if self._exits or not (self._threads or self._start()):
            return False
        self._queue.put(commit)
        return True

    def _start(self) -> bool:
        # A daemon, since it waits for ever; `exit` ends it when no other threads can commit any more.
        thread = threading.Thread(target=_work, args=(self._queue,), name="asflow-commits", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._threads.append(thread)
        return True

    def exit(self) -> None:
        """Wait until all that was taken is done, and take no more."""
        self._exits = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def forget(self) -> None:
        """Forget thread and queue in a forked child, which has none of its parent's threads."""
        self._queue = SimpleQueue()
        self._threads = []


_committer = _Committer()
_forks.after_fork(_committer.forget)
atexit.register(_committer.exit)


async def commit_with_others(making: Committed, run: TaskCall) -> words.Event:
    """Commit the output of *run* in the thread, together with what else is waiting there.

    Cancellation: as in `threads.in_thread`; the commit is abandoned if there is still time.
    """
    commit = _Commit(making, run)
    if not _committer.take(commit):
        return making.close(words.Commit(), run)
    return await commit.ended()


def _work(queue: Queue) -> None:
    while _commit_all(_waiting(queue)):
        pass


def _waiting(queue: Queue) -> list[_Commit]:
    """Wait for a commit, and take all that are there; none at the end."""
    batch: list[_Commit] = []
    commit = queue.get()
    while commit is not None:
        batch.append(commit)
        try:
            commit = queue.get_nowait()
        except Empty:
            return batch
    if batch:
        queue.put(None)  # for the next look
    return batch


def _commit_all(batch: list[_Commit]) -> bool:
    """Commit all of *batch*; False if it is empty. The thread holds nothing of it afterwards."""
    groups: dict[PublishMany, list[tuple[_Commit, Grouped]]] = {}
    for commit in batch:
        claim = commit.begin()
        if claim is not None:
            groups.setdefault(claim.publish_many, []).append((commit, claim))
    for publish_many, begun in groups.items():
        errors = publish_many([claim for _, claim in begun])
        for (commit, _), error in zip(begun, errors, strict=True):
            commit.end(error)
    _wake(batch)
    return bool(batch)


def _wake(batch: Iterable[_Commit]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[_Commit]] = {}
    for commit in batch:
        loops.setdefault(commit.loop, []).append(commit)
    for loop, commits in loops.items():
        with suppress(RuntimeError):  # closed: nothing of it is awaited any more
            loop.call_soon_threadsafe(_wake_each, commits)


def _wake_each(commits: list[_Commit]) -> None:
    for commit in commits:
        commit.wake()
