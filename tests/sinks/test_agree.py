"""All sinks that people read say the same of one run: how many calls ended how, which went wrong, and why."""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from asflow import Flow
from asflow.sinks import LineSink, LogSink, RichSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asflow.protocols import ProgressSink

COUNTS = "2 done, 1 skipped, 1 suppressed, 7 failed"
PROBLEMS = """
fetch() failed, 7 ValueError
  3, 4, 5, 6, 7: 503 Service Unavailable
  … and 2 more
fetch(2) skipped: KeyError: 'rows'
fetch(1) suppressed: TimeoutError: no such day
asflow errors DATA lists what was suppressed
""".strip()


def lines(stream: io.StringIO) -> ProgressSink:
    return LineSink(stream)


def terminal(stream: io.StringIO) -> ProgressSink:
    return RichSink(console=Console(file=stream, width=400, force_terminal=True))


def pipe(stream: io.StringIO) -> ProgressSink:
    return RichSink(console=Console(file=stream, width=400))


def log(stream: io.StringIO) -> ProgressSink:
    logger = logging.Logger("agree", logging.INFO)
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: getattr(record, "asflow_kind", "") == "flow_finished")
    logger.addHandler(handler)
    return LogSink(logger)


@pytest.mark.parametrize("make", [lines, terminal, pipe, log])
def test_counts_and_problems(tmp_path: Path, make: Callable[[io.StringIO], ProgressSink]) -> None:
    stream = io.StringIO()
    flow = Flow(tmp_path, sink=make(stream))

    @flow.task(on="{number}.txt", skip=KeyError, suppress=TimeoutError, limit=1)
    def fetch(number: int) -> None:
        if number == 2:
            raise KeyError("rows")
        if number == 1:
            raise TimeoutError("no such day")
        if 2 < number < 10:
            raise ValueError("503 Service Unavailable")

    @flow
    def archive() -> int:
        failed = 0
        for number in range(11):
            try:
                fetch(number)
            except ValueError:
                failed += 1
        return failed

    assert archive() == 7
    said = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", stream.getvalue())
    assert COUNTS in " ".join(said.split())
    shown = [line.strip() for line in said.splitlines()]
    expected = [line.strip() for line in PROBLEMS.replace("DATA", str(tmp_path)).splitlines()]
    start = shown.index(expected[0])
    assert shown[start : start + len(expected)] == expected
