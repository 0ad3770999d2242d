"""Reports a task's call: counts in its flow's tally, and events if the sink wants them."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

from asflow import _plugins
from asflow._frozen import draft_of
from asflow._labels import error_line
from asflow._reporter import has_nothing_to_do
from asflow._runtime.watching import watching
from asflow.events import TaskFinished, TaskQueued, TaskRetrying, TaskStarted, TaskWaiting, WaitingCall

if TYPE_CHECKING:
    from asflow._engine.vocabulary import Wait
    from asflow._runtime.calls import TaskCall
    from asflow.events import Outcome, Tally, WaitReason

_Queued, _Waiting, _Started = draft_of(TaskQueued), draft_of(TaskWaiting), draft_of(TaskStarted)
_Retrying, _Finished = draft_of(TaskRetrying), draft_of(TaskFinished)


FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether counting needs a lock. With a GIL, no thread comes in between the load and the store of a `+=`."""


def count_queued(tally: Tally) -> None:
    """Count a call that was made."""
    if FREE_THREADED:
        with tally.lock:
            tally.queued += 1
    else:
        tally.queued += 1


def _count(tally: Tally, outcome: Outcome) -> None:
    match outcome:
        case "completed":
            tally.completed += 1
        case "cached":
            tally.cached += 1
        case "skipped":
            tally.skipped += 1
        case "suppressed":
            tally.suppressed += 1
        case "failed":
            tally.failed += 1
        case "cancelled":
            tally.cancelled += 1


def count(run: TaskCall | None, tally: Tally, outcome: Outcome, error: BaseException | None) -> None:
    """Count a call that has ended in *tally*; the flow's report lists it if it did not complete."""
    if FREE_THREADED:
        with tally.lock:
            _count(tally, outcome)
    else:
        _count(tally, outcome)
    if outcome not in ("completed", "cached") and run is not None and run.flow is not None:
        run.flow.note(run, outcome, error)


def count_body(run: TaskCall, tally: Tally) -> None:
    """Remove *run* from the running calls, and add its body's time."""
    if tally.active.pop(run, None) is not None and run.started is not None:
        seconds = monotonic() - run.started
        if FREE_THREADED:
            with tally.lock:
                _count_seconds(tally, seconds)
        else:
            _count_seconds(tally, seconds)


def _count_seconds(tally: Tally, seconds: float) -> None:
    tally.seconds += seconds
    if seconds > tally.slowest:
        tally.slowest = seconds


def queued(run: TaskCall) -> None:
    """Report that the call was made."""
    flow = run.flow
    if not _plugins.state.loaded:
        _plugins.load()
    total = None
    run.since = monotonic()
    if flow is not None:
        tally = flow.tallies.get(run.spec.name) or flow.tally(run.spec.name)
        total = tally.total
        if FREE_THREADED:
            count_queued(tally)
        else:
            tally.queued += 1
        scope = flow.reporter.calls
    else:
        scope = run.spec.reporter.alone
    if scope.queued or scope.held:
        event = run.begin_event(_Queued(), run.since)
        event.total = total
        event.__class__ = TaskQueued
        run.emit(scope.queued, event)
        if scope.held:
            run.held = event


def waiting(run: TaskCall, reason: WaitReason, owner: str | None, waited: float) -> None:
    """Report that the call has waited for *waited* seconds already; see `TaskWaiting`."""
    if run.flow is not None and reason != "slot":
        since = monotonic() - waited
        run.flow.tally(run.spec.name).waiting[run.call_id] = WaitingCall(run, reason, since, detail=owner)
    scope = run.scope
    if scope.begun and is_queued(run):
        run.emit_held(scope)
        event = run.begin_event(_Waiting(), monotonic())
        event.reason = reason
        event.owner = owner
        event.waited_seconds = waited
        event.__class__ = TaskWaiting
        run.emit(scope.begun, event)


