"""The wording of log lines and summaries, and the layout of the display as a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from support.drawing import examples

from asflow.events import FlowFinished, FlowStarted, RunningCall, Tally, TaskFinished
from asflow.sinks._live.layout import Layout
from asflow.sinks._live.model import Forest
from asflow.sinks._live.rows import rows_of
from asflow.sinks._words import Counts, clock, duration, flow_summary, plain, task_line, to_ascii

if TYPE_CHECKING:
    from asflow.events import FlowOutcome, Outcome


class Call(RunningCall):
    def __init__(self, text: str, completed: float = 0.0, total: float | None = None) -> None:
        self.text, self.completed, self.total = text, completed, total
        self.started, self.description, self.attempt = 0.0, None, 1

    @property
    def label(self) -> str:
        return self.text


def started(
    flow_id: int,
    tallies: dict[str, Tally],
    parent_id: int | None = None,
    flow: str = "transcripts",
    **changes: bool,
) -> FlowStarted:
    return FlowStarted(
        flow_id=flow_id,
        flow=flow,
        label="",
        parent_id=parent_id,
        progress=changes.get("progress", True),
        tallies=tallies,
        at=0.0,
    )


def finished(flow_id: int, outcome: FlowOutcome = "completed") -> FlowFinished:
    return FlowFinished(flow_id=flow_id, flow="", outcome=outcome, error=None, seconds=1.0, at=1.0)


@pytest.mark.parametrize(
    ("outcome", "error", "expected"),
    [
        ("completed", None, "Task extract('Hello') finished in 1.00s"),
        ("cached", None, "Task extract('Hello') already on disk"),
        ("skipped", KeyError("id"), "Task extract('Hello') skipped after 1.00s: KeyError: 'id'"),
        ("suppressed", None, "Task extract('Hello') suppressed in an earlier run"),
        (
            "suppressed",
            OSError("gone\nmore"),
            "Task extract('Hello') suppressed after 1.00s: OSError: gone more",
        ),
        ("failed", ValueError(), "Task extract('Hello') failed after 1.00s: ValueError"),
        ("failed", ValueError("\x1b[2J"), "Task extract('Hello') failed after 1.00s: ValueError:  [2J"),
        ("cancelled", KeyboardInterrupt(), "Task extract('Hello') cancelled after 1.00s"),
    ],
)
def test_log_line_of_each_outcome(outcome: Outcome, error: BaseException | None, expected: str) -> None:
    event = TaskFinished(
        call_id=1,
        flow_id=None,
        task="extract",
        label="'Hello'",
        outcome=outcome,
        error=error,
        seconds=1.004,
        output=None,
        at=0.0,
    )
    assert plain(task_line(event)) == expected


def test_a_long_or_broken_message_is_one_short_line() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    counts = Counts()
    long = plain(flow_summary("f()", "failed", ValueError("x" * 500), counts, 1.0))
    assert len(long) < 250
    assert "…) after 1.0 s" in long
    assert (
        plain(flow_summary("f()", "failed", BrokenError(), counts, 1.0))
        == "Flow f() failed (BrokenError) after 1.0 s"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_duration(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "-:--:--"), (-3, "0:00:00"), (124, "0:02:04"), (40000, "11:06:40"), (1e6, "11 days")],
)
def test_clock(seconds: float | None, expected: str) -> None:
    assert clock(seconds) == expected


def test_retries_are_counted_in_words() -> None:
    tally = Tally("t")
    tally.retries = 1
    counts = Counts()
    counts.add(tally)
    assert counts.words() == [("1 retry", "yellow")]
    counts.add(counts)
    assert counts.words() == [("2 retries", "yellow")]


@given(st.text())
def test_ascii_is_ascii(text: str) -> None:
    assert to_ascii(text).isascii()


def test_ascii_keeps_the_bars() -> None:
    assert to_ascii("━━╸── …") == "###-- ..."


def test_the_remaining_time_ignores_cached_calls() -> None:
    """870 outputs found at once say nothing about how long the 100 missing ones take."""
    clock_now = [0.0]
    forest = Forest(lambda: clock_now[0])
    tally = Tally("extract")
    tally.queued = 970
    forest.start(started(1, {"extract": tally}))
    assert rows_of(forest, 20)[1].left is None
    clock_now[0], tally.cached, tally.completed = 10.0, 870, 20
    row = rows_of(forest, 20)[1]
    assert row.left == pytest.approx(40.0)
    assert row.done == pytest.approx(890 / 970)


def test_the_time_left_follows_the_last_half_minute() -> None:
    now = [0.0]
    forest = Forest(lambda: now[0])
    tally = Tally("extract")
    tally.queued = 100_000
    forest.start(started(1, {"extract": tally}))
    for second in range(200):
        now[0] = float(second)
        tally.completed += 100 if second < 100 else 10
        row = rows_of(forest, 20)[1]
    assert row.left == pytest.approx((100_000 - tally.completed) / 10, rel=0.05)


def test_a_flow_that_outlives_its_caller_becomes_a_root() -> None:
    forest = Forest(lambda: 0.0)
    tally = Tally("t")
    tally.completed = 3
    forest.start(started(1, {}))
    forest.start(started(2, {"t": tally}, parent_id=1, flow="inner"))
    ended = forest.finish(finished(1))
    assert ended is not None
    assert ended[1].words() == []
    assert [view.title for view in forest.roots(9)[0]] == ["inner()"]
    ended = forest.finish(finished(2))
    assert ended is not None
    assert ended[1].words() == [("3 done", "green")]
    assert forest.finish(finished(2)) is None
    assert forest.visible == 0


@settings(max_examples=examples(60))
@given(data=st.data(), width=st.integers(1, 200), height=st.integers(1, 60))
def test_no_line_is_too_wide_and_no_picture_too_high(data: st.DataObject, width: int, height: int) -> None:
    """For any tasks, on a terminal of any size; wide characters count as two columns."""
    forest = Forest(lambda: 5.0)
    names = st.text(st.sampled_from("abc漢字 é"), max_size=30)
    numbers = st.integers(0, 10**7)
    for flow_id in range(data.draw(st.integers(0, 5))):
        tallies: dict[str, Tally] = {}
        for name in data.draw(st.lists(names, max_size=4)):
            tally = tallies[name] = Tally(name)
            tally.completed, tally.skipped, tally.retries = data.draw(st.tuples(numbers, numbers, numbers))
            tally.queued = data.draw(numbers)
            for call_id in range(data.draw(st.integers(0, 7))):
                call = Call(
                    data.draw(names), data.draw(st.floats(0, 9)), data.draw(st.none() | st.floats(0, 9))
                )
                call.description = data.draw(st.none() | names)
                tally.active[call_id] = call
        parent = data.draw(st.none() | st.integers(0, 5))
        forest.start(started(flow_id, tallies, parent, flow=data.draw(names)))
    rows = rows_of(forest, height)
    assert len(rows) <= height
    layout = Layout(cell_len, color=True)
    for line in [*layout.lines(rows, width), *layout.lines(rows, max(1, width // 2))]:
        assert cell_len(plain(line)) <= max(1, width - 1)
