"""The rows that `HistorySink` writes, `asflow history` and `asflow report` read: one flat schema."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["start", "call", "flow"]


class Row(Struct, kw_only=True):
    """A row. None: the column does not apply; but not in the first row, since readers infer types from it."""

    kind: Kind
    run_id: str
    flow_id: int
    parent_id: int | None = None
    call_id: int | None = None
    flow: str
    task: str | None = None
    label: str
    arguments: str | None = None
    started: float
    ended: float | None = None
    outcome: str | None = None
    error_type: str | None = None
    error: str | None = None
    attempts: int | None = None
    seconds: float | None = None
    waited_seconds: float | None = None
    output: str | None = None
    size: int | None = None
    records: int | None = None
    calls: int | None = None
    completed: int | None = None
    cached: int | None = None
    skipped: int | None = None
    suppressed: int | None = None
    failed: int | None = None
    cancelled: int | None = None
    retries: int | None = None


def first_row(run_id: str, flow_id: int, flow: str, label: str, arguments: str, started: float) -> Row:
    """Return the row of a run that begins: zeros and empty texts where there is nothing to say yet."""
    return Row(
        kind="start",
        run_id=run_id,
        flow_id=flow_id,
        parent_id=0,
        call_id=0,
        flow=flow,
        task="",
        label=label,
        arguments=arguments,
        started=started,
        ended=0.0,
        outcome="",
        error_type="",
        error="",
        attempts=0,
        seconds=0.0,
        waited_seconds=0.0,
        output="",
        size=0,
        records=0,
        calls=0,
        completed=0,
        cached=0,
        skipped=0,
        suppressed=0,
        failed=0,
        cancelled=0,
        retries=0,
    )
