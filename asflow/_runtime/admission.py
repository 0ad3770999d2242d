"""How a call gets the slot that its body runs on: its own, or that of the body that makes the call.

These functions act on the slot of a *run*; the methods of `Slots` of the same names act on a bare slot.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asflow._runtime.runs import TaskCall
from asflow._runtime.slots import Lease, current_loop_id

if TYPE_CHECKING:
    from asflow._runtime.limits import Limiter
    from asflow._runtime.runs import FlowCall
    from asflow._runtime.slots import Slots

_lending = threading.RLock()


async def acquire(limit: Limiter, parent: TaskCall | FlowCall | None) -> Lease | None:
    """Wait until a body may start under *limit*, called from the body of *parent*.

    The run that gets the slot records where: `run.loop_id = current_loop_id()`.

    Returns:
        The lease of the slot that was borrowed, or None for a slot of the call's own (or no bound at all).
    """
    slots = limit.slots
    lease = None if slots is None else _borrowed(parent, slots)
    queue = slots if lease is None else lease.queue
    try:
        if queue is not None and not queue.try_acquire():
            await queue.acquire()
    except BaseException:
        if lease is not None:
            lease.remove_user()
        raise
    if limit.paced:
        loop_id = current_loop_id()
        try:
            await limit.pace()
        except BaseException:
            _release(queue, lease, loop_id)
            raise
    return lease


def acquire_blocking(limit: Limiter, parent: TaskCall | FlowCall | None, task: str) -> Lease | None:
    """Wait on this thread until a body of *task* may start under *limit*; see `acquire`.

    Raises:
        DeadlockError: only the event loop of this very thread could free the slot.
    """
    slots = limit.slots
    lease = None if slots is None else _borrowed(parent, slots)
    queue = slots if lease is None else lease.queue
    try:
        if queue is not None and not queue.try_acquire():
            queue.acquire_blocking(task)
    except BaseException:
        if lease is not None:
            lease.remove_user()
        raise
    if limit.paced:
        loop_id = current_loop_id()
        try:
            limit.pace_blocking(task)
        except BaseException:
            _release(queue, lease, loop_id)
            raise
    return lease


def release(run: TaskCall, slots: Slots | None) -> None:
    """Give back the slot that *run*'s body ran on, once no call that borrowed it needs it; only once."""
    if run.holding:
        # Order matters: clear `holding`, then read `lease`. A borrower does the reverse, so at least one
        # side sees the other.
        run.holding = False
        finish_release(run, slots)


def finish_release(run: TaskCall, slots: Slots | None) -> None:
    """Do the rest of `release` for a *run* whose `holding` has been cleared."""
    lease, run.lease = run.lease, None
    if lease is not None:
        lease.remove_holder(run.loop_id)
    else:
        _release(slots if run.borrowed is None else run.borrowed.queue, run.borrowed, run.loop_id)


def _holder_of(run: TaskCall | FlowCall | None, slots: Slots) -> TaskCall | None:
    """Return the nearest run, from *run* outwards, whose body runs on one of *slots*."""
    while run is not None:
        if isinstance(run, TaskCall) and run.holding and run.spec.limit.slots is slots:
            return run
        run = run.parent
    return None


def _release(queue: Slots | None, lease: Lease | None, loop_id: int) -> None:
    if queue is not None:
        queue.release(loop_id)
    if lease is not None:
        lease.remove_user()


def _borrowed(parent: TaskCall | FlowCall | None, slots: Slots) -> Lease | None:
    """Become a user of the slot that an enclosing body of the same limit runs on, if there is one."""
    holder = _holder_of(parent, slots)
    if holder is None:
        return None
    with _lending:
        lease = holder.lease
        if lease is None:
            held = slots if holder.borrowed is None else holder.borrowed.queue
            holder.lease = lease = Lease(held, holder.borrowed)
        return lease if holder.holding and lease.add_user() else None
