"""What a scope writes down about each node, while it runs."""

from __future__ import annotations

from typing import Literal

__all__ = ["NodeState", "Record"]

NodeState = Literal["waiting", "running", "completed", "failed", "cancelled"]
"""How far a node is: waiting for its dependencies, its body running, or how it ended."""


class Record:
    """One node or outside awaitable. Times are the loop's own, in seconds; None: not yet, or unknown.

    Holds no task, argument or result, so that a long scope does not keep them alive.
    """

    __slots__ = ("ended", "index", "name", "needs", "outside", "started", "state")

    def __init__(self, index: int, name: str, needs: tuple[int, ...], *, outside: bool) -> None:
        self.index: int = index
        self.name: str = name
        self.needs: tuple[int, ...] = needs
        self.outside: bool = outside
        self.started: float | None = None
        self.ended: float | None = None
        self.state: NodeState = "waiting"
