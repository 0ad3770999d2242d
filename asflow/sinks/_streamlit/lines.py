"""What a Streamlit page tells of tasks, in Markdown: a line for each, over all calls of its flow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asflow._labels import clean
from asflow.sinks._live.model import Pace, first_values
from asflow.sinks._words import Counts, call_title, clock

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from asflow.events import RunningCall, Tally
    from asflow.sinks._words import Piece

__all__ = ["Line", "escape"]

_MOST_CALLS = 3

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_COLORS = {"red": "red", "yellow": "orange", "dim": "gray"}


class Line:
    """What one line of a page sums up: all calls of a task, in all calls of the flow around it."""

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
        """Keep the numbers of a flow that has ended, and forget the rest of it."""
        tally = self.live.pop(flow_id, None)
        if tally is not None:
            self.ended.add(tally)
            self.ended_calls += tally.finished

    def state(self, now: float) -> tuple[float, str, str]:
        """Return the share that is done (0 to 1), the text beside the bar, and the calls that run."""
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
    """Return *text* so that Streamlit's Markdown shows it as it is."""
    return _PUNCTUATION.sub(r"\\\1", text)


def _colored(piece: Piece) -> str:
    text, style = piece
    return f":{_COLORS[style]}[{text}]" if style in _COLORS else text


def _call(call: RunningCall) -> str:
    """Return the arguments of a call and what it tells of itself, as in `2010-01-02 (page 3, 30%)`."""
    told: list[str] = []
    if call.description:
        told.append(clean(call.description))
    if call.total:
        told.append(f"{min(1.0, max(0.0, call.completed / call.total)):.0%}")
    elif call.completed:
        told.append(f"{call.completed:,g}")
    if call.attempt > 1:
        told.append(f"attempt {call.attempt}")
    return escape(call_title(call)) + (f" ({escape(', '.join(told))})" if told else "")
