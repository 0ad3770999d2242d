"""How a call gets the slot that its body runs on: its own, or a turn on that of the body that makes the call.

These functions act on the slot of a *run*; the methods of `Slots` of the same names act on a bare slot.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from asflow import _forks
from asflow._runtime import clock
from asflow._runtime.calls import TaskCall
from asflow._runtime.clock import is_real
from asflow._runtime.current import current
from asflow._runtime.slots import Slots, home_of, kept
from asflow._runtime.waits import UNNOTICED, notice_in_thread, notice_of_rate, notice_of_slot, notice_of_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._runtime.calls import FlowCall
    from asflow._runtime.limiters import Limiter
    from asflow._runtime.machine import Machine
    from asflow._runtime.spec import TaskSpec


_LONGEST_PAUSE = 0.05  # seconds between two looks for a place among the bodies of all processes


class Reservation:
    """A call of `flow.task.to_thread`, and the slot that it gets on the loop, until its thread takes them.

    Args:
        run: the call, which `observing.queued` has reported.
    """

    __slots__ = ("_at", "_calls", "_runs", "run")

    def __init__(self, run: TaskCall) -> None:
        self.run: TaskCall = run
        # Popped by the one that takes it.
        self._calls = [run]
        self._runs: list[TaskCall] = []
        self._at = 0.0

    def hold(self, at: float) -> None:
        """Note that the call has got its slot, at the time *at*."""
        self._at = at
        self._runs.append(self.run)

    def take_call(self) -> bool:
        """Take over the report of the call's end; False if that was done before."""
        try:
            self._calls.pop()
        except IndexError:
            return False
        return True

    def take_slot(self, run: TaskCall) -> bool:
        """Take the slot for *run*; False if that is another call, or if it was taken before."""
        return run is self.run and self._taken()

    def release(self) -> None:
        """Give back what no call has taken."""
        if self._taken():
            if self.run.spec.limit.paced:
                self.run.spec.limit.give_back(self._at)
            release(self.run)

    def _taken(self) -> bool:
        try:
            self._runs.pop()
        except IndexError:
            return False
        return True


reserved: ContextVar[Reservation | None] = ContextVar("asflow_reserved", default=None)


def acquired_at_once(limit: Limiter, run: TaskCall) -> bool:
    """Do as `acquire` if a call of the outermost flow need not wait; False, and nothing done, otherwise.

    It saves the coroutine of `acquire`.
    """
    slots = limit.slots
    if (
        slots is None
        or slots.waiters
        or slots.is_shared
        or limit.starts.delays
        or isinstance(run.parent, TaskCall)
    ):
        return False
    if run.flow is not None and run.flow.is_in_task:
        return False  # its body may lend its slot
    try:
        run.slot = slots.free.pop()
    except IndexError:
        return False
    return True


def reserved_call(spec: TaskSpec, parent: TaskCall | FlowCall | None) -> TaskCall | None:
    """Return the call of *spec* that is to run on this thread, made and reported on the event loop; once."""
    reservation = reserved.get()
    if reservation is None or reservation.run.spec is not spec or reservation.run.parent is not parent:
        return None
    return reservation.run if reservation.take_call() else None


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
                with notice_of_slot(run, queue) or UNNOTICED:
                    run.slot = await queue.acquire()
            if limit.machine is not None and not _has_turn(limit.machine, run):
                await _turn(limit.machine, run)
        if limit.paced and not limit.try_start():
            with notice_of_rate(run) or UNNOTICED:
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
    reservation = reserved.get()
    if reservation is not None and reservation.take_slot(run):
        return
    try:
        if limit.slots is not None:
            queue = _queue_of(run, limit.slots)
            run.slot = queue.try_acquire()
            if run.slot is None:
                notice = notice_in_thread(run, queue)
                try:
                    run.slot = queue.acquire_blocking(run.spec.name, notice)
                finally:
                    notice.end()
            if limit.machine is not None and not _has_turn(limit.machine, run):
                _turn_blocking(limit.machine, run)
        if limit.paced and not limit.try_start():
            _pace_blocking(limit, run)
    except BaseException:
        release(run)
        raise


def _has_turn(machine: Machine, run: TaskCall) -> bool:
    """Whether *run* has a place among the bodies of all processes now, or that of an enclosing body."""
    if not run.borrowed and is_real():
        run.turn = machine.take()
        return run.turn is not None
    return True


async def _turn(machine: Machine, run: TaskCall) -> None:
    with notice_of_turn(run) or UNNOTICED:
        for pause in _pauses():
            await clock.current.clock.sleep_async(pause)
            if _has_turn(machine, run):
                return


def _turn_blocking(machine: Machine, run: TaskCall) -> None:
    notice = notice_of_turn(run)
    for pause in _pauses():
        clock.current.clock.sleep(pause)
        if _has_turn(machine, run):
            return
        if notice is not None and notice.left == 0:
            notice.report()


def _pauses() -> Iterator[float]:
    """Yield the seconds between two looks for a place: no process learns when a body of another one ends."""
    longest = 0.005
    while True:
        yield longest * (0.5 + clock.draw() / 2)
        longest = min(longest * 1.5, _LONGEST_PAUSE)


def _pace_blocking(limit: Limiter, run: TaskCall) -> None:
    notice = notice_of_rate(run)
    try:
        limit.pace_blocking(run.spec.name, notice)
    finally:
        if notice is not None:
            notice.end()


def release(run: TaskCall) -> None:
    """Give back the slot that *run*'s body ran on, once no call that borrowed it needs it; only once."""
    slots = None if run.slot is None else home_of(+run.slot)
    # Order matters: clear `run.slot`, then read `lent`. A borrower does the reverse, so at least one side
    # sees the other. And nothing is called between that and `append`, so that Ctrl-C can't strike there.
    slot, run.slot = run.slot, None
    if slot is not None and slots is not None and slot not in slots.lent:
        if slots.debts:
            slots.put(slot)
        else:
            slots.free.append(slot)
            if slots.waiters:
                slots.grant()
    slot = None  # a traceback may hold this frame, and must not hold the slot
    run.borrowed = ()
    if (turn := run.turn) is not None:
        run.turn = None
        turn.release()


def drop(run: TaskCall) -> None:
    """Do as `release` for a coroutine that is closed: see `Slot`."""
    run.slot = run.turn = None
    run.borrowed = ()


def _queue_of(run: TaskCall, slots: Slots) -> Slots:
    """Return where *run* waits: for one of *slots*, or for a turn on the one that an enclosing body holds."""
    outer = run.parent
    while outer is not None:
        if isinstance(outer, TaskCall) and outer.spec.limit.slots is slots:
            # No local variable holds the slot: after Ctrl-C, a traceback may keep this frame.
            run.borrowed = (outer.slot, *outer.borrowed)
            number = 0 if run.borrowed[0] is None else +run.borrowed[0]
            home = home_of(number)
            if home is not None:
                turns = home.lent.get(number) or home.lent.setdefault(number, Slots(1, shared=True))
                if outer.slot is run.borrowed[0]:
                    return turns
            run.borrowed = ()  # it has just been returned
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
