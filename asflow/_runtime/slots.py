"""Slots: a counting semaphore for coroutines of any loop and for threads, in order of arrival.

A slot is an object, and dropping it returns it: an exception that strikes between two bytecodes (Ctrl-C)
can lose no slot, because there is no moment at which one is taken and belongs to no one.

It uses deques, whose single operations are atomic, instead of a lock: a coroutine that the garbage collector
closes inside a locked region could need that lock again, on the same thread, and an interrupted thread could
leave it taken. A waiter carries a box, a list whose first entry settles the race: the slot that it was
granted, or None once it has taken that or left. Both sides check again after every append, so no wake-up
is lost.
"""

from __future__ import annotations

import _thread
import asyncio
import itertools
import threading
import weakref
from _thread import LockType
from asyncio import events
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from asflow import _forks
from asflow._runtime.stopping import stopping
from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._runtime.stopping import Onlooker

# The public get_running_loop raises without a loop; this one returns None, and asyncio itself uses it.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = events._get_running_loop

Waiter = tuple[
    "asyncio.Future[None] | threading.Lock", "list[Slot | None]", "asyncio.AbstractEventLoop | None"
]
"""What to wake, the box, and the loop that runs on the waiter's thread. A tuple: thousands may wait."""

LoopWaiter = tuple["asyncio.Future[None]", "list[Slot | None]", "asyncio.AbstractEventLoop"]
"""The `Waiter` of a coroutine."""

LOOK_AGAIN = 1.0
"""Seconds after which a waiting thread checks that its wake-up was not lost, and may report its wait."""


kept: list[Slot] = []
"""In a forked child, while it renews: the slots of the calls that it runs in."""


class Slot(int):
    """One slot. Its holder returns it with `Slots.release`; dropping it does the same, a little slower.

    A holder that has returned it must drop it, too: the next one may rely on its own drop.

    When the garbage collector closes a coroutine, it may have called `__del__` for the slot that this holds.
    So a coroutine that is closed (GeneratorExit) must drop its slot, and not return it otherwise.
    """

    __slots__ = ()

    def __del__(self) -> None:
        try:
            _dropped(self)
        except KeyboardInterrupt:
            # Python would ignore it here, and the slot would be lost.
            _dropped(self)
            _thread.interrupt_main()
        except Exception:  # noqa: BLE001 - no memory, or at the interpreter's exit no globals
            try:  # noqa: SIM105 - `suppress` may be gone as well
                _dropped(self)
            except Exception:  # noqa: BLE001
                pass


def _dropped(slot: Slot) -> None:
    slots = _homes.get(slot >> _SHIFT)
    if slots is not None and slot not in slots.free:
        slots.restore(slot)


watchers: list[Callable[[Slots, asyncio.AbstractEventLoop], object]] = []
"""Called when coroutines begin to wait on a loop."""

_SHIFT = 32
_numbers = itertools.count(1)
_homes: weakref.WeakValueDictionary[int, Slots] = weakref.WeakValueDictionary()
"""The slots by number. A slot is the number of its `Slots`, shifted, and its own."""


