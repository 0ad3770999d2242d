"""`Tee`: several sinks receive the events of one run, each what it asks for."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.events import FlowStarted
from asflow.sinks import NullSink, Tee
from asflow.testing._event_script import event_script

if TYPE_CHECKING:
    from asflow.events import Event


class Recorder:
    """Keeps the kinds of the events that it receives."""

    def __init__(self, wants_tasks: str = "all") -> None:
        self.wants_tasks = wants_tasks
        self.received: list[str] = []

    def emit(self, event: Event, /) -> None:
        self.received.append(event.kind)


class Broken:
    """Raises on every event."""

    def __init__(self) -> None:
        self.calls = 0

    def emit(self, event: Event, /) -> None:
        self.calls += 1
        raise OSError("no space")


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


def test_each_sink_receives_what_it_asks_for() -> None:
    every, outside, none = Recorder(), Recorder("outside"), Recorder("none")
    run(Flow(sink=Tee(every, outside, none)))
    assert every.received == ["flow_started", *CALL, "flow_finished", *CALL]
    assert outside.received == ["flow_started", "flow_finished", *CALL]
    assert none.received == ["flow_started", "flow_finished"]


def test_a_tee_asks_for_the_most_that_one_of_its_sinks_asks_for() -> None:
    assert Tee(Recorder("none"), Recorder("all"), Recorder("outside")).wants_tasks == "all"
    assert Tee(Recorder("none"), Recorder("outside")).wants_tasks == "outside"
    assert Tee(NullSink(), Recorder("none")).wants_tasks == "none"
    assert Tee().wants_tasks == "none"


def test_a_tee_in_a_tee() -> None:
    one, two = Recorder("outside"), Recorder()
    run(Flow(sink=Tee(Tee(one), Tee(two))))
    assert (len(one.received), len(two.received)) == (5, 8)


def test_a_sink_that_raises_is_dropped_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    before, broken, after = Recorder(), Broken(), Recorder()
    with caplog.at_level(logging.WARNING):
        tee = Tee(before, broken, after)
        run(Flow(sink=tee))
    assert broken.calls == 5
    assert "Broken" not in repr(tee)
    assert len(before.received) == len(after.received) == 8
    [record, _] = caplog.records
    assert record.name == "asflow"
    assert "Broken.emit(): raised on flow_started, and is dropped after 5" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "no space"


def test_a_sink_that_raises_on_two_threads_at_once_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    meeting = threading.Barrier(2)

    class BrokenTogether:
        def emit(self, event: Event, /) -> None:
            meeting.wait(30)
            raise OSError("no space")

    tee = Tee(BrokenTogether())
    event = FlowStarted(flow_id=1, flow="f", label="", parent_id=None, progress=True, tallies={}, at=0.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            threads = [threading.Thread(target=tee.emit, args=(event,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        tee.emit(event)
    assert len(caplog.records) == 2


def test_anything_but_a_sink_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^Tee\(\): sink takes an object with a method emit\(event\), not <object>; "
    ):
        Tee(object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"not the class NullSink; write NullSink\(\)"):
        Tee(NullSink)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="'outside' or 'none', not 'some'"):
        Tee(Recorder("some"))
    with pytest.raises(TypeError, match="'outside' or 'none', not 3"):
        Tee(Recorder(3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    both = Recorder(), Recorder("made")
    assert Tee(*both).wants_tasks == "all"
    assert Tee(both[1]).wants_tasks == "made"
    run(Flow(sink=[*both]))
    assert both[0].received == both[1].received
    direct = Tee(*both)
    for event in event_script(1):
        direct.emit(event)
    assert len(both[1].received) < len(both[0].received)
    assert repr(Tee(NullSink(), Tee())) == "Tee(NullSink(), Tee())"
