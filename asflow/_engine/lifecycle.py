"""One task call's life, as a pure step: `step(policy, state, event) -> (state, action)`.

A driver (`asflow._runtime`) carries out the action and reports the result as the next event. The engine
requests nothing: an error and a random draw arrive with `Raised`, and the body's value never does.

    phase      event           if                          next
    ---------  --------------  --------------------------  -------------------------------------------------
    new        Started         the task has an output      Look
                               otherwise                   start an attempt
    looking    Found           its value is kept           Recall
                               otherwise                   Finish(cached)
               FoundFailure                                Finish(suppressed)
               Missing, Stale                              start an attempt
               Busy                                        AwaitOwner
               Broke                                       Fail
    queued     Acquired        the task has an output      Claim
                               otherwise                   Call
    claiming   Claimed                                     Call
               Found           its value is kept           back out to Recall
                               otherwise                   back out to Finish(cached)
               FoundFailure                                back out to Finish(suppressed)
               Busy                                        back out to AwaitOwner
               Broke                                       back out to Fail
    calling    Returned                                    wind down with Commit to Finish(completed)
               Raised          listed in suppress          wind down with RecordFailure to Finish(suppressed)
                               to be retried, by `delay`   wind down with Abort to AskDelay
                               to be retried               wind down with Abort to Wait
                               listed in skip              wind down with Abort to Finish(skipped)
                               otherwise                   wind down with Abort to Fail
               Unchanged       its value is kept           wind down with Renew to Recall
                               the task has an output      wind down with Renew to Finish(cached)
                               otherwise                   wind down to Fail
               Broke                                       wind down with Abort to Fail
    releasing  Done                                        continue winding down
    closing    Done                                        continue winding down
               Broke           the action was Abort        continue winding down
                               otherwise                   Abort, then Fail
    asking     Delayed                                     Wait
               Broke                                       Fail
    recalling  Recalled                                    Finish(cached)
               Missing                                     start an attempt
               Broke                                       Fail
    waiting    Waited                                      start an attempt
    watching   Waited                                      Look
    any other pair of phase and event                      raise EngineError

    its value is kept        the task has `save=`: a call returns what its output holds
    listed in X              by isinstance; an error of asflow's own only by one of asflow's own classes
    to be retried            the task's `retry` matches the error, likewise, and has a retry left
    start an attempt         Acquire if the task is limited, else Claim if it has an output, else Call
    wind down with C to X    Release if a slot is held, then C if a claim is held, then X
    wind down to X           Release if a slot is held, then X
    back out to X            Release(unused) if a slot is held, then X: the rate does not count the start

The slot is released before the claim is closed, so the limit bounds bodies, not commits. The first row
that fits applies; `tests/engine/test_table.py` reads the table and tries every row.

An exception that is not an `Exception` (cancellation, Ctrl-C, exit) is not an event: the driver discards the
output, releases the slot and re-raises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, assert_never

from asflow._engine import vocabulary as words
from asflow._engine.policy import listed
from asflow.errors import EngineError

if TYPE_CHECKING:
    from asflow._engine.policy import TaskPolicy

# Strings rather than an Enum: the match in `step` compares one in a fifth of the time.
Phase = Literal[
    "new",
    "looking",
    "queued",
    "claiming",
    "calling",
    "releasing",
    "closing",
    "asking",
    "recalling",
    "waiting",
    "watching",
    "done",
]
"""What a call is waiting for."""


class State(NamedTuple):
    """The state of one call.

    Attributes:
        phase: what the call is waiting for.
        attempt: how many times the body was called.
        closing: how to close the claim that is held, once the slot is released.
        ending: what to do once slot and claim are released.
    """

    phase: Phase
    attempt: int = 0
    closing: words.Closing | None = None
    ending: words.Ending | None = None


NEW = State("new")
"""The state in which every call begins."""

_COMMIT, _COMPLETED = words.Commit(), words.Finish("completed")

Step = tuple[State, words.Action]


def step(policy: TaskPolicy, state: State, event: words.Event) -> Step:
    """Decide what follows on *event*, by the table above.

    Args:
        policy: the task's options.
        state: the call's state: `NEW` at first, then what the last step returned.
        event: the result of the last action; `Started()` at first.

    Returns:
        The new state, and what to do now. After `Finish` and `Fail` the call is over.

    Raises:
        EngineError: the state does not wait for such an *event*: a bug in a driver.
    """
    match state.phase:
        case "new" if isinstance(event, words.Started):
            return (State("looking"), words.Look()) if policy.persistent else _start_attempt(policy, state)
        case "looking":
            return _looked(policy, state, event)
        case "queued" if isinstance(event, words.Acquired):
            return _claim_or_call(policy, state)
        case "claiming":
            return _claimed(policy, state, event)
        case "calling":
            return _called(policy, state, event)
        case "releasing" if isinstance(event, words.Done):
            return _close(state)
        case "closing":
            return _closed(state, event)
        case "asking":
            return _asked(state, event)
        case "recalling":
            return _recalled(policy, state, event)
        case "waiting" if isinstance(event, words.Waited):
            return _start_attempt(policy, state)
        case "watching" if isinstance(event, words.Waited):
            return State("looking", state.attempt), words.Look()
        case "new" | "queued" | "releasing" | "waiting" | "watching" | "done":
            raise _illegal(state, event)
        case _:
            assert_never(state.phase)


def _illegal(state: State, event: words.Event) -> EngineError:
    return EngineError(f"step(): can't take {event} in {state}; please report this as a bug in asflow")


def _start_attempt(policy: TaskPolicy, state: State) -> Step:
    if policy.limited:
        return State("queued", state.attempt), words.Acquire()
    return _claim_or_call(policy, state)


def _claim_or_call(policy: TaskPolicy, state: State) -> Step:
    if policy.persistent:
        return State("claiming", state.attempt), words.Claim()
    return _call(state)


def _call(state: State) -> Step:
    attempt = state.attempt + 1
    return State("calling", attempt), words.Call(attempt)


def _looked(policy: TaskPolicy, state: State, event: words.Event) -> Step:
    match event:
        case words.Found():
            return _end(state, words.Recall() if policy.saved else words.Finish("cached"))
        case words.FoundFailure():
            return _end(state, words.Finish("suppressed"))
        case words.Missing() | words.Stale():
            return _start_attempt(policy, state)
        case words.Busy():
            return _end(state, words.AwaitOwner())
        case words.Broke(error):
            return _end(state, words.Fail(error))
        case _:
            raise _illegal(state, event)


def _claimed(policy: TaskPolicy, state: State, event: words.Event) -> Step:
    match event:
        case words.Claimed():
            return _call(state)
        case words.Found():
            return _back_out(policy, state, words.Recall() if policy.saved else words.Finish("cached"))
        case words.FoundFailure():
            return _back_out(policy, state, words.Finish("suppressed"))
        case words.Busy():
            return _back_out(policy, state, words.AwaitOwner())
        case words.Broke(error):
            return _back_out(policy, state, words.Fail(error))
        case _:
            raise _illegal(state, event)


def _called(policy: TaskPolicy, state: State, event: words.Event) -> Step:
    match event:
        case words.Returned():
            return _wind_down(policy, state, _COMMIT, _COMPLETED)
        case words.Raised(error, draw):
            return _wind_down(policy, state, *_after_error(policy, state.attempt, error, draw))
        case words.Unchanged(error):
            if not policy.persistent:
                return _wind_down(policy, state, None, words.Fail(error))
            ending = words.Recall() if policy.saved else words.Finish("cached")
            return _wind_down(policy, state, words.Renew(error), ending)
        case words.Broke(error):
            return _wind_down(policy, state, words.Abort(), words.Fail(error))
        case _:
            raise _illegal(state, event)


def _after_error(
    policy: TaskPolicy, attempt: int, error: Exception, draw: float
) -> tuple[words.Closing, words.Ending]:
    """Decide what follows when the *attempt*-th call of the body raises *error*."""
    if listed(error, policy.suppress):
        return words.RecordFailure(error), words.Finish("suppressed", error)
    retry = policy.retry
    if retry is not None and attempt <= retry.total and retry.matches(error):
        seconds = retry.backoff(attempt, draw)
        if retry.delay is not None:
            return words.Abort(), words.AskDelay(error, attempt, seconds)
        return words.Abort(), words.Wait(seconds, attempt, error)
    if listed(error, policy.skip):
        return words.Abort(), words.Finish("skipped", error)
    return words.Abort(), words.Fail(error)


def _wind_down(policy: TaskPolicy, state: State, closing: words.Closing | None, ending: words.Ending) -> Step:
    if not policy.persistent:
        closing = None
    if policy.limited:
        return State("releasing", state.attempt, closing, ending), words.Release()
    return _close(State(state.phase, state.attempt, closing, ending))


def _back_out(policy: TaskPolicy, state: State, ending: words.Ending) -> Step:
    if policy.limited:
        return State("releasing", state.attempt, None, ending), words.Release(unused=True)
    return _end(state, ending)


def _close(state: State) -> Step:
    if state.closing is not None:
        return State("closing", state.attempt, state.closing, state.ending), state.closing
    return _ended(state)


def _closed(state: State, event: words.Event) -> Step:
    match event:
        case words.Done():
            return _ended(state)
        case words.Broke() if isinstance(state.closing, words.Abort):
            # Nothing was published either way, and the reason for the abort matters more than its failure.
            return _ended(state)
        case words.Broke(error):
            return State("closing", state.attempt, words.Abort(), words.Fail(error)), words.Abort()
        case _:
            raise _illegal(state, event)


def _recalled(policy: TaskPolicy, state: State, event: words.Event) -> Step:
    match event:
        case words.Recalled():
            return _end(state, words.Finish("cached"))
        case words.Missing():
            return _start_attempt(policy, state)
        case words.Broke(error):
            return _end(state, words.Fail(error))
        case _:
            raise _illegal(state, event)


def _asked(state: State, event: words.Event) -> Step:
    match state.ending, event:
        case words.AskDelay(error, retry, otherwise), words.Delayed(seconds):
            return _end(state, words.Wait(otherwise if seconds is None else seconds, retry, error))
        case _, words.Broke(error):
            return _end(state, words.Fail(error))
        case _:
            raise _illegal(state, event)


def _ended(state: State) -> Step:
    if state.ending is None:
        raise _illegal(state, words.Done())
    return _end(state, state.ending)


def _end(state: State, ending: words.Ending) -> Step:
    match ending:
        case words.Finish() | words.Fail():
            return State("done", state.attempt), ending
        case words.Wait():
            return State("waiting", state.attempt), ending
        case words.AskDelay():
            return State("asking", state.attempt, None, ending), ending
        case words.AwaitOwner():
            return State("watching", state.attempt), ending
        case words.Recall():
            return State("recalling", state.attempt), ending
        case _:
            assert_never(ending)
