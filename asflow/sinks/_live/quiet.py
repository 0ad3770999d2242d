"""Which summaries of brief flows are written: those of calls by the hundred would bury everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asflow.events import FlowFinished
    from asflow.sinks._words import Counts, Piece

_SHORT = 1.0  # seconds; a shorter call leaves no line
_PAUSE = 10.0  # seconds between two lines about flows of one name
_MOST_NAMES = 1_000


class Quiet:
    """Omits the summary of a brief flow in which all went well, if it was short or one has just been written.

    Not thread-safe: its owner holds a lock.
    """

    def __init__(self) -> None:
        # By name: when a summary was written, in monotonic seconds, and how many were omitted since.
        self._written: dict[str, tuple[float, int]] = {}

    def omits(self, event: FlowFinished, counts: Counts) -> bool:
        """Whether no summary is to be written."""
        if not event.brief or event.outcome != "completed" or counts.suppressed or counts.skipped:
            return False
        if counts.failed or counts.cancelled:
            return False
        at, omitted = self._written.get(event.flow, (float("-inf"), 0))
        if event.seconds >= _SHORT and event.at >= at + _PAUSE:
            return False
        if event.flow in self._written or len(self._written) < _MOST_NAMES:
            self._written[event.flow] = at, omitted + 1
        return True

    def noted(self, event: FlowFinished) -> list[Piece]:
        """Note that a summary is written; return what it says about those that were not."""
        if not event.brief:
            return []
        _, omitted = self._written.pop(event.flow, (0.0, 0))
        if len(self._written) < _MOST_NAMES:
            self._written[event.flow] = event.at, 0
        calls = "call" if omitted == 1 else "calls"
        return [(f", and {omitted:,} more {calls} before it", "dim")] if omitted else []
