"""A `match` that misses a case is flagged, as is a kind or a field that doesn't exist."""

from __future__ import annotations

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


def misses_a_class(event: Event) -> str:  # E
    match event:
        case FlowStarted() | FlowFinished():
            return event.flow
        case TaskQueued() | TaskWaiting() | TaskStarted() | TaskProgressed() | TaskRetrying():
            return event.task


def misses_a_kind(event: Event) -> int:  # E
    match event.kind:
        case "flow_started" | "flow_finished":
            return 1
        case "task_queued" | "task_waiting" | "task_started" | "task_progressed" | "task_retrying":
            return 2


def misses_an_outcome(outcome: Outcome) -> int:  # E
    match outcome:
        case "completed" | "cached" | "skipped" | "failed":
            return 0
        case "cancelled":
            return 2


def some_left(event: Event) -> str:
    match event:
        case FlowStarted() | FlowFinished():
            return event.flow
        case TaskQueued() | TaskWaiting() | TaskStarted() | TaskProgressed() | TaskFinished():
            return event.task
        case _:
            assert_never(event)  # E


def fields(event: TaskStarted, finished: TaskFinished) -> None:
    print(event.outcome)  # E
    event.attempt = 2  # E
    event.note = ""  # E
    event.arguments["x"] = 1  # E
    print(finished.error.args)  # E
    outcome: FlowFinished = finished  # E
    print(outcome)


TaskStarted(1, None, "a", "", 1, 0.0)  # E
TaskStarted(call_id=1, flow_id=None, task="a", label="", at=0.0)  # E
FlowFinished(flow_id=1, flow="a", outcome="skipped", error=None, seconds=0.0, at=0.0)  # E
