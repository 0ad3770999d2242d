"""Waits of event loops for the disk: in threads that do nothing else.

A disk empties its cache once for all that wait at that moment, so up to sixteen threads do. Each
needs the GIL only to take a wait and to hand it back: had it more to do, the GIL would change hands with the
event loop at every system call. A loop is woken once for all waits that end before it looks.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, ref

from asflow import _forks

if TYPE_CHECKING:
    from typing import Self

    _Asked = tuple["DiskWait", ref["_Waiter"]]

_THREADS = 16  # more gain nothing (measured on ext4 and one SSD)

_IN_A_TURN = 2  # rounds whose coroutines go on in one turn of the loop, as what they do next may take long


class DiskWait(Protocol):
    """A call that may take as long as the disk does.

    Attributes:
        key: equal for waits of which one does for all that are asked for before it runs; None for one alone.
    """

    @property
    def key(self) -> str | None: ...

    def run(self) -> None:
        """Wait. Never raises."""
        ...

    def take(self, other: Self, /) -> None:
        """Take the outcome of *other*, which has the same key and was run instead of this one."""
        ...


class _Waiter:
    """A coroutine that waits. Only its own frame holds it, so that it ends with its loop."""

    __slots__ = ("__weakref__", "future", "is_over")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future = loop.create_future()
        self.is_over = False

    def wake(self) -> None:
        self.is_over = True
        if not self.future.done():
            self.future.set_result(None)


class _Round:
    """Waits of one loop that one call of the disk does for, each with its waiter."""

    __slots__ = ("asked", "desk")

    def __init__(self, asked: list[_Asked], desk: _Desk) -> None:
        self.asked = asked
        self.desk = desk

    def run(self) -> None:
        """Wait, in any thread, and hand the outcome to the loop. Never raises."""
        first = self.asked[0][0]
        first.run()
        for other, _ in self.asked[1:]:
            other.take(first)
        self.desk.give_back(self)


class _Desk:
    """Where one loop asks for waits and gets them back. It doesn't hold the loop, nor who waits."""

    __slots__ = ("_is_called", "_loop", "_next", "_over")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._over: deque[_Round] = deque()
        self._is_called = False
        # By key, while a round of that key is under way: those that came too late for it.
        self._next: dict[str, list[_Asked]] = {}

    def ask(self, asked: _Asked) -> bool:
        """Have a wait run in some thread; False if there can be no thread. Called in the loop."""
        key = asked[0].key
        if key is not None and key in self._next:
            self._next[key].append(asked)
            return True
        if not _crew.take(_Round([asked], self)):
            return False
        if key is not None:
            self._next[key] = []
        return True

    def give_back(self, round_: _Round) -> None:
        """Take a round that is over, from any thread, and see that the loop looks."""
        self._over.append(round_)
        # Order matters: append, then read. `_collect` clears the note first and then takes what is there.
        if not self._is_called:
            self._is_called = True
            loop = self._loop()
            if loop is not None:
                with suppress(RuntimeError):  # closed: nothing of it is awaited any more
                    loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        self._is_called = False
        for _ in range(_IN_A_TURN):
            if not self._over:
                return
            self._wake(self._over.popleft().asked)
        loop = self._loop()
        if self._over and loop is not None:
            self._is_called = True
            loop.call_soon(self._collect)

    def _wake(self, asked: list[_Asked]) -> None:
        for _, waiter_of in asked:
            waiter = waiter_of()
            if waiter is not None:
                waiter.wake()
        key = asked[0][0].key
        if key is not None:
            self._begin_next(key)

    def _begin_next(self, key: str) -> None:
        waiting = self._next.pop(key, None)  # None: Ctrl-C came between the two steps of `ask`
        if waiting:
            self._next[key] = []
            round_ = _Round(waiting, self)
            if not _crew.take(round_):
                round_.run()


class _Crew:
    """The threads, started as they are needed, and their queue."""

    __slots__ = ("_exits", "_queue", "_threads", "desks")

    def __init__(self) -> None:
        # Its calls can't be interrupted halfway, as those of a lock and a list could by Ctrl-C.
        self._queue: SimpleQueue[_Round] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._exits = False
        self.desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()

    def take(self, round_: _Round) -> bool:
        """Take a round; False if the interpreter is exiting, or out of threads."""
        if self._exits:
            return False
        if len(self._threads) < _THREADS and (not self._threads or not self._queue.empty()):
            self._start()
        if not self._threads:
            return False
        self._queue.put(round_)
        return True

    def _start(self) -> None:
        # A daemon, since it waits for ever.
        thread = threading.Thread(target=_work, args=(self._queue,), name="asflow-disk", daemon=True)
        with suppress(RuntimeError):  # there can be no more
            thread.start()
            self._threads.append(thread)

    def exit(self) -> None:
        """Take no more: soon the threads will stand still."""
        self._exits = True

    def forget(self) -> None:
        """Forget all of it in a forked child, which has none of its parent's threads."""
        self._queue, self._threads, self.desks = SimpleQueue(), [], WeakKeyDictionary()


def _work(queue: SimpleQueue[_Round]) -> None:
    while True:
        queue.get().run()


_crew = _Crew()
_forks.after_fork(_crew.forget)
atexit.register(_crew.exit)


async def waited(wait: DiskWait) -> asyncio.CancelledError | None:
    """Run *wait* in another thread, and return when it has ended.

    Returns:
        The cancellation that came in the meantime, if one did: it is the caller's to raise.
    """
    loop = asyncio.get_running_loop()
    desk = _crew.desks.get(loop)
    if desk is None:
        desk = _crew.desks.setdefault(loop, _Desk(loop))
    waiter, cancelled = _Waiter(loop), None
    if not desk.ask((wait, ref(waiter))):
        wait.run()
        return None
    while not waiter.is_over:
        try:
            await waiter.future
        except asyncio.CancelledError as error:
            cancelled = error
            waiter.future = loop.create_future()
    return cancelled
