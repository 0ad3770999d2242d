"""A call that waits for a second is reported once: for a slot, a rate, or another owner of its output."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import re
import subprocess
import sys
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import pytest
from support.tasks import slots_of

from asflow import Flow, Limit, LocalStore, MemoryStore
from asflow._runtime import owners, slots, waits
from asflow._runtime.current import current
from asflow.events import TaskWaiting
from asflow.sinks import GitHubActionsSink, LineSink, LogSink, NullSink, RichSink
from asflow.testing import FaultyStore, fake_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asflow.events import Event, WaitingCall

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait is reported as soon as it has begun: on a loop with its next turn, in a thread when it looks."""
    monkeypatch.setattr(waits, "PATIENCE", 0.0)
    monkeypatch.setattr(slots, "LOOK_AGAIN", 0.001)
    monkeypatch.setattr(owners, "LOOK_AGAIN", 0.001)


class Heard:
    """Records events, and lets a thread or a loop wait for those of a kind."""

    def __init__(self, kind: str = "task_waiting") -> None:
        self.events: list[Event] = []
        self._kind = kind
        self._count = threading.Semaphore(0)

    def emit(self, event: Event, /) -> None:
        self.events.append(event)
        if event.kind == self._kind:
            self._count.release()

    def wait(self) -> None:
        assert self._count.acquire(timeout=30), self.events

    async def wait_async(self) -> None:
        await asyncio.to_thread(self.wait)

    @property
    def waiting(self) -> list[tuple[str, str, str | None]]:
        return [(e.label, e.reason, e.owner) for e in self.events if isinstance(e, TaskWaiting)]


@pytest.fixture
def sink() -> Heard:
    return Heard()


@pytest.fixture
def flow(sink: Heard, tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=sink)


F = TypeVar("F", bound="Callable[..., object]")


class Within(Protocol):
    def __call__(self, function: F, /) -> F: ...


@pytest.fixture(params=["alone", "in a flow"])
def within(request: pytest.FixtureRequest, flow: Flow) -> Within:
    """Makes a function one that is called outside any flow, or a flow."""
    return cast("Within", (lambda function: function) if request.param == "alone" else flow)


def kinds(sink: Heard, task: str) -> list[str]:
    return [event.kind for event in sink.events if getattr(event, "task", None) == task]


# ------------------------------------------------------------------ a slot


@pytest.mark.parametrize("limit", [1, Limit(1)], ids=["own", "shared"])
async def test_waiting_for_a_slot_on_a_loop(
    at_once: None, flow: Flow, sink: Heard, within: Within, limit: int | Limit
) -> None:
    go = asyncio.Event()

    @flow.task(limit=limit)
    async def work(n: int) -> None:
        if n == 0:
            await go.wait()

    @within
    async def run() -> None:
        calls = [asyncio.create_task(work(n)) for n in range(3)]
        await sink.wait_async()
        await sink.wait_async()
        go.set()
        await asyncio.gather(*calls)

    await run()
    assert sorted(sink.waiting) == [("1", "slot", None), ("2", "slot", None)]
    events = [event for event in sink.events if getattr(event, "label", None) == "1"]
    assert [event.kind for event in events] == [
        "task_queued",
        "task_waiting",
        "task_started",
        "task_finished",
    ]


@pytest.mark.parametrize("limit", [1, Limit(1)], ids=["own", "shared"])
def test_waiting_for_a_slot_in_threads(
    at_once: None, flow: Flow, sink: Heard, within: Within, limit: int | Limit
) -> None:
    go, begun = threading.Event(), threading.Event()

    @flow.task(limit=limit)
    def work(n: int) -> None:
        if n == 0:
            begun.set()
            assert go.wait(30)

    @within
    def run() -> None:
        def thread(n: int) -> threading.Thread:
            made = threading.Thread(target=copy_context().run, args=(work, n))
            made.start()
            return made

        first = thread(0)
        assert begun.wait(30)
        others = [thread(n) for n in (1, 2)]
        sink.wait()
        sink.wait()
        go.set()
        for each in (first, *others):
            each.join()

    run()
    assert sorted(sink.waiting) == [("1", "slot", None), ("2", "slot", None)]


