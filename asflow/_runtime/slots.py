"""Slots: a counting semaphore for coroutines of any loop and for threads, in order of arrival.

Everything rests on deques whose single operations are atomic, and not on a lock: a lock could be asked
for again by a coroutine that the garbage collector closes inside the locked region, on the same thread.
A waiter carries a ticket, a one-element list. Whoever pops it decides: the granter, and the slot is the
waiter's; or the waiter, leaving. After each append the two sides look again, so no slot is lost between them.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import events
from collections import deque
from typing import TYPE_CHECKING

from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Slots", "Waiter", "here", "running_loop"]

# The public get_running_loop raises where none runs; this one answers None, as asyncio itself asks.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = events._get_running_loop

Ticket = list[None]
Waiter = tuple["asyncio.Future[None] | threading.Event", Ticket, "asyncio.AbstractEventLoop | None"]
"""What to wake, who decides, and the loop that runs on the waiter's thread. A tuple: thousands may wait."""


class Slots:
    """So many slots (>= 1), granted first come, first served, at constant cost.

    Threads: every method may be called from any thread and any loop. Cancelling a waiter loses no slot.

    Args:
        total: how many may be held at once, >= 1.
        shared: True where sync and async callers may meet, so that a sync one can tell when waiting on
            its loop's own thread would never end.

    Attributes:
        free: a token for each slot that nobody holds. With `waiters` and `debts` for the fast path.
        waiters: who waits, longest first; some may have left.
        debts: a token for each slot to be taken in when it comes back.
        is_shared: as given.
    """

    __slots__ = ("_gone", "_holders", "debts", "free", "is_shared", "total", "waiters")

    def __init__(self, total: int, *, shared: bool = False) -> None:
        self.total: int = total
        self.is_shared: bool = shared
        self.free: deque[None] = deque([None] * total)
        self.waiters: deque[Waiter] = deque()
        self.debts: deque[None] = deque()
        self._gone = 0
        # Where each held slot is held, by the id of the loop that runs on that thread.
        self._holders: deque[int] = deque()

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self.waiters:
            return False
        try:
            self.free.pop()
        except IndexError:
            return False
        if self.is_shared:
            self._holders.append(here())
        return True

    def line_up(self) -> Waiter:
        """Join the queue on the running loop. Await the waiter's future; `leave` if that raises."""
        loop = events.get_running_loop()
        waiter: Waiter = (loop.create_future(), [None], loop)
        self.waiters.append(waiter)
        if self.free:
            self.grant()
        return waiter

    async def acquire(self) -> None:
        """Wait for a slot on the running loop. Cancelling leaves the queue, or passes the slot on."""
        if self.try_acquire():
            return
        waiter = self.line_up()
        future = waiter[0]
        assert isinstance(future, asyncio.Future)
        try:
            await future
        except BaseException:
            self.leave(waiter)
            raise

    def acquire_blocking(self, what: object) -> None:
        """Wait for a slot on this thread.

        Raises:
            DeadlockError: a loop runs on this thread and only it can free the slot; *what* names the call.
        """
        if self.try_acquire():
            return
        loop = running_loop()
        if loop is not None and self._only_by(loop):
            raise DeadlockError(
                f"{what} would wait for a slot that only this thread's event loop can free, and the loop "
                f"can't go on meanwhile; call it with `await asyncio.to_thread(...)`"
            )
        granted = threading.Event()
        waiter: Waiter = (granted, [None], loop)
        try:
            self.waiters.append(waiter)
            if self.free:
                self.grant()
            granted.wait()
        except BaseException:
            self.leave(waiter)
            raise

    def release(self, place: int) -> None:
        """Give back a slot that was taken at *place* (see `here`), to whoever has waited longest."""
        self.detach(place)
        self.put()

    def detach(self, place: int) -> None:
        """Forget that a slot is held at *place*; `put` gives it back later, from anywhere."""
        if self.is_shared:
            self._holders.remove(place)

    def put(self) -> None:
        """Give back a slot that was detached."""
        if self.debts:
            try:
                self.debts.pop()
            except IndexError:
                pass
            else:
                return
        self.free.append(None)
        if self.waiters:
            self.grant()

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting; if the slot was granted in that very moment, it goes on to the next."""
        try:
            waiter[1].pop()
        except IndexError:
            self._forget(waiter)
            self.put()
            return
        self._gone += 1
        # A slot that is held for hours must not let the queue grow by everybody who gave up on it.
        if self._gone > 64 and self._gone * 2 > len(self.waiters):
            self._sweep()

    def resize(self, total: int) -> None:
        """Change the number of slots; those held beyond a smaller number are taken in as they come back."""
        more, self.total = total - self.total, total
        for _ in range(more):
            self.put()
        for _ in range(-more):
            try:
                self.free.pop()
            except IndexError:
                self.debts.append(None)

    @property
    def waiting(self) -> int:
        """How many wait at this moment."""
        return sum(1 for _, ticket, _ in list(self.waiters) if ticket)

    def grant(self) -> None:
        """Hand free slots to those who wait."""
        while self.waiters and self.free:
            try:
                self.free.pop()
            except IndexError:
                return
            if not self._hand_over():
                self.free.append(None)

    def _hand_over(self) -> bool:
        """Give the slot in hand to the first waiter that still wants it; False if there was none."""
        while True:
            try:
                waiter = self.waiters.popleft()
            except IndexError:
                return False
            try:
                waiter[1].pop()
            except IndexError:
                self._gone -= 1
                continue
            if self.is_shared:
                self._holders.append(id(waiter[2]))
            if _wake(waiter):
                return True
            # Its loop is closed: the ticket goes back, so that its `leave` gives back no slot.
            self._forget(waiter)
            self._gone -= 1
            waiter[1].append(None)

    def _forget(self, waiter: Waiter) -> None:
        if self.is_shared:
            self._holders.remove(id(waiter[2]))

    def _sweep(self) -> None:
        self._gone = 0
        for _ in range(len(self.waiters)):
            try:
                waiter = self.waiters.popleft()
            except IndexError:
                return
            if waiter[1]:
                self.waiters.append(waiter)
        self.grant()

    def _only_by(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether *loop* has to go on before a slot can be had.

        Each slot that is held elsewhere comes back without it, and the waiters of *loop* keep the first ones.
        """
        if not self.is_shared:
            return False  # no call of the loop's own stands in this line, and who holds a slot isn't noted
        elsewhere = len(self._holders) - self._holders.count(id(loop))
        return elsewhere <= sum(1 for _, ticket, waiting in list(self.waiters) if ticket and waiting is loop)


def here() -> int:
    """Return what tells the running loop (or none) apart: the place where a slot is taken."""
    return id(running_loop())


def _wake(waiter: Waiter) -> bool:
    """Tell a waiter that it has the slot; False where its loop is closed."""
    sleeper, _, loop = waiter
    if isinstance(sleeper, threading.Event):
        sleeper.set()
        return True
    assert loop is not None
    if running_loop() is loop:
        _settle(sleeper)
        return True
    try:
        loop.call_soon_threadsafe(_settle, sleeper)
    except RuntimeError:
        return False
    return True


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
