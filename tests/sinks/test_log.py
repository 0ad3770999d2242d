"""`LogSink`: each event is a log record with the event's fields on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Retry
from asflow.sinks import LogSink

if TYPE_CHECKING:
    from pathlib import Path


class Keeper(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)
        self.records.append(record)

    def of(self, kind: str) -> list[Any]:
        return [record for record in self.records if record.asflow_kind == kind]


@pytest.fixture
def kept() -> Keeper:
    """What reaches the logger `test.log`, on every level."""
    logger = logging.getLogger("test.log")
    keeper = Keeper()
    logger.handlers, logger.propagate = [keeper], False
    logger.setLevel(logging.DEBUG)
    return keeper


def run(base: Path) -> None:
    """Run a flow in which everything that can happen happens."""
    flow = Flow(base, sink=LogSink("test.log"))

    @flow.task(on="{n}.txt", suppress=LookupError, skip=OSError, retry=Retry(total=1, backoff_factor=0,
               backoff_jitter=0), retry_exceptions=EOFError)  # fmt: skip
    def fetch(n: int) -> None:
        with flow.task.progress(total=4) as progress:
            progress.advance(1)
        if n == 1:
            raise LookupError("gone")
        if n == 2:
            raise OSError("busy")
        if n == 3:
            raise EOFError("cut\nshort")

    @flow
    def main(what: str) -> None:
        for n in (0, 0, 1, 1, 2):
            fetch(n)
        with pytest.raises(EOFError):
            fetch(3)

    main("all")


def test_every_outcome_has_its_level_and_line(tmp_path: Path, kept: Keeper) -> None:
    run(tmp_path)
    finished = [
        (record.levelname, record.asflow_outcome, record.getMessage().partition(" after ")[0])
        for record in kept.of("task_finished")
    ]
    assert finished[0][:2] == ("INFO", "completed")
    assert finished[0][2].startswith("Task fetch(0) finished in ")
    assert finished[1:] == [
        ("DEBUG", "cached", "Task fetch(0) already on disk"),
        ("WARNING", "suppressed", "Task fetch(1) suppressed"),
        ("DEBUG", "suppressed", "Task fetch(1) suppressed in an earlier run"),
        ("WARNING", "skipped", "Task fetch(2) skipped"),
        ("ERROR", "failed", "Task fetch(3) failed"),
    ]
    assert [record.levelname for record in kept.of("flow_started")] == ["INFO"]
    assert kept.of("flow_started")[0].getMessage() == "Flow main('all') started"
    assert kept.of("flow_finished")[0].getMessage().startswith("Flow main('all') completed in ")
    [retrying] = kept.of("task_retrying")
    assert (retrying.levelname, retrying.asflow_retry) == ("WARNING", 1)
    assert retrying.getMessage() == "Task fetch(3) raised EOFError, again in 0.00s"
    assert kept.of("task_progressed")[1].getMessage() == "Task fetch at 1 of 4"
    assert {record.levelname for record in kept.of("task_queued") + kept.of("task_started")} == {"DEBUG"}


def test_records_carry_the_fields_of_their_events(tmp_path: Path, kept: Keeper) -> None:
    run(tmp_path)
    flow_id = kept.of("flow_started")[0].asflow_flow_id
    failed = kept.of("task_finished")[-1]
    assert (failed.asflow_task, failed.asflow_label, failed.asflow_flow_id) == ("fetch", "3", flow_id)
    assert failed.asflow_error == "EOFError"
    assert failed.asflow_seconds >= 0
    assert failed.asflow_output.endswith("3.txt")
    assert not hasattr(failed, "asflow_at")
    assert failed.exc_info[0] is EOFError
    assert kept.of("task_finished")[0].asflow_error is None


def test_only_a_failure_shows_its_traceback(tmp_path: Path, kept: Keeper) -> None:
    run(tmp_path)
    assert [record.asflow_label for record in kept.records if record.exc_info] == ["3"]


def test_levels_that_are_off_cost_no_record(tmp_path: Path, kept: Keeper) -> None:
    logging.getLogger("test.log").setLevel(logging.WARNING)
    run(tmp_path)
    assert [record.asflow_kind for record in kept.records] == [
        *("task_finished", "task_finished", "task_retrying", "task_finished", "flow_finished"),
    ]


def test_the_last_record_counts_and_names_what_went_wrong(tmp_path: Path, kept: Keeper) -> None:
    """Its level is that of the worst: a flow in which a call failed is an error though it returned."""
    run(tmp_path)
    [last] = kept.of("flow_finished")
    assert (last.levelname, last.asflow_outcome) == ("ERROR", "completed")
    first, *problems = last.getMessage().splitlines()
    assert first.endswith(": 1 done, 1 on disk, 1 skipped, 2 suppressed, 1 failed, 1 retry")
    assert [line.strip() for line in problems] == last.asflow_problems
    assert last.asflow_problems[0] == "fetch(3) failed: EOFError: cut short"
    assert "fetch(1) suppressed in an earlier run" in last.asflow_problems
    assert (last.asflow_counts["failed"], last.asflow_counts["completed"]) == (1, 1)


def test_a_flow_that_fails_is_an_error_with_its_traceback(kept: Keeper) -> None:
    flow = Flow(sink=LogSink(logging.getLogger("test.log")))

    @flow
    def main() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        main()
    record = kept.records[-1]
    assert (record.levelname, record.asflow_outcome, record.asflow_error) == ("ERROR", "failed", "ValueError")
    assert record.exc_info[0] is ValueError