async def test_waiting_on_a_loop_for_the_slot_of_a_thread(
    at_once: None, flow: Flow, sink: Heard, within: Within
) -> None:
    go = threading.Event()

    @flow.task(limit=1)
    def work(n: int) -> None:
        if n == 0:
            assert go.wait(30)

    @within
    async def run() -> None:
        calls = [asyncio.create_task(flow.task.to_thread(work, n)) for n in range(2)]
        await sink.wait_async()
        go.set()
        await asyncio.gather(*calls)

    await run()
    assert sink.waiting == [("1", "slot", None)]
    events = [event.kind for event in sink.events if getattr(event, "label", None) == "1"]
    assert events == ["task_queued", "task_waiting", "task_started", "task_finished"]


async def test_a_wait_that_ends_early_is_not_reported(flow: Flow, sink: Heard) -> None:
    @flow.task(limit=1)
    async def work(n: int) -> None:
        await asyncio.sleep(0)

    await asyncio.gather(*(work(n) for n in range(50)))
    assert not sink.waiting


async def test_nothing_is_reported_after_a_wait_that_was_cancelled(flow: Flow, sink: Heard) -> None:
    """The timer goes with the wait: a closed loop, or a long one, has none left."""
    go = asyncio.Event()

    @flow.task(limit=1)
    async def work(n: int) -> None:
        await go.wait()

    first = asyncio.create_task(work(0))
    others = [asyncio.create_task(work(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    loop: Any = asyncio.get_running_loop()
    assert len([each for each in loop._scheduled if "_on_time" in repr(each)]) == 3
    for other in others:
        other.cancel()
    await asyncio.wait(others)
    go.set()
    await first
    assert not [each for each in loop._scheduled if "_on_time" in repr(each) and not each.cancelled()]


# ------------------------------------------------------------------ a rate


async def test_waiting_for_a_rate_on_a_loop(at_once: None, flow: Flow, sink: Heard, within: Within) -> None:
    with fake_clock(manual=True) as clock:

        @flow.task(limit=Limit(0, rate="1/hour"))
        async def work(n: int) -> None: ...

        @within
        async def run() -> None:
            await work(0)
            later = [asyncio.create_task(work(n)) for n in (1, 2)]
            await sink.wait_async()
            await sink.wait_async()
            listed = waiting_calls("work")
            assert [each.reason for each in listed.values()] == ["rate", "rate"] * (flow.run is not None)
            clock.advance(3600)
            await later[0]
            while clock.sleeping < 1:
                await asyncio.sleep(0)
            clock.advance(3600)
            await later[1]
            assert not listed

        await run()
    assert sorted(sink.waiting) == [("1", "rate", None), ("2", "rate", None)]


def waiting_calls(task: str) -> dict[Any, WaitingCall]:
    """What the flow that runs here, if one does, shows of waiting calls of a task."""
    call = current.get()
    return {} if call is None or call.flow is None else call.flow.tallies[task].waiting


def test_waiting_for_a_rate_in_a_thread(flow: Flow, sink: Heard, within: Within) -> None:
    """By the clock that the wait itself uses: a second of it has gone when this is reported."""
    with fake_clock() as clock:

        @flow.task(limit=Limit(0, rate="1/hour"))
        def work(n: int) -> None: ...

        @within
        def run() -> None:
            work(0)
            work(1)

        run()
        assert clock.waits == [1, 3599]
    assert sink.waiting == [("1", "rate", None)]
    (event,) = [event for event in sink.events if isinstance(event, TaskWaiting)]
    assert event.waited_seconds == 1.0


def test_a_rate_that_no_sink_hears_of_is_waited_for_in_one_piece() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    with fake_clock() as clock:

        @flow.task(limit=Limit(0, rate="1/hour"))
        def work(n: int) -> None: ...

        work(0)
        work(1)
        assert clock.waits == [3600]


# ------------------------------------------------------------------ another owner


@pytest.mark.parametrize("kind", ["disk", "slow"])
async def test_waiting_for_another_call_of_this_loop(
    at_once: None, tmp_path: Path, sink: Heard, kind: str
) -> None:
    store = LocalStore() if kind == "disk" else FaultyStore(LocalStore(), blocking=True)
    flow = Flow(tmp_path, sink=sink, store=store)
    begun, go = asyncio.Event(), asyncio.Event()

    @flow.task(on="{name}.txt")
    async def make(name: str) -> None:
        begun.set()
        await go.wait()

    @flow
    async def run() -> None:
        first = asyncio.create_task(make("x"))
        await begun.wait()
        second = asyncio.create_task(make("x"))
        await sink.wait_async()
        (wait,) = waiting_calls("make").values()
        assert (wait.reason, wait.detail) == ("owner", "make('x')")
        go.set()
        await asyncio.gather(first, second)
        assert not waiting_calls("make")

    await run()
    assert sink.waiting == [("'x'", "owner", "make('x')")]


def test_waiting_for_a_call_in_another_thread(at_once: None, flow: Flow, sink: Heard) -> None:
    begun, go = threading.Event(), threading.Event()

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        begun.set()
        assert go.wait(30)

    threads = [threading.Thread(target=make, args=("x",)) for _ in range(2)]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    sink.wait()
    go.set()
    for thread in threads:
        thread.join()
    assert sink.waiting == [("'x'", "owner", "make('x')")]


OWNER = """
import sys
from asflow import LocalStore

claim = LocalStore().claim(sys.argv[1], sys.argv[1] + ".err")
print("claimed", flush=True)
sys.stdin.readline()
claim.abort()
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which makes `x.txt` until its input ends."""
    command = [sys.executable, "-c", OWNER, str(tmp_path / "x.txt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.communicate()  # closes its input


needs_names = pytest.mark.skipif(
    not os.path.exists("/proc/locks"), reason="the system does not say who holds a lock"
)


@needs_names
@pytest.mark.parametrize("kind", ["disk", "slow"])
@pytest.mark.parametrize("colour", ["async", "sync"])
def test_waiting_for_another_process(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    owner: subprocess.Popen[str],
    colour: str,
    kind: str,
) -> None:
    """Its number is in the event. It is asked for once, although the call looks at the claim many times."""
    monkeypatch.setattr(waits, "PATIENCE", 0.0)
    sink = Heard()
    asked: list[str] = []

    class Asked(LocalStore):
        blocking = kind == "slow"

        def owner(self, name: str, /) -> str | None:
            asked.append(name)
            return super().owner(name)

    flow = Flow(tmp_path, sink=sink, store=Asked())
    if colour == "async":

        @flow.task(on="{name}.txt")
        async def make(name: str) -> None: ...

        thread = threading.Thread(target=lambda: asyncio.run(make("x")))
    else:

        @flow.task(on="{name}.txt")
        def make_sync(name: str) -> None: ...

        thread = threading.Thread(target=make_sync, args=("x",))
    thread.start()
    sink.wait()
    owner.communicate()
    thread.join()
    assert sink.waiting == [("'x'", "owner", f"process {owner.pid}")]
    assert len(asked) == 1
    assert kinds(sink, "make" if colour == "async" else "make_sync")[-1] == "task_finished"


@pytest.mark.parametrize("answer", [None, OSError("away"), "x" * 1000 + "\n", KeyError()])
def test_what_a_store_may_say_of_an_owner(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(waits, "PATIENCE", 0.0)
    sink = Heard()

    class Answering(MemoryStore):
        def owner(self, name: str, /) -> str | None:
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[no-any-return]

    store = Answering()
    flow = Flow(store=store, sink=sink)

    @flow.task(on="x.txt")
    def make() -> None: ...

    claim: Any = store.claim("x.txt", "x.err")
    thread = threading.Thread(target=make)
    thread.start()
    sink.wait()
    claim.abort()
    thread.join()
    ((_, reason, owner),) = sink.waiting
    assert reason == "owner"
    assert owner is None if not isinstance(answer, str) else owner is not None
    assert len(owner or "") <= 200


# ------------------------------------------------------------------ what is shown


def wait_for_the_other(flow: Flow, store: Any, heard: Heard) -> None:
    @flow.task(on="x.txt")
    def make() -> None: ...

    claim: Any = store.claim("x.txt", "x.err")
    thread = threading.Thread(target=make)
    thread.start()
    heard.wait()
    claim.abort()
    thread.join()


class Named(MemoryStore):
    def owner(self, name: str, /) -> str | None:
        return "host:12"


def test_a_line_says_who_makes_the_output(
    at_once: None, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    heard, store = Heard(), Named()
    caplog.set_level(logging.INFO, "asflow")
    flow = Flow(store=store, sink=[LogSink(), RichSink(), heard])
    wait_for_the_other(flow, store, heard)
    line = r"Task make\(\) waits for its output, made by host:12, \d\.\d s so far"
    assert [r.levelname for r in caplog.records if re.fullmatch(line, r.message)] == ["INFO"]
    assert re.search(line, capfd.readouterr().err)


def test_the_lines_of_a_flow_say_who_makes_an_output(at_once: None) -> None:
    """Read from the tally: a flow's own sink is sent no events of its calls."""
    store, said = Named(), threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "1 waiting (for host:12)" in text:
                said.set()
            return super().write(text)

    flow = Flow(store=store, sink=LineSink(Stream(), every=0.01))

    @flow.task(on="x.txt")
    def make() -> None: ...

    @flow
    def pipeline() -> None:
        make()

    claim: Any = store.claim("x.txt", "x.err")
    thread = threading.Thread(target=pipeline)
    thread.start()
    assert said.wait(30)
    claim.abort()
    thread.join()


def test_a_line_in_the_log_of_an_action(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    heard, store = Heard(), Named()
    flow = Flow(store=store, sink=[GitHubActionsSink(), heard])
    wait_for_the_other(flow, store, heard)
    assert "Task make() waits for its output, made by host:12, " in capsys.readouterr().out


async def test_a_slot_is_no_line(at_once: None, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """A hundred calls may be queued; how many there are is shown anyhow."""
    heard, go = Heard(), asyncio.Event()
    caplog.set_level(logging.INFO, "asflow")
    flow = Flow(store=MemoryStore(), sink=[LogSink(), RichSink(verbose=True), heard])

    @flow.task(limit=1)
    async def work(n: int) -> None:
        if n == 0:
            await go.wait()

    calls = [asyncio.create_task(work(n)) for n in range(2)]
    await heard.wait_async()
    go.set()
    await asyncio.gather(*calls)
    assert "waits" not in caplog.text
    assert "waits" not in capfd.readouterr().err


# ------------------------------------------------------------------ the end of a wait


@pytest.mark.parametrize("over", ["slot", "rate", "owner"])
async def test_a_map_that_is_cancelled_stops_its_threads_that_wait(over: str) -> None:
    """A body that runs in a thread can't be stopped, but what a call waits for may never come."""
    heard, store = Heard("task_queued"), MemoryStore()
    flow = Flow(store=store, sink=heard)
    limit = Limit(1)
    with fake_clock(manual=True):
        limit.hold(3600 if over == "rate" else 0)

        @flow.task(limit=limit, on="{n}.txt")
        def work(n: int) -> None: ...

        held: Any = store.claim("1.txt", "1.err") if over == "owner" else None
        slot: Any = slots_of(work).try_acquire() if over == "slot" else None
        mapped: asyncio.Future[Any] = asyncio.ensure_future(flow.task.map(work, [1]))
        await heard.wait_async()
        mapped.cancel()
        await asyncio.wait([mapped])
        assert mapped.cancelled()
        del slot, held
