"""The events that `check_sink` emits: every sequence that asflow can produce."""

from __future__ import annotations

from asyncio import CancelledError
from itertools import count
from typing import TYPE_CHECKING

from asflow.events import (
    FlowFinished,
    FlowStarted,
    Tally,
    TaskFinished,
    TaskProgressed,
    TaskQueued,
    TaskRetrying,
    TaskStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow.events import Event, FlowOutcome, Outcome

_LABELS = ("", "'x'", "1, lang='en'", "'\\x1b[31m [bold] \\n'", "'日本語'", "x" * 500)
_OUTCOMES: tuple[Outcome, ...] = (
    "completed", "cached", "skipped", "suppressed", "failed", "cancelled",
)  # fmt: skip


class _AwkwardError(Exception):
    """An error whose `str` raises."""

    def __str__(self) -> str:
        raise ValueError("no text")


def event_script(first_id: int) -> Iterable[Event]:
    """Yield the events of a few flows; fewer than 1,000 ids are used, from *first_id* on."""
    ids = count(first_id)
    flow_id = next(ids)
    tallies: dict[str, Tally] = {}
    yield _flow_started(flow_id, "pipeline", tallies=tallies, progress=True)
    tallies["work"] = Tally("work")
    for outcome, label in zip(_OUTCOMES, _LABELS, strict=True):
        for where in (flow_id, None):
            yield from _call(next(ids), where, outcome, label)
    yield from _unstarted(ids, flow_id)
    yield from _nested(ids, flow_id)
    # A call that is not awaited outlives its flow, and so do the calls in its body.
    late = next(ids)
    yield from _beginning(late, flow_id, "late", parent_id=None)
    yield _flow_finished(flow_id, "pipeline", "completed", None)
    yield from _call(next(ids), flow_id, "completed", "later", parent_id=late)
    yield _finished(late, flow_id, "late", "completed", None)
    yield from _endings(ids)


def _unstarted(ids: Iterator[int], flow_id: int) -> Iterable[Event]:
    """Calls whose body never starts: an earlier failure is recorded, or they are cancelled."""
    endings: tuple[tuple[Outcome, BaseException | None], ...] = (
        ("suppressed", None),
        ("cancelled", CancelledError()),
    )
    for outcome, error in endings:
        for where in (flow_id, None):
            call_id = next(ids)
            yield _queued(call_id, where, "unstarted", parent_id=None)
            yield _finished(call_id, where, "unstarted", outcome, error)


def _nested(ids: Iterator[int], flow_id: int) -> Iterable[Event]:
    """A call within a call, and a flow within a flow."""
    inner, outer_call = next(ids), next(ids)
    yield from _beginning(outer_call, flow_id, "outer", parent_id=None)
    yield from _call(next(ids), flow_id, "completed", "inner", parent_id=outer_call)
    yield _flow_started(inner, "part", parent_id=flow_id, tallies={"work": Tally("work")}, progress=True)
    yield from _call(next(ids), inner, "completed", "innermost", parent_id=outer_call)
    yield _flow_finished(inner, "part", "completed", None)
    yield _finished(outer_call, flow_id, "outer", "completed", None)


def _endings(ids: Iterator[int]) -> Iterable[Event]:
    """Flows that end in every other way."""
    endings: tuple[tuple[FlowOutcome, BaseException], ...] = (
        ("failed", ValueError("a\nb")),
        ("failed", _AwkwardError()),
        ("cancelled", CancelledError()),
    )
    for outcome, error in endings:
        flow_id = next(ids)
        yield _flow_started(flow_id, "", label="1", tallies={}, progress=False)
        yield _flow_finished(flow_id, "", outcome, error)


def _flow_started(
    flow_id: int,
    flow: str,
    *,
    tallies: dict[str, Tally],
    progress: bool,
    label: str = "",
    parent_id: int | None = None,
) -> Event:
    return FlowStarted(
        flow_id=flow_id,
        flow=flow,
        label=label,
        parent_id=parent_id,
        progress=progress,
        tallies=tallies,
        at=0.0,
    )


def _flow_finished(flow_id: int, flow: str, outcome: FlowOutcome, error: BaseException | None) -> Event:
    return FlowFinished(flow_id=flow_id, flow=flow, outcome=outcome, error=error, seconds=1.0, at=1.0)


def _call(
    call_id: int, flow_id: int | None, outcome: Outcome, label: str, parent_id: int | None = None
) -> Iterable[Event]:
    """One call from start to end, with a retry unless it succeeds."""
    if outcome == "cached":
        yield _queued(call_id, flow_id, label, parent_id)
    else:
        yield from _beginning(call_id, flow_id, label, parent_id)
    if outcome in {"completed", "cached"}:
        yield _finished(call_id, flow_id, label, outcome, None)
        return
    yield TaskRetrying(
        call_id=call_id,
        flow_id=flow_id,
        task="work",
        label=label,
        retry=1,
        wait_seconds=0.5,
        error=_AwkwardError(),
        at=0.2,
    )
    yield _started(call_id, flow_id, label, attempt=2)
    error = CancelledError() if outcome == "cancelled" else _AwkwardError()
    yield _finished(call_id, flow_id, label, outcome, error)


def _beginning(call_id: int, flow_id: int | None, label: str, parent_id: int | None) -> Iterable[Event]:
    yield _queued(call_id, flow_id, label, parent_id)
    yield _started(call_id, flow_id, label, attempt=1)
    for total in (None, 3.0):
        yield TaskProgressed(
            call_id=call_id,
            flow_id=flow_id,
            task="work",
            description=None if total else "pages [of many]",
            completed=1.5,
            total=total,
            at=0.1,
        )


def _queued(call_id: int, flow_id: int | None, label: str, parent_id: int | None) -> Event:
    return TaskQueued(
        call_id=call_id,
        flow_id=flow_id,
        task="work",
        label=label,
        parent_id=parent_id,
        total=None if flow_id is None or parent_id is not None else 6,
        at=0.0,
    )


def _started(call_id: int, flow_id: int | None, label: str, attempt: int) -> Event:
    return TaskStarted(
        call_id=call_id, flow_id=flow_id, task="work", label=label, attempt=attempt, at=0.7 * (attempt - 1)
    )


def _finished(
    call_id: int, flow_id: int | None, label: str, outcome: Outcome, error: BaseException | None
) -> Event:
    return TaskFinished(
        call_id=call_id,
        flow_id=flow_id,
        task="work",
        label=label,
        outcome=outcome,
        error=error,
        seconds=0.8,
        output="data/x.jsonl" if flow_id is None else None,
        at=0.8,
    )
