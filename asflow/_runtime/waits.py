"""Waits that last: a call that has waited for a second is reported, and refused if its wait can't end.

A wait for a slot is reported to sinks only, in an event: a display shows anyhow how many calls are queued.
Those for a rate and for another owner of the output are listed in the flow's tally, too.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

from asflow._labels import clean, cut
from asflow._runtime import clock, observing
from asflow._runtime.slots import Slots, running_loop, watchers
from asflow._runtime.stopping import stopping
from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asflow._runtime import deadlocks
    from asflow._runtime.calls import TaskCall
    from asflow.events import WaitReason

PATIENCE = 1.0
"""Seconds after which a wait is reported."""

AGAIN = 1.0
"""Seconds between two looks at whether a wait on an event loop can end."""

_LONGEST_PAUSE = 16.0  # seconds between two such looks at a queue, which take longer each time

_LONGEST_OWNER = 200


class Notice:
    """A wait of one call, which is reported when it has lasted for `PATIENCE`.

    On an event loop, wait in a `with` block, which takes the time; on a thread, call `look` now and then, and
    `end` at the end.

    Args:
        run: the call.
        reason: what it waits for.
        target: the slots or the output; None for a rate, which comes in any case.
        owner: returns who makes its output, if that is known; called when the wait is reported.
        is_silent: nothing is reported.
    """

    __slots__ = ("_began", "_is_blocked", "_is_reported", "_owner", "_reason", "_run", "_timer", "target")

    def __init__(
        self,
        run: TaskCall,
        reason: WaitReason,
        target: deadlocks.Target | None,
        owner: Callable[[], str | None] | None = None,
        *,
        is_silent: bool = False,
    ) -> None:
        self._run = run
        self._reason: WaitReason = reason
        self.target: deadlocks.Target | None = target
        self._owner = owner
        self._began = clock.current.clock.now()
        self._is_reported = is_silent
        self._is_blocked = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waited(self) -> float:
        """The seconds that the call has waited for so far."""
        return clock.current.clock.now() - self._began

    @property
    def left(self) -> float | None:
        """The seconds until the wait is to be reported; 0 if it is due, None once it is done."""
        return None if self._is_reported else max(0.0, PATIENCE - self.waited)

    def look(self) -> None:
        """Report the wait of this thread if it is due.

        Raises:
            DeadlockError: it can't end.
        """
        if self.left == 0:
            self.report()
        if self.target is None:
            return
        from asflow._runtime import deadlocks

        if not self._is_blocked:
            self._is_blocked = True
            deadlocks.enter(self.target, stopping.get())
        if (found := deadlocks.find()) is not None:
            raise self._refusal(found)

    def report(self) -> None:
        """Report the wait now."""
        self._is_reported = True
        owner = None if self._owner is None else self._owner()
        shown = None if owner is None else cut(clean(owner), _LONGEST_OWNER)
        observing.waiting(self._run, self._reason, shown, max(self.waited, 0.0))

    def end(self) -> None:
        """Note that the wait of this thread is over."""
        if self._is_blocked:
            from asflow._runtime import deadlocks

            self._is_blocked = False
            deadlocks.leave()
        # What is listed for another reason goes with the start of the body, or the end of the call.
        if self._is_reported and self._reason == "rate":
            observing.waited(self._run)

    def __enter__(self) -> None:
        if (loop := running_loop()) is not None:
            left, task = self.left, asyncio.current_task(loop)
            self._timer = loop.call_later(AGAIN if left is None else left, self._on_time, loop, task)

    def __exit__(self, *error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.end()

    def _on_time(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[object] | None) -> None:
        if self.left == 0:
            self.report()
        if self.target is None or isinstance(self.target, Slots) or task is None:
            return  # the queue for slots is looked at as a whole
        self._timer = loop.call_later(AGAIN, self._on_time, loop, task)
        from asflow._runtime import deadlocks, suspended

        if (found := deadlocks.find(task)) is not None and (future := suspended.awaited_by(task)) is not None:
            future.set_exception(self._refusal(found))

    def _refusal(self, found: deadlocks.Deadlock) -> DeadlockError:
        if self.target is None or isinstance(self.target, Slots):
            return _no_slot(self._run.spec.name, found)
        name, output = self._run.spec.name, self.target[1]
        return DeadlockError(
            f"task {name}(): needs the output {output!r} of a call that waits for this one in turn; call one "
            f"of the two tasks before the other, not in its body"
        )


def _no_slot(name: str, found: deadlocks.Deadlock) -> DeadlockError:
    if found.fills_pool:
        return DeadlockError(
            f"task {name}(): waits for a slot, and fills the threads for which the calls with the "
            f"slots wait; call it with `await flow.task.to_thread(...)`"
        )
    return DeadlockError(
        f"task {name}(): waits for a slot of calls that wait for this one in turn; call one of the "
        f"two tasks before the other, not in its body, or raise the limit"
    )


def _watch(slots: Slots, loop: asyncio.AbstractEventLoop, seconds: float | None = None) -> None:
    """Look now and then at the callers that wait on *loop*: one timer for all, as they may be many."""
    loop.call_later(AGAIN if seconds is None else seconds, _look_at_queue, slots, loop, seconds or AGAIN)


def _look_at_queue(slots: Slots, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    first = next(_waiting_on(slots, loop), None)
    if first is None:
        slots.watched_on.discard(id(loop))
        return
    _watch(slots, loop, min(2 * seconds, _LONGEST_PAUSE))
    from asflow._runtime import deadlocks

    found = deadlocks.find(first, lambda: list(_waiting_on(slots, loop)))
    if found is not None and isinstance(found.victim, asyncio.Task):
        from asflow._runtime import suspended

        name, future = suspended.name_of_call_in(found.victim), suspended.awaited_by(found.victim)
        if name is not None and future is not None:
            future.set_exception(_no_slot(name, found))


def _waiting_on(slots: Slots, loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Task[object]]:
    from asflow._runtime import suspended

    for sleeper, box, of in list(slots.waiters):
        if of is loop and not box and isinstance(sleeper, asyncio.Future):
            task = suspended.task_of(sleeper)
            if task is not None:
                yield task


watchers.append(_watch)

UNNOTICED: AbstractContextManager[object] = nullcontext()


def notice_of_slot(run: TaskCall, slots: Slots) -> Notice | None:
    """Return the notice of a wait on an event loop for one of *slots*; None if no sink wants it."""
    return Notice(run, "slot", slots) if _is_heard(run) else None


def notice_in_thread(run: TaskCall, slots: Slots) -> Notice:
    """Return the notice of the wait of this thread for one of *slots*."""
    return Notice(run, "slot", slots, is_silent=not _is_heard(run))


def notice_of_turn(run: TaskCall) -> Notice | None:
    """Return the notice of a wait for a place among the bodies of all processes; None if no sink wants it."""
    return Notice(run, "slot", None) if _is_heard(run) else None


def notice_of_rate(run: TaskCall) -> Notice | None:
    """Return the notice of a wait for a rate; None if there is no one to report it to."""
    return Notice(run, "rate", None) if run.flow is not None or _is_heard(run) else None


def _is_heard(run: TaskCall) -> bool:
    return observing.is_queued(run) and bool(run.scope.begun)
