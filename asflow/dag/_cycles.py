"""Cycles: an awaitable that waits for the node that waits for it.

A node's arguments exist before the node does, so a graph of calls alone has no cycle. One closes only
when code that is already waited for awaits a node by another road: a closure, a global, a container.
That `await` is where it is looked for and refused.

Seen: nodes waiting for their dependencies, tasks awaiting a task or an `asyncio.gather`. Not seen: what
waits through a bare future, an event, a queue, a thread, `asyncio.wait` or `asyncio.shield`, because
nothing there tells who will wake it; and a cycle of more than `MAX_STEPS` tasks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from asflow.dag._errors import CycleError

if TYPE_CHECKING:
    from asflow.dag._scheduled import Latch, NodeTask

__all__ = ["refuse_cycle", "waited_for"]

MAX_STEPS: Final = 10_000
"""Tasks looked at for one `await`: keeps it cheap where many wait for the same large graph."""


def waited_for(future: asyncio.Future[Any]) -> tuple[asyncio.Future[Any], ...]:
    """Return what *future* visibly waits for now: a node's dependencies, or what its code awaits."""
    latch: Latch | None = getattr(future, "latch", None)
    if latch is not None:
        return tuple(latch.pending)
    # asyncio shows both to debuggers only; where they are missing the cycle stays unseen.
    children: list[asyncio.Future[Any]] | None = getattr(future, "_children", None)
    if children:
        return tuple(children)
    awaited: asyncio.Future[Any] | None = getattr(future, "_fut_waiter", None)
    return () if awaited is None else (awaited,)


def refuse_cycle(node: NodeTask[Any]) -> None:
    """Look whether *node* waits for the current task, which is about to await it.

    Raises:
        CycleError: it does; the message names the tasks of the cycle in the order in which they wait.
    """
    current = asyncio.current_task()
    if current is None or not _is_waited_for(current):
        return
    came_from: dict[asyncio.Future[Any], asyncio.Future[Any] | None] = {node: None}
    to_visit: list[asyncio.Future[Any]] = [node]
    while to_visit and len(came_from) < MAX_STEPS:
        future = to_visit.pop()
        if future is current:
            raise CycleError(_describe(future, came_from))
        for awaited in waited_for(future):
            if awaited not in came_from and not awaited.done():
                came_from[awaited] = future
                to_visit.append(awaited)


def _is_waited_for(task: asyncio.Task[Any]) -> bool:
    """Tell whether anything waits for *task*, so that it can be part of a cycle at all."""
    if getattr(task, "dependents", None):
        return True
    callbacks: list[Any] = getattr(task, "_callbacks", None) or []
    return len(callbacks) > (1 if hasattr(task, "dependents") else 0)  # a node's own end is one


def _describe(
    current: asyncio.Future[Any],
    came_from: dict[asyncio.Future[Any], asyncio.Future[Any] | None],
) -> str:
    names: list[str] = []
    step: asyncio.Future[Any] | None = current
    while step is not None:
        if isinstance(step, asyncio.Task):
            names.append(repr(step.get_name()))
        step = came_from[step]
    names.reverse()
    waits = " waits for ".join(names)
    return (
        f"{names[-1]} awaits {names[0]}, which can't finish before it: {waits}. "
        "Don't await a node in what the node itself waits for."
    )
