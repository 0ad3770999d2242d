"""How a call gets the slot that its body runs on: its own, or that of the body that makes the call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asflow._runtime.limits import Lease
from asflow._runtime.runs import TaskCall
from asflow._runtime.slots import here

if TYPE_CHECKING:
    from asflow._runtime.limits import Limit
    from asflow._runtime.runs import FlowCall
    from asflow._runtime.slots import Slots

__all__ = ["admit", "admit_blocking", "dismiss", "give_back", "holder_of"]

_lending = threading.RLock()


async def admit(limit: Limit, parent: TaskCall | FlowCall | None) -> Lease | None:
    """Wait until a body may start under *limit*, called from the body of *parent*.

    The run that gets the slot notes where: `run.place = here()`.

    Returns:
        The lease of the slot that was lent, or None for a slot of one's own (or no bound at all).
    """
    slots = limit.slots
    lease = None if slots is None else _borrowed(parent, slots)
    taken = slots if lease is None else lease.turns
    try:
        if taken is not None and not taken.try_acquire():
            await taken.acquire()
    except BaseException:
        if lease is not None:
            lease.leave()
        raise
    if limit.paced:
        place = here()
        try:
            await limit.pace()
        except BaseException:
            _return(taken, lease, place)
            raise
    return lease


def admit_blocking(limit: Limit, parent: TaskCall | FlowCall | None, what: object) -> Lease | None:
    """Wait on this thread until a body may start under *limit*; *what*, as text, names the call in messages.

    Raises:
        DeadlockError: only the event loop of this very thread could free the slot.
    """
    slots = limit.slots
    lease = None if slots is None else _borrowed(parent, slots)
    taken = slots if lease is None else lease.turns
    try:
        if taken is not None and not taken.try_acquire():
            taken.acquire_blocking(what)
    except BaseException:
        if lease is not None:
            lease.leave()
        raise
    if limit.paced:
        place = here()
        try:
            limit.pace_blocking(what)
        except BaseException:
            _return(taken, lease, place)
            raise
    return lease


def dismiss(run: TaskCall, slots: Slots | None) -> None:
    """Give back the slot that *run*'s body ran on, once nobody whom it was lent to needs it."""
    if run.holding:
        # First this, then a look at `lease`: a call that is being lent the slot does it the other way round.
        run.holding = False
        give_back(run, slots)


def give_back(run: TaskCall, slots: Slots | None) -> None:
    """Do what is left of `dismiss` when *run* no longer counts as holding."""
    lease, run.lease = run.lease, None
    if lease is not None:
        lease.end(run.place)
    else:
        _return(slots if run.lent is None else run.lent.turns, run.lent, run.place)


def holder_of(run: TaskCall | FlowCall | None, slots: Slots) -> TaskCall | None:
    """Return the nearest run, from *run* outwards, whose body runs on one of *slots*."""
    while run is not None:
        if isinstance(run, TaskCall) and run.holding and run.spec.limit.slots is slots:
            return run
        run = run.parent
    return None


def _return(taken: Slots | None, lease: Lease | None, place: int) -> None:
    if taken is not None:
        taken.release(place)
    if lease is not None:
        lease.leave()


def _borrowed(parent: TaskCall | FlowCall | None, slots: Slots) -> Lease | None:
    """Join the lease of the slot that an enclosing body of the same limit runs on, if there is one."""
    holder = holder_of(parent, slots)
    if holder is None:
        return None
    with _lending:
        lease = holder.lease
        if lease is None:
            held = slots if holder.lent is None else holder.lent.turns
            holder.lease = lease = Lease(held, holder.lent)
        return lease if holder.holding and lease.join() else None
