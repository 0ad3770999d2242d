"""A progress sink of our own: it counts, and keeps what went wrong."""

from __future__ import annotations

import threading
from collections import Counter
from typing import assert_never

from asflow.events import (
    Event,
    FlowFinished,
    FlowStarted,
    Outcome,
    TaskFinished,
    TaskProgressed,
    TaskQueued,
    TaskRetrying,
    TaskStarted,
    TaskWaiting,
)


class Summary:
    """Counts how calls ended. Needs nothing from asflow but the types."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.problems: list[str] = []
        self._lock = threading.Lock()

    def emit(self, event: Event, /) -> None:
        """Take note of *event*; every kind is looked at, and a new one would be an error here."""
        with self._lock:
            match event:
                case FlowStarted() | TaskQueued() | TaskWaiting() | TaskStarted() | TaskProgressed():
                    pass
                case TaskRetrying(task=task, error=error, wait_seconds=seconds):
                    self.problems.append(f"{task}: {error}, again in {seconds:.1f} s")
                case TaskFinished(outcome=outcome):
                    self.outcomes[outcome] += 1
                case FlowFinished(outcome=outcome, seconds=seconds):
                    print(f"{event.flow}: {outcome} after {seconds:.2f} s, {self.total} calls")
                case _:
                    assert_never(event)

    @property
    def total(self) -> int:
        """Calls that have ended."""
        return sum(self.outcomes.values())
