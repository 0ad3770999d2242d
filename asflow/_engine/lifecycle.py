"""One task call's life, as a pure step: `step(policy, state, event) -> (state, action)`.

A driver (asflow._runtime) carries out the action and reports what came of it as the next event. The
engine asks for nothing: the error and a random draw come in with `Raised`, and the body's value never does.

    phase       event            next action
    ----------  ---------------  ------------------------------------------------------------------
    new         Started          Look, where the task has an output; else BEGIN
    looking     Found            Finish(cached)
                FoundFailure     Finish(suppressed)
                Missing, Stale   BEGIN
                Broke            Fail
    queued      Acquired         Claim, where the task has an output; else Call
    claiming    Claimed          Call
                Found            END with Finish(cached)
                FoundFailure     END with Finish(suppressed)
                Busy             END with AwaitOwner
                Broke            END with Fail
    calling     Returned         END with Commit, Finish(completed)
                Raised           listed in suppress: END with RecordFailure, Finish(suppressed)
                                 worth a retry, one left: END with Abort, AskDelay or Wait
                                 listed in skip: END with Abort, Finish(skipped)
                                 otherwise: END with Abort, Fail
    releasing   Done             the rest of END
    closing     Done             the rest of END
                Broke            END with Abort, Fail; after a failing Abort: the END under way
    asking      Delayed          Wait
                Broke            Fail
    waiting     Waited           BEGIN
    watching    Waited           Look
    done        -                -
    any other pair               EngineError

    BEGIN is Acquire where the task is limited, else Claim where it has an output, else Call.
    END is Release where a slot is held, then the claim's Commit | Abort | RecordFailure where a claim is
    held, then the action that is named last. So the limit bounds bodies, not commits.

What is no `Exception` (cancellation, Ctrl-C, exit) is no event: the driver discards the output, gives
back the slot and lets it pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, assert_never

from asflow._engine.vocabulary import (
    Abort,
    Acquire,
    Acquired,
    Action,
    AskDelay,
    AwaitOwner,
    Broke,
    Busy,
    Call,
    Claim,
    Claimed,
    Closing,
    Commit,
    Delayed,
    Done,
    Ending,
    Event,
    Fail,
    Finish,
    Found,
    FoundFailure,
    Look,
    Missing,
    Raised,
    RecordFailure,
    Release,
    Returned,
    Stale,
    Started,
    Wait,
    Waited,
)
from asflow.errors import EngineError

if TYPE_CHECKING:
    from asflow._engine.policy import TaskPolicy

__all__ = ["NEW", "Phase", "State", "step"]


# Words rather than an Enum: the match in `step` compares one at a fifth of the price.
Phase = Literal[
    "new",
    "looking",
    "queued",
    "claiming",
    "calling",
    "releasing",
    "closing",
    "asking",
    "waiting",
    "watching",
    "done",
]
"""What a call is waiting for."""


class State(NamedTuple):
    """Where one call stands.

    Attributes:
        phase: what it waits for.
        attempt: how often the body was called.
        closing: what becomes of the claim that is held, once the slot is given back.
        ending: what comes when slot and claim are given back.
    """

    phase: Phase
    attempt: int = 0
    closing: Closing | None = None
    ending: Ending | None = None


NEW = State("new")
"""Where every call begins."""

_COMMIT, _COMPLETED = Commit(), Finish("completed")

Step = tuple[State, Action]


def step(policy: TaskPolicy, state: State, event: Event) -> Step:
    """Decide what follows on *event*, by the table above.

    Args:
        policy: what the task was told to do.
        state: where the call stands; `NEW` at first, then what the last step returned.
        event: what came of the last action; `Started()` at first.

    Returns:
        The new state, and what to do now. After `Finish` and `Fail` the call is over.

    Raises:
        EngineError: *event* is no answer to what the state waits for: a bug in a driver.
    """
    match state.phase:
        case "new" if isinstance(event, Started):
            return (State("looking"), Look()) if policy.persistent else _begin(policy, state)
        case "looking":
            return _looked(policy, state, event)
        case "queued" if isinstance(event, Acquired):
            return _claim_or_call(policy, state)
        case "claiming":
            return _claimed(policy, state, event)
        case "calling":
            return _called(policy, state, event)
        case "releasing" if isinstance(event, Done):
            return _close(state)
        case "closing":
            return _closed(state, event)
        case "asking":
            return _asked(state, event)
        case "waiting" if isinstance(event, Waited):
            return _begin(policy, state)
        case "watching" if isinstance(event, Waited):
            return State("looking", state.attempt), Look()
        case "new" | "queued" | "releasing" | "waiting" | "watching" | "done":
            raise _illegal(state, event)
        case _:
            assert_never(state.phase)


def _illegal(state: State, event: Event) -> EngineError:
    return EngineError(f"asflow's engine can't take {event} in {state}; please report this")


def _begin(policy: TaskPolicy, state: State) -> Step:
    if policy.limited:
        return State("queued", state.attempt), Acquire()
    return _claim_or_call(policy, state)


def _claim_or_call(policy: TaskPolicy, state: State) -> Step:
    if policy.persistent:
        return State("claiming", state.attempt), Claim()
    return _call(state)


def _call(state: State) -> Step:
    attempt = state.attempt + 1
    return State("calling", attempt), Call(attempt)


def _looked(policy: TaskPolicy, state: State, event: Event) -> Step:
    match event:
        case Found():
            return _end(state, Finish("cached"))
        case FoundFailure():
            return _end(state, Finish("suppressed"))
        case Missing() | Stale():
            return _begin(policy, state)
        case Broke(error):
            return _end(state, Fail(error))
        case _:
            raise _illegal(state, event)


def _claimed(policy: TaskPolicy, state: State, event: Event) -> Step:
    match event:
        case Claimed():
            return _call(state)
        case Found():
            return _wind_down(policy, state, None, Finish("cached"))
        case FoundFailure():
            return _wind_down(policy, state, None, Finish("suppressed"))
        case Busy():
            return _wind_down(policy, state, None, AwaitOwner())
        case Broke(error):
            return _wind_down(policy, state, None, Fail(error))
        case _:
            raise _illegal(state, event)


def _called(policy: TaskPolicy, state: State, event: Event) -> Step:
    match event:
        case Returned():
            return _wind_down(policy, state, _COMMIT, _COMPLETED)
        case Raised(error, draw):
            return _wind_down(policy, state, *_judged(policy, state.attempt, error, draw))
        case _:
            raise _illegal(state, event)


def _judged(policy: TaskPolicy, attempt: int, error: Exception, draw: float) -> tuple[Closing, Ending]:
    """Decide what the *attempt*-th call's *error* means: this is the decision table of the docs."""
    if isinstance(error, policy.suppress):
        return RecordFailure(error), Finish("suppressed", error)
    retry = policy.retry
    if retry is not None and attempt <= retry.total and retry.matches(error):
        seconds = retry.backoff(attempt, draw)
        if retry.delay is not None:
            return Abort(), AskDelay(error, attempt, seconds)
        return Abort(), Wait(seconds, attempt, error)
    if isinstance(error, policy.skip):
        return Abort(), Finish("skipped", error)
    return Abort(), Fail(error)


