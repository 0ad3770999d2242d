"""`flow.run.report()`: what a flow's run came to, as data."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from asflow import Flow, FlowRun, Retry
from asflow.errors import CallsFailedError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink, fake_clock

if TYPE_CHECKING:
    from pathlib import Path

    from asflow import ProgressSink


@pytest.mark.parametrize("make_sink", [NullSink, RecordingSink])
def test_counts_and_problems_in_order(tmp_path: Path, make_sink: type[ProgressSink]) -> None:
    """Whether the sink hears of each call or none, the report is the same; it can be asked for afterwards."""
    flow = Flow(tmp_path, sink=make_sink())
    runs: list[FlowRun] = []

    @flow.task(
        on="data/{number}.txt", skip=KeyError, suppress=ValueError, retry=Retry(1, exceptions=(KeyError,))
    )
    async def make(number: int, *, text: str = "") -> None:
        if number == 1:
            raise KeyError(number)
        if number == 2:
            raise ValueError("gone")
        flow.task.write(text)

    @flow.task
    def check(number: int) -> float:
        return 1 / number

    @flow
    async def pipeline(days: int) -> None:
        assert flow.run is not None
        runs.append(flow.run)
        for number in range(days):
            await make(number, text="x")
        with pytest.raises(ZeroDivisionError):
            check(0)
        check(2)

    with fake_clock():
        asyncio.run(pipeline(4))
        asyncio.run(pipeline(4))
    first, second = (run.report() for run in runs)
    assert (first.flow, first.label) == ("pipeline", "4")
    make_report, check_report = first.tasks
    assert make_report.task.endswith("make")
    assert (make_report.calls, make_report.completed, make_report.skipped) == (4, 2, 1)
    assert (make_report.suppressed, make_report.retries, make_report.cached) == (1, 1, 0)
    assert (check_report.completed, check_report.failed) == (1, 1)
    assert make_report.seconds >= make_report.slowest >= 0
    assert [problem.outcome for problem in first.problems] == ["skipped", "suppressed", "failed"]
    suppressed = first.problems[1]
    assert (suppressed.args, suppressed.kwargs) == ((2,), {"text": "x"})
    assert suppressed.error is not None
    assert suppressed.error.endswith(": gone")
    assert suppressed.error.startswith(str(suppressed.error_type))
    assert suppressed.output is not None
    assert suppressed.output.endswith("data/2.txt")
    assert second.tasks[0].cached == 2
    assert [(p.outcome, p.error is None) for p in second.problems[:2]] == [
        ("skipped", False),
        ("suppressed", True),
    ]

    document = json.loads(first.to_json())
    assert [task["calls"] for task in document["tasks"]] == [4, 2]
    assert document["problems"][1]["error"] == "ValueError: gone"
    console = Console(file=io.StringIO(), width=120)
    console.print(first)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "suppressed: " in shown
    assert "ValueError: gone" in str(first)


def test_problems_are_bounded() -> None:
    """The first 1,000 are kept; of the rest only the number, so that memory stays flat."""
    flow = Flow(sink=NullSink())
    runs: list[FlowRun] = []

    @flow.task(skip=KeyError)
    def fail(number: int) -> None:
        raise KeyError(number)

    @flow
    def pipeline() -> None:
        assert flow.run is not None
        runs.append(flow.run)
        for number in range(1200):
            fail(number)

    pipeline()
    report = runs[0].report()
    assert len(report.problems) == 1000
    assert report.problems_left_out == 200
    assert report.tasks[0].skipped == 1200


class WordlessError(Exception):
    """An error that can't even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no [/items] in [red]page"), "ValueError: no [/items] in [red]page"),
        (ValueError("half \ud800"), "ValueError: half \\ud800"),
        (WordlessError(), "WordlessError"),
    ],
)
def test_whatever_an_error_says_can_be_shown(error: Exception, line: str) -> None:
    """Square brackets are no markup, and a text that is no UTF-8, or none at all, stops no report."""
    flow = Flow(sink=NullSink())

    @flow.task(skip=Exception)
    def fail(what: Exception) -> None:
        raise what

    @flow
    def pipeline(paths: list[str]) -> FlowRun | None:
        fail(error)
        return flow.run

    run = pipeline(["[/a]"])
    assert run is not None
    report = run.report()
    assert str(report).endswith(line)
    assert json.loads(report.to_json())["problems"][0]["error"] == line
    console = Console(file=io.StringIO(), width=120)
    console.print(report)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert line in shown
    assert "pipeline(['[/a]']) in" in shown


def test_a_report_groups_what_went_wrong_and_raises(tmp_path: Path) -> None:
    """Exact counts, the first five by name, those of called flows too; one line makes a script fail."""
    flow = Flow(tmp_path, sink=NullSink())
    runs: list[FlowRun] = []

    @flow.task(skip=KeyError, suppress=OSError, on="{number}.txt")
    def fetch(number: int) -> None:
        if number % 2:
            raise ValueError("odd \x1b[2J number")
        if number == 4:
            raise KeyError("rows")
        if number == 6:
            raise FileNotFoundError("gone")
        flow.task.write("x")

    @flow
    def part() -> None:
        list(flow.task.map(fetch, range(15), on_error="collect"))

    @flow
    def whole() -> None:
        assert flow.run is not None
        runs.append(flow.run)
        part()

    whole()
    report = runs[0].report()
    groups = {(group.outcome, group.error_type): group for group in report.groups}
    assert {key: group.count for key, group in groups.items()} == {
        ("failed", "ValueError"): 7,
        ("skipped", "KeyError"): 1,
        ("suppressed", "FileNotFoundError"): 1,
    }
    assert next(iter(groups)) == ("failed", "ValueError")
    assert len(groups["failed", "ValueError"].calls) == 5
    assert groups["skipped", "KeyError"].calls[0] == ("4", "'rows'")
    text = str(report)
    assert "fetch() failed, 7 ValueError" in text.replace(
        "test_a_report_groups_what_went_wrong_and_raises.", ""
    )
    assert "odd  [2J number" in text
    assert "… and 2 more" in text
    assert f"asflow errors {tmp_path} lists" in text
    assert "\x1b" not in text
    with pytest.raises(CallsFailedError, match=r"^flow whole\(\): 7 calls failed; see .*\n  .*7 ValueError"):
        report.raise_failed()


def test_a_report_without_failed_calls_raises_nothing() -> None:
    flow = Flow(sink=NullSink())

    @flow.task(skip=KeyError)
    def fetch() -> None:
        raise KeyError

    @flow
    def main() -> FlowRun | None:
        fetch()
        return flow.run

    run = main()
    assert run is not None
    run.report().raise_failed()
    assert [group.count for group in run.report().groups] == [1]


def test_groups_are_bounded() -> None:
    """Twenty kinds of problems are kept, of the others the number."""
    flow = Flow(sink=NullSink())

    @flow.task(skip=Exception)
    def fail(number: int) -> None:
        raise type(f"Kind{number}Error", (Exception,), {})

    @flow
    def main() -> FlowRun | None:
        for number in range(25):
            fail(number)
        return flow.run

    run = main()
    assert run is not None
    report = run.report()
    assert (len(report.groups), report.groups_left_out) == (20, 5)
    assert str(report).endswith("… and 5 more calls of other kinds")
