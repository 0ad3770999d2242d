"""Lays out the running flows as lines: selects the rows and fits them to a width and a height.

The picture, on 80 columns:

    @flow transcripts() ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   0% -:--:--
     @task extract()    ╸━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   2% 0:02:04
           F6PqxbvOCUI  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   0% -:--:--
           … and 96 more calls

Counts of calls that were skipped, retried and so on are shown after the bar, on a narrow terminal below it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asflow._labels import clean, cut
from asflow.sinks._live.model import first_values
from asflow.sinks._words import Counts, Piece, call_title, clock, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.events import RunningCall, Tally
    from asflow.sinks._live.model import FlowView, Forest

Line = list[Piece]

_BAR = 40  # as wide as rich's bars
_BAR_LEAST = 10
_LABEL_LEAST = 12
_PROGRESS_MOST, _PROGRESS_LEAST = 30, 8
_DESCRIPTION_MOST = 200  # characters, before it is measured


@dataclass(slots=True)
class Row:
    """One row of the display before it is fitted to a width.

    Attributes:
        indent: blank columns before *title*.
        title: the flow, task or call.
        done: the finished share, 0 <= done <= 1; None for a row without a bar.
        left: seconds left, or None if unknown.
        extra: shown after the bar if it fits.
        notes: counts that must be shown: after *extra*, or on a line of their own.
        progress: the call's own description and count; like *notes*, but truncated rather than wrapped.
    """

    indent: int
    title: str
    done: float | None = None
    left: float | None = None
    extra: list[Piece] = field(default_factory=list[Piece])
    notes: list[Piece] = field(default_factory=list[Piece])
    progress: list[Piece] = field(default_factory=list[Piece])


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is shown: concurrent flows, running calls of a task, and whether idle tasks are."""

    flows: int
    calls: int
    idle: bool


# Tried in turn until the rows fit the height.
_DETAILS = (
    _Detail(8, 4, True),
    _Detail(6, 2, True),
    _Detail(4, 1, True),
    _Detail(4, 0, True),
    _Detail(4, 0, False),
    _Detail(2, 0, False),
)
_TASKS = 50  # of one flow; more never fit a screen


def rows_of(forest: Forest, height: int) -> list[Row]:
    """Return at most *height* (>= 1) rows that show *forest*, with as much detail as fits."""
    rows: list[Row] = []
    for detail in _DETAILS:
        roots, more = forest.roots(detail.flows)
        rows = [row for view in roots for row in _flow_rows(view, 0, detail, forest.now())]
        if more:
            rows.append(_more(0, more, "flow"))
        if len(rows) <= height:
            return rows
    return [*rows[: height - 1], _more(0, len(rows) - height + 1, "line")]


def _more(indent: int, count: int, noun: str) -> Row:
    return Row(indent, f"… and {count:,} more {noun}{'s' * (count > 1)}")


