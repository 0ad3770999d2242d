"""Slots: a counting semaphore for coroutines of any loop and for threads, in order of arrival.

It uses deques, whose single operations are atomic, instead of a lock: a coroutine that the garbage collector
closes inside a locked region could need that lock again, on the same thread.
A waiter carries a ticket, a one-element list. Popping the ticket settles the race: if the granter pops it,
the waiter owns a slot; if the waiter pops it, the waiter has left. Both sides check again after every
append, so no wake-up is lost.
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

# The public get_running_loop raises without a loop; this one returns None, and asyncio itself uses it.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = events._get_running_loop

Ticket = list[None]
Waiter = tuple["asyncio.Future[None] | threading.Event", Ticket, "asyncio.AbstractEventLoop | None"]
"""What to wake, the ticket, and the loop that runs on the waiter's thread. A tuple: thousands may wait."""


class Slots:
    """At most *total* holders at once, first come, first served, at constant cost.

    Threads: every method may be called from any thread and any loop. Cancelling a waiter loses no slot.

    Args:
        total: slots that may be held at once, >= 1.
        shared: True if both sync and async callers use it. It then records which loop holds each slot, to
            detect a sync wait that would block the only loop that can free one.

    Attributes:
        free: a token for each free slot. The fast path reads it, `waiters` and `debts`.
        waiters: the queue, longest wait first, including some waiters that have left.
        debts: a token for each slot to withdraw when it comes back.
        is_shared: as passed.
    """

    __slots__ = ("_holders", "_left", "debts", "free", "is_shared", "total", "waiters")

    def __init__(self, total: int, *, shared: bool = False) -> None:
        self.total: int = total
        self.is_shared: bool = shared
        self.free: deque[None] = deque([None] * total)
        self.waiters: deque[Waiter] = deque()
        self.debts: deque[None] = deque()
        self._left = 0  # waiters that have left and are still in the queue
        # For each held slot, the id of the loop on whose thread it was taken.
        self._holders: deque[int] = deque()

    def try_acquire(self) -> bool:
        """Take a slot if one is free and no caller is waiting for it."""
        if self.waiters:
            return False
        try:
            self.free.pop()
        except IndexError:
            return False
        if self.is_shared:
            self._holders.append(current_loop_id())
        return True

    async def acquire(self) -> None:
        """Wait for a slot on the running loop. Cancelling leaves the queue, or passes the slot on."""
        if self.try_acquire():
            return
        loop = events.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        waiter: Waiter = (future, [None], loop)
        try:
            self._enqueue(waiter)
            await future
        except BaseException:
            self._abandon(waiter)
            raise

    def acquire_blocking(self, task: str) -> None:
        """Wait for a slot on this thread, for a call of *task*.

        Raises:
            DeadlockError: a loop is running on this thread, and only it can free a slot.
        """
        if self.try_acquire():
            return
        loop = running_loop()
        if loop is not None and self._depends_on(loop):
            raise DeadlockError(
                f"task {task}(): needs a slot that only this thread's event loop can free, and would block "
                f"that loop; call it with `await asyncio.to_thread(...)`"
            )
        granted = threading.Event()
        waiter: Waiter = (granted, [None], loop)
        try:
            self._enqueue(waiter)
            granted.wait()
        except BaseException:
            self._abandon(waiter)
            raise

    def release(self, loop_id: int) -> None:
        """Give back a slot that was taken under *loop_id*; the longest waiter gets it."""
        self.detach(loop_id)
        self.release_detached()

    def detach(self, loop_id: int) -> None:
        """Forget that *loop_id* holds a slot; `release_detached` releases it later, on any thread."""
        if self.is_shared:
            self._holders.remove(loop_id)

    def release_detached(self) -> None:
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

    def resize(self, total: int) -> None:
        """Change the number of slots; those held beyond a smaller number are withdrawn as they come back."""
        more, self.total = total - self.total, total
        for _ in range(more):
            self.release_detached()
        for _ in range(-more):
            try:
                self.free.pop()
            except IndexError:
                self.debts.append(None)

    @property
    def waiting(self) -> int:
        """The number of waiters that have not left."""
        return sum(1 for _, ticket, _ in list(self.waiters) if ticket)

    def grant(self) -> None:
        """Pass free slots to waiters."""
        while self.waiters and self.free:
            try:
                self.free.pop()
            except IndexError:
                return
            if not self._pass_on():
                self.free.append(None)

    def _enqueue(self, waiter: Waiter) -> None:
        self.waiters.append(waiter)
        if self.free:
            self.grant()

    def _abandon(self, waiter: Waiter) -> None:
        """Leave the queue; a slot granted at the same moment goes to the next waiter."""
        try:
            waiter[1].pop()
        except IndexError:
            self.release(id(waiter[2]))
            return
        self._left += 1
        # While a slot is held for hours, waiters that have left must not pile up in the queue.
        if self._left > 64 and self._left * 2 > len(self.waiters):
            self._sweep()

    def _pass_on(self) -> bool:
        """Pass a slot, already taken from `free`, to the first waiter that has not left; False if none."""
        while True:
            try:
                waiter = self.waiters.popleft()
            except IndexError:
                return False
            try:
                waiter[1].pop()
            except IndexError:
                self._left -= 1
                continue
            if self.is_shared:
                self._holders.append(id(waiter[2]))
            if _wake(waiter):
                return True
            # Its loop is closed: put the ticket back, so that `_abandon` does not release a slot.
            self.detach(id(waiter[2]))
            self._left -= 1
            waiter[1].append(None)

    def _sweep(self) -> None:
        self._left = 0
        for _ in range(len(self.waiters)):
            try:
                waiter = self.waiters.popleft()
            except IndexError:
                return
            if waiter[1]:
                self.waiters.append(waiter)
        self.grant()

    def _depends_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether *loop* has to run before a new waiter can get a slot.

        Slots held elsewhere come back without it, but the first of them go to waiters of *loop*.
        """
        if not self.is_shared:
            return False  # all callers are of one colour, and holders aren't recorded
        elsewhere = len(self._holders) - self._holders.count(id(loop))
        return elsewhere <= sum(1 for _, ticket, waiting in list(self.waiters) if ticket and waiting is loop)


class Lease:
    """A held slot that the calls made by its holder's body may borrow, one at a time, in order.

    The slot is released when its holder and all borrowers have ended.

    Args:
        slots: what the held slot was taken from.
        borrowed_from: the lease that the held slot is itself borrowed from, or None.

    Attributes:
        queue: where borrowers wait for their turn.
    """

    __slots__ = ("_lock", "_users", "borrowed_from", "queue", "slots")

    def __init__(self, slots: Slots, borrowed_from: Lease | None) -> None:
        self.slots: Slots = slots
        self.borrowed_from: Lease | None = borrowed_from
        self.queue: Slots = Slots(1, shared=True)
        self._users = 1
        # Reentrant: a garbage collection inside the lock may end another user on the same thread.
        self._lock = threading.RLock()

    def add_user(self) -> bool:
        """Count one more borrower; False if the slot was released already."""
        with self._lock:
            if self._users == 0:
                return False
            self._users += 1
            return True

    def remove_user(self) -> None:
        """Count one user less; the last one releases the slot."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
        self.slots.release_detached()
        if self.borrowed_from is not None:
            self.borrowed_from.remove_user()

    def remove_holder(self, loop_id: int) -> None:
        """End the holder's own use of the slot, which it took under *loop_id*."""
        self.slots.detach(loop_id)
        self.remove_user()


def current_loop_id() -> int:
    """Return the id of the loop that runs on this thread, or that of None."""
    return id(running_loop())


def _wake(waiter: Waiter) -> bool:
    """Wake *waiter*, which now owns a slot; False if its loop is closed."""
    sleeper, _, loop = waiter
    if isinstance(sleeper, threading.Event):
        sleeper.set()
        return True
    assert loop is not None
    if running_loop() is loop:
        _resolve(sleeper)
        return True
    try:
        loop.call_soon_threadsafe(_resolve, sleeper)
    except RuntimeError:
        return False
    return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
