"""Events as structlog's pairs."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from asflow import Flow
from asflow.errors import MissingExtraError
from asflow.sinks import StructlogSink
from asflow.testing import check_sink

structlog: Any = pytest.importorskip("structlog")


def run(sink: StructlogSink) -> None:
    flow = Flow(sink=sink)

    @flow.task(skip=LookupError)
    def work(name: str) -> None:
        if name == "b":
            raise LookupError("why\x1b[31m")
        if name == "c":
            raise ValueError(name)

    @flow
    def pipeline() -> None:
        for name in "abc":
            work(name)

    with pytest.raises(ValueError, match="c"):
        pipeline()


def test_the_kit_finds_no_fault() -> None:
    with structlog.testing.capture_logs():
        check_sink(StructlogSink)


def test_kinds_levels_and_fields() -> None:
    with structlog.testing.capture_logs() as lines:
        run(StructlogSink())
    assert lines[0]["event"] == "flow_started"
    assert lines[0]["log_level"] == "info"
    assert (lines[0]["flow"], lines[0]["run_id"]) == ("pipeline", lines[-1]["run_id"])
    ends = [line for line in lines if line["event"] == "task_finished"]
    assert [(line["outcome"], line["log_level"]) for line in ends] == [
        ("completed", "info"),
        ("skipped", "warning"),
        ("failed", "error"),
    ]
    assert [line.get("error") for line in ends] == [None, "LookupError", "ValueError"]
    assert isinstance(ends[2]["exc_info"], ValueError)
    assert "exc_info" not in ends[1]
    assert "tallies" not in lines[0]
    assert all(value is not None for line in lines for value in line.values())


def test_values_that_are_bound_come_with_each_line_and_json_can_hold_it() -> None:
    import io
    import json

    stream = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
    )
    run(StructlogSink(logger.bind(day="2026-01-01")))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {line["day"] for line in lines} == {"2026-01-01"}
    assert lines[-1]["exception"][0]["exc_type"] == "ValueError"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "structlog", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[structlog\]'"):
        StructlogSink()
