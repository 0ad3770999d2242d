"""`flow.graph()`: the tasks of a flow and what they read, as text and as a picture."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping  # noqa: TC003 - read by typing.get_type_hints
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, final

from asflow._labels import clean, cut
from asflow._mermaid import connection, flowchart, node
from asflow._names import Sealed, create, set_homes
from asflow._svg import NORMAL, QUIET, arrow, document

if TYPE_CHECKING:
    from asflow._task.definition import TaskDefinition
    from asflow._task.inputs import Input

_LINE, _HEIGHT, _GAP, _BETWEEN = 7, 40, 16, 60
"""Pixels: a character, a box, between boxes, between columns."""

_LONGEST = 44  # characters of a line in a box


class _Box(NamedTuple):
    """A task, or files that no task of the picture makes."""

    name: str
    pattern: str
    is_task: bool


@final
class FlowGraph(metaclass=Sealed):
    """The tasks of a flow, and what they read. In a notebook it shows itself as a picture.

    Threads: it is a value, which any thread may use.
    """

    __slots__ = ("_boxes", "_edges")
    _made_by = "use flow.graph()"

    def __init__(self, boxes: tuple[_Box, ...], edges: tuple[tuple[int, int], ...]) -> None:
        self._boxes = boxes
        self._edges = edges

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks; of two that depend on each other, the one that is read comes first."""
        return tuple(box.name for box in self._boxes if box.is_task)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Pairs (what is read, the task that reads it): names of tasks, and patterns of other files."""
        return tuple((_title(self._boxes[a]), self._boxes[b].name) for a, b in self._edges)

    def __repr__(self) -> str:
        return f"<FlowGraph of {len(self.tasks)} tasks>"

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart, which GitHub, GitLab and many editors draw."""
        boxes = [
            node(f"n{place}", *_lines(box), shape="box" if box.is_task else "round")
            for place, box in enumerate(self._boxes)
        ]
        return flowchart([*boxes, *(connection(f"n{a}", f"n{b}") for a, b in self._edges)])

    def to_svg(self) -> str:
        """Return the graph as an SVG picture: what is read on the left of what reads it."""
        return _svg(self._boxes, self._edges, title=repr(self))

    def _repr_mimebundle_(
        self,
        include: Container[str] | None = None,
        exclude: Container[str] | None = None,
    ) -> Mapping[str, Any]:
        """Return the picture and the text that a notebook chooses from. Needs no network."""
        return {"image/svg+xml": self.to_svg(), "text/plain": repr(self)}

    def _repr_html_(self) -> str:
        """Return the picture, for tools that show HTML."""
        return self.to_svg()


def graph_of(definitions: Iterable[TaskDefinition]) -> FlowGraph:
    """Return the graph of *definitions* and of what they read, tasks of other flows included."""
    known: dict[int, TaskDefinition] = {}
    waiting = list(definitions)
    for each in waiting:
        if id(each) not in known:
            known[id(each)] = each
            waiting.extend(found.task.definition for found in inputs_of_task(each) if found.task is not None)  # type: ignore[misc]
    tasks = in_order(list(known.values()))
    boxes = [_Box(each.spec.name, _pattern(each), is_task=True) for each in tasks]
    edges: dict[tuple[int, int], None] = {}
    for place, each in enumerate(tasks):
        for read in inputs_of_task(each):
            sources = makers(read, tasks)
            if not sources:
                box = _Box("", read.text, is_task=False)
                if box not in boxes:
                    boxes.append(box)
                edges[boxes.index(box), place] = None
            edges.update(dict.fromkeys((source, place) for source in sources if source != place))
    return create(FlowGraph, tuple(boxes), tuple(edges))


def makers(read: Input, tasks: list[TaskDefinition]) -> list[int]:
    """Return the places of those of *tasks* that make what is read."""
    if read.task is not None:
        mine = read.task.definition
        same = [place for place, each in enumerate(tasks) if each is mine]
        # Decorated again since: the new one has the old one's outputs.
        return same or [p for p, each in enumerate(tasks) if each.spec.name == read.task.name]
    return [
        place
        for place, each in enumerate(tasks)
        if each.keeps_outputs and each.plan.store is read.store and _could_make(each, read)
    ]


