"""Waits of event loops for the disk: in threads that do nothing else.

A disk empties its cache once for all that wait at that moment, so up to sixteen threads do. Waits that are
asked for in the same turns of a loop begin together and are handed back together: each thread needs the GIL
twice for its wait, and while any thread wants it, every system call of the loop costs a change of threads. So
the loop prepares one batch of outputs, sleeps while the disk takes it, and goes on with all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, ref

from asflow import _forks
from asflow._runtime.disk_threads import THREADS, crew

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    _Asked = tuple["DiskWait", ref["_Waiter"]]

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

    __slots__ = ("asked", "key")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.asked: list[_Asked] = []

    def run(self) -> None:
        """Wait, in any thread. Never raises."""
        first = self.asked[0][0]
        first.run()
        for other, _ in self.asked[1:]:
            other.take(first)


class _Batch:
    """Rounds that begin together, each in a thread of its own if there are enough."""

    __slots__ = ("_desk", "_ends", "_rounds", "_waiting")

    def __init__(self, rounds: list[_Round], desk: _Desk) -> None:
        self._rounds = rounds
        self._waiting = rounds[:]
        # One for each end, which takes the last entry. (A lock would be taken in a child forked meanwhile.)
        self._ends = [True] + [False] * (len(rounds) - 1)
        self._desk = desk

    def __len__(self) -> int:
        return len(self._rounds)

    def help(self, call_others: Callable[[_Batch], object]) -> bool:
        """Run one of the rounds, after calling two others for the rest; False if there is none. Never raises.

        The last one to end hands all of them to the loop.
        """
        try:
            round_ = self._waiting.pop()
        except IndexError:  # others were faster
            return False
        for _ in self._waiting[:2]:
            call_others(self)
        round_.run()
        if self._ends.pop():
            self._desk.give_back(self._rounds)
        return True


class _Desk:
    """Where one loop asks for waits and gets them back. It doesn't hold the loop, nor who waits.

    All but `give_back` is called in the loop. Ctrl-C may come between any two steps, and cancels those who
    wait: `look_again` then does what was left out. What is done twice does no harm.
    """

    __slots__ = ("_is_called", "_is_planned", "_loop", "_open", "_over", "_rounds", "_running", "_seen")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._rounds: list[_Round] = []  # to be handed over
        self._seen = 0  # how many of them there were at the last look
        self._is_planned = False
        self._over: deque[_Round] = deque()
        self._is_called = False
        # By key: the round under way, and the one that gathers what came too late for it.
        self._running: set[str] = set()
        self._open: dict[str, _Round] = {}

    def ask(self, asked: _Asked) -> None:
        """Have a wait run in some thread, soon."""
        self.plan()
        key = asked[0].key
        round_ = None if key is None else self._open.get(key)
        if round_ is not None:
            round_.asked.append(asked)
            return
        round_ = _Round(key)
        round_.asked.append(asked)
        if key not in self._running:
            self._rounds.append(round_)
        if key is not None:
            self._open[key] = round_

    def plan(self) -> None:
        """See that what was asked for is handed over."""
        if not self._is_planned:
            self._call_soon(self._hand_over)
            self._is_planned = True

    def look_again(self) -> None:
        """Do soon all that is due, planned or not."""
        self._is_planned = self._is_called = False
        self.plan()

    def _call_soon(self, function: Callable[[], None]) -> None:
        loop = self._loop()
        if loop is not None:
            loop.call_soon(function)

    def _hand_over(self) -> None:
        """Start the rounds together: in a turn of the loop in which no other wait was asked for."""
        self._is_planned = False
        if self._over and not self._is_called:
            self._collect()
        count = len(self._rounds)
        if self._seen < count < THREADS:
            self._seen = count
            self.plan()
        elif count:
            for round_ in self._rounds:
                self._close(round_)
            crew.take(_Batch(self._rounds[:], self))
            self._rounds.clear()
            self._seen = 0

    def _close(self, round_: _Round) -> None:
        """Note that *round_* begins, so that no further wait joins it."""
        if round_.key is not None:
            self._running.add(round_.key)
            if self._open.get(round_.key) is round_:
                del self._open[round_.key]

    def give_back(self, rounds: list[_Round]) -> None:
        """Take rounds that are over, from any thread, and see that the loop looks."""
        self._over += rounds
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
            self._wake(self._over[0])
            self._over.popleft()
        if self._over:
            self._call_soon(self._collect)
            self._is_called = True

    def _wake(self, round_: _Round) -> None:
        for _, waiter_of in round_.asked:
            waiter = waiter_of()
            if waiter is not None:
                waiter.wake()
        if round_.key is not None:
            self._running.discard(round_.key)
            later = self._open.get(round_.key)
            if later is not None and later not in self._rounds:
                self._rounds.append(later)
                self.plan()


_desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()
_forks.after_fork(_desks.clear)  # the parent's, as are its threads


async def waited(wait: DiskWait) -> asyncio.CancelledError | None:
    """Run *wait* in another thread, and return when it has ended.

    Returns:
        The cancellation that came in the meantime, if one did: it is the caller's to raise.
    """
    loop = asyncio.get_running_loop()
    desk = _desks.get(loop)
    if desk is None:
        desk = _desks.setdefault(loop, _Desk(loop))
    waiter, cancelled = _Waiter(loop), None
    desk.ask((wait, ref(waiter)))
    while not waiter.is_over:
        try:
            await waiter.future
        except asyncio.CancelledError as error:
            cancelled = error
            desk.look_again()
            waiter.future = loop.create_future()
    return cancelled