def _wind_down(policy: TaskPolicy, state: State, closing: Closing | None, ending: Ending) -> Step:
    if not policy.persistent:
        closing = None
    if policy.limited:
        return State("releasing", state.attempt, closing, ending), Release()
    return _close(State(state.phase, state.attempt, closing, ending))


def _close(state: State) -> Step:
    if state.closing is not None:
        return State("closing", state.attempt, state.closing, state.ending), state.closing
    return _ended(state)


def _closed(state: State, event: Event) -> Step:
    match event:
        case Done():
            return _ended(state)
        case Broke() if isinstance(state.closing, Abort):
            # Nothing was published either way, and the reason for the abort says more than its failing.
            return _ended(state)
        case Broke(error):
            return State("closing", state.attempt, Abort(), Fail(error)), Abort()
        case _:
            raise _illegal(state, event)


def _asked(state: State, event: Event) -> Step:
    match state.ending, event:
        case AskDelay(error, retry, otherwise), Delayed(seconds):
            return _end(state, Wait(otherwise if seconds is None else seconds, retry, error))
        case _, Broke(error):
            return _end(state, Fail(error))
        case _:
            raise _illegal(state, event)


def _ended(state: State) -> Step:
    if state.ending is None:
        raise _illegal(state, Done())
    return _end(state, state.ending)


def _end(state: State, ending: Ending) -> Step:
    match ending:
        case Finish() | Fail():
            return State("done", state.attempt), ending
        case Wait():
            return State("waiting", state.attempt), ending
        case AskDelay():
            return State("asking", state.attempt, None, ending), ending
        case AwaitOwner():
            return State("watching", state.attempt), ending
        case _:
            assert_never(ending)
