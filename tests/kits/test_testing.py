"""`asflow.testing`: our own sinks, writers and stores pass the kits, and broken ones don't."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, LocalStore, MemoryStore, Retry
from asflow.errors import DefinitionValueError
from asflow.sinks import LineSink, NullSink, RichSink, Tee
from asflow.testing import (
    FakeClock,
    FaultyStore,
    RecordingSink,
    check_sink,
    check_store,
    check_writer,
    fake_clock,
)
from asflow.writers._writing import open_format


@pytest.mark.parametrize(
    "sink", [NullSink, RecordingSink, RichSink, LineSink, lambda: Tee(NullSink(), RecordingSink())]
)
def test_our_sinks_pass(sink: Any, capfd: pytest.CaptureFixture[str]) -> None:
    check_sink(sink)
    capfd.readouterr()


def test_a_sink_that_raises_on_an_odd_event_fails() -> None:
    class Shows:
        def emit(self, event: Any, /) -> None:
            str(getattr(event, "error", None))

    with pytest.raises(ValueError, match="no text"):
        check_sink(Shows)

    class BadWants:
        wants_tasks = "some"

        def emit(self, event: Any, /) -> None: ...

    with pytest.raises(AssertionError, match="wants_tasks"):
        check_sink(BadWants)


@pytest.mark.parametrize(
    ("form", "records", "refused"),
    [
        ("json lines", [{"a": 1}, {"a": "ü"}, "raw"], [object(), {"a": object()}]),
        ("csv", [{"a": 1, "b": 2}, {"a": 3, "b": 4}], [object(), {"c": 1}]),
        ("tsv", [{"a": "x"}, {"a": "y"}], [{"b": 1}]),
        ("raw", ["text", b"bytes"], [1, {"a": 1}]),
    ],
)
def test_our_writers_pass(form: Any, records: list[object], refused: list[object]) -> None:
    check_writer(lambda stream: open_format(form, stream), records=records, refused=refused)


class Lines:
    """A custom writer."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lines: list[str] = []

    def write(self, record: str, /) -> None:
        if not isinstance(record, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("a line is a str")
        self.lines.append(record)

    def commit(self) -> None:
        self.stream.write("".join(line + "\n" for line in self.lines).encode())

    def abort(self) -> None:
        self.lines.clear()


def test_a_writer_of_ones_own_passes() -> None:
    wrong: Any = 3
    check_writer(
        Lines, records=["a", "b", "c"], read=lambda data: data.decode().splitlines(), refused=[wrong]
    )


class ClosesTheStream(Lines):
    def commit(self) -> None:
        super().commit()
        self.stream.close()


class WritesOnAbort(Lines):
    def abort(self) -> None:
        self.stream.write(b"bye")


class Swallows(Lines):
    def commit(self) -> None:
        with contextlib.suppress(OSError):
            super().commit()


class TakesAnything(Lines):
    def write(self, record: Any, /) -> None:
        self.lines.append(str(record))


class Forgets(Lines):
    def write(self, record: str, /) -> None:
        super().write(record)
        del self.lines[1:]


class LeavesPieces(Lines):
    def write(self, record: str, /) -> None:
        self.lines.append("piece")
        super().write(record)
        self.lines.remove("piece")


class RaisesOnAbort(Lines):
    def abort(self) -> None:
        raise OSError("abort")


@pytest.mark.parametrize(
    "writer", [ClosesTheStream, WritesOnAbort, Swallows, TakesAnything, Forgets, LeavesPieces, RaisesOnAbort]
)
def test_a_broken_writer_fails(writer: Any) -> None:
    wrong: Any = 3
    with pytest.raises(AssertionError, match=r"^check_writer\(\): .+; .+"):
        check_writer(
            writer, records=["a", "b"], read=lambda data: data.decode().splitlines(), refused=[wrong]
        )


def test_the_faulty_store_without_faults_is_a_store(tmp_path: Path) -> None:
    check_store(lambda: FaultyStore(MemoryStore()))
    check_store(lambda: FaultyStore(LocalStore()), base=f"{tmp_path}/")
    on_disk: Any = FaultyStore(LocalStore())
    assert on_disk.path("x") == Path("x")
    assert not hasattr(FaultyStore(MemoryStore()), "path")


def test_faults_come_on_demand() -> None:
    error = OSError("on demand")
    store = FaultyStore(MemoryStore()).fail("claim", error, after=1)
    first = store.claim("a", "a.err")
    assert not isinstance(first, str)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the object is compared
        store.claim("b", "b.err")
    assert caught.value is error
    assert not isinstance(store.claim("b", "b.err"), str)
    store.fail(None, error, always=True)
    for _ in range(2):
        with pytest.raises(OSError, match="on demand"):
            store.status("a", "a.err")
    with pytest.raises(OSError, match="on demand"):
        first.publish()
    store.heal()
    first.publish()
    assert store.status("a", "a.err") == "complete"
    assert store.steps.count("claim") == 3


def test_faults_that_would_never_come_are_refused() -> None:
    store = FaultyStore(MemoryStore())
    misspelt: Any = "pubish"
    with pytest.raises(
        DefinitionValueError,
        match=r"^FaultyStore.fail\(\): step takes one of status, .* or None, not 'pubish'",
    ):
        store.fail(misspelt, OSError())
    with pytest.raises(
        DefinitionValueError, match=r"^FaultyStore.fail\(\): after takes 0 or more steps, not -1; "
    ):
        store.fail("publish", OSError(), after=-1)
    assert store.status("a", "a.err") == "absent"


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_nth_step_of_a_store_fails_until_a_run_is_clean(always: bool, is_async: bool) -> None:
    """The error reaches the caller unless nothing was lost; no half output is seen; the next run succeeds."""
    for after in range(40):
        inner = MemoryStore()
        store = FaultyStore(inner, blocking=is_async)
        flow = Flow(store=store, sink=NullSink())
        error = OSError(5, "Input/output error")

        @flow.task(on="{name}.txt", retry=Retry(1, exceptions=LookupError))
        def make(name: str, flow: Flow = flow, calls: list[str] = [], turn: int = after) -> None:  # noqa: B006
            flow.task.write("first ")
            flow.task.write("second")
            if calls.count(f"{turn}") == 0:
                calls.append(f"{turn}")
                raise LookupError

        async def make_async() -> None:
            make("x")

        store.fail(None, error, after=after, always=always)
        failed: BaseException | None = None
        with fake_clock():
            try:
                asyncio.run(make_async()) if is_async else make("x")
            except OSError as raised:
                failed = raised
            assert failed is None or failed is error
            clean = len(store.steps) <= after
            for name in inner.list(""):
                assert inner.open(name).read() == b"first second"
            store.heal()
            make("x")
        assert inner.open("x.txt").read() == b"first second"
        if clean:
            assert after > 4
            return
    raise AssertionError("no run was ever clean")


def test_the_fake_clock_moves_by_itself_or_by_hand() -> None:
    with fake_clock(10.0) as clock:
        clock.sleep(2.5)
        asyncio.run(clock.sleep_async(1.5))
        assert clock.now() == 14.0
        assert clock.waits == [2.5, 1.5]
    woken: list[float] = []
    with fake_clock(manual=True) as clock:

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            woken.append(seconds)

        threads = [threading.Thread(target=sleep, args=(seconds,)) for seconds in (3.0, 1.0)]
        for thread in threads:
            thread.start()
        clock.wait_for_sleepers(2)
        clock.advance(2.0)
        threads[1].join()
        assert woken == [1.0]
        assert clock.sleeping == 1
        clock.advance(2.0)
        threads[0].join()
        assert clock.now() == 4.0
        with pytest.raises(TimeoutError):
            clock.wait_for_sleepers(1, timeout=0.01)
    assert "at 4.0" in repr(clock)
    assert isinstance(clock, FakeClock)


@pytest.mark.parametrize("seconds", [-5, -0.001, float("nan")])
def test_the_fake_clock_does_not_run_backwards(seconds: float) -> None:
    clock = FakeClock(10.0, manual=True)
    with pytest.raises(ValueError, match=f"seconds takes 0 or more, not {seconds}; time only moves"):
        clock.advance(seconds)
    clock.advance(0)
    assert clock.now() == 10.0


async def test_cancelled_waits_are_not_in_progress() -> None:
    clock = FakeClock(manual=True)
    cancelled, kept = (asyncio.ensure_future(clock.sleep_async(seconds)) for seconds in (1.0, 2.0))
    await asyncio.sleep(0)
    assert clock.sleeping == 2
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert clock.sleeping == 1
    assert "1 waiting" in repr(clock)
    with pytest.raises(TimeoutError, match="1 waits are in progress, not 2; start them"):
        clock.wait_for_sleepers(2, timeout=0.01)
    clock.advance(2.0)
    await kept
    assert clock.sleeping == 0


def test_the_clock_is_restored_even_after_a_failure() -> None:
    from asflow._runtime.clock import current

    before = current.clock
    with pytest.raises(LookupError), fake_clock():
        raise LookupError
    assert current.clock is before
