"""Finds waits that can't end: of calls that wait for each other, and of threads that fill a pool.

A *carrier* runs bodies: an asyncio task, or a thread. It waits, or it may go on. Each kind of wait ends when
one of some other carriers goes on:

    a slot            those that hold the slots of that limit
    an output         the one whose call is making it
    a future          the task behind it, those that `gather` or a task group waits for, the thread that runs
                      a work item, or the threads of the pool in whose queue it is

So a wait can't end if every carrier that can be reached from it waits in one of these ways. One that waits
for anything else, such as a server, a timer or another process, may go on, and so may what is not known.

Carriers change while they are looked at, so this looks twice. If all of them wait for the same things then,
they did so all at once at the moment between: what is found is a deadlock, not the trace of a change. Only a
cancellation from outside could end it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import Future as PoolFuture
from inspect import currentframe
from time import monotonic
from typing import TYPE_CHECKING, Any

from asflow import _forks
from asflow._runtime import owners, suspended
from asflow._runtime.calls import TaskCall
from asflow._runtime.observing import FREE_THREADED
from asflow._runtime.slots import Slots, home_of, running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from asflow._runtime.stopping import Stop

Target = Slots | owners.Key
"""What a call waits for: a slot of these, or an output."""

Carrier = asyncio.Future[Any] | PoolFuture[Any] | int
"""A task or another future, a work item of a thread pool, or the identifier of a thread."""

_SHARE = 0.02  # of the time, at most, is spent on looking

_HOLDERS = {"run_sync", "counted_sync", "quick_sync.<locals>.quick_task", *suspended.HOLDERS}
"""Our functions that hold the run of a call while its body runs, by qualified name."""


class Blocked:
    """A thread that waits in a call.

    Attributes:
        target: what it waits for.
        stop: ends the wait from outside.
        loop: the event loop that stands still meanwhile, as it runs on this thread.
        slots: those on which bodies of this thread run.
        item: the work item that this thread of a pool carries out.
    """

    __slots__ = ("item", "loop", "slots", "stop", "target")

    def __init__(self, target: Target, stop: Stop | None) -> None:
        self.target: Target = target
        self.stop: Stop | None = stop
        self.loop: asyncio.AbstractEventLoop | None = running_loop()
        self.slots: set[int] = set()
        self.item: PoolFuture[Any] | None = None
        frame = currentframe()
        while frame is not None:
            self._look_at(frame)
            frame = frame.f_back

    def _look_at(self, frame: Any) -> None:
        name: str = frame.f_code.co_qualname
        if name in _HOLDERS and frame.f_globals["__name__"].startswith("asflow."):
            found = _local(frame, "run") or getattr(_local(frame, "job"), "run", None)
            if isinstance(found, TaskCall):
                self.slots.update(slots_of(found))
        elif name == "_WorkItem.run" and self.item is None:
            self.item = getattr(_local(frame, "self"), "future", None)


def _local(frame: Any, name: str) -> object:
    found: dict[str, object] = frame.f_locals
    value = found.get(name)
    if type(found) is dict:  # up to Python 3.12 a copy that lives on, and must not keep a slot
        found.clear()
    return value


def slots_of(run: TaskCall) -> list[int]:
    """Return the numbers of the slots that *run* keeps from others."""
    return [+slot for slot in (run.slot, *run.borrowed) if slot is not None]


_blocked: dict[int, Blocked] = {}  # by thread
_forks.after_fork(_blocked.clear)


class _Pace:
    __slots__ = ("rests_until",)

    def __init__(self) -> None:
        self.rests_until = 0.0


_pace = _Pace()
_looking = _forks.renewed(sys.modules[__name__], "_looking", threading.Lock)


def enter(target: Target, stop: Stop | None) -> None:
    """Note that this thread waits for *target*; call it from the frames that wait."""
    _blocked[threading.get_ident()] = Blocked(target, stop)


def leave() -> None:
    """Note that this thread waits no longer."""
    _blocked.pop(threading.get_ident(), None)


def find(
    carrier: Carrier | None = None, victims: Callable[[], Sequence[Carrier]] | None = None
) -> Deadlock | None:
    """Return why the wait of *carrier*, by default this thread, can't end; None if it may.

    Some looks are left out, to save time.

    Args:
        carrier: where to begin.
        victims: returns those of which one is to go on; by default *carrier* itself. It is among those that
            wait for each other, so that an error there ends all of it.
    """
    now = monotonic()
    if FREE_THREADED or now < _pace.rests_until or not _looking.acquire(blocking=False):
        return None
    try:
        start = threading.get_ident() if carrier is None else carrier
        found = _look_twice(start, (lambda: [start]) if victims is None else victims)
        if found is not None and carrier is None:
            leave()  # so that no other thread of the same circle ends its wait, too
        return found
    except Exception:  # noqa: BLE001 - asyncio is not as expected: no call fails because of that
        return None
    finally:
        _pace.rests_until = monotonic() + (monotonic() - now) / _SHARE
        _looking.release()


def _look_twice(start: Carrier, victims: Callable[[], Sequence[Carrier]]) -> Deadlock | None:
    first, second = Look(), Look()
    if not first.is_stuck(start) or not second.is_stuck(start) or not second.sees_the_same(first):
        return None
    for victim in victims():
        if second.is_in_a_circle(victim):
            queued = [each for each in second.waits if isinstance(each, PoolFuture) and not each.running()]
            return Deadlock(victim, fills_pool=bool(queued))
    return None


class Deadlock:
    """A wait that can't end.

    Attributes:
        victim: whose wait is to end with an error.
        fills_pool: whether it would end if the threads that wait did not occupy a thread pool.
    """

    __slots__ = ("fills_pool", "victim")

    def __init__(self, victim: Carrier, *, fills_pool: bool) -> None:
        self.victim = victim
        self.fills_pool: bool = fills_pool


class Look:
    """One look at who waits for whom.

    Attributes:
        waits: what each carrier waits for that was looked at.
    """

    def __init__(self) -> None:
        self.waits: dict[Carrier, object] = {}
        self._next: dict[Carrier, list[Carrier]] = {}
        self._blocked: dict[int, Blocked] = {}
        self._tasks: dict[asyncio.AbstractEventLoop, set[asyncio.Task[Any]]] = {}
        self._timed: dict[asyncio.AbstractEventLoop, set[asyncio.Future[Any]] | None] = {}

    def is_stuck(self, start: Carrier) -> bool:
        """Whether *start* and all carriers that it depends on wait."""
        self._blocked = dict(_blocked)
        todo = [start]
        while todo:
            carrier = todo.pop()
            if carrier in self.waits:
                continue
            found = self._look_at(carrier)
            if found is None:
                return False
            self.waits[carrier], after = found
            self._next[carrier] = list(after)
            todo += self._next[carrier]
        return True

    def sees_the_same(self, other: Look) -> bool:
        """Whether both looks have found the same carriers, each in the same wait."""
        return self.waits.keys() == other.waits.keys() and all(
            found is other.waits[carrier] for carrier, found in self.waits.items()
        )

    def is_in_a_circle(self, start: Carrier) -> bool:
        """Whether *start* was found, and one of the carriers that it depends on depends on it."""
        todo, seen = list(self._next.get(start, ())), set[Carrier]()
        while todo:
            carrier = todo.pop()
            if carrier == start:
                return True
            if carrier not in seen:
                seen.add(carrier)
                todo += self._next[carrier]
        return False

    # ---------------------------------------------------------------- what a carrier waits for

    def _look_at(self, carrier: Carrier) -> tuple[object, Iterable[Carrier]] | None:
        """Return what *carrier* waits for, and whom that depends on; None if it may go on."""
        if isinstance(carrier, int):
            return self._look_at_thread(carrier)
        if carrier.done():
            return None
        if isinstance(carrier, PoolFuture):
            after = self._carriers_of_item(carrier)
            return None if after is None else (carrier, after)
        if isinstance(carrier, asyncio.Task):
            return self._look_at_task(carrier)
        parts = suspended.parts_of(carrier)
        return (carrier, parts) if parts else None

    def _look_at_thread(self, thread: int) -> tuple[object, Iterable[Carrier]] | None:
        blocked = self._blocked.get(thread)
        if blocked is None or (blocked.stop is not None and blocked.stop.asked):
            return None
        after = self._carriers_of(blocked.target)
        return None if after is None else (blocked, after)

    def _look_at_task(self, task: asyncio.Task[Any]) -> tuple[object, Iterable[Carrier]] | None:
        loop = task.get_loop()
        for thread, blocked in self._blocked.items():
            if blocked.loop is loop:
                return blocked, [thread]
        future = suspended.awaited_by(task)
        if future is None or self._ends_by_timer(task, loop):
            return None
        after = self._carriers_of_future(task, future)
        return (future, after) if after else None

    def _ends_by_timer(self, task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> bool:
        if loop not in self._timed:
            self._timed[loop] = suspended.timed_tasks(loop)
        timed = self._timed[loop]
        return timed is None or task in timed

    def _carriers_of_future(
        self, task: asyncio.Task[Any], future: asyncio.Future[Any]
    ) -> list[Carrier] | None:
        if isinstance(future, asyncio.Task):
            return [future]
        if (key := owners.awaited.get(future)) is not None:
            return self._carriers_of(key)
        if parts := suspended.parts_of(future):
            return list(parts)
        coroutines = suspended.coroutines_of(task)
        if not coroutines:
            return None
        slots = suspended.slots_awaited(coroutines[-1], future)
        if slots is not None:
            return self._holders_of(slots, task.get_loop())
        return list(suspended.tasks_awaited(coroutines[-1]))

    # ---------------------------------------------------------------- whom that depends on

    def _carriers_of(self, target: Target) -> list[Carrier] | None:
        if isinstance(target, Slots):
            return self._holders_of(target)
        owner = owners.owner_of(target)
        carrier = None if owner is None or owner.done else owner.carrier()
        return None if carrier is None else [carrier]

    def _carriers_of_item(self, item: PoolFuture[Any]) -> list[Carrier] | None:
        for thread, blocked in self._blocked.items():
            if blocked.item is item:
                return [thread]
        loop = suspended.loop_of(item)
        pool = None if loop is None else suspended.pool_of(loop)
        if pool is None or not suspended.is_queued(item, pool):
            return None
        return [thread.ident for thread in pool._threads if thread.ident is not None]

    def _holders_of(
        self, slots: Slots, loop: asyncio.AbstractEventLoop | None = None
    ) -> list[Carrier] | None:
        """Return who holds the slots, on *loop* too; None if one is free, or not every holder is known."""
        if slots.free or slots.debts:
            return None
        waiters = list(slots.waiters)
        loops = {loop, *(waiting for _, _, waiting in waiters)}
        held, holders = set[int](), list[Carrier]()
        for thread, blocked in self._blocked.items():
            loops |= {blocked.loop, None if blocked.item is None else suspended.loop_of(blocked.item)}
            if mine := [slot for slot in blocked.slots if home_of(slot) is slots]:
                held.update(mine)
                holders.append(thread)
        queue: set[object] = {sleeper for sleeper, _, _ in waiters}
        for task in self._tasks_on(loops):
            if suspended.awaited_by(task) not in queue:  # most of them may be there
                runs = suspended.calls_in(task)
                if mine := [slot for run in runs for slot in slots_of(run) if home_of(slot) is slots]:
                    held.update(mine)
                    holders.append(task)
        return holders if len(held) >= slots.total else None

    def _tasks_on(self, loops: Iterable[asyncio.AbstractEventLoop | None]) -> Iterator[asyncio.Task[Any]]:
        for loop in loops:
            if loop is not None:
                if loop not in self._tasks:
                    self._tasks[loop] = asyncio.all_tasks(loop)
                yield from self._tasks[loop]
