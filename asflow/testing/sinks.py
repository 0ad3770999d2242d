"""A sink that remembers, and a kit that checks sinks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, final

from asflow.events import (
    FlowFinished,
    FlowStarted,
    Tally,
    TaskFinished,
    TaskProgressed,
    TaskQueued,
    TaskRetrying,
    TaskStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asflow.events import Event, Outcome
    from asflow.protocols import ProgressSink

__all__ = ["RecordingSink", "check_sink"]


@final
class RecordingSink:
    """Keeps every event, so that a test can ask what happened. Threads: safe.

    Attributes:
        events: all events, in the order in which they came.
    """

    def __init__(self) -> None:
        """Start with no events."""
        self.events: list[Event] = []

    def emit(self, event: Event, /) -> None:
        """Keep *event*."""
        self.events.append(event)

    def __repr__(self) -> str:
        return f"<RecordingSink of {len(self.events)} events>"

    def kinds(self, task: str | None = None) -> list[str]:
        """Return the kinds of all events in order, or of those of the calls of *task*."""
        return [
            event.kind
            for event in self.events
            if task is None or (not isinstance(event, (FlowStarted, FlowFinished)) and event.task == task)
        ]

    def finished(self, task: str | None = None) -> list[TaskFinished]:
        """Return how each call (of *task*) ended, in the order of ending."""
        return [
            event
            for event in self.events
            if isinstance(event, TaskFinished) and (task is None or event.task == task)
        ]

    def outcomes(self, task: str | None = None) -> list[Outcome]:
        """Return the outcomes of all calls (of *task*), in the order of ending."""
        return [event.outcome for event in self.finished(task)]


def check_sink(factory: Callable[[], ProgressSink], /) -> None:
    """Check that a sink can take whatever asflow tells it, from several threads at once.

    It is told of a flow and of calls that end in every way, of odd labels and errors, and of calls
    outside any flow. What it shows is not looked at.

    Args:
        factory: returns a new sink each time.

    Raises:
        AssertionError: `wants_tasks` has a bad value.
        Exception: whatever the sink's `emit` raises; asflow would drop such a sink.
    """
    wish = getattr(factory(), "wants_tasks", "all")
    if wish not in {"all", "outside", "none"}:
        raise AssertionError(f"wants_tasks is 'all', 'outside' or 'none', not {wish!r}")
    alone = factory()
    for event in _story(1):
        alone.emit(event)
    shared = factory()
    with ThreadPoolExecutor(4) as pool:
        start = threading.Barrier(4)

        def tell(number: int) -> None:
            start.wait(30)
            for event in _story(1000 * (number + 1)):
                shared.emit(event)

        list(pool.map(tell, range(4)))


_LABELS = ("", "'x'", "1, lang='en'", "'\\x1b[31m [bold] \\n'", "'日本語'", "x" * 500)


class _AwkwardError(Exception):
    """An error that can't even be shown."""

    def __str__(self) -> str:
        raise ValueError("no text")


def _story(first_id: int) -> Iterable[Event]:
    """Yield the events of one flow, as asflow tells them; ids start at *first_id*."""
    tallies: dict[str, Tally] = {}
    yield FlowStarted(
        flow_id=first_id, flow="pipeline", label="", parent_id=None, progress=True, tallies=tallies, at=0.0
    )
    tallies["work"] = Tally("work")
    outcomes: tuple[Outcome, ...] = (
        "completed", "cached", "skipped", "suppressed", "failed", "cancelled",
    )  # fmt: skip
    for index, outcome in enumerate(outcomes):
        for flow_id in (first_id, None):
            yield from _call(2 * index + first_id + 1 + (flow_id is None), flow_id, outcome, _LABELS[index])
    for error in (None, ValueError("a\nb"), _AwkwardError()):
        yield FlowFinished(
            flow_id=first_id,
            flow="pipeline",
            outcome="failed" if error else "completed",
            error=error,
            seconds=1.0,
            at=1.0,
        )
        first_id += 100
        if error is None or isinstance(error, ValueError):
            yield FlowStarted(
                flow_id=first_id, flow="", label="1", parent_id=None, progress=False, tallies={}, at=1.0
            )


def _call(call_id: int, flow_id: int | None, outcome: Outcome, label: str) -> Iterable[Event]:
    failed = outcome not in {"completed", "cached"}
    yield TaskQueued(
        call_id=call_id, flow_id=flow_id, task="work", label=label, parent_id=None, total=6, at=0.0
    )
    if outcome != "cached":
        yield TaskStarted(call_id=call_id, flow_id=flow_id, task="work", label=label, attempt=1, at=0.0)
        for total in (None, 3.0):
            yield TaskProgressed(
                call_id=call_id,
                flow_id=flow_id,
                task="work",
                description=None if total else "pages [of many]",
                completed=1.5,
                total=total,
                at=0.1,
            )
    if failed:
        yield TaskRetrying(
            call_id=call_id,
            flow_id=flow_id,
            task="work",
            label=label,
            retry=1,
            wait_seconds=0.5,
            error=_AwkwardError(),
            at=0.2,
        )
        yield TaskStarted(call_id=call_id, flow_id=flow_id, task="work", label=label, attempt=2, at=0.7)
    yield TaskFinished(
        call_id=call_id,
        flow_id=flow_id,
        task="work",
        label=label,
        outcome=outcome,
        error=_AwkwardError() if failed else None,
        seconds=0.8,
        output=None if flow_id else "data/x.jsonl",
        at=0.8,
    )
