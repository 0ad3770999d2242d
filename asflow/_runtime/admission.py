"""How a call gets the slot that its body runs on: its own, or a turn on that of the body that makes the call.

These functions act on the slot of a *run*; the methods of `Slots` of the same names act on a bare slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow import _forks
from asflow._runtime.runs import TaskCall, current
from asflow._runtime.slots import Slots, home_of, kept

if TYPE_CHECKING:
    from asflow._runtime.limits import Limiter


async def acquire(limit: Limiter, run: TaskCall) -> None:
    """Wait until the body of *run* may start under *limit*.

    Sets `run.slot`: one of *limit*, or a turn on that of an enclosing body; None if *limit* does not bound
    the bodies.
    """
    try:
        if limit.slots is not None:
            queue = _queue_of(run, limit.slots)
            run.slot = queue.try_acquire()
            if run.slot is None:
                run.slot = await queue.acquire()
        if limit.paced:
            await limit.pace()
    except GeneratorExit:
        drop(run)
        raise
    except BaseException:
        release(run)
        raise


def acquire_blocking(limit: Limiter, run: TaskCall) -> None:
    """Wait on this thread until the body of *run* may start under *limit*; see `acquire`.

    Raises:
        DeadlockError: only the event loop of this very thread could free the slot.
    """
    try:
        if limit.slots is not None:
            queue = _queue_of(run, limit.slots)
            run.slot = queue.try_acquire()
            if run.slot is None:
                run.slot = queue.acquire_blocking(run.spec.name)
        if limit.paced:
            limit.pace_blocking(run.spec.name)
    except BaseException:
        release(run)
        raise


def release(run: TaskCall) -> None:
    """Give back the slot that *run*'s body ran on, once no call that borrowed it needs it; only once."""
    slot = run.slot
    if slot is None:
        run.borrowed = ()
        return
    slots = home_of(slot)
    # Order matters: clear `run.slot`, then read `lent`. A borrower does the reverse, so at least one side
    # sees the other. And nothing is called between that and `append`, so that Ctrl-C can't strike there.
    run.slot = None
    if slots is not None and slot not in slots.lent:
        if slots.debts:
            slots.put(slot)
        else:
            slots.free.append(slot)
            if slots.waiters:
                slots.grant()
    slot = None  # a traceback may hold this frame, and must not hold the slot
    run.borrowed = ()


def drop(run: TaskCall) -> None:
    """Do as `release` for a coroutine that is closed: see `Slot`."""
    run.slot = None
    run.borrowed = ()


def _queue_of(run: TaskCall, slots: Slots) -> Slots:
    """Return where *run* waits: for one of *slots*, or for a turn on the one that an enclosing body holds."""
    outer = run.parent
    while outer is not None:
        if isinstance(outer, TaskCall) and outer.spec.limit.slots is slots:
            slot = outer.slot
            if slot is not None and (home := home_of(slot)) is not None:
                turns = home.lent.get(slot) or home.lent.setdefault(+slot, Slots(1, shared=True))
                run.borrowed = (slot, *outer.borrowed)
                if outer.slot is slot:
                    return turns
                run.borrowed = ()  # it has just been given back
        outer = outer.parent
    return slots


def _after_fork() -> None:
    kept.clear()
    run = current.get()
    while run is not None:
        if isinstance(run, TaskCall):
            kept.extend(slot for slot in (run.slot, *run.borrowed) if slot is not None)
        run = run.parent


_forks.after_fork(_after_fork)
