"""Reports a task's call: counts in its flow's tally, and events if the sink wants them."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, TypedDict

from asflow._runtime.runs import TaskCall, reports_calls
from asflow._runtime.watching import watching
from asflow.events import TaskFinished, TaskQueued, TaskRetrying, TaskStarted

if TYPE_CHECKING:
    from asflow._engine.vocabulary import Wait
    from asflow.events import Outcome, Tally


class _Call(TypedDict):
    call_id: int
    flow_id: int | None
    task: str
    label: str


def _call(run: TaskCall) -> _Call:
    """Return the fields that every event has."""
    flow_id = None if run.flow is None else run.flow.flow_id
    return {"call_id": run.call_id, "flow_id": flow_id, "task": run.spec.name, "label": run.label}


def count(run: TaskCall | None, tally: Tally, outcome: Outcome, error: BaseException | None) -> None:
    """Count a call that has ended in *tally*; the flow's report lists it if it did not complete."""
    with tally.lock:
        setattr(tally, outcome, getattr(tally, outcome) + 1)
    if outcome not in ("completed", "cached") and run is not None and run.flow is not None:
        run.flow.note(run, outcome, error)


def count_body(run: TaskCall, tally: Tally) -> None:
    """Remove *run* from the running calls, and add its body's time."""
    if tally.active.pop(id(run), None) is not None and run.started is not None:
        seconds = monotonic() - run.started
        with tally.lock:
            tally.seconds += seconds
            tally.slowest = max(tally.slowest, seconds)


def queued(run: TaskCall) -> None:
    """Report that the call was made."""
    flow = run.flow
    total = None
    if flow is not None:
        tally = flow.tally(run.spec.name)
        total = tally.total
        with tally.lock:
            tally.queued += 1
    if reports_calls(run.spec, run):
        run.queued_at = monotonic()
        run.reporter.emit(
            TaskQueued(
                **_call(run),
                parent_id=run.parent.call_id if isinstance(run.parent, TaskCall) else None,
                total=total,
                at=run.queued_at,
            )
        )


def started(run: TaskCall, attempt: int) -> None:
    """Report that the body is about to be called, for the *attempt*-th time."""
    flow = run.flow
    run.attempt = attempt
    run.completed, run.total, run.description = 0, None, None
    run.started = monotonic()
    run.is_running = True
    if flow is not None:
        flow.tally(run.spec.name).active[id(run)] = run
    if reports_calls(run.spec, run):
        run.reporter.emit(
            TaskStarted(
                **_call(run),
                attempt=attempt,
                at=run.started,
            )
        )


def body_ended(run: TaskCall) -> None:
    """Count the body, which has returned or raised."""
    run.is_running = False
    if run.flow is not None:
        count_body(run, run.flow.tally(run.spec.name))


def retrying(run: TaskCall, wait: Wait) -> None:
    """Report that the body raised and will be called again."""
    flow = run.flow
    if flow is not None:
        tally = flow.tally(run.spec.name)
        with tally.lock:
            tally.retries += 1
    if reports_calls(run.spec, run):
        run.reporter.emit(
            TaskRetrying(
                **_call(run),
                retry=wait.retry,
                wait_seconds=wait.seconds,
                error=wait.error,
                at=monotonic(),
            )
        )


def finished(run: TaskCall, outcome: Outcome, error: BaseException | None) -> None:
    """Report that the call has ended."""
    flow = run.flow
    if flow is not None:
        count(run, flow.tally(run.spec.name), outcome, error)
    if (watch := watching.get()) is not None:
        watch.ended(run, outcome)
    if reports_calls(run.spec, run):
        now = monotonic()
        run.reporter.emit(
            TaskFinished(
                **_call(run),
                outcome=outcome,
                error=error,
                seconds=now - run.queued_at,
                output=run.output,
                at=now,
            )
        )
