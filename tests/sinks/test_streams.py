"""The sinks without a terminal, and that none of them leaves anything behind."""

from __future__ import annotations

import gc
import io
import re
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Hashable
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from asflow.events import FlowFinished, FlowStarted, RunningCall, Tally, TaskFinished, WaitingCall
from asflow.sinks import LineSink, NullSink, RichSink, Tee

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.events import Event
    from asflow.protocols import ProgressSink

PATIENCE = 20.0


class Lines(io.StringIO):
    """A stream that notifies when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.news = threading.Condition()

    def flush(self) -> None:
        with self.news:
            self.news.notify_all()

    def wait(self, holds: Callable[[str], bool]) -> str:
        with self.news:
            assert self.news.wait_for(lambda: holds(self.getvalue()), PATIENCE), self.getvalue()
        return self.getvalue()


def start(
    sink: ProgressSink, flow_id: int = 1, parent: int | None = None, progress: bool = True
) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    sink.emit(
        FlowStarted(
            flow_id=flow_id,
            flow="transcripts",
            label="",
            parent_id=parent,
            progress=progress,
            tallies=tallies,
            at=0.0,
        )
    )
    return tallies


def finish(sink: ProgressSink, flow_id: int = 1) -> None:
    sink.emit(
        FlowFinished(
            flow_id=flow_id, flow="transcripts", outcome="completed", error=None, seconds=41.0, at=1.0
        )
    )


def done(flow_id: int | None = None) -> TaskFinished:
    return TaskFinished(
        call_id=1,
        flow_id=flow_id,
        task="extract",
        label="'Hello'",
        outcome="completed",
        error=None,
        seconds=1.0,
        output=None,
        at=0.0,
    )


class Recorder:
    def __init__(self, wants: str) -> None:
        self.wants_tasks = wants
        self.received: list[Event] = []

    def emit(self, event: Event) -> None:
        self.received.append(event)


def displays() -> list[threading.Thread]:
    """The threads that draw and do not end; other tests of the run may have left other threads."""
    drawing = [thread for thread in threading.enumerate() if thread.name == "asflow-display"]
    for thread in drawing:
        thread.join(PATIENCE)  # its flow has not waited for it for longer than a second
    return [thread for thread in drawing if thread.is_alive()]


def test_lines_report_start_progress_and_end() -> None:
    stream = Lines()
    sink = LineSink(stream, every=0.02)
    tallies = start(sink)
    tally = Tally("extract")
    tally.queued, tally.completed, tally.skipped, tally.active = (
        870,
        21,
        2,
        {1: RunningCall(), 2: RunningCall()},
    )
    tallies["extract"] = tally  # complete: had it been seen to grow, the line would show the remaining time
    stream.wait(lambda text: "870" in text)
    finish(sink)
    lines = [line[11:] for line in stream.getvalue().splitlines()]
    assert lines[0] == "Flow transcripts() started"
    expected = "Flow transcripts(): extract 23/870 (2%), 2 running, 2 skipped"
    assert all(line.startswith(expected) and line.endswith(" s so far") for line in lines[1:-1])
    assert lines[-1] == "Flow transcripts(): 21 done, 2 skipped in 41 s"
    assert not any("\x1b" in line for line in lines)


class Named(RunningCall):
    @property
    def label(self) -> str:
        return "'v1'"


def test_a_line_says_what_a_call_waits_for_and_how_long() -> None:
    stream = Lines()
    sink = LineSink(stream, every=0.02)
    tally = Tally("extract")
    tally.queued = 2
    call = Named()
    tally.waiting[1] = WaitingCall(call, "retry", 0.0, until=90.0, detail="HTTPError: 503")
    tally.waiting[2] = WaitingCall(call, "owner", 0.0)
    start(sink)["extract"] = tally
    stream.wait(lambda text: "v1 again in 1 min" in text)
    finish(sink)
    assert re.search(
        r"extract 0/2 \(0%\), 2 waiting, v1 again in 1 min \d\d s: HTTPError: 503", stream.getvalue()
    )


@pytest.mark.timeout(180)
def test_nothing_new_makes_few_lines() -> None:
    """A flow that waits doesn't fill a log: five of six refreshes without changes are left out."""
    stream = Lines()
    sink = LineSink(stream, every=0.01)
    tally = start(sink)["extract"] = Tally("extract")
    refreshed = threading.Event()
    reads, lines = [0], [0]

    class Active(dict[Hashable, RunningCall]):
        def __len__(self) -> int:
            reads[0] += 1
            if reads[0] == 24:  # here, not after the wait: by then there may be more
                lines[0] = stream.getvalue().count("extract 0;")
                refreshed.set()
            return 0

    tally.queued, tally.active = 1, Active()
    there = refreshed.wait(100)  # an expensive refresh is followed by a pause of up to two seconds
    finish(sink)
    assert there
    assert 2 <= lines[0] <= 6


def test_flows_in_a_flow_are_part_of_its_line() -> None:
    stream = Lines()
    sink = LineSink(stream, every=0.02)
    start(sink)
    inner = start(sink, 2, parent=1)
    inner["download"] = Tally("download")
    inner["download"].completed = 1
    stream.wait(lambda text: "Flow transcripts(): transcripts/download 1" in text)
    finish(sink, 2)
    finish(sink)
    assert stream.getvalue().count("started") == 1
    assert stream.getvalue().splitlines()[-1].endswith("Flow transcripts(): 1 done in 41 s")


