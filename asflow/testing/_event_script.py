"""The events that `check_sink` emits: every sequence that asflow can produce."""

from __future__ import annotations

from asyncio import CancelledError
from itertools import count
from typing import TYPE_CHECKING, TypedDict

from asflow.events import (
    FlowFinished,
    FlowStarted,
    Tally,
    TaskFinished,
    TaskProgressed,
    TaskQueued,
    TaskRetrying,
    TaskStarted,
    TaskWaiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow.events import Event, FlowOutcome, Outcome, WaitReason

_LABELS = ("", "'x'", "1, lang='en'", "'\\x1b[31m [bold] \\n'", "'日本語'", "x" * 500)
_OUTCOMES: tuple[Outcome, ...] = (
    "completed", "cached", "skipped", "suppressed", "failed", "cancelled",
)  # fmt: skip


_RUN, _NOON = "0123456789abcdef" * 2, 1_800_000_000.0


class _AwkwardError(Exception):
    """An error whose `str` raises."""

    def __str__(self) -> str:
        raise ValueError("no text")


class _Unprintable:
    """An argument whose `repr` raises."""

    def __repr__(self) -> str:
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
    # How a call ends that its flow did not wait for is not reported.
    yield from _beginning(next(ids), flow_id, "late", parent_id=None)
    yield _flow_finished(flow_id, "pipeline", "completed", None)
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
            yield from _waits(call_id, where, "unstarted")
            yield _finished(call_id, where, "unstarted", outcome, error, attempts=0)


def _nested(ids: Iterator[int], flow_id: int) -> Iterable[Event]:
    """A call within a call, and a flow within a flow."""
    inner, outer_call = next(ids), next(ids)
    yield from _beginning(outer_call, flow_id, "outer", parent_id=None)
    yield from _call(next(ids), flow_id, "completed", "inner", parent_id=outer_call)
    tallies = {"work": Tally("work")}
    yield _flow_started(
        inner, "part", parent_id=flow_id, parent_call_id=outer_call, tallies=tallies, progress=True
    )
    yield from _call(next(ids), inner, "completed", "innermost")
    yield _flow_finished(inner, "part", "completed", None, parent_id=flow_id, parent_call_id=outer_call)
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
    parent_call_id: int | None = None,
) -> Event:
    return FlowStarted(
        run_id=_RUN,
        flow_id=flow_id,
        flow=flow,
        qualname=f"script.{flow}",
        label=label,
        arguments={"first": label},
        parent_id=parent_id,
        parent_call_id=parent_call_id,
        progress=progress,
        tallies=tallies,
        time=_NOON,
        at=0.0,
    )


def _flow_finished(
    flow_id: int,
    flow: str,
    outcome: FlowOutcome,
    error: BaseException | None,
    parent_id: int | None = None,
    parent_call_id: int | None = None,
) -> Event:
    return FlowFinished(
        run_id=_RUN,
        flow_id=flow_id,
        flow=flow,
        qualname=f"script.{flow}",
        parent_id=parent_id,
        parent_call_id=parent_call_id,
        outcome=outcome,
        error=error,
        seconds=1.0,
        time=_NOON + 1.0,
        at=1.0,
    )


def _call(
    call_id: int, flow_id: int | None, outcome: Outcome, label: str, parent_id: int | None = None
) -> Iterable[Event]:
    """One call from start to end, with a retry unless it succeeds."""
    if outcome == "cached":
        yield _queued(call_id, flow_id, label, parent_id)
        yield _finished(call_id, flow_id, label, outcome, None, attempts=0)
        return
    yield from _beginning(call_id, flow_id, label, parent_id)
    if outcome == "completed":
        yield _finished(call_id, flow_id, label, outcome, None)
        return
    yield TaskRetrying(
        **_about(call_id, flow_id, label, parent_id),
        attempt=1,
        retry=1,
        wait_seconds=0.5,
        error=_AwkwardError(),
        time=_NOON + 0.2,
        at=0.2,
    )
    yield _started(call_id, flow_id, label, attempt=2)
    error = CancelledError() if outcome == "cancelled" else _AwkwardError()
    yield _finished(call_id, flow_id, label, outcome, error, attempts=2)


def _beginning(call_id: int, flow_id: int | None, label: str, parent_id: int | None) -> Iterable[Event]:
    yield _queued(call_id, flow_id, label, parent_id)
    yield _started(call_id, flow_id, label, attempt=1)
    for total in (None, 3.0):
        yield TaskProgressed(
            **_about(call_id, flow_id, label, parent_id),
            description=None if total else "pages [of many]",
            completed=1.5,
            total=total,
            time=_NOON + 0.1,
            at=0.1,
        )


class _About(TypedDict):
    run_id: str
    flow_id: int | None
    call_id: int
    parent_id: int | None
    task: str
    qualname: str
    label: str
    arguments: dict[str, object]


def _about(call_id: int, flow_id: int | None, label: str, parent_id: int | None = None) -> _About:
    return {
        "run_id": _RUN,
        "flow_id": flow_id,
        "call_id": call_id,
        "parent_id": parent_id,
        "task": "work",
        "qualname": "script.work",
        "label": label,
        "arguments": {"first": label, "odd": _Unprintable()},
    }


def _queued(call_id: int, flow_id: int | None, label: str, parent_id: int | None) -> Event:
    total = None if flow_id is None or parent_id is not None else 6
    return TaskQueued(**_about(call_id, flow_id, label, parent_id), total=total, time=_NOON, at=0.0)


def _waits(call_id: int, flow_id: int | None, label: str) -> Iterable[Event]:
    waits: tuple[tuple[WaitReason, str | None], ...] = (
        ("slot", None),
        ("rate", None),
        ("owner", None),
        ("owner", "process 7 \x1b[31m[bold]"),
    )
    for reason, owner in waits:
        yield TaskWaiting(
            **_about(call_id, flow_id, label),
            reason=reason,
            owner=owner,
            waited_seconds=1.0,
            time=_NOON + 1.0,
            at=1.0,
        )


def _started(call_id: int, flow_id: int | None, label: str, attempt: int) -> Event:
    began = 0.7 * (attempt - 1)
    return TaskStarted(**_about(call_id, flow_id, label), attempt=attempt, time=_NOON + began, at=began)


def _finished(
    call_id: int,
    flow_id: int | None,
    label: str,
    outcome: Outcome,
    error: BaseException | None,
    attempts: int = 1,
) -> Event:
    published = outcome == "completed" and flow_id is None
    return TaskFinished(
        **_about(call_id, flow_id, label),
        outcome=outcome,
        error=error,
        attempts=attempts,
        seconds=0.3 * attempts,
        waited_seconds=0.2,
        output="data/x.jsonl" if flow_id is None else None,
        size=1024 if published else None,
        records=3 if published else None,
        time=_NOON + 0.8,
        at=0.8,
    )
