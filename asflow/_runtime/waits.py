"""Waits that last: a call that has waited for a second is reported, once for each wait.

A wait for a slot is reported to sinks only, in an event: a display shows anyhow how many calls are queued.
Those for a rate and for another owner of the output are listed in the flow's tally, too.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from asflow._labels import clean, cut
from asflow._runtime import clock, observing
from asflow._runtime.slots import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from asflow._runtime.runs import TaskCall
    from asflow.events import WaitReason

PATIENCE = 1.0
"""Seconds after which a wait is reported."""

_LONGEST_OWNER = 200


class Notice:
    """A wait of one call, which is reported when it has lasted for `PATIENCE`.

    On an event loop, wait in a `with` block, which takes the time; on a thread, call `look` now and then.

    Args:
        run: the call.
        reason: what it waits for.
        owner: returns who makes its output, if that is known; called when the wait is reported.
    """

    __slots__ = ("_began", "_is_reported", "_owner", "_reason", "_run", "_timer")

    def __init__(
        self, run: TaskCall, reason: WaitReason, owner: Callable[[], str | None] | None = None
    ) -> None:
        self._run = run
        self._reason: WaitReason = reason
        self._owner = owner
        self._began = clock.current.clock.now()
        self._is_reported = False
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
        """Report the wait if it is due."""
        if self.left == 0:
            self.report()

    def report(self) -> None:
        """Report the wait now."""
        self._is_reported = True
        owner = None if self._owner is None else self._owner()
        shown = None if owner is None else cut(clean(owner), _LONGEST_OWNER)
        observing.waiting(self._run, self._reason, shown, max(self.waited, 0.0))

    def end(self) -> None:
        """Note that the wait is over: for a rate, as the body or the call's end need not be reported."""
        if self._is_reported and self._reason == "rate":
            observing.waited(self._run)

    def __enter__(self) -> None:
        loop = running_loop()
        if loop is not None and (left := self.left) is not None:
            self._timer = loop.call_later(left, self.report)

    def __exit__(self, *error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.end()


UNNOTICED: AbstractContextManager[object] = nullcontext()


def notice_of(run: TaskCall, reason: WaitReason) -> Notice | None:
    """Return the notice of a wait for a slot or a rate; None if there is no one to report it to."""
    if observing.is_queued(run) and run.scope.begun:
        return Notice(run, reason)
    return Notice(run, reason) if reason == "rate" and run.flow is not None else None
