"""A sink that records events, and a kit that checks sinks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, final

from asflow._reporter import checked_wish
from asflow.errors import DefinitionError
from asflow.events import FlowFinished, FlowStarted, TaskFinished
from asflow.testing._event_script import event_script
from asflow.testing._promises import expect_no_awaitable

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.events import Event, Outcome
    from asflow.protocols import ProgressSink


@final
class RecordingSink:
    """Records every event for a test to look at. Threads: safe.

    Attributes:
        events: all events, in the order in which they arrived.
    """

    def __init__(self) -> None:
        """Start with no events."""
        self.events: list[Event] = []

    def emit(self, event: Event, /) -> None:
        """Record *event*."""
        self.events.append(event)

    def __repr__(self) -> str:
        return f"<RecordingSink of {len(self.events)} events>"

    def kinds(self, task: str | None = None) -> list[str]:
        """Return the kinds of all events in order, or of those of *task*."""
        return [
            event.kind
            for event in self.events
            if task is None or (not isinstance(event, (FlowStarted, FlowFinished)) and event.task == task)
        ]

    def finished(self, task: str | None = None) -> list[TaskFinished]:
        """Return the last event of each call (of *task*), in the order in which they ended."""
        return [
            event
            for event in self.events
            if isinstance(event, TaskFinished) and (task is None or event.task == task)
        ]

    def outcomes(self, task: str | None = None) -> list[Outcome]:
        """Return the outcome of each call (of *task*), in the order in which they ended."""
        return [event.outcome for event in self.finished(task)]


def check_sink(factory: Callable[[], ProgressSink], /) -> None:
    """Check that a sink handles every event that asflow can emit, from several threads at once.

    The events include nested flows and calls with every outcome, calls that end before they start or not at
    all, odd labels and errors, and calls outside any flow. If the sink has a `close`, it is called at the
    end, and at once for a sink that has received nothing. What the sink shows is not checked.

    Args:
        factory: returns a new sink each time.

    Raises:
        AssertionError: it is not a sink, `wants_tasks` has a bad value, or `emit` is an async function.
        Exception: what the sink's `emit` or `close` raised, with a note that says where; asflow drops a sink
            whose `emit` raises again and again.
    """
    unused = factory()
    try:
        checked_wish(unused, "check_sink(): sink")
    except DefinitionError as error:
        raise AssertionError(str(error)) from None
    _close(unused)
    alone = factory()
    for event in event_script(1):
        _emit(alone, event)
    _close(alone)
    shared = factory()
    with ThreadPoolExecutor(4) as pool:
        start = threading.Barrier(4)

        def emit_all(number: int) -> None:
            start.wait(30)
            for event in event_script(1000 * (number + 1)):
                _emit(shared, event)

        list(pool.map(emit_all, range(4)))
    _close(shared)


def _close(sink: ProgressSink) -> None:
    close: Callable[[], object] | None = getattr(sink, "close", None)
    if not callable(close):
        return
    try:
        result = close()
    except Exception as error:
        error.add_note("check_sink(): close() raised; asflow calls it once, after the last event")
        raise
    expect_no_awaitable("check_sink", "close", result)


def _emit(sink: ProgressSink, event: Event) -> None:
    try:
        result = sink.emit(event)
    except Exception as error:
        error.add_note(f"check_sink(): emit() raised on {event!r}; asflow drops a sink that raises")
        raise
    expect_no_awaitable("check_sink", "emit", result)