def _flow_rows(view: FlowView, depth: int, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the rows of a flow, of its tasks, and of the flows that it called."""
    yield Row(depth, f"@flow {view.title}", done=0.0)
    for tally in first_values(view.tallies, _TASKS):
        if detail.idle or tally.active or tally.queued > tally.finished:
            yield from _task_rows(view, tally, depth + 1, detail, now)
    yield from _child_rows(view, depth + 1, detail, now)


def _child_rows(view: FlowView, depth: int, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the flows called by a flow: one row for all of a name, then the first running ones."""
    for name, started in list(view.started_flows.items())[:_TASKS]:
        ended = view.ended_flows.get(name, 0)
        if started > 1 and (detail.idle or ended < started):
            counted: list[Piece] = [(f"{ended:,}/{started:,}", "")]
            left = 0.0 if ended == started else None
            yield Row(depth, f"@flow {name}()", done=ended / started, left=left, notes=counted)
    running = [child for child in first_values(view.children, len(view.children)) if not child.hidden]
    for child in running[: detail.calls]:
        yield from _flow_rows(child, depth, detail, now)
    if len(running) > detail.calls:
        yield _more(depth, len(running) - detail.calls, "flow")


def _task_rows(view: FlowView, tally: Tally, depth: int, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the row of a task and a row for each of its first running calls."""
    counts = Counts()
    counts.add(tally)
    finished = tally.finished
    total = max(tally.queued, tally.total or 0, finished)
    row = Row(
        depth,
        f"@task {clean(tally.task)}()",
        done=finished / total if total else 0.0,
        left=view.task_seconds_left(tally, now),
        extra=[(f"{finished:,}/{total:,}", "")],
        notes=join(counts.words(done=False)),
    )
    active = len(tally.active)
    calls = first_values(tally.active, detail.calls if total > 1 else 1)
    if total == 1 and calls:  # the only call is shown in the task's row
        _show_call(row, view, calls[0], now)
        row.extra = []
        calls = []
    yield row
    for call in calls:
        yield _show_call(Row(depth + 6, call_title(call)), view, call, now)
    if calls and active > len(calls):
        yield _more(depth + 6, active - len(calls), "call")


def _show_call(row: Row, view: FlowView, call: RunningCall, now: float) -> Row:
    """Put the progress of *call* into *row*."""
    completed, total = call.completed, call.total
    progress: list[Piece] = []
    if completed and not total:
        progress.append((f"{completed:,g}", ""))
    if call.description:
        progress.append((cut(clean(call.description), _DESCRIPTION_MOST, "…"), ""))
    if call.attempt > 1 and not row.notes:
        progress.append((f"attempt {call.attempt}", "yellow"))
    row.done = min(1.0, max(0.0, completed / total)) if total else 0.0
    row.left = view.call_seconds_left(call, now)
    row.progress = join(progress)
    return row


def fold(pieces: list[Piece], width: int, cell_len: Callable[[str], int]) -> list[Line]:
    """Break *pieces* into lines of at most *width* columns, before pieces that begin with a space.

    A piece that is itself too wide is left to the terminal to wrap.
    """
    lines: list[Line] = [[]]
    free = width
    for text, style in pieces:
        length = cell_len(text)
        if length > free and text.startswith(" ") and lines[-1]:
            lines.append([])
            free, text = width, text[1:]
        lines[-1].append((text, style))
        free -= length
    return lines


class Layout:
    """Turns rows into lines of a given width. Columns never shrink, so that frames don't jump.

    Threads: one at a time.
    """

    def __init__(self, cell_len: Callable[[str], int], *, color: bool) -> None:
        """Start with empty columns.

        Args:
            cell_len: returns how many columns a text takes on the terminal.
            color: False draws the rest of a bar in another character, since color can't distinguish it.
        """
        self._cell_len = cell_len
        self._rest = "━" if color else "─"
        self._width = 0
        self._label = 0
        self._progress = 0
        self._notes = 0

    def lines(self, rows: list[Row], width: int) -> list[Line]:
        """Return the lines of *rows*, none wider than *width* - 1 columns (>= 1).

        The last column is not used: some terminals wrap as soon as it is written to.
        """
        width = max(1, width - 1)
        if width != self._width:
            self._width, self._label, self._progress, self._notes = width, 0, 0, 0
        right = 6 + max((len(clock(row.left)) for row in rows), default=7)
        right = right if width - right >= _LABEL_LEAST else 5  # too narrow for the remaining time
        bar = self._measure(rows, width, right)
        lines: list[Line] = []
        for row in rows:
            lines += self._row_lines(row, width, bar, right)
        return lines

    def _measure(self, rows: list[Row], width: int, right: int) -> int:
        """Set the widths of labels, progress and notes; return that of the bars, 0 if no bar fits.

        Progress takes precedence over labels, and notes over bars.
        """
        label = max(
            (row.indent + self._cell_len(row.title) for row in rows if row.done is not None), default=0
        )
        progress = max((self._pieces_len(row.progress) for row in rows), default=0)
        notes = max((self._pieces_len(row.notes) for row in rows), default=0)
        self._progress = max(self._progress, min(progress, _PROGRESS_MOST) + 2 if progress else 0)
        self._notes = max(self._notes, notes + 2 if notes else 0)
        most = min(max(20, width - right - 1 - _BAR_LEAST - self._progress), max(20, width // 2))
        if width - right - 1 - min(label, most) < 4:  # too narrow: drop the bar rather than the label
            most = max(_LABEL_LEAST, width - right)
        self._label = max(self._label, min(label, most))
        free = width - right - 1 - self._label
        if free < 4:
            return 0
        for spare in (max(self._progress, self._notes), self._progress):
            if free - spare >= _BAR_LEAST:
                return min(_BAR, free - spare)
        return min(_BAR, free)

    def _pieces_len(self, pieces: list[Piece]) -> int:
        return sum(self._cell_len(text) for text, _ in pieces)

    def _row_lines(self, row: Row, width: int, bar: int, right: int) -> list[Line]:
        if row.done is None:
            return [self._cut([(" " * row.indent + row.title, "dim")], width)]
        line: Line = [(self._fit(" " * row.indent + row.title, self._label), "progress.description")]
        if bar:
            line += [(" ", ""), *self._bar(row.done, bar)]
        line.append((f" {int(row.done * 100):>3}%", "progress.percentage"))
        if right > 5:
            line.append((f" {clock(row.left):>{right - 6}}", "progress.remaining"))
        return self._with_notes(line, row, width)

    def _with_notes(self, line: Line, row: Row, width: int) -> list[Line]:
        """Append extra, notes and progress as they fit; notes otherwise get a line of their own."""
        free = width - self._pieces_len(line) - 2
        must = row.notes or row.progress
        if row.notes and row.progress:
            must = [*row.notes, (", ", ""), *row.progress]
        both = [*row.extra, (", ", ""), *must] if row.extra and must else row.extra or must
        for pieces in (both, must):
            if pieces and self._pieces_len(pieces) <= free:
                return [[*line, ("  ", ""), *pieces]]
        if not must:
            return [self._cut(line, width)]
        if row.progress and free >= _PROGRESS_LEAST:
            return [[*line, ("  ", ""), *self._cut(must, free)]]
        return [self._cut(line, width), self._cut([(" " * (row.indent + 2), ""), *must], width)]

    def _bar(self, done: float, width: int) -> Line:
        """Return a bar as rich draws it, in steps of half a column."""
        halves = int(width * 2 * done)
        full, half = divmod(halves, 2)
        style = "bar.finished" if done >= 1 else "bar.complete"
        pieces: Line = [("━" * full + "╸" * half, style)] if halves else []
        rest = width - full - half
        if rest:
            lead = "╺" if full and not half else ""
            pieces.append((lead + self._rest * (rest - len(lead)), "bar.back"))
        return pieces

    def _fit(self, text: str, width: int) -> str:
        """Truncate or pad *text* to *width* columns."""
        length = self._cell_len(text)
        if length <= width:
            return text + " " * (width - length)
        while text and self._cell_len(text) > width - 1:
            text = text[:-1]
        return text + "…" + " " * (width - 1 - self._cell_len(text))

    def _cut(self, line: Line, width: int) -> Line:
        if self._pieces_len(line) <= width:
            return line
        cut: Line = []
        for text, style in line:
            length = self._cell_len(text)
            if length > width:
                return [*cut, (self._fit(text, width), style)] if width else cut
            cut.append((text, style))
            width -= length
        return cut