class Slots:
    """At most *total* holders at once, first come, first served, at constant cost.

    Threads: every method may be called from any thread and any loop. Cancelling a waiter loses no slot. In a
    forked child the slots that other threads held are free, and no caller waits.

    Args:
        total: slots that may be held at once, >= 1.
        shared: True if both sync and async callers use it. It then records which loop holds each slot, to
            detect a sync wait that would block the only loop that can free one.

    Attributes:
        free: the free slots. The fast path takes and returns them itself, and reads `waiters` and `debts`.
        waiters: the queue, longest wait first, including some waiters that have left.
        debts: a token for each slot to withdraw when it comes back.
        lent: by slot, where the calls wait for their turn that run on it: those that its holder's body makes.
            Such a slot comes back when its holder and they have dropped it.
        is_shared: as passed.
        watched_on: the ids of the loops on which `watch` was called, for as long as callers wait there.
    """

    __slots__ = (
        "__weakref__", "_left", "_loops", "_made", "_number", "_void",
        "debts", "free", "is_shared", "lent", "total", "waiters", "watched_on",
    )  # fmt: skip

    def __init__(self, total: int, *, shared: bool = False) -> None:
        self.total: int = total
        self.is_shared: bool = shared
        self._left = 0  # waiters that have left since those were last removed from the queue
        self._loops: dict[int, int] = {}  # by slot, the id of the loop on whose thread it was taken
        self._void: set[int] = set()  # slots that don't count any more
        self._made = itertools.count()
        self._number = next(_numbers)
        self.watched_on: set[int] = set()
        self.waiters: deque[Waiter] = deque()
        self.debts: deque[None] = deque()
        self.lent: dict[int, Slots] = {}
        self.free: deque[Slot] = deque(self._new(total))
        _homes[self._number] = self
        _forks.renewables.add(self)

    def _new(self, count: int) -> list[Slot]:
        first = self._number << _SHIFT
        return [Slot(first + next(self._made)) for _ in range(count)]

    def try_acquire(self) -> Slot | None:
        """Take a slot if one is free and no caller is waiting for it."""
        if self.waiters:
            return None
        loop_id = current_loop_id() if self.is_shared else 0  # before: Ctrl-C may come after any call
        try:
            slot = self.free.pop()
        except IndexError:
            return None
        if loop_id:
            self._loops[+slot] = loop_id  # `+`: a key must not hold the slot
        return slot

    def take(self) -> Slot:
        """Take a free slot, whether or not a caller is waiting for it.

        Raises:
            IndexError: none is free.
        """
        loop_id = id(running_loop())  # before: Ctrl-C may come after any call
        slot = self.free.pop()
        self._loops[+slot] = loop_id
        return slot

    async def acquire(self) -> Slot:
        """Wait for a slot on the running loop. Cancelling leaves the queue, or passes the slot on."""
        slot = self.try_acquire()
        if slot is not None:
            return slot
        waiter = self.enqueue()
        try:
            await waiter[0]
            return _granted(waiter)
        except BaseException:
            self.abandon(waiter)
            raise

    def enqueue(self) -> LoopWaiter:
        """Join the queue on the running loop: when the future is done, the box holds a slot. As in `acquire`.

        If Ctrl-C comes before the caller has the waiter, its slot comes back when that is dropped.
        """
        loop = events.get_running_loop()
        waiter: LoopWaiter = (loop.create_future(), [], loop)
        self.waiters.append(waiter)
        if self.free:
            self.grant()
        if id(loop) not in self.watched_on:
            self.watched_on.add(id(loop))
            for watch in watchers:
                watch(self, loop)
        return waiter

    def acquire_blocking(self, task: str, onlooker: Onlooker | None = None) -> Slot:
        """Wait for a slot on this thread, for a call of *task*.

        Args:
            task: named in messages.
            onlooker: looks now and then while this waits.

        Raises:
            CancelledError: the map that has made the call ends.
            DeadlockError: a loop is running on this thread, and only it can free a slot.
        """
        slot = self.try_acquire()
        if slot is not None:
            return slot
        loop = running_loop()
        if loop is not None and self._depends_on(loop):
            raise DeadlockError(
                f"task {task}(): needs a slot that only this thread's event loop can free, and would block "
                f"that loop; call it with `await flow.task.to_thread(...)`"
            )
        asleep = threading.Lock()
        asleep.acquire()
        waiter: Waiter = (asleep, [], loop)
        stop = stopping.get()
        try:
            self.waiters.append(waiter)
            if self.free:
                self.grant()
            if stop is not None:
                stop.wake = partial(_wake, waiter)
            while not waiter[1]:
                if stop is not None and stop.asked:  # after `wake` is set: the caller does the reverse
                    raise asyncio.CancelledError
                if not asleep.acquire(timeout=LOOK_AGAIN):
                    self.grant()  # a thread that was interrupted may have freed a slot without passing it on
                    if onlooker is not None:
                        onlooker.look()
            return _granted(waiter)
        except BaseException:
            self.abandon(waiter)
            raise
        finally:
            if stop is not None:
                stop.wake = None

    def release(self, slot: Slot) -> None:
        """Give back *slot*, which its holder drops; the longest waiter gets it."""
        if slot not in self.lent:
            self.put(slot)

    def restore(self, dropped: int) -> None:
        """Replace a slot that was dropped."""
        self.lent.pop(dropped, None)
        if dropped not in self._void:
            self.put(Slot(dropped))

    def put(self, slot: Slot) -> None:
        """Make *slot* free, or withdraw it."""
        # Nothing is called before `append`, so that Ctrl-C can't strike before it.
        if self.debts:
            try:
                self.debts.pop()
            except IndexError:
                pass
            else:
                self._withdraw(slot)
                return
        self.free.append(slot)
        if self.waiters:
            self.grant()

    def _withdraw(self, slot: Slot) -> None:
        self._void.add(+slot)

    def resize(self, total: int) -> None:
        """Change the number of slots; those held beyond a smaller number are withdrawn as they come back."""
        more, self.total = total - self.total, total
        for slot in self._new(max(0, more)):
            self.put(slot)
        for _ in range(-more):
            try:
                self._withdraw(self.free.pop())
            except IndexError:
                self.debts.append(None)

    @property
    def waiting(self) -> int:
        """The number of waiters that have not left."""
        return sum(1 for _, box, _ in list(self.waiters) if not box)

    def grant(self) -> None:
        """Pass free slots to waiters."""
        while self.waiters and self.free:
            try:
                slot = self.free.pop()
            except IndexError:
                return
            if not self.pass_on(slot):
                self.free.append(slot)

    def after_fork(self) -> None:
        """Forget waiters, and slots held by other threads: see `_forks`."""
        self.waiters.clear()
        self.watched_on.clear()
        self.debts.clear()
        self._left = 0
        mine = [slot for slot in kept if slot >> _SHIFT == self._number and slot not in self._void]
        valid = {*self.free, *mine}
        made = next(self._made)
        first = self._number << _SHIFT
        self._void = {first + n for n in range(made + 1)} - {+slot for slot in valid}
        self.lent = {slot: turns for slot, turns in self.lent.items() if slot in valid}
        self.free.extend(self._new(self.total - len(valid)))

    def abandon(self, waiter: Waiter) -> None:
        """Leave the queue; a slot granted at the same moment goes to the next waiter."""
        box = waiter[1]
        box.append(None)
        if box[0] is not None:
            box[0] = None  # dropped, which passes it on
            return
        self._left += 1
        # While a slot is held for hours, waiters that have left must not pile up in the queue.
        if self._left > 64 and self._left * 2 > len(self.waiters):
            self._sweep()

    def pass_on(self, slot: Slot) -> bool:
        """Pass *slot*, which is not among the `free`, to the first waiter that has not left; False if none.

        A slot that comes back is not passed on while there are `debts`.
        """
        while True:
            # Look, grant, wake, and only then remove: after an interruption the waiter is still in the queue.
            try:
                waiter = self.waiters[0]
            except IndexError:
                return False
            sleeper, box, loop = waiter
            if self.is_shared:
                self._loops[+slot] = id(loop)
            box.append(slot)
            if box[0] is slot:
                if loop is running_loop() and not isinstance(sleeper, LockType):  # as in `_wake`
                    if not sleeper.done():
                        sleeper.set_result(None)
                    self._remove(waiter)
                    return True
                if _wake(waiter):
                    self._remove(waiter)
                    return True
                # Its loop is closed. If it was collected in this moment, it has passed the slot on itself.
                granted = box[0]
                box[0] = None
                self._remove(waiter)
                if granted is None:
                    return True
                continue
            # It has left, or another thread has granted it a slot: perhaps one that was interrupted then.
            try:
                box[box.index(slot)] = None
            except ValueError:  # it has taken the slot already
                return True
            if box[0] is not None:
                _wake(waiter)
            self._remove(waiter)

    def _remove(self, waiter: Waiter) -> None:
        """Remove *waiter*, the first of the queue, unless another thread has done so."""
        try:  # noqa: SIM105 - contextlib.suppress costs half as much as a call
            self.waiters.remove(waiter)
        except (ValueError, IndexError):
            pass

    def _sweep(self) -> None:
        """Remove the waiters that have left."""
        self._left = 0
        for _ in range(len(self.waiters)):
            try:
                waiter = self.waiters[0]
            except IndexError:
                return
            if waiter[1]:
                self._remove(waiter)
            else:
                self.waiters.rotate(-1)
        self.grant()

    def _depends_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether *loop* has to run before a new waiter can get a slot.

        Slots held elsewhere come back without it, but the first of them go to waiters of *loop*.
        """
        if not self.is_shared:
            return False  # all callers are of one colour, and holders aren't recorded
        free = set(self.free)
        held = [other for slot, other in list(self._loops.items()) if slot not in free]
        elsewhere = len(held) - held.count(id(loop))
        return elsewhere <= sum(1 for _, box, waiting in list(self.waiters) if not box and waiting is loop)


ENDLESS = Slots(1)
"""What calls without a bound use in place of slots, so that they take the same path: see `quick_ways`."""


def quick_ways(slots: Slots) -> tuple[Callable[[], Slot], Callable[[Slot], object]]:
    """Return what takes one of *slots*, or raises IndexError, and what puts it back, for quick calls.

    The caller puts none back while there are `debts` or `lent` slots, and grants it to `waiters`.
    """
    if slots is ENDLESS:
        return itertools.repeat(Slot(0)).__next__, deque[Slot](maxlen=0).append
    return slots.take if slots.is_shared else slots.free.pop, slots.free.append


def home_of(slot: int) -> Slots | None:
    """Return the slots that *slot* belongs to; None if they are gone."""
    return _homes.get(slot >> _SHIFT)


def current_loop_id() -> int:
    """Return the id of the loop that runs on this thread, or that of None."""
    return id(running_loop())


def _granted(waiter: Waiter) -> Slot:
    box = waiter[1]
    slot = box[0]
    box[0] = None  # if the slot comes around to this box, it must not look as if it was granted
    assert slot is not None
    return slot


def _wake(waiter: Waiter) -> bool:
    """Wake *waiter*, which now owns a slot; False if its loop is closed."""
    sleeper, _, loop = waiter
    if loop is None or isinstance(sleeper, LockType):
        with suppress(RuntimeError):  # it was woken before
            cast("threading.Lock", sleeper).release()
        return True
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
