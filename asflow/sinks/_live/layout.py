"""Lays out the running flows as lines: selects the rows and fits them to a width and a height.

The picture, on 100 columns:

    @flow nightly()     ━━━━━━━━━━━━╺━━━━━━━━━━━━                       31  4.1/s  7.6 s
     @task extract()    ━━━━━━━━━╺━━━━━━━━━━━━━━━  38%    0:12 left   31/870  4.1/s  7.6 s
           F6PqxbvOCUI  ━━━━━━━━━━━━━━━━━━━━╺━━━━  83%    0:01 left    10/12  2.0/s  5.1 s
           Pv0iVoSZzN8  again in 4.0 s: HTTPError: 503
           … and 96 more calls
     extract() failed, 2 HTTPError: l-nMKJ5J3Uc, erLbbextvlY: 404

A bar has a share, a percentage and a time left only if the total is known; otherwise it moves. If there is
little room, bars give way first, then labels, then the time left; counts, rates and times are the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asflow._digest import group_line
from asflow._labels import clean, cut
from asflow.sinks._live.model import Progress, first_values
from asflow.sinks._words import Counts, Piece, amount, call_title, join, rate, remaining, took, wait_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.events import RunningCall, Tally
    from asflow.sinks._live.model import FlowView, Forest

Line = list[Piece]

_BAR = 40  # as wide as rich's bars
_BAR_LEAST = 8
_LABEL_LEAST = 12
_PROGRESS_MOST, _PROGRESS_LEAST = 30, 8
_DESCRIPTION_MOST = 200  # characters, before it is measured
_TURN = 1.5  # seconds in which a moving bar goes through once


@dataclass(slots=True)
class Row:
    """One row of the display before it is fitted to a width.

    Attributes:
        indent: blank columns before *title*.
        title: the flow, task or call.
        has_bar: whether it has a bar and numbers; a row without is only text.
        done: the finished share, 0 <= done <= 1; None if the total is unknown.
        left: seconds left, or None if unknown.
        count, rate, elapsed: the numbers, as text; empty if there is none.
        notes: counts that must be shown: after the numbers, or on a line of their own.
        progress: the call's own description; like *notes*, but truncated rather than wrapped.
        text: what a row without a bar says after its title.
    """

    indent: int
    title: str
    has_bar: bool = False
    done: float | None = None
    left: float | None = None
    count: str = ""
    rate: str = ""
    elapsed: str = ""
    text: list[Piece] = field(default_factory=list[Piece])
    notes: list[Piece] = field(default_factory=list[Piece])
    progress: list[Piece] = field(default_factory=list[Piece])

    @property
    def time_left(self) -> str:
        """The time left as text; empty if there is none to show."""
        if self.done is None or self.done >= 1:
            return ""
        return "-:--" if self.left is None else remaining(self.left)

    def measure(self, progress: Progress, unit: str | None = None, *, count: bool = True) -> Row:
        """Put the numbers of *progress* into the row; return it."""
        self.has_bar = True
        done, total = progress.done, progress.total
        if total:
            self.done = min(1.0, max(0.0, done / total))
            self.left = progress.left
        if count:
            self.count = amount(done, total, unit)
        self.rate = rate(progress.rate, unit)
        self.elapsed = took(progress.elapsed)
        return self


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is shown: concurrent flows, calls of a task, whether idle tasks are, groups of problems."""

    flows: int
    calls: int
    idle: bool
    problems: int


# Tried in turn until the rows fit the height.
_DETAILS = (
    _Detail(8, 4, True, 3),
    _Detail(6, 2, True, 3),
    _Detail(4, 1, True, 2),
    _Detail(4, 0, True, 2),
    _Detail(4, 0, False, 1),
    _Detail(2, 0, False, 1),
    _Detail(2, 0, False, 0),
)
_TASKS = 50  # of one flow; more never fit a screen


