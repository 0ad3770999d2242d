"""The count of a call's attempts, with anything between two of them."""

import pytest

from asflow._engine.lifecycle import State, step
from asflow._engine.policy import Retry, TaskPolicy
from asflow._engine.vocabulary import (
    Abort,
    Acquired,
    Action,
    AskDelay,
    AwaitOwner,
    Broke,
    Busy,
    Call,
    Claimed,
    Commit,
    Delayed,
    Done,
    Event,
    Fail,
    Finish,
    Found,
    Look,
    Missing,
    Raised,
    Returned,
    Started,
    Wait,
    Waited,
)
from asflow.errors import EngineError

FAILED = OSError("failed")
OUTPUT = TaskPolicy(persistent=True, limited=False, retry=Retry(total=2, backoff_factor=1, backoff_jitter=0))
ASKED = TaskPolicy(limited=True, retry=Retry(total=2, delay=lambda error, n: None, backoff_jitter=0))


def play(policy: TaskPolicy, *events: Event) -> tuple[State, list[Action]]:
    """Send all *events* to a new call; return its state and every action."""
    state, actions = State("new"), list[Action]()
    for event in events:
        state, action = step(policy, state, event)
        actions.append(action)
    return state, actions


def test_waiting_for_another_owner_does_not_reset_the_count() -> None:
    """A retry that finds the output claimed continues the count once the owner is gone."""
    first = (Started(), Missing(), Claimed(), Raised(FAILED, 0.0), Done(), Waited())
    taken = (Busy(), Waited(), Missing(), Claimed())
    state, actions = play(OUTPUT, *first, *taken)
    assert state == State("calling", 2)
    assert actions[-4:-2] == [AwaitOwner(), Look()]
    assert actions[-1] == Call(2)

    state, actions = play(OUTPUT, *first, *taken, Raised(FAILED, 0.0), Done(), Waited(), Busy())
    assert actions[-3] == Wait(2.0, 2, FAILED)
    assert state == State("watching", 2)
    state, _ = step(OUTPUT, state, Waited())
    assert state == State("looking", 2)
    state, action = step(OUTPUT, state, Found())
    assert (state, action) == (State("done", 2), Finish("cached"))


def test_the_last_attempt_is_the_last_after_another_owner_too() -> None:
    again = (Busy(), Waited(), Missing(), Claimed(), Raised(FAILED, 0.0), Done())
    failing = (
        Started(),
        Missing(),
        Claimed(),
        Raised(FAILED, 0.0),
        Done(),
        Waited(),
        *again,
        Waited(),
        *again,
    )
    state, actions = play(OUTPUT, *failing)
    assert actions[-1] == Fail(FAILED)
    assert state == State("done", 3)


@pytest.mark.parametrize(("answer", "seconds"), [(None, (1.0, 2.0)), (7.0, (7.0, 7.0)), (0.0, (0.0, 0.0))])
def test_asking_for_a_delay_keeps_the_count(answer: float | None, seconds: tuple[float, float]) -> None:
    attempt = (Acquired(), Raised(FAILED, 0.0), Done())
    state, actions = play(ASKED, Started(), *attempt)
    assert state == State("asking", 1, None, AskDelay(FAILED, 1, 1.0))
    assert actions[-1] == AskDelay(FAILED, 1, 1.0)

    state, actions = play(ASKED, Started(), *attempt, Delayed(answer))
    assert actions[-1] == Wait(seconds[0], 1, FAILED)
    assert state == State("waiting", 1)

    again = (Delayed(answer), Waited(), *attempt)
    _, actions = play(ASKED, Started(), *attempt, *again, Delayed(answer))
    assert actions[-1] == Wait(seconds[1], 2, FAILED)
    state, actions = play(ASKED, Started(), *attempt, *again, *again)
    assert actions[-1] == Fail(FAILED)
    assert state == State("done", 3)


def test_a_commit_that_fails_is_aborted_and_raised() -> None:
    disk = OSError("the disk is full")
    until = (Started(), Missing(), Claimed(), Returned())
    assert play(OUTPUT, *until)[1][-1] == Commit()
    state, actions = play(OUTPUT, *until, Broke(disk))
    assert state == State("closing", 1, Abort(), Fail(disk))
    assert actions[-1] == Abort()
    assert play(OUTPUT, *until, Broke(disk), Done()) == (State("done", 1), [*actions, Fail(disk)])


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State("asking", 1, None, AskDelay(FAILED, 1, 1.0)), Waited()),
        (State("closing", 1, Abort(), Fail(FAILED)), Waited()),
        (State("releasing", 1), Done()),
        (State("done", 1), Waited()),
    ],
)
def test_an_unexpected_event_is_shown_with_the_state(state: State, event: Event) -> None:
    with pytest.raises(EngineError) as caught:
        step(OUTPUT, state, event)
    assert f"can't take {event} in {state}" in str(caught.value)
