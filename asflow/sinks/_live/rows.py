"""Selects the rows that show the running flows, with as much detail as fits a height."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asflow._digest import group_line
from asflow._labels import clean, cut
from asflow.sinks._live.model import Progress, first_values
from asflow.sinks._words import Counts, Piece, amount, call_title, join, rate, remaining, took, wait_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.events import RunningCall, Tally
    from asflow.sinks._live.model import FlowView, Forest

_DESCRIPTION_MOST = 200  # characters, before it is measured
_CALL, _CALL_MORE = 2, 4  # columns that a call is indented by, and more of them where there is room


@dataclass(slots=True)
class Row:
    """One row of the display before it is fitted to a width.

    Attributes:
        indent: blank columns before *title*.
        more_indent: further ones, unless the terminal is narrow.
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
    more_indent: int = 0

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


def _more(indent: int, count: int, noun: str, more_indent: int = 0) -> Row:
    return Row(indent, f"… and {count:,} more {noun}{'s' * (count > 1)}", more_indent=more_indent)


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
        row = Row(depth + _CALL, call_title(call), more_indent=_CALL_MORE)
        yield _show_call(row, view, call, now)
    waiting = first_values(tally.waiting, max(detail.calls - len(calls), detail.calls // 2))
    for wait in waiting:
        title, text = call_title(wait.call), wait_words(wait, view.since(now))
        yield Row(depth + _CALL, title, text=[(text, "yellow")], more_indent=_CALL_MORE)
    if calls and active > len(calls):
        yield _more(depth + _CALL, active - len(calls), "call", _CALL_MORE)
    elif waiting and len(tally.waiting) > len(waiting):
        yield _more(depth + _CALL, len(tally.waiting) - len(waiting), "waiting call", _CALL_MORE)


def _show_call(row: Row, view: FlowView, call: RunningCall, now: float) -> Row:
    """Put the progress of *call* into *row*."""
    progress: list[Piece] = []
    if call.attempt > 1 and not row.notes:
        progress.append((f"attempt {call.attempt}", "yellow"))
    if call.description:
        progress.append((cut(clean(call.description), _DESCRIPTION_MOST, "…"), ""))
    reported = bool(call.completed or call.total)
    unit = None if call.unit is None else cut(clean(call.unit), 12, "…")
    measured = view.call_progress(call, now)
    row.measure(measured, unit, count=reported)
    if measured.elapsed < 0.95 and not reported:  # the next one takes its place
        row.elapsed = ""
    row.progress = join(progress)
    return row
