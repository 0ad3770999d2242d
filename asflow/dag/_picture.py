"""A graph as Mermaid text and as an SVG picture. Loaded when something is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from asflow._labels import clean, cut
from asflow._mermaid import connection, flowchart
from asflow._mermaid import node as drawn
from asflow._svg import NORMAL, QUIET, arrow, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asflow.dag._records import GraphNode

CRITICAL = "#d9480f"
FAILED = "#e03131"

ROW, BAR, LABELS, CHART = 26, 16, 260, 640
"""Pixels: height of a row and of its bar, width of the labels and of the time axis."""

_TITLE = 36  # characters that fit beside the bars


@dataclass(slots=True)
class _Box:
    """One drawn box: a node, or all nodes of one name."""

    name: str
    label: str = ""
    count: int = 0
    seconds: float = 0.0
    started: float | None = None
    ended: float | None = None
    states: set[str] = field(default_factory=lambda: set[str]())
    outside: bool = False
    critical: bool = False

    def add(self, node: GraphNode, total: float, *, critical: bool) -> None:
        self.count += 1
        self.seconds += node.seconds
        self.states.add(node.state)
        self.outside = node.outside
        self.critical = self.critical or critical
        if node.started is not None:
            ended = node.ended if node.ended is not None else total
            self.started = node.started if self.started is None else min(self.started, node.started)
            self.ended = ended if self.ended is None else max(self.ended, ended)

    @property
    def title(self) -> str:
        name = clean(self.name)
        if self.count != 1:
            return f"{name} ×{self.count:,}"
        return f"{name}({self.label})" if self.label else name

    @property
    def facts(self) -> str:
        """Duration, and every state but the usual one."""
        notes = sorted(self.states - {"completed"})
        if self.started is not None:
            notes.insert(0, _duration(self.seconds))
        elif self.outside:
            notes.insert(0, "outside")
        return ", ".join(notes)


@dataclass(slots=True)
class Drawing:
    """What is drawn, and the *seconds* that the time axis shows."""

    boxes: list[_Box]
    edges: dict[tuple[int, int], bool]
    """True: on the critical path."""
    seconds: float


def plan(
    nodes: Sequence[GraphNode],
    edges: Sequence[tuple[int, int]],
    critical_path: Sequence[GraphNode],
    seconds: float,
    *,
    joined: bool,
) -> Drawing:
    """Choose the boxes: one for each node or, if *joined*, for each name."""
    on_path = {node.index for node in critical_path}
    steps = {(a.index, b.index) for a, b in pairwise(critical_path)}
    boxes: list[_Box] = []
    of_key: dict[object, int] = {}
    box_of: list[int] = []
    for node in nodes:
        key = (node.name, node.outside) if joined else node.index
        place = of_key.setdefault(key, len(boxes))
        if place == len(boxes):
            boxes.append(_Box(node.name, node.label))
        boxes[place].add(node, seconds, critical=node.index in on_path)
        box_of.append(place)
    drawn: dict[tuple[int, int], bool] = {}
    for edge in edges:
        pair = (box_of[edge[0]], box_of[edge[1]])
        if pair[0] != pair[1]:
            drawn[pair] = drawn.get(pair, False) or edge in steps
    return Drawing(boxes, drawn, seconds)


def _duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{int(seconds // 60)} min {seconds % 60:.0f} s"
    return f"{seconds:.2f} s" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"


def mermaid(drawing: Drawing) -> str:
    """Return the flowchart. Source: the Mermaid flowchart syntax (classDef, linkStyle)."""
    lines: list[str] = []
    for place, box in enumerate(drawing.boxes):
        texts = (part for part in (box.title, box.facts) if part)
        lines.append(drawn(f"n{place}", *texts, shape="round" if box.outside else "box"))
    lines += [connection(f"n{a}", f"n{b}", thick=critical) for (a, b), critical in drawing.edges.items()]
    critical = [f"n{place}" for place, box in enumerate(drawing.boxes) if box.critical]
    failed = [f"n{place}" for place, box in enumerate(drawing.boxes) if "failed" in box.states]
    marked = [str(place) for place, critical in enumerate(drawing.edges.values()) if critical]
    if failed:
        lines += [f"classDef failed fill:#ffe3e3,stroke:{FAILED}", f"class {','.join(failed)} failed"]
    if critical:
        lines += [
            f"classDef critical stroke:{CRITICAL},stroke-width:3px",
            f"class {','.join(critical)} critical",
        ]
    if marked:
        lines.append(f"linkStyle {','.join(marked)} stroke:{CRITICAL},stroke-width:3px")
    return flowchart(lines)


def svg(drawing: Drawing, *, title: str) -> str:
    """Return the picture: bars along the time axis, an arrow from each dependency to its dependents."""
    width, height = LABELS + CHART + 110, ROW * len(drawing.boxes) + 46
    scale = CHART / drawing.seconds if drawing.seconds > 0 else 0.0
    parts = _axis(drawing.seconds, scale, height)
    for (first, second), critical in sorted(drawing.edges.items(), key=lambda item: item[1]):
        parts.append(_edge(drawing.boxes, first, second, scale, critical=critical))
    for row, box in enumerate(drawing.boxes):
        parts.append(_bar(box, row, scale))
    return document(width, height, title, parts)


def _span(box: _Box, scale: float) -> tuple[float, float]:
    """Return the beginning and the end of the box on the time axis, in pixels."""
    if box.started is None:
        return LABELS, LABELS
    ended = box.started if box.ended is None else box.ended
    return LABELS + box.started * scale, LABELS + ended * scale


def _axis(seconds: float, scale: float, height: int) -> list[str]:
    parts: list[str] = []
    for tenth in range(0, 11, 2):
        at = LABELS + seconds * tenth / 10 * scale
        text = _duration(seconds * tenth / 10) if tenth else "0"
        parts.append(f'<path d="M{at:.1f} 18V{height - 22}" stroke="#e9ecef"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 8}" fill="{QUIET}" text-anchor="middle">{text}</text>')
        if not scale:
            break
    return parts


def _edge(boxes: list[_Box], first: int, second: int, scale: float, *, critical: bool) -> str:
    x1, x2 = _span(boxes[first], scale)[1], _span(boxes[second], scale)[0]
    y1, y2 = 20 + ROW * first + BAR / 2, 20 + ROW * second + BAR / 2
    color, stroke = (CRITICAL, 2) if critical else (QUIET, 1)
    return arrow((x1, y1), (x2, y2), color=color, stroke=stroke)


def _bar(box: _Box, row: int, scale: float) -> str:
    x1, x2 = _span(box, scale)
    top, base = 20 + ROW * row, 20 + ROW * row + 12
    fill = FAILED if "failed" in box.states else CRITICAL if box.critical else NORMAL
    if box.started is None or "cancelled" in box.states:
        fill = QUIET
    weight = ' font-weight="bold"' if box.critical else ""
    title = f"<title>{escape(box.title)}</title>{escape(cut(box.title, _TITLE, '…'))}"
    return (
        f'<text x="{LABELS - 10}" y="{base}" text-anchor="end"{weight}>{title}</text>'
        f'<rect x="{x1:.1f}" y="{top}" width="{max(x2 - x1, 3):.1f}" height="{BAR}" rx="3" fill="{fill}"/>'
        f'<text x="{max(x2, x1 + 3) + 6:.1f}" y="{base}" fill="{QUIET}" stroke="#ffffff" stroke-width="3"'
        f' paint-order="stroke">{escape(box.facts)}</text>'
    )
