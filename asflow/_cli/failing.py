"""`asflow run --fail-on`: which outcomes of calls make the exit code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from asflow._cli.console import UsageError
from asflow._reporter import add

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.events import Event

OUTCOMES = ("failed", "skipped", "suppressed", "cancelled")


def outcomes_in(text: str) -> frozenset[str]:
    """Return the outcomes that *text* names, as in `failed,skipped`. Raises UsageError for other words."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in OUTCOMES:
            raise UsageError(
                f"--fail-on takes words out of {', '.join(OUTCOMES)}, not {word!r}; join them by commas"
            )
    return frozenset(words)


class FailOn:
    """A sink that counts calls that ended in one of *outcomes*, in flows and outside of them.

    Attributes:
        found: the counts by outcome.
    """

    wants_tasks: Literal["outside"] = "outside"

    def __init__(self, outcomes: frozenset[str]) -> None:
        self.outcomes = outcomes
        self.found: dict[str, int] = {}
        self.remove: Callable[[], None] = add(self, None)

    def emit(self, event: Event, /) -> None:
        if event.kind == "task_finished" and event.outcome in self.outcomes:
            self._count(event.outcome, 1)
        elif event.kind == "flow_finished":
            for tally in event.tallies.values():
                for outcome in self.outcomes:
                    self._count(outcome, getattr(tally, outcome))

    def _count(self, outcome: str, calls: int) -> None:
        if calls:
            self.found[outcome] = self.found.get(outcome, 0) + calls

    def summary(self) -> str:
        """Return what was found, as in `2 failed, 1 skipped`; empty for nothing."""
        return ", ".join(f"{self.found[each]:,} {each}" for each in OUTCOMES if each in self.found)