def rows_of(forest: Forest, height: int) -> list[Row]:
    """Return at most *height* (>= 1) rows that show *forest*, with as much detail as fits."""
    rows: list[Row] = []
    for detail in _DETAILS:
        roots, more = forest.roots(detail.flows)
        rows = [row for view in roots for row in _root_rows(view, detail, forest.now())]
        if more:
            rows.append(_more(0, more, "flow"))
        if len(rows) <= height:
            return rows
    return [*rows[: height - 1], _more(0, len(rows) - height + 1, "line")]


def _more(indent: int, count: int, noun: str) -> Row:
    return Row(indent, f"… and {count:,} more {noun}{'s' * (count > 1)}")


def _root_rows(view: FlowView, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the rows of a flow that no other one called, and below them what went wrong so far."""
    yield from _flow_rows(view, 0, detail, now)
    groups = view.live.digest.groups if view.live.digest else ()
    for group in groups[: detail.problems]:
        yield Row(1, "", text=group_line(group))
    if detail.problems and len(groups) > detail.problems:
        yield _more(1, sum(group.count for group in groups[detail.problems :]), "call")


def _flow_rows(view: FlowView, depth: int, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the rows of a flow, of its tasks, and of the flows that it called."""
    row = Row(depth, f"@flow {view.title}").measure(view.progress(now))
    if view.live.description:
        row.progress = [(cut(clean(view.live.description), _DESCRIPTION_MOST, "…"), "")]
    yield row
    for tally in first_values(view.tallies, _TASKS):
        if detail.idle or tally.active or tally.queued > tally.finished:
            yield from _task_rows(view, tally, depth + 1, detail, now)
    yield from _child_rows(view, depth + 1, detail, now)


def _child_rows(view: FlowView, depth: int, detail: _Detail, now: float) -> Iterator[Row]:
    """Yield the flows called by a flow: one row for all of a name, then the first running ones."""
    for name, started in list(view.started_flows.items())[:_TASKS]:
        ended = view.ended_flows.get(name, 0)
        progress = view.nested_progress(name, now)
        if started > 1 and (detail.idle or ended < started):
            yield Row(depth, f"@flow {name}()").measure(progress)
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
    row = Row(depth, f"@task {clean(tally.task)}()", notes=join(counts.words(done=False)))
    row.measure(view.task_progress(tally, now))
    active = len(tally.active)
    calls = first_values(tally.active, detail.calls if total > 1 else 1)
    if total == 1 and calls:  # the only call is shown in the task's row
        row = _show_call(Row(row.indent, row.title, notes=row.notes), view, calls[0], now)
        calls = []
    yield row
    for call in calls:
        yield _show_call(Row(depth + 6, call_title(call)), view, call, now)
    waiting = first_values(tally.waiting, max(detail.calls - len(calls), detail.calls // 2))
    for wait in waiting:
        title, text = call_title(wait.call), wait_words(wait, view.since(now))
        yield Row(depth + 6, title, text=[(text, "yellow")])
    if calls and active > len(calls):
        yield _more(depth + 6, active - len(calls), "call")
    elif waiting and len(tally.waiting) > len(waiting):
        yield _more(depth + 6, len(tally.waiting) - len(waiting), "waiting call")


def _show_call(row: Row, view: FlowView, call: RunningCall, now: float) -> Row:
    """Put the progress of *call* into *row*."""
    progress: list[Piece] = []
    if call.description:
        progress.append((cut(clean(call.description), _DESCRIPTION_MOST, "…"), ""))
    if call.attempt > 1 and not row.notes:
        progress.append((f"attempt {call.attempt}", "yellow"))
    reported = bool(call.completed or call.total)
    unit = None if call.unit is None else cut(clean(call.unit), 12, "…")
    measured = view.call_progress(call, now)
    row.measure(measured, unit, count=reported)
    if measured.elapsed < 0.95 and not reported:  # the next one takes its place
        row.elapsed = ""
    row.progress = join(progress)
    return row


def fold(pieces: list[Piece], width: int, cell_len: Callable[[str], int], hang: int = 0) -> list[Line]:
    """Break *pieces* into lines of at most *width* columns, all but the first *hang* columns narrower.

    Breaks are before pieces that begin with a space, in longer ones between words. A word that is itself too
    wide is left to the terminal to wrap.
    """
    lines: list[Line] = [[]]
    free = width
    for text, style in pieces:
        length = cell_len(text)
        whole = length <= free or (text.startswith(" ") and length <= width - hang)
        for part in [text] if whole else re.findall(r"\s*\S+|\s+$", text):
            length = cell_len(part)
            word = part
            if length > free and part.startswith(" ") and lines[-1]:
                lines.append([])
                free, word = width - hang, part.lstrip()
            lines[-1].append((word, style))
            free -= cell_len(word)
    return lines


class _Columns:
    """How many columns each part of a row takes, with the blanks before it; 0: it is left out."""

    __slots__ = ("bar", "count", "elapsed", "label", "left", "percent", "rate")

    def __init__(self) -> None:
        self.label = self.bar = self.percent = self.left = self.count = self.rate = self.elapsed = 0

    @property
    def numbers(self) -> int:
        return self.percent + self.left + self.count + self.rate + self.elapsed


# What is left out, in this order, while labels have fewer columns than that.
_GIVING_WAY = (("left", 12), ("percent", 12), ("elapsed", 10), ("rate", 10), ("count", 6))


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
        self._most: dict[str, int] = {}

    def lines(self, rows: list[Row], width: int, now: float = 0.0) -> list[Line]:
        """Return the lines of *rows*, none wider than *width* - 1 columns (>= 1), as they are at *now*.

        The last column is not used: some terminals wrap as soon as it is written to.
        """
        width = max(1, width - 1)
        if width != self._width:
            self._width, self._most = width, {}
        columns = self._measure(rows, width)
        lines: list[Line] = []
        for row in rows:
            lines += self._row_lines(row, width, columns, now)
        return lines

    def _widest(self, name: str, lengths: Iterator[int]) -> int:
        """Return the largest of *lengths*, or what it was in an earlier frame."""
        self._most[name] = most = max(self._most.get(name, 0), max(lengths, default=0))
        return most

    def _measure(self, rows: list[Row], width: int) -> _Columns:
        """Return what each part of a row gets: numbers first, then labels, descriptions and bars."""
        bars = [row for row in rows if row.has_bar]
        columns = _Columns()
        for name in ("count", "rate", "elapsed"):
            most = self._widest(name, (self._cell_len(getattr(row, name)) for row in bars))
            setattr(columns, name, most + 2 if most else 0)
        known = self._widest("percent", (4 for row in bars if row.done is not None))
        columns.percent = known + 1 if known else 0
        lefts = (len(row.time_left) for row in bars)
        left = self._widest("left", (length + len(" left") for length in lefts if length))
        columns.left = left + 1 if left else 0
        titled = (row for row in rows if row.has_bar or (row.title and row.text))
        label = self._widest("label", (row.indent + self._cell_len(row.title) for row in titled))
        self._give_way(columns, width, label)
        progress = min(
            self._widest("progress", (self._pieces_len(row.progress) for row in bars)), _PROGRESS_MOST
        )
        notes = self._widest("notes", (self._pieces_len(row.notes) for row in bars))
        free = width - columns.numbers
        columns.label = min(label, max(20, free - 1 - _BAR_LEAST, width // 4), free)
        free -= columns.label + 1
        for spare in (max(progress, notes) + 2, progress + 2):
            if free - spare >= 2 * _BAR_LEAST:
                columns.bar = min(_BAR, free - spare) + 1
                return columns
        # What a call says of itself then takes the place of its bar.
        columns.bar = min(_BAR, free) + 1 if free >= _BAR_LEAST else 0
        return columns

    def _give_way(self, columns: _Columns, width: int, label: int) -> None:
        """Leave out the numbers that matter least until there is room for labels."""
        for name, least in _GIVING_WAY:
            if width - columns.numbers < min(label, least):
                setattr(columns, name, 0)

    def _pieces_len(self, pieces: list[Piece]) -> int:
        return sum(self._cell_len(text) for text, _ in pieces)

    def _row_lines(self, row: Row, width: int, columns: _Columns, now: float) -> list[Line]:
        title = " " * row.indent + row.title
        if not row.has_bar:
            if not row.text:
                return [self._cut([(title, "dim")], width)]
            label = min(columns.label, max(_LABEL_LEAST, width // 3)) if row.title else row.indent
            return [
                self._cut([(self._fit(title, label), ""), (" " if row.title else "", ""), *row.text], width)
            ]
        line: Line = [(self._fit(title, columns.label), "progress.description")]
        after = width - columns.numbers - columns.label - columns.bar - 2
        instead = bool(row.progress and columns.bar) and after < min(
            _PROGRESS_LEAST, self._pieces_len(row.progress)
        )
        if instead:
            said = self._cut(row.progress, columns.bar - 1)
            line += [(" ", ""), *said, (" " * (columns.bar - 1 - self._pieces_len(said)), "")]
        elif columns.bar:
            moving = self._moving(now, columns.bar - 1)
            line += [(" ", ""), *(moving if row.done is None else self._bar(row.done, columns.bar - 1))]
        if columns.percent:
            text = "" if row.done is None else f"{int(row.done * 100)}%"
            line.append((f"{text:>{columns.percent}}", "progress.percentage"))
        if columns.left:
            text = row.time_left and f" {row.time_left} left"
            line.append((f"{text:>{columns.left}}", "progress.remaining"))
        numbers = ((row.count, columns.count, "progress.download"), (row.rate, columns.rate, ""))
        for text, columns_of, style in (*numbers, (row.elapsed, columns.elapsed, "progress.elapsed")):
            line.append((" " * (columns_of - self._cell_len(text)) + text if columns_of else "", style))
        while line and not line[-1][0].strip():
            line.pop()
        return self._with_notes(line, row.notes, [] if instead else row.progress, row.indent, width)

    def _with_notes(
        self, line: Line, notes: list[Piece], progress: list[Piece], indent: int, width: int
    ) -> list[Line]:
        """Append notes and progress as they fit; notes otherwise get a line of their own."""
        free = width - self._pieces_len(line) - 2
        both = [*notes, (", ", ""), *progress] if notes and progress else notes or progress
        if both and self._pieces_len(both) <= free:
            return [[*line, ("  ", ""), *both]]
        line = self._cut(line, width)
        if progress and free >= _PROGRESS_LEAST:
            line = [*line, ("  ", ""), *self._cut(progress, free)]
        return [line, self._cut([(" " * (indent + 2), ""), *notes], width)] if notes else [line]

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

    def _moving(self, now: float, width: int) -> Line:
        """Return a bar without a share: a piece of it moves along."""
        size = max(2, width // 5)
        start = int(now % _TURN / _TURN * (width + size)) - size
        begin, end = max(0, start), min(width, max(0, start + size))
        pieces = [
            (self._rest * begin, "bar.back"),
            ("━" * (end - begin), "bar.pulse"),
            (self._rest * (width - end), "bar.back"),
        ]
        return [piece for piece in pieces if piece[0]]

    def _fit(self, text: str, width: int) -> str:
        """Truncate or pad *text* to *width* columns."""
        length = self._cell_len(text)
        if length <= width:
            return text + " " * (width - length)
        while text and self._cell_len(text) > width - 1:
            text = text[:-1]
        return (text + "…" + " " * (width - 1 - self._cell_len(text))) if width else ""

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