@pytest.mark.parametrize(
    ("verbose", "wants", "logged"), [(None, "outside", [None]), (True, "all", [None, 1]), (False, "none", [])]
)
def test_verbose_says_what_is_logged(verbose: bool | None, wants: str, logged: list[int | None]) -> None:
    for make in (
        lambda s: LineSink(s, verbose=verbose),
        lambda s: RichSink(verbose=verbose, console=Console(file=s)),
    ):
        stream = Lines()
        sink = make(stream)
        assert sink.wants_tasks == wants
        for flow_id in (None, 1):
            sink.emit(done(flow_id))
        assert stream.getvalue().count("Task extract('Hello') finished in 1.00s\n") == len(logged)


def test_rich_sink_without_a_terminal_writes_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    sink = RichSink()
    start(sink)
    finish(sink)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[11:] for line in err.splitlines()] == [
        "Flow transcripts() started",
        "Flow transcripts() finished in 41 s",
    ]


def test_display_false_leaves_the_log_lines() -> None:
    stream = Lines()
    sink = RichSink(console=Console(file=stream), display=False)
    start(sink)
    sink.emit(done())
    assert not displays()
    finish(sink)
    assert len(stream.getvalue().splitlines()) == 1


def test_a_given_console_is_used_with_its_size_and_theme() -> None:
    stream = Lines()
    sink = RichSink(
        console=Console(file=stream, force_terminal=True, width=60, height=20, color_system="truecolor")
    )
    start(sink)["extract"] = Tally("extract")
    text = stream.wait(lambda text: "@task" in text)
    finish(sink)
    assert "\x1b[38;5;237m" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[78]", "", text)
    assert max(len(line.rstrip()) for line in plain.splitlines()) < 60


def test_a_closed_or_missing_stream_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Lines()
    sink = LineSink(stream, every=0.01)
    start(sink)
    stream.close()
    finish(sink)
    sink.emit(done())
    monkeypatch.setattr(sys, "stderr", None)
    for other in (RichSink(), LineSink()):
        start(other)
        other.emit(done())
        finish(other)
    assert not displays()


@pytest.mark.parametrize(
    "make", [lambda s: LineSink(s), lambda s: RichSink(console=Console(file=s, force_terminal=True))]
)
def test_nothing_grows_with_finished_flows(make: Callable[[io.StringIO], ProgressSink]) -> None:
    """1,000 flows with 1,000 finished calls each, nested and side by side, leave nothing behind."""

    class Hole(io.StringIO):
        def write(self, text: str) -> int:
            return len(text)

    sink = make(Hole())

    def rounds(count: int) -> None:
        start(sink, 1)
        for flow_id in range(2, 2 + count):
            tallies = start(sink, flow_id, parent=1 if flow_id % 2 else None)
            tallies["extract"] = Tally("extract")
            tallies["extract"].queued = tallies["extract"].completed = 1000
            finish(sink, flow_id)
        finish(sink, 1)

    def grown() -> tuple[int, int]:
        before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
        rounds(1000)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, len(gc.get_objects()) - objects

    rounds(50)
    gc.collect()
    tracemalloc.start()
    # Threads that other tests have left behind may take memory meanwhile, but hardly three times.
    sizes, objects = zip(*(grown() for _ in range(3)), strict=True)
    tracemalloc.stop()
    assert min(sizes) < 30_000
    assert min(objects) < 100
    assert not displays()


def test_null_sink_receives_no_calls() -> None:
    sink = NullSink()
    assert sink.wants_tasks == "none"
    sink.emit(done())


def test_tee_passes_to_each_sink_what_it_asks_for() -> None:
    sinks = [Recorder("all"), Recorder("outside"), Recorder("none")]
    assert Tee(*sinks).wants_tasks == "all"
    assert Tee(*sinks[1:]).wants_tasks == "outside"
    assert Tee(sinks[2]).wants_tasks == Tee().wants_tasks == "none"
    tee = Tee(*sinks)
    start(tee)
    tee.emit(done(1))
    tee.emit(done(None))
    assert [[event.kind for event in sink.received] for sink in sinks] == [
        ["flow_started", "task_finished", "task_finished"],
        ["flow_started", "task_finished"],
        ["flow_started"],
    ]


def test_tee_drops_a_sink_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def emit(self, event: Event) -> None:
            raise RuntimeError(event.kind)

    other = Recorder("all")
    tee = Tee(Broken(), other)
    for _ in range(7):
        tee.emit(done())
    assert len(other.received) == 7
    assert [record.getMessage() for record in caplog.records] == [
        "Broken.emit(): raised on task_finished, and is dropped after 5 errors in a row; "
        "try it with asflow.testing.check_sink()",
        "Broken.emit(): raised 5 times in a row and receives no more events",
    ]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^LineSink\(\): every takes more than 0 finite seconds, not 0; "):
        LineSink(every=0)
    with pytest.raises(TypeError, match=r"^LineSink\(\): every takes a number of seconds, not 'often'; "):
        LineSink(every="often")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    rate = r"^RichSink\(\): refresh_per_second takes a number from 0\.1 to 60, not "
    with pytest.raises(ValueError, match=rate + "nan; "):
        RichSink(refresh_per_second=float("nan"))
    with pytest.raises(TypeError, match=rate + "True; "):
        RichSink(refresh_per_second=True)
    with pytest.raises(TypeError, match="emit"):
        Tee(print)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="wants_tasks"):
        Tee(Recorder("some"))


def test_rich_is_loaded_on_first_use() -> None:
    code = (
        "import sys, asflow.sinks; s = asflow.sinks.RichSink(); assert 'rich' not in sys.modules\n"
        "assert 'logging' not in sys.modules or 'asflow._flow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
