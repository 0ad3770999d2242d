"""The transition table in the docstring of `lifecycle`: parsed, and every row checked against `step`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple, get_args

import pytest
from support.scripts import BadError, GoneError, OtherError

from asflow._engine import lifecycle
from asflow._engine import vocabulary as words
from asflow._engine.lifecycle import Phase, State, step
from asflow._engine.policy import Retry, TaskPolicy
from asflow.errors import EngineError

# ------------------------------------------------------------------ reading it


class Row(NamedTuple):
    """One row: in *phase*, one of *events* leads to *then* if *condition* holds."""

    phase: str
    events: tuple[str, ...]
    condition: str
    then: str


def read_table(docstring: str) -> list[Row]:
    """Return the rows; an empty cell of phase or event is that of the row above."""
    lines = docstring.splitlines()
    ruler = next(index for index, line in enumerate(lines) if line.strip().startswith("---"))
    starts = [column.start() for column in re.finditer("-+", lines[ruler])]
    rows: list[Row] = []
    phase = events = ""
    for line in lines[ruler + 1 :]:
        if not line.strip():
            break
        cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        if line.strip().startswith("any other pair"):
            assert line.endswith("raise EngineError")
            continue
        phase, events = cells[0] or phase, cells[1] or ("" if cells[0] else events)
        rows.append(Row(phase, tuple(events.split(", ")), cells[2], cells[3]))
    return rows


TABLE = read_table(lifecycle.__doc__ or "")


# ------------------------------------------------------------------ what its phrases mean


class Case(NamedTuple):
    """One state of one task, and what happens then."""

    policy: TaskPolicy
    state: State
    event: words.Event


def error_of(case: Case) -> Exception:
    assert isinstance(case.event, (words.Raised, words.Broke, words.Unchanged))
    return case.event.error


def is_retried(case: Case) -> bool:
    retry = case.policy.retry
    return retry is not None and case.state.attempt <= retry.total and retry.matches(error_of(case))


CONDITIONS: dict[str, Callable[[Case], bool]] = {
    "": lambda case: True,
    "otherwise": lambda case: True,
    "the task has an output": lambda case: case.policy.persistent,
    "its value is kept": lambda case: case.policy.saved,
    "listed in suppress": lambda case: isinstance(error_of(case), case.policy.suppress),
    "listed in skip": lambda case: isinstance(error_of(case), case.policy.skip),
    "to be retried": is_retried,
    "to be retried, by `delay`": lambda case: (
        is_retried(case) and case.policy.retry is not None and case.policy.retry.delay is not None
    ),
    "the action was Abort": lambda case: isinstance(case.state.closing, words.Abort),
}


def action_of(word: str, case: Case) -> words.Action:
    """Return the action that *word* names, with what it carries."""
    name, _, outcome = word.rstrip(")").partition("(")
    retry, event, ending = case.policy.retry, case.event, case.state.ending
    match name, event:
        case "Finish", words.Raised(error):
            return words.Finish(outcome, error)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        case "Finish", _:
            return words.Finish(outcome)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        case "Call", _:
            return words.Call(case.state.attempt + 1)
        case "AskDelay", words.Raised(error, draw):
            assert retry is not None
            return words.AskDelay(error, case.state.attempt, retry.backoff(case.state.attempt, draw))
        case "Wait", words.Raised(error, draw):
            assert retry is not None
            return words.Wait(retry.backoff(case.state.attempt, draw), case.state.attempt, error)
        case "Wait", words.Delayed(seconds):
            assert isinstance(ending, words.AskDelay)
            return words.Wait(ending.otherwise if seconds is None else seconds, ending.retry, ending.error)
        case "Fail" | "RecordFailure" | "Renew", _:
            kinds: dict[str, type[words.Fail | words.RecordFailure | words.Renew]] = {
                "Fail": words.Fail,
                "RecordFailure": words.RecordFailure,
                "Renew": words.Renew,
            }
            return kinds[name](error_of(case))
        case _:
            action = getattr(words, name)()
            assert isinstance(action, words.Action)
            return action


def actions_of(then: str, case: Case) -> list[words.Action]:
    """Return what *then* asks for, if every action up to the last is answered by `Done`."""
    policy, state = case.policy, case.state
    if then == "start an attempt":
        first = "Acquire" if policy.limited else "Claim" if policy.persistent else "Call"
        return [action_of(first, case)]
    if then == "continue winding down":
        assert state.ending is not None
        closing = state.closing if state.phase == "releasing" else None
        return [state.ending] if closing is None else [closing, state.ending]
    if then.startswith("back out"):
        end = action_of(then.removeprefix("back out to "), case)
        return [words.Release(unused=True), end] if policy.limited else [end]
    if then.startswith("wind down"):
        phrase = re.fullmatch(r"wind down(?: with (\w+))? to (\S+)", then)
        assert phrase is not None, then
        closing_word = phrase[1] if policy.persistent else None
        named = ["Release" if policy.limited else None, closing_word, phrase[2]]
        return [action_of(word, case) for word in named if word]
    return [action_of(word, case) for word in then.split(", then ")]


# ------------------------------------------------------------------ every case

GONE, OTHER = GoneError("gone"), OtherError("other")

POLICIES = [
    TaskPolicy(
        persistent=kept > 0, saved=kept > 1, limited=limited, skip=skip, suppress=suppress, retry=retry
    )
    for kept, limited, skip, suppress, retry in product(
        (0, 1, 2),
        (False, True),
        ((), (BadError,)),
        ((), (BadError,)),
        (None, Retry(1), Retry(1, delay=lambda error, n: None), Retry(2, exceptions=BadError)),
    )
]

CLOSINGS: tuple[words.Closing, ...] = (
    words.Commit(),
    words.Abort(),
    words.RecordFailure(GONE),
    words.Renew(GONE),
)
ENDINGS: tuple[words.Ending, ...] = (
    *(words.Finish("completed"), words.Fail(GONE), words.Wait(1.5, 1, GONE), words.AwaitOwner()),
    *(words.AskDelay(GONE, 1, 1.5), words.Recall()),
)
EVENTS: tuple[words.Event, ...] = (
    *(words.Started(), words.Found(), words.Stale(), words.FoundFailure(), words.Missing()),
    words.Recalled(),
    *(words.Acquired(), words.Claimed(), words.Busy(), words.Returned()),
    *(words.Raised(GONE, 0.25), words.Raised(OTHER, 0.25), words.Delayed(None), words.Delayed(0.0)),
    words.Unchanged(OTHER),
    *(words.Waited(), words.Done(), words.Broke(OTHER)),
)

PHASE_AFTER: dict[type[object], Phase] = {
    words.Look: "looking",
    words.Acquire: "queued",
    words.Claim: "claiming",
    words.Call: "calling",
    words.Release: "releasing",
    words.Commit: "closing",
    words.Abort: "closing",
    words.RecordFailure: "closing",
    words.Renew: "closing",
    words.AskDelay: "asking",
    words.Wait: "waiting",
    words.AwaitOwner: "watching",
    words.Recall: "recalling",
    words.Finish: "done",
    words.Fail: "done",
}


def states(phase: Phase) -> Iterator[State]:
    """Yield the states of *phase* that a call can be in."""
    match phase:
        case "new":
            yield State("new")
        case "calling":
            yield from (State("calling", attempt) for attempt in (1, 2, 3))
        case "releasing":
            yield from (State(phase, 1, closing, end) for closing in (None, *CLOSINGS) for end in ENDINGS)
        case "closing":
            yield from (State(phase, 1, closing, end) for closing in CLOSINGS for end in ENDINGS)
        case "asking":
            yield State("asking", 1, None, words.AskDelay(GONE, 1, 1.5))
        case _:
            yield from (State(phase, attempt) for attempt in (0, 1, 2))


def cases(phase: Phase) -> Iterator[Case]:
    yield from (Case(*parts) for parts in product(POLICIES, states(phase), EVENTS))


def row_for(case: Case) -> Row | None:
    """Return the first row that fits *case*."""
    for row in TABLE:
        named = row.phase == case.state.phase and type(case.event).__name__ in row.events
        if named and CONDITIONS[row.condition](case):
            return row
    return None


@pytest.mark.parametrize("phase", get_args(Phase))
def test_step_does_what_the_table_says(phase: Phase) -> None:
    """For every policy, state and event: the actions of the first row that fits, or an EngineError."""
    used: set[Row] = set()
    for case in cases(phase):
        row = row_for(case)
        if row is None:
            with pytest.raises(EngineError):
                step(*case)
            continue
        used.add(row)
        state, event = case.state, case.event
        for wanted in actions_of(row.then, case):
            state, action = step(case.policy, state, event)
            assert action == wanted, (row, case)
            assert state.phase == PHASE_AFTER[type(action)], (row, case)
            event = words.Done()
    unused = [row for row in TABLE if row.phase == phase and row not in used]
    assert unused == []


def test_the_table_knows_only_phases_events_and_actions_that_exist() -> None:
    """A call starts in the first phase and has no event left in "done"; any other phase has a row."""
    events = {event.__name__ for event in get_args(words.Event)}
    actions = {action.__name__ for action in get_args(words.Action)}
    assert {row.phase for row in TABLE} == set(get_args(Phase)) - {"done"}
    assert {event for row in TABLE for event in row.events} == events
    assert {type(event).__name__ for event in EVENTS} == events
    assert {action.__name__ for action in PHASE_AFTER} == actions
    named = {word for row in TABLE for word in re.findall("[A-Z][A-Za-z]+", row.then)}
    assert named | {"Acquire", "Release"} == actions
    assert {row.condition for row in TABLE} == CONDITIONS.keys()
