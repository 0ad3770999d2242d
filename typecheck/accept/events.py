"""Exhaustive `match` over what a sink hears, by class and by `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, assert_never, assert_type

from asflow.events import (
    Event,
    FlowFinished,
    FlowOutcome,
    FlowStarted,
    Outcome,
    RunningCall,
    Tally,
    TaskFinished,
    TaskProgressed,
    TaskQueued,
    TaskRetrying,
    TaskStarted,
    TaskWaiting,
    WaitReason,
)


def by_class(event: Event) -> str:
    match event:
        case FlowStarted(flow=flow, tallies=tallies):
            assert_type(flow, str)
            assert_type(tallies, Mapping[str, Tally])
            return flow
        case FlowFinished(outcome=outcome, error=error):
            assert_type(outcome, FlowOutcome)
            assert_type(error, BaseException | None)
            return outcome
        case TaskQueued(parent_id=parent_id, total=total):
            assert_type(parent_id, int | None)
            assert_type(total, int | None)
            return event.label
        case TaskWaiting(reason=reason, owner=owner, waited_seconds=waited):
            assert_type(reason, WaitReason)
            assert_type(owner, str | None)
            assert_type(waited, float)
            return event.label
        case TaskStarted(attempt=attempt):
            assert_type(attempt, int)
            assert_type(event.run_id, str)
            assert_type(event.arguments, Mapping[str, object])
            assert_type(event.time, float)
            return event.qualname
        case TaskProgressed(description=description, completed=completed):
            assert_type(completed, float)
            return description or ""
        case TaskRetrying(error=error, wait_seconds=wait_seconds):
            assert_type(error, Exception)
            assert_type(wait_seconds, float)
            return event.task
        case TaskFinished(outcome=outcome, output=output):
            assert_type(outcome, Outcome)
            assert_type(event.waited_seconds, float)
            assert_type(event.size, int | None)
            assert_type(event.records, int | None)
            assert_type(event.attempts, int)
            return output or ""


def by_kind(event: Event) -> float:
    match event.kind:
        case "flow_started":
            return 1
        case "flow_finished":
            return 2
        case "task_queued" | "task_waiting" | "task_started" | "task_progressed":
            return 3
        case "task_retrying":
            return 4
        case "task_finished":
            return 5


def narrowed_by_kind(event: Event) -> float | None:
    if event.kind == "task_retrying":
        assert_type(event, TaskRetrying)
        return event.wait_seconds
    if event.kind == "task_finished":
        assert_type(event, TaskFinished)
        return event.seconds
    if event.kind == "flow_finished":
        return event.seconds
    return None


def never_left(event: Event) -> str:
    match event:
        case FlowStarted() | FlowFinished():
            return event.flow
        case TaskQueued() | TaskWaiting() | TaskStarted():
            return event.task
        case TaskProgressed() | TaskRetrying() | TaskFinished():
            return event.task
        case _:
            assert_never(event)


def by_outcome(outcome: Outcome) -> int:
    match outcome:
        case "completed" | "cached":
            return 0
        case "skipped" | "suppressed":
            return 1
        case "failed" | "cancelled":
            return 2


def never_left_of_outcomes(event: FlowFinished) -> int:
    if event.outcome == "completed":
        return 0
    if event.outcome == "failed":
        return 1
    if event.outcome == "cancelled":
        return 2
    assert_never(event.outcome)


def polled(event: FlowStarted) -> None:
    for name, tally in event.tallies.items():
        assert_type(name, str)
        assert_type(tally.finished, int)
        assert_type(tally.total, int | None)
        assert_type(list(tally.active.values()), list[RunningCall])
        assert_type(tally.snapshot(), Tally)


started = TaskStarted(call_id=1, flow_id=None, task="extract", label="'a'", attempt=1, at=0.0)
assert_type(started.kind, Literal["task_started"])
assert_type({started}, set[TaskStarted])
