"""The async driver: carries out what the engine decides. Read it beside `drive_sync.py`."""

from __future__ import annotations

from asyncio import timeout as time_limit
from typing import TYPE_CHECKING, TypeVar, assert_never, cast

from asflow._engine import vocabulary as words
from asflow._engine.lifecycle import NEW, step
from asflow._runtime import clock, owners
from asflow._runtime.admission import acquire
from asflow._runtime.committing import commit_in_steps
from asflow._runtime.current import current, leave
from asflow._runtime.job import Job
from asflow._runtime.threads import closings, in_thread, prepare
from asflow._runtime.watching import parked
from asflow._tracebacks import without_ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from asflow._engine.lifecycle import State
    from asflow._runtime.calls import TaskCall
    from asflow._runtime.spec import TaskSpec

R = TypeVar("R")


async def run_async(
    spec: TaskSpec,
    body: Callable[..., Awaitable[R]],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    begun: tuple[TaskCall, State, Exception] | None = None,
    *,
    absent: bool = False,
) -> R | None:
    """Run one call of an async task from `Started`, or from what its first body raised, to its end.

    With *absent* its output was looked for a moment ago, and is not there.
    """
    value: R | None = None
    event: words.Event = words.Started()
    if begun is None:
        job, state = Job(spec, args, kwargs, current.get(), absent=absent), NEW
    else:  # a quick call, whose body has raised
        job, state = Job.of(begun[0]), begun[1]
        event = job.raised(without_ours(begun[2]))
        begun = None
    state, action = step(spec.policy, state, event)
    try:
        while not isinstance(action, (words.Finish, words.Fail)):
            if isinstance(action, words.Call):
                token = current.set(job.run)
                try:
                    job.calling(action.attempt)
                    attempt = body(*args, **kwargs)
                    value = await (_in_time(spec.timeout, attempt) if spec.timeout else attempt)
                except Exception as error:  # noqa: BLE001 - the engine decides what it means
                    event = job.raised(without_ours(error))
                else:
                    event = job.returned(value)
                finally:
                    leave(token)
            else:
                event = await _act(job, action)
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


async def _in_time(seconds: float, attempt: Awaitable[R]) -> R:
    """Await *attempt* for at most *seconds*; this costs as much as a step of the engine."""
    async with time_limit(seconds) as scope:
        value = await attempt
    if scope.expired():  # the body swallowed the cancellation and returned too late
        raise TimeoutError
    return value


async def _await_owner(job: Job) -> None:
    """Wait until the owner of the output has ended; of another process, until it is worth another look."""
    notice = job.making.notice(job.run)
    with notice:
        if await owners.wait(job.making.key):
            return
    await clock.current.clock.sleep_async(job.making.next_poll())
    if notice.left == 0:
        await in_thread(notice.report) if job.making.blocking else notice.report()


async def _act(job: Job, action: words.Action) -> words.Event:
    """Carry out *action*, which neither calls the body nor ends the call."""
    blocking = job.made is not None and job.made.blocking
    match action:
        case words.Look():
            return await in_thread(job.look) if blocking else job.look()
        case words.Recall():
            if job.making.is_large():
                return await in_thread(job.making.recall)
            return job.making.recall()
        case words.Acquire():
            await acquire(job.spec.limit, job.run)
            return job.admitted()
        case words.Claim():
            prepare()
            return (
                await in_thread(lambda: job.making.claim(job.run)) if blocking else job.making.claim(job.run)
            )
        case words.Release(unused):
            if unused:
                job.back_out()
            if job.made is not None and job.made.has_claim:
                job.made.closing_slots.append(closings.try_acquire() or await closings.acquire())
            job.release()
            return words.Done()
        case words.Abort() if not blocking:
            return job.making.close(action, job.run)
        case words.Commit() if job.making.is_light:
            return await commit_in_steps(job.making, job.run)
        case words.Commit() | words.RecordFailure() | words.Renew() | words.Abort():
            return await in_thread(lambda: job.making.close(action, job.run), job.making.abandon)
        case words.AskDelay():
            return job.ask_delay(action)
        case words.Wait(seconds):
            job.waiting(action)
            await clock.current.clock.sleep_async(seconds)
            return words.Waited()
        case words.AwaitOwner():
            parked(job.run)
            await _await_owner(job)
            return words.Waited()
        case words.Call() | words.Finish() | words.Fail():
            raise AssertionError(action)
        case _:
            assert_never(action)
