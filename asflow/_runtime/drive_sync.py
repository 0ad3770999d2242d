"""The sync driver: carries out what the engine decides. Read it beside `drive_async.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, assert_never, cast

from asflow._engine import vocabulary as words
from asflow._engine.lifecycle import NEW, step
from asflow._runtime import clock, owners
from asflow._runtime.admission import acquire_blocking
from asflow._runtime.current import current
from asflow._runtime.job import Job
from asflow._runtime.threads import refuse_unstarted
from asflow._runtime.watching import parked
from asflow._tracebacks import without_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._engine.lifecycle import State
    from asflow._runtime.calls import TaskCall
    from asflow._runtime.spec import TaskSpec

R = TypeVar("R")


def run_sync(
    spec: TaskSpec,
    body: Callable[..., R],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: tuple[TaskCall, State, Exception] | None = None,
    *,
    absent: bool = False,
) -> R | None:
    """Run one call of a sync task from `Started`, or from what its first body raised, to its end.

    With *absent* its output was looked for a moment ago, and is not there.
    """
    parent = current.get()
    value: R | None = None
    event: words.Event = words.Started()
    if begun is None:
        job, state = Job(spec, args, kwargs, parent, absent=absent), NEW
    else:  # a quick call, whose body has raised
        job, state = Job.of(begun[0]), begun[1]
        event = job.raised(without_ours(begun[2]))
        begun = None
    state, action = step(spec.policy, state, event)
    try:
        while not isinstance(action, (words.Finish, words.Fail)):
            if isinstance(action, words.Call):
                try:
                    current.set(job.run)
                    job.calling(action.attempt)
                    value = body(*args, **kwargs)
                except Exception as error:  # noqa: BLE001 - the engine decides what it means
                    event = job.raised(without_ours(error))
                else:
                    refuse_unstarted(spec, body, value)  # a mistake in the program: no retry, no skip
                    event = job.returned(value)
                finally:
                    current.set(parent)  # not `reset`: Ctrl-C may come before there is a token
            else:
                event = _act(job, action)
            state, action = step(spec.policy, state, event)
    except BaseException as error:
        job.give_up(error)
        raise
    if isinstance(action, words.Fail):
        failure, context = action.error, action.error.__context__
        job.finished("failed", failure)
        try:
            raise failure
        finally:
            # If the caller is handling an exception, `raise` has replaced the body's own context with it.
            if context is not None:
                BaseException.__setattr__(failure, "__context__", context)
            # The error's traceback holds this frame: don't let the frame hold the error.
            del state, action, event, job, failure, context
    job.finished(action.outcome, action.error)
    return cast("R | None", job.result(action.outcome, value))


def _await_owner(job: Job) -> None:
    """Wait until the owner of the output has ended; of another process, until it is worth another look."""
    notice = job.making.notice(job.run)
    try:
        if owners.wait_blocking(job.making.key, job.run, notice):
            return
    finally:
        notice.end()
    clock.current.clock.sleep(job.making.next_poll())
    if notice.left == 0:
        notice.report()


def _act(job: Job, action: words.Action) -> words.Event:
    """Carry out *action*, which neither calls the body nor ends the call."""
    match action:
        case words.Look():
            return job.look()
        case words.Recall():
            return job.making.recall()
        case words.Acquire():
            acquire_blocking(job.spec.limit, job.run)
            return job.admitted()
        case words.Claim():
            return job.making.claim(job.run)
        case words.Release(unused):
            if unused:
                job.back_out()
            job.release()
            return words.Done()
        case words.Commit() | words.RecordFailure() | words.Renew() | words.Abort():
            return job.making.close(action, job.run)
        case words.AskDelay():
            return job.ask_delay(action)
        case words.Wait(seconds):
            job.waiting(action)
            clock.current.clock.sleep(seconds)
            return words.Waited()
        case words.AwaitOwner():
            parked(job.run)
            _await_owner(job)
            return words.Waited()
        case words.Call() | words.Finish() | words.Fail():
            raise AssertionError(action)
        case _:
            assert_never(action)
