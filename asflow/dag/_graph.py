"""The graph of a scope as plain values: what ran, what waited for what, how long, what took the time."""

from __future__ import annotations

from collections.abc import Container, Mapping  # noqa: TC003 -- read by typing.get_type_hints
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asflow._labels import clean
from asflow._names import Sealed, create
from asflow.dag._records import GraphNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asflow.dag._picture import Drawing
    from asflow.dag._records import Record

DRAWN_NODES = 200
"""Nodes drawn one by one; above that, those of one name are drawn together."""


@dataclass(frozen=True, slots=True)
class Graph(metaclass=Sealed):
    """What has run in a scope. In a notebook it shows itself as a picture along the time axis.

    Attributes:
        nodes: in the order of the calls.
        seconds: from the scope's beginning to its end, or to when the graph was taken.
    """

    _made_by = "use scope().graph()"

    nodes: tuple[GraphNode, ...]
    seconds: float

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs (dependency, dependent) of indices into `nodes`."""
        return tuple((need, node.index) for node in self.nodes for need in node.needs)

    @property
    def critical_path(self) -> tuple[GraphNode, ...]:
        """The chain of nodes whose bodies took the longest in sum, first to last.

        No schedule could have been faster. Of two equally long chains the one called first.
        """
        longest: list[float] = []
        before: list[int | None] = []
        for node in self.nodes:
            best = max(node.needs, key=longest.__getitem__, default=None)
            before.append(best)
            longest.append(node.seconds + (0.0 if best is None else longest[best]))
        step = max(range(len(longest)), key=longest.__getitem__, default=None)
        path: list[GraphNode] = []
        while step is not None:
            path.append(self.nodes[step])
            step = before[step]
        return tuple(reversed(path))

    def to_mermaid(self, *, max_nodes: int = DRAWN_NODES) -> str:
        """Return the graph as a Mermaid flowchart; nodes and edges of the critical path are marked.

        Args:
            max_nodes: with more nodes than this (>= 0), nodes of one name are drawn as one box with their
                number, the sum of their seconds, and no edge within the name.
        """
        from asflow.dag._picture import mermaid

        return mermaid(self._drawing(max_nodes))

    def to_svg(self, *, max_nodes: int = DRAWN_NODES) -> str:
        """Return the graph as an SVG picture: one bar a node along the time axis, the critical path marked.

        Args:
            max_nodes: as for `to_mermaid`; a joint bar spans from the first start to the last end.
        """
        from asflow.dag._picture import svg

        return svg(self._drawing(max_nodes), title=repr(self))

    def _drawing(self, max_nodes: int) -> Drawing:
        from asflow.dag._picture import plan

        joined = len(self.nodes) > max_nodes
        return plan(self.nodes, self.edges, self.critical_path, self.seconds, joined=joined)

    def _repr_mimebundle_(
        self,
        include: Container[str] | None = None,
        exclude: Container[str] | None = None,
    ) -> Mapping[str, Any]:
        """Return the picture and the text that a notebook chooses from. Needs no network."""
        bundle = {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}
        return {
            kind: data
            for kind, data in bundle.items()
            if (not include or kind in include) and not (exclude and kind in exclude)
        }

    def __repr__(self) -> str:
        """Show the size and the critical path on one line."""
        names = [clean(node.name) for node in self.critical_path]
        if len(names) > 8:
            names[4:-4] = ["..."]
        path = " → ".join(names)
        return f"<Graph: {len(self.nodes)} nodes, {self.seconds:.2f} s; critical path: {path or 'none'}>"


def snapshot(records: Sequence[Record], *, began: float, now: float) -> Graph:
    """Return *records* as a graph, with times counted from *began*; what runs has run until *now*."""
    return create(Graph, tuple(_node(record, began, now) for record in records), now - began)


def _node(record: Record, began: float, now: float) -> GraphNode:
    started, ended = record.started, record.ended
    seconds = 0.0 if started is None else (now if ended is None else ended) - started
    return create(
        GraphNode,
        index=record.index,
        name=record.name,
        label=record.label,
        state="running" if record.state == "waiting" and started is not None else record.state,
        needs=record.needs,
        started=None if started is None else started - began,
        ended=None if ended is None else ended - began,
        seconds=seconds,
        outside=record.outside,
    )
