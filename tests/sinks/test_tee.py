"""`Tee`: several sinks hear of one run, each of what it wants."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.events import FlowStarted
from asflow.sinks import NullSink, Tee

if TYPE_CHECKING:
    from asflow.events import Event


class Ear:
    """Remembers the kinds of what it hears."""

    def __init__(self, wants_tasks: str = "all") -> None:
        self.wants_tasks = wants_tasks
        self.heard: list[str] = []

    def emit(self, event: Event, /) -> None:
        self.heard.append(event.kind)


class Broken:
    """Raises on everything."""

    def __init__(self) -> None:
        self.told = 0

    def emit(self, event: Event, /) -> None:
        self.told += 1
        raise OSError("no room")


def run(flow: Flow) -> None:
    """Call a task within a flow and then one outside."""

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> None:
        work()

    main()
    work()


CALL = ["task_queued", "task_started", "task_finished"]


def test_each_sink_hears_what_it_wants() -> None:
    every, outside, none = Ear(), Ear("outside"), Ear("none")
    run(Flow(sink=Tee(every, outside, none)))
    assert every.heard == ["flow_started", *CALL, "flow_finished", *CALL]
    assert outside.heard == ["flow_started", "flow_finished", *CALL]
    assert none.heard == ["flow_started", "flow_finished"]


def test_a_tee_wants_what_the_most_curious_wants() -> None:
    assert Tee(Ear("none"), Ear("all"), Ear("outside")).wants_tasks == "all"
    assert Tee(Ear("none"), Ear("outside")).wants_tasks == "outside"
    assert Tee(NullSink(), Ear("none")).wants_tasks == "none"
    assert Tee().wants_tasks == "none"


def test_a_tee_in_a_tee() -> None:
    one, two = Ear("outside"), Ear()
    run(Flow(sink=Tee(Tee(one), Tee(two))))
    assert (len(one.heard), len(two.heard)) == (5, 8)


def test_a_sink_that_raises_is_told_nothing_more_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, broken, after = Ear(), Broken(), Ear()
    with caplog.at_level(logging.WARNING):
        run(Flow(sink=Tee(before, broken, after)))
    assert broken.told == 1
    assert len(before.heard) == len(after.heard) == 8
    [record] = caplog.records
    assert record.name == "asflow.sinks"
    assert "Broken raised and is told nothing more" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no room"


def test_a_sink_that_raises_on_two_threads_at_once_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    meeting = threading.Barrier(2)

    class BrokenTogether:
        def emit(self, event: Event, /) -> None:
            meeting.wait(30)
            raise OSError("no room")

    tee = Tee(BrokenTogether())
    event = FlowStarted(flow_id=1, flow="f", label="", parent_id=None, progress=True, tallies={}, at=0.0)
    with caplog.at_level(logging.WARNING):
        threads = [threading.Thread(target=tee.emit, args=(event,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tee.emit(event)
    assert len(caplog.records) == 1


def test_what_is_no_sink_is_refused() -> None:
    with pytest.raises(TypeError, match="emit"):
        Tee(object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="'all', 'outside' or 'none', not 'some'"):
        Tee(Ear("some"))
    with pytest.raises(TypeError, match="'all', 'outside' or 'none', not 3"):
        Tee(Ear(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert repr(Tee(NullSink(), Tee())) == "Tee(NullSink(), Tee())"
