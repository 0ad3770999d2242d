"""What a scope records of each node while it runs, and what its graph shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asflow._names import Sealed

NodeState = Literal["waiting", "running", "completed", "failed", "cancelled"]
"""How far a node is: waiting for its dependencies, its body running, or how it ended."""


class Record:
    """One node or outside awaitable. Times are the loop's own, in seconds; None: not yet, or unknown.

    Refers to no task, argument or result, so that a long scope does not keep them alive.
    """

    __slots__ = ("ended", "index", "label", "name", "needs", "outside", "started", "state")

    def __init__(
        self, index: int, name: str, needs: tuple[int, ...], *, label: str = "", outside: bool = False
    ) -> None:
        self.index: int = index
        self.name: str = name
        self.label: str = label
        self.needs: tuple[int, ...] = needs
        self.outside: bool = outside
        self.started: float | None = None
        self.ended: float | None = None
        self.state: NodeState = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode(metaclass=Sealed):
    """One call of a node, or an awaitable from outside the scope that a node waited for.

    Attributes:
        index: its place in `Graph.nodes`, in the order of the calls; dependencies come first.
        name: the function's name; for an outside awaitable the task's name or the class.
        label: the call's arguments, shortened to one line, a dependency as its name; empty for an outside
            awaitable.
        state: how far it is, or how it ended.
        needs: indices of the nodes it waited for, extra dependencies included, each once.
        started: seconds from the scope's beginning to the start of the body; None: hasn't started, or
            an outside awaitable, of which only the end is known.
        ended: seconds from the scope's beginning to its end; None: not yet, or it had ended before.
        seconds: how long the body ran, so far if it still runs; 0.0 if there is no start.
        outside: whether it is an awaitable from outside the scope.
    """

    _made_by = "take one from the nodes of a Graph"

    index: int
    name: str
    label: str
    state: NodeState
    needs: tuple[int, ...]
    started: float | None
    ended: float | None
    seconds: float
    outside: bool
