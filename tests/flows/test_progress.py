"""`flow.task.progress` and `flow.task.track`."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from typing import Any

import pytest
from support.tasks import task_call

from asflow import Flow, MemoryStore, Progress
from asflow.events import Event, TaskProgressed
from asflow.sinks import Tee
from asflow.testing import FakeClock, RecordingSink, fake_clock


class Slow:
    """A second passes whenever progress is reported, so that each step is."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def emit(self, event: Event, /) -> None:
        if isinstance(event, TaskProgressed):
            self.clock.advance(1)


@pytest.fixture
def flow(sink: RecordingSink) -> Iterator[Flow]:
    with fake_clock() as clock:
        yield Flow(store=MemoryStore(), sink=Tee(sink, Slow(clock)))


def told(sink: RecordingSink) -> list[tuple[str | None, float, float | None]]:
    return [
        (event.description, event.completed, event.total)
        for event in sink.events
        if isinstance(event, TaskProgressed)
    ]


def test_progress_is_told_step_by_step(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work() -> None:
        with flow.task.progress("pages", total=3) as progress:
            progress.advance()
            progress.advance(1.5)
            progress.update(completed=3, total=4, description="lines")
            run = task_call()
            assert (run.description, run.completed, run.total) == ("lines", 3, 4)

    work()
    assert told(sink) == [("pages", 0, 3), ("pages", 1, 3), ("pages", 2.5, 3), ("lines", 3, 4)]
    assert sink.kinds()[1] == "task_started"
    assert sink.kinds()[-1] == "task_finished"


def test_what_comes_within_a_tenth_of_a_second_is_told_at_the_end(sink: RecordingSink) -> None:
    flow = Flow(store=MemoryStore(), sink=sink)

    @flow.task(retry=1)
    def work() -> None:
        for number in flow.task.track(range(1000)):
            if number == 500:
                clock.advance(
                    0.125
                )  # not just a tenth: after the random backoff it would be rounded, to less at times
            if number == 900 and task_call().attempt == 1:
                raise OSError

    with fake_clock() as clock:
        work()
    reported = [event for event in sink.events if isinstance(event, TaskProgressed)]
    assert [(event.attempt, event.completed) for event in reported] == [
        (1, 0), (1, 501), (1, 900), (2, 0), (2, 501), (2, 1000)
    ]  # fmt: skip
    assert sink.kinds()[-2:] == ["task_progressed", "task_finished"]


def test_track_counts_what_is_done(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work(number: int) -> list[int]:
        return list(flow.task.track(range(number), "numbers"))

    assert work(3) == [0, 1, 2]
    assert told(sink) == [("numbers", done, 3) for done in range(4)]
    sink.events.clear()

    @flow.task
    def lazily() -> list[int]:
        return list(flow.task.track(iter([1, 2])))

    assert lazily() == [1, 2]
    assert told(sink) == [(None, done, None) for done in range(3)]


def test_progress_within_progress_shows_the_outer_one_again(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work() -> None:
        for _ in flow.task.track([1, 2], "outer"):
            for _ in flow.task.track([1], "inner"):
                pass

    work()
    assert told(sink) == [
        ("outer", 0, 2),
        *[("inner", 0, 1), ("inner", 1, 1), ("outer", 0, 2), ("outer", 1, 2)],
        *[("inner", 0, 1), ("inner", 1, 1), ("outer", 1, 2), ("outer", 2, 2)],
    ]


def test_a_retry_starts_from_nothing(flow: Flow, sink: RecordingSink) -> None:
    seen: list[tuple[float, float | None]] = []

    @flow.task(retry=1)
    def work() -> None:
        run = task_call()
        seen.append((run.completed, run.total))
        with flow.task.progress(total=2) as progress:
            progress.advance()
            if len(seen) == 1:
                raise OSError

    work()
    assert seen == [(0, None), (0, None)]


def test_outside_a_task_it_counts_for_itself(flow: Flow, sink: RecordingSink) -> None:
    with flow.task.progress("alone", total=2) as progress:
        progress.advance(2)
        assert isinstance(progress, Progress)
        assert progress.completed == 2
    assert list(flow.task.track("ab")) == ["a", "b"]
    assert sink.events == []


@pytest.mark.parametrize("moment", ["after the end", "between attempts"])
def test_progress_of_a_body_that_has_ended_is_told_to_nobody(
    flow: Flow, sink: RecordingSink, moment: str
) -> None:
    """A thread may live on; events of a call still come in order."""
    kept: list[tuple[contextvars.Context, Progress]] = []

    @flow.task(retry=1, skip=OSError)
    def work() -> None:
        if kept:
            if moment == "between attempts":
                return
            raise OSError
        with flow.task.progress("late", total=2) as progress:
            kept.append((contextvars.copy_context(), progress))
        raise OSError

    work()
    before = list(sink.events)
    context, progress = kept[0]
    context.run(progress.advance)
    assert sink.events == before
    assert sink.kinds()[-1] == "task_finished"


def test_one_progress_after_the_other_shows_the_later_one(flow: Flow, sink: RecordingSink) -> None:
    """The first is over, so nothing of it comes back."""

    @flow.task
    def work() -> None:
        with flow.task.progress("download", total=2) as progress:
            progress.advance(2)
        with flow.task.progress("parse", total=3) as progress:
            progress.advance()

    work()
    assert told(sink) == [("download", 0, 2), ("download", 2, 2), ("parse", 0, 3), ("parse", 1, 3)]


def test_the_outer_progress_is_shown_again_as_it_is_then(flow: Flow, sink: RecordingSink) -> None:
    """Also one without words and total, and with what it has come to meanwhile."""

    @flow.task
    def work() -> None:
        with flow.task.progress() as outer:
            outer.advance(3)
            with flow.task.progress("inner", total=1):
                outer.completed = 4

    work()
    assert told(sink)[-2:] == [("inner", 0, 1), (None, 4, None)]


def test_a_task_called_in_a_progress_has_a_progress_of_its_own(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def inner() -> None:
        with flow.task.progress("inner", total=1):
            pass

    @flow.task
    def outer() -> None:
        with flow.task.progress("outer", total=1):
            inner()

    outer()
    assert told(sink) == [("outer", 0, 1), ("inner", 0, 1)]


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), 10**400, "twelve"])
def test_what_is_no_number_is_unknown(flow: Flow, sink: RecordingSink, odd: Any) -> None:
    """A display that divides by it would fail, and show nothing more."""

    @flow.task
    def work() -> None:
        with flow.task.progress(total=odd) as progress:
            progress.update(completed=odd)
            progress.update(completed=1, total=2)

    work()
    assert told(sink) == [(None, 0, None), (None, 0, None), (None, 1, 2)]


def test_a_description_that_is_no_text_is_told_as_it_prints(flow: Flow, sink: RecordingSink) -> None:
    """A display measures and cuts it, and whoever checks no types should not lose theirs."""
    odd: Any = 2026

    @flow.task
    def work() -> None:
        with flow.task.progress(odd, total=1):
            pass

    work()
    assert told(sink)[0] == ("2026", 0, 1)


def test_a_flow_counts_its_steps(flow: Flow, sink: RecordingSink) -> None:
    """`Flow.track` in the flow's own body; `@flow(total=)` says how many calls come."""
    seen: list[tuple[float | None, float | None, str | None]] = []

    @flow(total=7)
    def main() -> None:
        live = next(event.live for event in sink.events if event.kind == "flow_started")
        seen.append((live.completed, live.total, live.description))
        for name in flow.track(["a", "b"], "files"):
            assert name in "ab"
            seen.append((live.completed, live.total, live.description))
        seen.append((live.completed, live.total, live.description))

    main()
    assert seen == [(None, 7, None), (0, 2, "files"), (1, 2, "files"), (2, 2, "files")]
    assert list(flow.track("xy")) == ["x", "y"]  # outside any flow it only iterates


def test_progress_has_a_unit(flow: Flow, sink: RecordingSink) -> None:
    @flow.task
    def work() -> None:
        with flow.task.progress("fetching", total=10, unit="B") as progress:
            progress.advance(4)
        for _ in flow.task.track([1], unit="pages"):
            pass

    work()
    units = [event.unit for event in sink.events if event.kind == "task_progressed"]
    assert units[0] == "B"
    assert units[-1] == "pages"
