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

from asflow.errors import DeadlockError

__all__ = ["Slots"]

# The public get_running_loop raises where none runs; this one answers None, as asyncio itself asks.
_running_loop = events._get_running_loop


class _AsyncWaiter:
    """A coroutine that waits on its loop."""

    __slots__ = ("future", "loop", "ticket")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.ticket = [None]

    def wake(self) -> bool:
        """Tell the waiter that it has the slot; False where its loop is closed."""
        if _running_loop() is self.loop:
            self._wake_here()
            return True
        try:
            self.loop.call_soon_threadsafe(self._wake_here)
        except RuntimeError:
            return False
        return True

    def _wake_here(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class _ThreadWaiter:
    """A thread that waits; `loop` is the loop that runs on it, if any."""

    __slots__ = ("event", "loop", "ticket")

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.loop = loop
        self.event = threading.Event()
        self.ticket = [None]

    def wake(self) -> bool:
        self.event.set()
        return True


_Waiter = _AsyncWaiter | _ThreadWaiter


class Slots:
    """So many slots (>= 1), granted first come, first served, at constant cost.

    Threads: every method may be called from any thread and any loop. Cancelling a waiter loses no slot.

    Args:
        total: how many may be held at once, >= 1.
        shared: True where sync and async callers may meet, so that a sync one can tell when waiting on
            its loop's own thread would never end.
    """

    __slots__ = ("_debts", "_free", "_gone", "_holders", "_waiters", "total")

    def __init__(self, total: int, *, shared: bool = False) -> None:
        self.total = total
        self._free: deque[None] = deque([None] * total)
        self._waiters: deque[_Waiter] = deque()
        self._debts: deque[None] = deque()
        self._gone = 0
        # Where each held slot is held, by the id of the loop that runs on that thread.
        self._holders: deque[int] | None = deque() if shared else None

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._waiters:
            return False
        try:
            self._free.pop()
        except IndexError:
            return False
        if self._holders is not None:
            self._holders.append(id(_running_loop()))
        return True

    async def acquire(self) -> None:
        """Wait for a slot on the running loop. Cancelling leaves the queue, or passes the slot on."""
        if self.try_acquire():
            return
        waiter = _AsyncWaiter(events.get_running_loop())
        self._waiters.append(waiter)
        self._grant()
        try:
            await waiter.future
        except BaseException:
            self._leave(waiter)
            raise

    def acquire_blocking(self, what: str) -> None:
        """Wait for a slot on this thread.

        Raises:
            DeadlockError: a loop runs on this thread and only it can free the slot; *what* names the call.
        """
        if self.try_acquire():
            return
        loop = _running_loop()
        if loop is not None and self._only_by(loop):
            raise DeadlockError(
                f"{what} would wait for a slot that only this thread's event loop can free, and the loop "
                f"can't go on meanwhile; call it with `await asyncio.to_thread(...)`"
            )
        waiter = _ThreadWaiter(loop)
        self._waiters.append(waiter)
        self._grant()
        try:
            waiter.event.wait()
        except BaseException:
            self._leave(waiter)
            raise

    def release(self) -> None:
        """Give a slot back, to whoever has waited longest; on the thread (and loop) that took it."""
        if self._holders is not None:
            self._holders.remove(id(_running_loop()))
        self.put()

    def detach(self) -> None:
        """Forget that this thread's loop holds a slot; `put` gives it back later, from anywhere."""
        if self._holders is not None:
            self._holders.remove(id(_running_loop()))

    def resize(self, total: int) -> None:
        """Change the number of slots; those held beyond a smaller number are taken in as they come back."""
        more, self.total = total - self.total, total
        for _ in range(more):
            self.put()
        for _ in range(-more):
            try:
                self._free.pop()
            except IndexError:
                self._debts.append(None)

    @property
    def free(self) -> int:
        """How many slots nobody holds at this moment."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """How many wait at this moment (some may be leaving)."""
        return sum(1 for waiter in list(self._waiters) if waiter.ticket)

    def put(self) -> None:
        """Give back a slot that was detached."""
        if self._debts:
            try:
                self._debts.pop()
            except IndexError:
                pass
            else:
                return
        self._free.append(None)
        if self._waiters:
            self._grant()

    def _grant(self) -> None:
        while self._waiters and self._free:
            try:
                self._free.pop()
            except IndexError:
                return
            if not self._hand_over():
                self._free.append(None)

    def _hand_over(self) -> bool:
        """Give the slot in hand to the first waiter that still wants it; False if there was none."""
        while True:
            try:
                waiter = self._waiters.popleft()
            except IndexError:
                return False
            try:
                waiter.ticket.pop()
            except IndexError:
                self._gone -= 1
                continue
            if self._holders is not None:
                self._holders.append(id(waiter.loop))
            if waiter.wake():
                return True
            self._forget(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        try:
            waiter.ticket.pop()
        except IndexError:  # granted in the same moment: the slot goes on to the next
            self._forget(waiter)
            self.put()
            return
        self._gone += 1
        # A slot that is held for hours must not let the queue grow by everybody who gave up on it.
        if self._gone > 64 and self._gone * 2 > len(self._waiters):
            self._sweep()

    def _forget(self, waiter: _Waiter) -> None:
        if self._holders is not None:
            self._holders.remove(id(waiter.loop))

    def _sweep(self) -> None:
        self._gone = 0
        for _ in range(len(self._waiters)):
            try:
                waiter = self._waiters.popleft()
            except IndexError:
                return
            if waiter.ticket:
                self._waiters.append(waiter)
        self._grant()

    def _only_by(self, loop: asyncio.AbstractEventLoop) -> bool:
        if self._holders is not None and id(loop) in self._holders:
            return True
        return any(waiter.loop is loop and waiter.ticket for waiter in list(self._waiters))
