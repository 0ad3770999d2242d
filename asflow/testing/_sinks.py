"""A sink that remembers, and a kit that checks sinks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, final

from asflow._reporter import checked_wish
from asflow.errors import DefinitionError
from asflow.events import FlowFinished, FlowStarted, TaskFinished
from asflow.testing._event_script import story
from asflow.testing._promises import expect_no_awaitable

if TYPE_CHECKING:
    from collections.abc import Callable

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

    It is told of flows in flows and calls in calls that end in every way, some before they started and some
    after their flow, of odd labels and errors, and of calls outside any flow. What it shows is not looked at.

    Args:
        factory: returns a new sink each time.

    Raises:
        AssertionError: it is not a sink, `wants_tasks` has a bad value, or `emit` is an async function.
        Exception: whatever the sink's `emit` raises, with the event as a note; asflow would drop such a sink.
    """
    try:
        checked_wish(factory(), "check_sink(): sink")
    except DefinitionError as error:
        raise AssertionError(str(error)) from None
    alone = factory()
    for event in story(1):
        _tell(alone, event)
    shared = factory()
    with ThreadPoolExecutor(4) as pool:
        start = threading.Barrier(4)

        def tell(number: int) -> None:
            start.wait(30)
            for event in story(1000 * (number + 1)):
                _tell(shared, event)

        list(pool.map(tell, range(4)))


def _tell(sink: ProgressSink, event: Event) -> None:
    try:
        answer = sink.emit(event)
    except Exception as error:
        error.add_note(f"check_sink told it {event!r}")
        raise
    expect_no_awaitable("sink", "emit", answer)
