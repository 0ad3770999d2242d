"""One call's life: any state against any event, the decision table row by row, and what always holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import examples
from support.scripts import ERRORS, BadError, GoneError, OtherError, policies

from asflow._engine import lifecycle as life
from asflow._engine import vocabulary
from asflow._engine.lifecycle import NEW, Phase, State, step
from asflow._engine.policy import Retry, TaskPolicy
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
    Recall,
    Recalled,
    RecordFailure,
    Release,
    Renew,
    Returned,
    Stale,
    Started,
    Unchanged,
    Wait,
    Waited,
)
from asflow.errors import EngineError

# ------------------------------------------------------------------ drawing lives

ANSWERS: dict[type[object], tuple[type[object], ...]] = {
    Look: (Found, Stale, FoundFailure, Missing, Busy, Broke),
    Acquire: (Acquired,),
    Claim: (Claimed, Found, FoundFailure, Busy, Broke),
    Call: (Returned, Raised, Unchanged, Broke),
    Recall: (Recalled, Missing, Broke),
    Release: (Done,),
    Commit: (Done, Broke),
    Abort: (Done, Broke),
    RecordFailure: (Done, Broke),
    Renew: (Done, Broke),
    AskDelay: (Delayed, Broke),
    Wait: (Waited,),
    AwaitOwner: (Waited,),
}
"""The events that answer each action: the docstrings of the actions, as data."""

EVENTS: tuple[type[object], ...] = (
    *(Started, Found, Stale, FoundFailure, Missing, Acquired, Claimed, Busy, Returned, Raised, Delayed),
    *(Waited, Done, Broke, Recalled, Unchanged),
)


def make_event(draw: st.DrawFn, kind: type[object]) -> Event:
    """Draw an event of *kind*, with an error, a draw or seconds if it has them."""
    if kind is Raised:
        return Raised(draw(st.sampled_from(ERRORS))(), draw(st.floats(0, 1, exclude_max=True)))
    if kind is Unchanged:
        return Unchanged(draw(st.sampled_from(ERRORS))())
    if kind is Broke:
        return Broke(draw(st.sampled_from(ERRORS))())
    if kind is Delayed:
        return Delayed(draw(st.none() | st.floats(0, 100)))
    event = kind()
    assert isinstance(event, Event)
    return event


@dataclass
class Life:
    """A whole life: each state with the next event, and every action."""

    policy: TaskPolicy
    steps: list[tuple[State, Event]] = field(default_factory=list[tuple[State, Event]])
    actions: list[Action] = field(default_factory=list[Action])
    last: State = NEW


@st.composite
def lives(draw: st.DrawFn, most: int = 60) -> Life:
    """Draw a policy and legal answers to every action, up to an end or *most* steps."""
    life = Life(draw(policies()))
    event: Event = Started()
    for _ in range(most):
        life.steps.append((life.last, event))
        life.last, action = step(life.policy, life.last, event)
        life.actions.append(action)
        if isinstance(action, (Finish, Fail)):
            return life
        event = make_event(draw, draw(st.sampled_from(ANSWERS[type(action)])))
    return life


@given(life=lives(), data=st.data())
def test_any_state_takes_its_own_events_and_refuses_all_others(life: Life, data: st.DataObject) -> None:
    """A legal successor, or an EngineError that shows state and event; the state itself never changes."""
    for (state, _), action in zip([*life.steps, (life.last, None)], [None, *life.actions], strict=True):
        kind = data.draw(st.sampled_from(EVENTS))
        event = data.draw(st.composite(make_event)(kind))
        legal = (Started,) if action is None else ANSWERS.get(type(action), ())
        before = repr(state)
        if kind in legal:
            successor, after = step(life.policy, state, event)
            assert isinstance(after, Action)
            assert (successor.phase == "done") == isinstance(after, (Finish, Fail))
        else:
            with pytest.raises(EngineError) as caught:
                step(life.policy, state, event)
            assert before in str(caught.value)
            assert repr(event) in str(caught.value)
        assert repr(state) == before


@given(
    policy=policies(),
    phase=st.sampled_from(get_args(Phase)),
    attempt=st.integers(0, 5),
    closing=st.sampled_from([None, Commit(), Abort(), RecordFailure(BadError()), Renew(BadError())]),
    ending=st.sampled_from(
        [
            *(None, Finish("completed"), Fail(BadError()), Wait(1.0, 1, BadError()), AwaitOwner()),
            *(AskDelay(BadError(), 1, 1.0), Recall()),
        ]
    ),
    data=st.data(),
)
@settings(max_examples=examples(300))
def test_states_drawn_at_random_never_break_the_engine(
    policy: TaskPolicy,
    phase: Phase,
    attempt: int,
    closing: Closing | None,
    ending: Ending | None,
    data: st.DataObject,
) -> None:
    """Even a state that no life reaches leads to a step or an EngineError."""
    event = data.draw(st.composite(make_event)(data.draw(st.sampled_from(EVENTS))))
    try:
        state, action = step(policy, State(phase, attempt, closing, ending), event)
    except EngineError:
        return
    assert isinstance(state, State)
    assert isinstance(action, Action)


@given(lives())
@settings(max_examples=examples(400))
def test_what_always_holds(life: Life) -> None:
    """Slots and claims are given back once, ends are final, and the body is not called too often."""
    policy = life.policy
    slot = claim = False
    calls = 0
    error: Exception | None = None
    answers = [event for _, event in life.steps[1:]]
    for index, action in enumerate(life.actions):
        answer = answers[index] if index < len(answers) else None
        match action:
            case Acquire():
                assert policy.limited
                assert not slot
                slot = True
            case Release():
                assert slot
                slot = False
            case Look():
                assert not slot, "looking needs no slot"
                assert not claim
            case Claim():
                assert not claim
                assert slot or not policy.limited
                claim = isinstance(answer, Claimed)
            case Call(attempt):
                calls += 1
                assert attempt == calls
                assert slot or not policy.limited
                assert claim or not policy.persistent
                error = answer.error if isinstance(answer, Raised) else None
            case Commit() | RecordFailure() | Renew() | Abort():
                assert claim
                assert not slot, "the limit bounds bodies, not commits"
                assert not isinstance(action, RecordFailure) or action.error is error
                claim = isinstance(answer, Broke) and not isinstance(action, Abort)
            case AskDelay() | Wait() | AwaitOwner() | Recall() | Finish() | Fail():
                assert not slot
                assert not claim
    assert calls <= 1 + (policy.retry.total if policy.retry else 0)
    ends = [action for action in life.actions if isinstance(action, (Finish, Fail))]
    assert ends in ([], life.actions[-1:])


@given(lives())
def test_what_is_listed_in_suppress_is_never_retried(life: Life) -> None:
    raised = [event.error for _, event in life.steps if isinstance(event, Raised)]
    waits = [action.error for action in life.actions if isinstance(action, (Wait, AskDelay))]
    for error in raised:
        if isinstance(error, life.policy.suppress):
            assert error not in waits


@given(lives())
def test_a_finished_call_carries_the_error_that_decided_it(life: Life) -> None:
    """`Fail` raises the same object that came in; `Finish` carries the last one raised, or none."""
    came_in = [event.error for _, event in life.steps if isinstance(event, (Raised, Broke, Unchanged))]
    match life.actions[-1]:
        case Fail(error):
            assert any(error is one for one in came_in)
        case Finish("skipped" | "suppressed", error) if error is not None:
            assert error is next(e.error for _, e in reversed(life.steps) if isinstance(e, Raised))
        case Finish(outcome, error):
            assert error is None
            assert outcome in {"completed", "cached", "suppressed"}
        case _:
            pass


@given(lives())
def test_a_life_is_replayed_from_printed_states(story: Life) -> None:
    """A state read back from its repr leads to the same action and the same next state."""
    names = {**vars(life), **vars(vocabulary), **{error.__name__: error for error in ERRORS}}
    following = [state for state, _ in story.steps[1:]] + [story.last]
    for (state, event), action, after in zip(story.steps, story.actions, following, strict=True):
        reread = eval(repr(state), dict(names))
        assert isinstance(reread, State)
        assert repr(reread) == repr(state)
        again, acted = step(story.policy, reread, event)
        assert repr(again) == repr(after)
        assert repr(acted) == repr(action)


# ------------------------------------------------------------------ the decision table, row by row

GONE = GoneError("gone")


def play(policy: TaskPolicy, *events: Event) -> list[Action]:
    """Return the actions that *events* (after Started) lead to."""
    state, action = step(policy, NEW, Started())
    actions = [action]
    for event in events:
        state, action = step(policy, state, event)
        actions.append(action)
    return actions


KEPT = TaskPolicy(persistent=True)
CALLED: tuple[Event, ...] = (Missing(), Acquired(), Claimed())


def test_the_output_exists() -> None:
    assert play(KEPT, Found()) == [Look(), Finish("cached")]


def test_its_err_exists() -> None:
    assert play(KEPT, FoundFailure()) == [Look(), Finish("suppressed")]


def test_the_body_returned() -> None:
    assert play(KEPT, *CALLED, Returned(), Done(), Done()) == [
        *(Look(), Acquire(), Claim(), Call(1), Release(), Commit(), Finish("completed"))
    ]


def test_without_an_output_and_a_limit_there_is_just_the_call() -> None:
    assert play(TaskPolicy(limited=False), Returned()) == [Call(1), Finish("completed")]


def test_a_stale_output_is_made_again() -> None:
    assert play(KEPT, Stale(), Acquired(), Claimed()) == [Look(), Acquire(), Claim(), Call(1)]


def test_suppress_records_and_is_never_retried() -> None:
    policy = TaskPolicy(persistent=True, suppress=(BadError,), retry=Retry(3))
    assert play(policy, *CALLED, Raised(GONE, 0.5), Done(), Done())[4:] == [
        *(Release(), RecordFailure(GONE), Finish("suppressed", GONE))
    ]


def test_suppress_without_an_output_records_nothing() -> None:
    policy = TaskPolicy(limited=False, suppress=(BadError,))
    assert play(policy, Raised(GONE, 0.5)) == [Call(1), Finish("suppressed", GONE)]


def test_a_retry_gives_back_slot_and_claim_waits_and_begins_again() -> None:
    retry = Retry(1, backoff_factor=2.0, backoff_jitter=1.0, exceptions=BadError)
    policy = TaskPolicy(persistent=True, skip=(BadError,), retry=retry)
    again: tuple[Event, ...] = (Acquired(), Claimed(), Raised(GONE, 0.0), Done(), Done())
    assert play(policy, *CALLED, Raised(GONE, 0.25), Done(), Done(), Waited(), *again)[4:] == [
        *(Release(), Abort(), Wait(2.25, 1, GONE)),
        *(Acquire(), Claim(), Call(2), Release(), Abort(), Finish("skipped", GONE)),
    ]


def test_what_the_retry_does_not_list_is_not_retried() -> None:
    policy = TaskPolicy(limited=False, retry=Retry(3, exceptions=BadError))
    other = OtherError()
    assert play(policy, Raised(other, 0.0)) == [Call(1), Fail(other)]


@pytest.mark.parametrize(("answer", "seconds"), [(None, 3.0), (0.5, 0.5), (0.0, 0.0)])
def test_delay_is_asked_and_may_leave_it_to_the_formula(answer: float | None, seconds: float) -> None:
    retry = Retry(1, backoff_factor=3.0, backoff_jitter=0.0, delay=lambda error, n: None)
    policy = TaskPolicy(limited=False, retry=retry)
    assert play(policy, Raised(GONE, 0.9), Delayed(answer)) == [
        *(Call(1), AskDelay(GONE, 1, 3.0), Wait(seconds, 1, GONE))
    ]


def test_a_delay_that_raises_ends_the_call() -> None:
    policy = TaskPolicy(limited=False, retry=Retry(1, delay=lambda error, n: None))
    other = OtherError()
    assert play(policy, Raised(GONE, 0.9), Broke(other))[-1] == Fail(other)


def test_any_other_exception_fails_with_the_same_object() -> None:
    (*_, release, abort, fail) = play(KEPT, *CALLED, Raised(GONE, 0.0), Done(), Done())
    assert [release, abort] == [Release(), Abort()]
    assert isinstance(fail, Fail)
    assert fail.error is GONE


def test_a_group_is_matched_as_itself() -> None:
    group = ExceptionGroup("both", [GONE])
    assert play(TaskPolicy(limited=False, skip=(BadError,)), Raised(group, 0.0))[-1] == Fail(group)
    assert play(TaskPolicy(limited=False, skip=(ExceptionGroup,)), Raised(group, 0.0))[-1] == Finish(
        "skipped", group
    )


def test_found_by_the_claim_gives_the_slot_back() -> None:
    for event, end in ((Found(), Finish("cached")), (FoundFailure(), Finish("suppressed"))):
        assert play(KEPT, Missing(), Acquired(), event, Done())[-2:] == [Release(unused=True), end]


def test_busy_gives_the_slot_back_waits_and_looks_again() -> None:
    assert play(KEPT, Missing(), Acquired(), Busy(), Done(), Waited())[3:] == [
        *(Release(unused=True), AwaitOwner(), Look())
    ]


def test_busy_at_the_look_takes_no_slot() -> None:
    assert play(KEPT, Busy(), Waited(), Busy(), Waited(), Found()) == [
        *(Look(), AwaitOwner(), Look(), AwaitOwner(), Look(), Finish("cached"))
    ]


def test_a_commit_that_breaks_is_aborted_and_fails() -> None:
    full = OSError(28, "No space left on device")
    events: tuple[Event, ...] = (Returned(), Done(), Broke(full), Done())
    assert play(KEPT, *CALLED, *events)[5:] == [Commit(), Abort(), Fail(full)]


def test_an_abort_that_breaks_hides_nothing() -> None:
    disk = OSError(5, "Input/output error")
    assert play(KEPT, *CALLED, Raised(GONE, 0.0), Done(), Broke(disk))[-1] == Fail(GONE)


def test_a_look_or_claim_that_breaks_fails() -> None:
    disk = OSError(5, "Input/output error")
    assert play(KEPT, Broke(disk)) == [Look(), Fail(disk)]
    assert play(KEPT, Missing(), Acquired(), Broke(disk), Done())[-2:] == [Release(unused=True), Fail(disk)]


def test_only_an_exception_is_an_event() -> None:
    """By the types; drivers re-raise anything else. So a wide `skip` in the engine can't match it."""
    assert not issubclass(asyncio.CancelledError, Exception)
    assert all(not issubclass(event, BaseException) for event in EVENTS)