def _could_make(task: TaskDefinition, read: Input) -> bool:
    """Whether a file could be an output of *task* and fit the pattern that is read, by a try."""
    import re

    pattern = task.plan.namer.pattern
    if not task.plan.shares_place_with(read):
        return False
    for value in ("1", "a" * 32):
        name = re.sub(r"\{[^{}]*\}|\*", value, read.text)
        if pattern.match(name):
            return True
    return False


def inputs_of_task(definition: TaskDefinition) -> tuple[Input, ...]:
    """Return what a task reads."""
    return definition.plan.freshness.inputs if definition.keeps_outputs else ()


def _pattern(definition: TaskDefinition) -> str:
    return definition.plan.namer.pattern.text if definition.keeps_outputs else ""


def in_order(tasks: list[TaskDefinition]) -> list[TaskDefinition]:
    """Return *tasks*, each after those that it reads, and otherwise in the order in which they came."""
    from graphlib import CycleError, TopologicalSorter

    sorter: TopologicalSorter[int] = TopologicalSorter()
    for place, each in enumerate(tasks):
        sources = {source for read in inputs_of_task(each) for source in makers(read, tasks)} - {place}
        sorter.add(place, *sorted(sources))
    try:
        return [tasks[place] for place in sorter.static_order()]
    except CycleError:  # patterns that could be each other's
        return tasks


def _title(box: _Box) -> str:
    return box.name or box.pattern


def _lines(box: _Box) -> list[str]:
    return [cut(clean(text), _LONGEST, "…") for text in (box.name, box.pattern) if text]


def _svg(boxes: tuple[_Box, ...], edges: tuple[tuple[int, int], ...], *, title: str) -> str:
    """Draw the boxes in columns: each right of everything that it reads."""
    columns = _columns(len(boxes), edges)
    rows: dict[int, int] = {}
    width_of: dict[int, int] = {}
    place_of: list[tuple[int, int]] = []
    for box, column in zip(boxes, columns, strict=True):
        rows[column] = rows.get(column, 0) + 1
        place_of.append((column, rows[column] - 1))
        width_of[column] = max(width_of.get(column, 0), 20 + _LINE * max(map(len, _lines(box)), default=1))
    left: dict[int, int] = {}
    at = 10
    for column in sorted(width_of):
        left[column] = at
        at += width_of[column] + _BETWEEN
    width = max(at - _BETWEEN + 10, 20)
    height = max(rows.values(), default=0) * (_HEIGHT + _GAP) + 10
    parts: list[str] = []
    for first, second in edges:
        (column_a, row_a), (column_b, row_b) = place_of[first], place_of[second]
        start = left[column_a] + width_of[column_a], _middle(row_a)
        parts.append(arrow(start, (left[column_b], _middle(row_b))))
    for box, (column, row) in zip(boxes, place_of, strict=True):
        parts.append(_drawn(box, left[column], 10 + row * (_HEIGHT + _GAP), width_of[column]))
    return document(width, height, title, parts)


def _columns(count: int, edges: tuple[tuple[int, int], ...]) -> list[int]:
    columns = [0] * count
    for _ in range(count):  # as many rounds as the longest path has steps, at most
        before = columns.copy()
        for first, second in edges:
            columns[second] = min(max(columns[second], columns[first] + 1), count)
        if columns == before:
            break
    return columns


def _middle(row: int) -> float:
    return 10 + row * (_HEIGHT + _GAP) + _HEIGHT / 2


def _drawn(box: _Box, x: int, y: int, width: int) -> str:
    lines = _lines(box)
    color, radius = (NORMAL, 4) if box.is_task else (QUIET, _HEIGHT // 2)
    texts = [
        f'<text x="{x + width / 2:.1f}" y="{y + _HEIGHT / 2 + 4 + 15 * (row - (len(lines) - 1) / 2):.1f}"'
        f' text-anchor="middle"{" fill=" + chr(34) + QUIET + chr(34) if row else ""}>{escape(line)}</text>'
        for row, line in enumerate(lines)
    ]
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="{_HEIGHT}" rx="{radius}" fill="#ffffff"'
    return "\n".join([f'{frame} stroke="{color}"/>', *texts])


set_homes("asflow", (FlowGraph,))
