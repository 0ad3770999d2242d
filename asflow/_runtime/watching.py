"""What `flow.task.map` learns of the calls that it makes, through one context variable.

Only the drivers report here. The quick calls report nothing, so that they cost the same under a map: one of
those has found its output if its task keeps one, and has completed otherwise. That is what a `Watch` assumes.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal

from asflow._runtime.runs import TaskCall

if TYPE_CHECKING:
    from asflow._runtime.runs import FlowCall
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Outcome

watching: ContextVar[Watch | None] = ContextVar("asflow_watching", default=None)
"""Set by `flow.task.map` around the calls of a task whose ends it can't see from outside."""


class Watch:
    """Follows the calls of one worker of a map, one after the other.

    Args:
        spec: the task that is mapped.
        parent: the run in which the map is.

    Attributes:
        outcome: how the call ended, if it returned.
    """

    __slots__ = ("_parent", "_spec", "outcome")

    def __init__(self, spec: TaskSpec, parent: TaskCall | FlowCall | None) -> None:
        self._spec = spec
        self._parent = parent
        self.outcome: Literal["completed", "cached", "skipped", "suppressed"] = "completed"

    def begin(self) -> None:
        """Prepare for the next call."""
        self.outcome = "completed" if self._spec.output is None else "cached"

    def ended(self, run: TaskCall, outcome: Outcome) -> None:
        """Note how *run* ended, if it is the call that is followed."""
        if outcome != "failed" and outcome != "cancelled" and self._follows(run):
            self.outcome = outcome

    def _follows(self, run: TaskCall) -> bool:
        """Whether the map has made this call: itself, or through flows around the task."""
        if run.spec is not self._spec:
            return False
        outer = run.parent
        while outer is not self._parent:
            if outer is None or isinstance(outer, TaskCall):
                return False  # a call that the body of the followed one makes
            outer = outer.parent
        return True
