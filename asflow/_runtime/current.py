"""What is running now, in this context: the call of a task or of a flow.

One context variable points to the innermost run. It follows `asyncio.to_thread`, task groups and nested
calls automatically; that is how `flow.task.write` finds its task.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.spec import TaskSpec

current: ContextVar[TaskCall | FlowCall | None] = ContextVar("asflow_current", default=None)


def leave(token: Token[TaskCall | FlowCall | None]) -> None:
    """Undo the `current.set` that returned *token*."""
    try:  # noqa: SIM105 - contextlib.suppress costs as much as the rest of a call
        current.reset(token)
    except ValueError:
        pass  # the garbage collector closes a coroutine in a context that is not its own


def reports_calls(spec: TaskSpec, run: TaskCall | FlowCall | None) -> bool:
    """Whether a sink receives calls of a task made in the flow of *run*, or outside any flow."""
    flow = None if run is None else run.flow
    return spec.reporter.outside if flow is None else flow.reporter.inside


def reports_found(spec: TaskSpec, run: TaskCall | FlowCall | None) -> bool:
    """Whether a sink also receives those that have nothing to do, as their output exists."""
    flow = None if run is None else run.flow
    return spec.reporter.finds_outside if flow is None else flow.reporter.finds_inside


def pinned(name: str, run: TaskCall | FlowCall | None) -> str:
    """Return the relative *name* of an output, in the flow of *run*, independent of the current directory.

    Outside any flow it stays relative.
    """
    flow = None if run is None else run.flow
    return name if flow is None else flow.folder + name
