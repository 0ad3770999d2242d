"""The tasks on a Streamlit page, in Markdown: one line for each, over all calls of its flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asflow._digest import digest_lines
from asflow._labels import clean, cut
from asflow.sinks._live.model import Course, first_values
from asflow.sinks._words import Counts, amount, call_title, rate, remaining, took, wait_words

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from asflow.events import Digest, RunningCall, Tally
    from asflow.sinks._words import Piece

_MOST_CALLS = 3
_DESCRIPTION_MOST = 200  # characters

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_COLORS = {"red": "red", "yellow": "orange", "dim": "gray"}


class Line:
    """One line of a page: all calls of a task, in all calls of its flow."""

    def __init__(self, title: str, began: float | None = None) -> None:
        """Start a line; *began* is when, in monotonic seconds, another page showed it first."""
        self.title = title
        self.began = began
        self.live: dict[int, Tally] = {}
        self.ended: Counts = Counts()
        self.ended_calls: int = 0
        self.course: Course | None = None
        self.shown: tuple[float | None, str] | None = None
        self.shown_calls = ""
        self.bar: DeltaGenerator | None = None
        self.calls: DeltaGenerator | None = None

    def end(self, flow_id: int) -> None:
        """Keep the counts of a flow that has ended, and forget its tally."""
        tally = self.live.pop(flow_id, None)
        if tally is not None:
            self.ended.add(tally)
            self.ended_calls += tally.finished

    def state(self, now: float, *, ended: bool = False) -> tuple[float | None, str, str]:
        """Return the finished share (0 to 1, None if unknown), the text beside the bar, and the calls.

        Args:
            now: monotonic seconds.
            ended: the flow has ended: nothing runs, and no time is left.
        """
        counts = Counts()
        counts.add(self.ended)
        finished = queued = self.ended_calls
        announced = False
        total = self.ended_calls
        calls: list[str] = []
        active = waiting = 0
        for tally in first_values(self.live, len(self.live)):
            counts.add(tally)
            done = tally.finished
            finished += done
            queued += max(tally.queued, done)
            announced = announced or tally.total is not None
            total += max(tally.queued, tally.total or 0, done)
            active += len(tally.active)
            waiting += len(tally.waiting)
            calls += _calls(tally, _MOST_CALLS - len(calls), now)
        if self.course is None:
            self.began = now if self.began is None else self.began
            self.course = Course(self.began)
        known = announced or ended  # no more will come
        if ended:
            finished -= counts.cancelled
        progress = self.course.calls(finished, counts.cached, queued, total if known else None, now)
        words = [f"**{self.title}** {amount(progress.done, progress.total)}"]
        words += map(_colored, counts.words(done=False))
        if progress.rate:
            words.append(rate(progress.rate))
        if progress.elapsed >= 0.05:
            words.append(took(progress.elapsed))
        share = progress.done / progress.total if progress.total else None
        if ended:
            return share, " · ".join(words), ""
        if active:
            words.append(f"{active:,} running")
        if progress.left:
            words.append(f"{remaining(progress.left)} left")
        text = " · ".join(calls)
        if active + waiting > len(calls) and calls:
            text += f" · and {active + waiting - len(calls):,} more"
        return share, " · ".join(words), text


def problems(digest: Digest) -> str:
    """Return what went wrong as Markdown: a list of groups, each with its first calls."""
    lines: list[str] = []
    for line in digest_lines(digest.groups, digest.left_out, digest.folder):
        indent = len(line[0][0]) - len(line[0][0].lstrip())
        text = "".join(_colored((escape(text), style)) for text, style in line).strip()
        lines.append(f"{'    ' if indent else ''}- {text}")
    return "\n".join(lines)


def escape(text: str) -> str:
    """Escape *text* for Streamlit's Markdown."""
    return _PUNCTUATION.sub(r"\\\1", text)


def _colored(piece: Piece) -> str:
    text, style = piece
    return f":{_COLORS[style]}[{text}]" if style in _COLORS else text


def _calls(tally: Tally, most: int, now: float) -> list[str]:
    """Return the first calls of a task, *most* at most: those that run, and one that waits at least."""
    waiting = first_values(tally.waiting, most)
    running = first_values(tally.active, max(0, most - bool(waiting)))
    waiting = waiting[: max(0, most - len(running))]
    titles = [(escape(call_title(wait.call)), escape(wait_words(wait, now))) for wait in waiting]
    return [*map(_call, running), *(f"{title} :orange[{words}]" for title, words in titles)]


def _call(call: RunningCall) -> str:
    """Return the arguments of a call and its progress, as in `2010-01-02 (page 3, 30%)`."""
    progress: list[str] = []
    if call.description:
        progress.append(cut(clean(call.description), _DESCRIPTION_MOST, "…"))
    if call.total:
        progress.append(f"{min(1.0, max(0.0, call.completed / call.total)):.0%}")
    if call.completed:
        progress.append(amount(call.completed, call.total, call.unit and cut(clean(call.unit), 12, "…")))
    if call.attempt > 1:
        progress.append(f"attempt {call.attempt}")
    return escape(call_title(call)) + (f" ({escape(', '.join(progress))})" if progress else "")
