"""What `flow.task.map` learns of the calls that it makes, through one context variable.

Only the drivers report here. The quick calls report nothing, so that they cost the same under a map: one of
those has found its output if its task keeps one, and has completed otherwise. That is what a `Watch` assumes.

A call that waits for a retry, or for another owner of its output, is *parked* until its body is called or the
call ends: the map has another worker meanwhile.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from asflow._runtime.calls import TaskCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._runtime.calls import FlowCall
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Outcome

watching: ContextVar[Watch | None] = ContextVar("asflow_watching", default=None)
"""Set by `flow.task.map` around the calls of a task whose ends it can't see from outside."""


class Watch:
    """Follows the calls of one worker of a map, one after the other.

    Args:
        spec: the task that is mapped.
        parent: the run in which the map is.
        park: called, on the call's thread, with True when the call is parked, and with False when it is not
            any more.

    Attributes:
        outcome: how the call ended, if it returned.
        is_parked: whether the call is parked.
    """

    __slots__ = ("_parent", "_park", "_spec", "is_parked", "outcome")

    def __init__(
        self, spec: TaskSpec, parent: TaskCall | FlowCall | None, park: Callable[[bool], object]
    ) -> None:
        self._spec = spec
        self._parent = parent
        self._park = park
        self.is_parked: bool = False
        self.outcome: Literal["completed", "cached", "skipped", "suppressed"] = "completed"

    def begin(self) -> None:
        """Prepare for the next call."""
        self.outcome = "completed" if self._spec.output is None else "cached"

    def ended(self, run: TaskCall, outcome: Outcome) -> None:
        """Note how *run* ended, if it is the call that is followed."""
        if outcome != "failed" and outcome != "cancelled" and self.follows(run):
            self.outcome = outcome

    def waits(self, run: TaskCall) -> None:
        """Park *run*, if it is the call that is followed: it holds no slot now."""
        if not self.is_parked and self.follows(run):
            self.is_parked = True
            self._park(True)

    def resume(self) -> None:
        """End the parking, if the call is parked."""
        if self.is_parked:
            self.is_parked = False
            self._park(False)

    def follows(self, run: TaskCall) -> bool:
        """Whether the map has made this call: itself, or through flows around the task."""
        if run.spec.origin is not self._spec.origin:
            return False
        outer = run.parent
        while outer is not self._parent:
            if outer is None or isinstance(outer, TaskCall):
                return False  # a call that the body of the followed one makes
            outer = outer.parent
        return True


def parked(run: TaskCall) -> None:
    """Note that *run* waits, and holds no slot."""
    if (watch := watching.get()) is not None:
        watch.waits(run)


def resumed(run: TaskCall) -> None:
    """Note that the body of *run* is about to be called."""
    if (watch := watching.get()) is not None and watch.is_parked and watch.follows(run):
        watch.resume()
