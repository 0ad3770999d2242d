"""The tasks on a Streamlit page, in Markdown: one line for each, over all calls of its flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asflow._labels import clean, cut
from asflow.sinks._live.model import Pace, first_values
from asflow.sinks._words import Counts, call_title, clock

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from asflow.events import RunningCall, Tally
    from asflow.sinks._words import Piece

_MOST_CALLS = 3
_DESCRIPTION_MOST = 200  # characters

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_COLORS = {"red": "red", "yellow": "orange", "dim": "gray"}


class Line:
    """One line of a page: all calls of a task, in all calls of its flow."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.live: dict[int, Tally] = {}
        self.ended: Counts = Counts()
        self.ended_calls: int = 0
        self.pace: Pace | None = None
        self.shown: tuple[float, str] | None = None
        self.shown_calls = ""
        self.bar: DeltaGenerator | None = None
        self.calls: DeltaGenerator | None = None

    def end(self, flow_id: int) -> None:
        """Keep the counts of a flow that has ended, and forget its tally."""
        tally = self.live.pop(flow_id, None)
        if tally is not None:
            self.ended.add(tally)
            self.ended_calls += tally.finished

    def state(self, now: float) -> tuple[float, str, str]:
        """Return the finished share (0 to 1), the text beside the bar, and the running calls."""
        counts = Counts()
        counts.add(self.ended)
        finished = total = self.ended_calls
        running: list[RunningCall] = []
        active = 0
        for tally in first_values(self.live, len(self.live)):
            counts.add(tally)
            done = tally.finished
            finished += done
            total += max(tally.queued, tally.total or 0, done)
            active += len(tally.active)
            if len(running) < _MOST_CALLS:
                running += first_values(tally.active, _MOST_CALLS - len(running))
        words = [f"**{self.title}** {finished:,}/{total:,}", *map(_colored, counts.words(done=False))]
        if active:
            words.append(f"{active:,} running")
        left = self._seconds_left(now, finished - counts.cached, total - finished)
        if left:
            words.append(f"{clock(left)} left")
        calls = " · ".join(_call(call) for call in running)
        if active > len(running):
            calls += f" · and {active - len(running):,} more"
        return (finished / total if total else 0.0), " · ".join(words), calls if running else ""

    def _seconds_left(self, now: float, worked: int, missing: int) -> float | None:
        if self.pace is None:
            self.pace = Pace(now, worked)
        return self.pace.seconds_left(now, worked, missing)


def escape(text: str) -> str:
    """Escape *text* for Streamlit's Markdown."""
    return _PUNCTUATION.sub(r"\\\1", text)


def _colored(piece: Piece) -> str:
    text, style = piece
    return f":{_COLORS[style]}[{text}]" if style in _COLORS else text


def _call(call: RunningCall) -> str:
    """Return the arguments of a call and its progress, as in `2010-01-02 (page 3, 30%)`."""
    progress: list[str] = []
    if call.description:
        progress.append(cut(clean(call.description), _DESCRIPTION_MOST, "…"))
    if call.total:
        progress.append(f"{min(1.0, max(0.0, call.completed / call.total)):.0%}")
    elif call.completed:
        progress.append(f"{call.completed:,g}")
    if call.attempt > 1:
        progress.append(f"attempt {call.attempt}")
    return escape(call_title(call)) + (f" ({escape(', '.join(progress))})" if progress else "")
