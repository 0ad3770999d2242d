"""Calls of a data flow by the hundred leave no line each; what went wrong always does."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest

from asflow import Flow
from asflow.dataflow import DataFlow
from asflow.events import Event, FlowFinished, FlowStarted
from asflow.sinks import LineSink, LogSink
from asflow.testing import RecordingSink


async def source(query: int) -> dict[str, int]:
    return {"data": query}


async def destination(data: int) -> dict[str, int]:
    return {"status": data}


async def picky(data: int) -> None:
    if data % 100 == 7:
        raise LookupError(data)


async def test_two_hundred_short_calls_leave_no_line() -> None:
    stream = io.StringIO()
    pipeline = DataFlow((source, destination), flow=Flow(sink=LineSink(stream)))
    await asyncio.gather(*(pipeline(query=number) for number in range(200)))
    assert stream.getvalue() == ""


async def test_a_failed_call_leaves_its_line() -> None:
    stream = io.StringIO()
    pipeline = DataFlow((source, picky), flow=Flow(sink=LineSink(stream)))
    await asyncio.gather(*(pipeline(query=number) for number in range(200)), return_exceptions=True)
    lines = [line for line in stream.getvalue().splitlines() if "Flow " in line]
    assert len(lines) == 2
    assert all("failed (LookupError: " in line for line in lines)
    assert "query=7" in lines[0]
    assert ", and 7 more calls before it" in lines[0]


async def test_verbose_asks_for_every_line() -> None:
    stream = io.StringIO()
    pipeline = DataFlow((source, destination), flow=Flow(sink=LineSink(stream, verbose=True)))
    for number in range(3):
        await pipeline(query=number)
    assert stream.getvalue().count("Flow dataflow(query=") == 3


def summaries(*ends: tuple[float, float]) -> list[str]:
    """Return the lines about completed brief flows that end at the given times, after so many seconds."""
    stream = io.StringIO()
    sink = LineSink(stream, every=1e6)
    for number, (at, seconds) in enumerate(ends):
        sink.emit(
            FlowStarted(
                flow_id=number, flow="f", label=str(number), progress=True, tallies={}, at=at - seconds,
                brief=True,
            )
        )  # fmt: skip
        sink.emit(
            FlowFinished(
                flow_id=number, flow="f", label=str(number), outcome="completed", error=None, at=at,
                seconds=seconds, brief=True,
            )
        )  # fmt: skip
    return [line[11:] for line in stream.getvalue().splitlines()]


def test_long_calls_leave_a_line_now_and_then() -> None:
    ends = [(100.0, 2.0), (101.0, 2.0), (105.0, 0.5), (109.9, 3.0), (110.0, 3.0), (200.0, 0.9)]
    assert summaries(*ends) == [
        "Flow f(0) finished in 2.0 s",
        "Flow f(4) finished in 3.0 s, and 3 more calls before it",
    ]


async def test_the_events_say_so_and_log_at_a_lower_level(caplog: pytest.LogCaptureFixture) -> None:
    recorded: list[Event] = []

    class Both:
        def __init__(self) -> None:
            self.log = LogSink("quiet")

        def emit(self, event: Event, /) -> None:
            recorded.append(event)
            self.log.emit(event)

    with caplog.at_level(logging.INFO, "quiet"):
        await DataFlow((source, destination), flow=Flow(sink=Both()))(query=1)
        with pytest.raises(LookupError):
            await DataFlow((source, picky), flow=Flow(sink=Both()))(query=7)
    flows = [event for event in recorded if isinstance(event, (FlowStarted, FlowFinished))]
    assert [event.brief for event in flows] == [True] * 4
    assert [one.message for one in caplog.records if "Flow" in one.message] == [caplog.messages[-1]]
    assert caplog.records[-1].levelname == "ERROR"


def test_other_flows_are_not_brief() -> None:
    sink = RecordingSink()
    flow = Flow(sink=sink)

    @flow
    def pipeline() -> None: ...

    pipeline()
    assert [event.brief for event in sink.events if isinstance(event, (FlowStarted, FlowFinished))] == [
        False,
        False,
    ]