def waited(run: TaskCall) -> None:
    """Note that the call, whose wait was reported, waits no longer."""
    if run.flow is not None:
        run.flow.tally(run.spec.name).waiting.pop(run.call_id, None)


def is_queued(run: TaskCall) -> bool:
    """Whether `queued` has reported the call, so that more events of it may follow."""
    return run.since > 0


def started(run: TaskCall, attempt: int) -> None:
    """Report that the body is about to be called, for the *attempt*-th time; *run* is the current one."""
    flow = run.flow
    run.attempt = attempt
    if attempt > 1:
        run.completed, run.total, run.unit, run.description = 0, None, None, None
    run.started = monotonic()
    run.waited_seconds += run.started - run.since
    run.is_running = True
    if flow is not None:
        tally = flow.tallies.get(run.spec.name) or flow.tally(run.spec.name)
        tally.active[run] = run
        if tally.waiting:
            tally.waiting.pop(run.call_id, None)
        scope = flow.reporter.calls
    else:
        scope = run.spec.reporter.alone
    if scope.begun:
        if run.held is not None:
            run.emit_held(scope)
        event = run.begin_event(_Started(), run.started)
        event.attempt = attempt
        event.__class__ = TaskStarted
        run.emit(scope.begun, event)


def body_ended(run: TaskCall) -> None:
    """Count the body, which has returned or raised."""
    if not run.is_running or run.started is None:
        return
    if run.has_news:
        run.report_last_progress()
    run.is_running = False
    run.body_over = True
    run.since = monotonic()
    run.seconds += run.since - run.started
    if run.flow is None:
        return
    tally = run.flow.tallies[run.spec.name]
    if FREE_THREADED:
        count_body(run, tally)
    elif tally.active.pop(run, None) is not None:
        _count_seconds(tally, run.since - run.started)


def retrying(run: TaskCall, wait: Wait) -> None:
    """Report that the body raised and will be called again."""
    flow = run.flow
    if flow is not None:
        tally = flow.tally(run.spec.name)
        now = monotonic()
        tally.waiting[run.call_id] = WaitingCall(
            run, "retry", now, until=now + wait.seconds, detail=error_line(wait.error)
        )
        with tally.lock:
            tally.retries += 1
    scope = run.scope
    if scope.begun:
        event = run.begin_event(_Retrying(), monotonic())
        event.attempt = run.attempt
        event.retry = wait.retry
        event.wait_seconds = wait.seconds
        event.error = wait.error
        event.__class__ = TaskRetrying
        run.emit(scope.begun, event)


def finished(run: TaskCall, outcome: Outcome, error: BaseException | None) -> None:
    """Report that the call has ended."""
    flow = run.flow
    if flow is not None:
        tally = flow.tallies.get(run.spec.name) or flow.tally(run.spec.name)
        if tally.waiting:
            tally.waiting.pop(run.call_id, None)
        if outcome == "completed" and not FREE_THREADED:
            tally.completed += 1
        else:
            count(run, tally, outcome, error)
        scope = flow.reporter.calls
    else:
        scope = run.spec.reporter.alone
    if (watch := watching.get()) is not None:
        watch.ended(run, outcome)
    nothing = outcome != "completed" and error is None and has_nothing_to_do(outcome, error)
    routes = scope.found if nothing else scope.ended
    if run.held is not None and not nothing:
        run.emit_held(scope)
    if routes:
        # Without an output, nothing has happened since the last body.
        now = run.since if run.body_over and run.spec.output is None else monotonic()
        event = run.begin_event(_Finished(), now)
        event.outcome = outcome
        event.error = error
        event.attempts = 0 if run.started is None else run.attempt
        event.seconds = run.seconds
        # After the last body the output is published or discarded, which is not waiting.
        event.waited_seconds = run.waited_seconds + (0.0 if run.body_over else now - run.since)
        event.output = None if run.output is None else run.output.removeprefix(run.spec.prefix)
        event.size = run.size
        event.records = run.records
        event.__class__ = TaskFinished
        run.emit(routes, event)
