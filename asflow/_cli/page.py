"""The page that `asflow report` writes: one HTML file, without scripts and without a network."""

from __future__ import annotations

import heapq
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from asflow._cli.history import state, when
from asflow._digest import unquoted
from asflow._labels import clean
from asflow.sinks._words import Counts, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asflow._cli.runs import Run
    from asflow._digest import ProblemGroup
    from asflow.sinks._history_rows import Row

DRAWN = 400
"""Calls in the timeline of a run: those with the longest bodies."""

_CLASSES = {"green": "completed", "red": "failed", "yellow": "cancelled", "dim": "quiet"}
_LANES = 40
_SLOWEST = 20

# Text that slips through unescaped, which must not happen, could still load and run nothing.
_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>asflow report</title>
"""


def page(runs: Sequence[Run], written: float, graph: str | None) -> str:
    """Return the page.

    Args:
        runs: the runs, newest first, each with up to `DRAWN` of its slowest calls.
        written: now, in POSIX seconds.
        graph: the picture of what reads what, as SVG; None: none.
    """
    style = Path(__file__).with_name("page.css").read_text("utf-8")
    parts = [
        _HEAD,
        f"<style>\n{style}</style>\n<h1>asflow report</h1>",
        f'<p class="quiet">{_count(len(runs), "run")}, written {when(written)}</p>',
        _cards(runs),
        "<h2>Runs</h2>",
        _table(("when", "flow", "outcome", "took", "calls"), _run_rows(runs)),
        "<h2>What went wrong</h2>",
        _table(("task", "outcome", "calls", "runs", "first of the newest run"), _problem_rows(runs)),
        "<h2>Slowest calls</h2>",
        _table(("call", "body", "waited", "attempts", "outcome", "run"), _slow_rows(runs)),
        "<h2>Timelines</h2>",
        *(_timeline(run, opened=number == 0) for number, run in enumerate(runs)),
    ]
    if graph is not None:
        parts += ["<h2>What reads what</h2>", f'<div class="graph">{graph}</div>']
    return "\n".join([*parts, "</html>\n"])


def _text(text: str) -> str:
    return escape(clean(text))


def _took(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{1000 * seconds:,.0f} ms"


def _title(run: Run) -> str:
    return _text(f"{run.start.flow}({run.start.label})")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _outcome(outcome: str, words: str | None = None) -> str:
    return f'<span class="{_text(outcome)}">{_text(words or outcome)}</span>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    if not body:
        return '<p class="quiet">none</p>'
    titles = "".join(f"<th>{each}</th>" for each in head)
    return "\n".join([f'<div class="wide"><table><tr>{titles}</tr>', *body, "</table></div>"])


def _cards(runs: Sequence[Run]) -> str:
    counts = Counts()
    for run in runs:
        counts.add(run.counts)
    outcomes = [run.outcome for run in runs]
    numbers = [(outcomes.count(name), "run", name) for name in dict.fromkeys(outcomes)]
    numbers += [(number, "call", name) for name, number in counts.by_outcome().items() if number]
    cards = [
        f'<div><b class="{_text(name)}">{number:,}</b>{_what(number, word, name)}</div>'
        for number, word, name in numbers
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _what(number: int, word: str, name: str) -> str:
    if name == "retries":
        return "retry" if number == 1 else "retries"
    return _text(f"{word if number == 1 else word + 's'} {name}")


def _run_rows(runs: Sequence[Run]) -> Iterable[Sequence[str]]:
    longest = max((run.seconds for run in runs), default=0.0) or 1.0
    for run in runs:
        bar = f'<i class="bar {_text(run.outcome)}" style="width:{100 * run.seconds / longest:.1f}%"></i>'
        raised = run.error if run.outcome == "failed" else None
        error = f'<br><span class="failed">{_text(raised)}</span>' if raised else ""
        yield (
            when(run.start.started),
            _title(run),
            _outcome(run.outcome, state(run)) + error,
            _took(run.seconds) + bar,
            ", ".join(_outcome(_CLASSES[style], text) for text, style in run.counts.words()) or "none",
        )


def _problem_rows(runs: Sequence[Run]) -> Iterable[Sequence[str]]:
    found: dict[tuple[str, str, str | None], list[ProblemGroup]] = {}
    for run in runs:
        for group in run.digest.groups:
            found.setdefault((group.task, group.outcome, group.error_type), []).append(group)
    for (task, outcome, error_type), groups in sorted(
        found.items(), key=lambda each: -sum(group.count for group in each[1])
    ):
        calls: dict[str, list[str]] = {}
        for call in groups[0].calls:
            calls.setdefault(call.message, []).append(unquoted(call.label))
        lines = [", ".join(labels) + (f": {message}" if message else "") for message, labels in calls.items()]
        count = sum(group.count for group in groups)
        kind = f" {_text(error_type)}" if error_type else ""
        yield (
            _text(task) + "()",
            _outcome(outcome) + kind,
            f"{count:,}",
            f"{len(groups):,}",
            "<br>".join(map(_text, lines)),
        )


def _slow_rows(runs: Sequence[Run]) -> Iterable[Sequence[str]]:
    calls = ((row, run) for run in runs for row in run.slowest)
    for row, run in heapq.nlargest(_SLOWEST, calls, key=lambda each: each[0].seconds or 0.0):
        yield (
            _call(row),
            _took(row.seconds or 0.0),
            _took(row.waited_seconds or 0.0),
            str(row.attempts),
            _outcome(row.outcome or ""),
            f"{when(run.start.started)} {_title(run)}",
        )


def _call(row: Row) -> str:
    return _text(f"{row.task}({row.label})")


def _timeline(run: Run, *, opened: bool) -> str:
    lanes, left_out = _lanes(run.slowest)
    began, length = run.start.started, max(run.seconds, run.last - run.start.started, 1e-6)
    drawn = [
        f'<div class="lane">{"".join(_slice(row, began, length) for row in lane)}</div>' for lane in lanes
    ]
    made = run.made
    note = (
        f", the slowest {len(run.slowest) - left_out:,} of {made:,} calls"
        if made > len(run.slowest) - left_out
        else ""
    )
    return "\n".join(
        [
            f"<details{' open' if opened else ''}><summary>{when(began)} {_title(run)}"
            f" {_outcome(run.outcome)}{note}</summary>",
            f'<div class="lanes">{"".join(drawn)}</div>',
            f'<div class="axis"><span>0</span><span>{_took(length / 2)}</span>'
            f"<span>{_took(length)}</span></div>",
            "</details>",
        ]
    )


def _lanes(calls: Sequence[Row]) -> tuple[list[list[Row]], int]:
    """Return *calls* in lanes in which none overlap, and the number of those that got none."""
    lanes: list[list[Row]] = []
    free: list[tuple[float, int]] = []  # a heap: the end of the last call in a lane, and its number
    left_out = 0
    for row in sorted(calls, key=lambda row: row.started):
        if free and free[0][0] <= row.started:
            _, number = heapq.heappop(free)
        elif len(lanes) < _LANES:
            number = len(lanes)
            lanes.append([])
        else:
            left_out += 1
            continue
        lanes[number].append(row)
        heapq.heappush(free, (row.ended or row.started, number))
    return lanes, left_out


def _slice(row: Row, began: float, length: float) -> str:
    start, end = row.started - began, (row.ended or row.started) - began
    left = min(100.0, max(0.0, 100 * start / length))
    width = min(100.0 - left, max(0.0, 100 * (end - start) / length))
    error = f", {row.error_type}: {row.error}" if row.error_type else ""
    words = f"{row.task}({row.label}) {row.outcome} in {_took(row.seconds or 0.0)}{error}"
    place = f"left:{left:.3f}%;width:{width:.3f}%"
    return f'<i class="{_text(row.outcome or "")}" style="{place}" title="{_text(words)}"></i>'
