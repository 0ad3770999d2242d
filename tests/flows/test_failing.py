"""What becomes of the user's own exceptions: the same object, their frames first, and no cycles."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import asflow
from asflow import Flow, MemoryStore, Retry
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock

OPTIONS: list[dict[str, Any]] = [
    {},
    {"limit": 0},
    {"retry": Retry(1, backoff_factor=0, backoff_jitter=0)},
    {"skip": ArithmeticError},
    {"on": "{name}.txt"},
    {"on": "{name}.txt", "suppress": ArithmeticError, "retry": Retry(0)},
    {"on": "{name}.txt", "timeout": 30},
]
WAYS = pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "bare")
KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


class MineError(Exception):
    """The user's own."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.detail = [text]


def make(flow: Flow, options: dict[str, Any], error: BaseException, *, is_async: bool) -> Callable[[], Any]:
    """Return a call that raises *error* in a body with one more function below."""
    decorate: Any = flow.task
    if not is_async:
        options = {name: value for name, value in options.items() if name != "timeout"}

    def deep() -> None:
        raise error

    def body(name: str) -> None:
        deep()

    async def body_async(name: str) -> None:
        deep()

    if is_async:
        task = decorate(**options)(body_async)
        return lambda: asyncio.run(task("x"))
    task = decorate(**options)(body)
    return lambda: task("x")


@WAYS
@KINDS
def test_the_very_object_is_raised_with_the_users_frames_at_its_end(
    options: dict[str, Any], is_async: bool
) -> None:
    error = MineError("text")
    call = make(Flow(store=MemoryStore(), sink=RecordingSink()), options, error, is_async=is_async)
    with fake_clock(), pytest.raises(MineError) as caught:
        call()
    assert caught.value is error
    assert error.args == ("text",)
    assert error.detail == ["text"]
    assert error.__cause__ is None
    assert error.__notes__ == [f"asflow task: {'body_async' if is_async else 'body'}('x')"]
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    name = "body_async" if is_async else "body"
    assert frames[-2:] == [name, "deep"]
    package = os.path.dirname(asflow.__file__)
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if package in frame.filename]
    assert frames.count(name) == (2 if "retry" in options and "on" not in options else 1)
    assert not ours


@WAYS
@KINDS
@pytest.mark.parametrize("sink", [NullSink, RecordingSink])
def test_a_failure_leaves_no_reference_cycle(
    options: dict[str, Any], is_async: bool, sink: Callable[[], Any]
) -> None:
    """Whatever the body held is gone with the error, without the garbage collector."""
    flow = Flow(store=MemoryStore(), sink=NullSink() if sink is NullSink else Forgetful())
    decorate: Any = flow.task
    if not is_async:
        options = {name: value for name, value in options.items() if name != "timeout"}
    seen: list[weakref.ref[Any]] = []

    class Held:
        pass

    def body(name: str) -> None:
        held = Held()
        seen.append(weakref.ref(held))
        raise MineError("text")

    async def body_async(name: str) -> None:
        held = Held()
        seen.append(weakref.ref(held))
        raise MineError("text")

    task = decorate(**options)(body_async if is_async else body)

    async def attempt() -> None:
        gc.collect()
        gc.disable()
        try:
            with fake_clock(), contextlib.suppress(MineError):
                await task("x") if is_async else task("x")
            assert seen
            assert [ref() for ref in seen] == [None] * len(seen)
        finally:
            gc.enable()

    asyncio.run(attempt())


class Forgetful:
    """Is told of everything and keeps nothing."""

    def emit(self, event: object, /) -> None:
        """Forget it."""


async def test_a_failing_map_leaves_no_reference_cycle() -> None:
    flow, seen = Flow(sink=NullSink()), list[weakref.ref[Any]]()

    class Held:
        pass

    @flow.task(limit=3)
    async def body(number: int) -> None:
        if number == 5:
            held = Held()
            seen.append(weakref.ref(held))
            raise MineError("text")

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(MineError):
            await flow.task.map(body, range(100))
        await asyncio.sleep(0)
        assert [ref() for ref in seen] == [None]
    finally:
        gc.enable()


def test_the_err_file_is_the_traceback_as_python_prints_it(store: MemoryStore, flow: Flow) -> None:
    def deep() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise MineError("bäd \ud800") from error

    @flow.task(on="data/{name}.jsonl.zst", suppress=MineError)
    def body(name: str) -> None:
        flow.task.write({"half": 1})
        deep()

    assert body("a.b") is None
    assert list(store.list("")) == ["data/a.b.err"]
    text = store.open("data/a.b.err").read().decode()
    line, _, text = text.partition("\n")
    assert json.loads(line) == {
        "task": "body",
        "qualname": f"{body.__module__}.{body.__qualname__}",
        "label": "'a.b'",
        "arguments": {"name": "'a.b'"},
        "values": {"name": "a.b"},
    }
    assert text.startswith("Traceback (most recent call last):\n")
    assert "The above exception was the direct cause" in text
    last = text.rindex("Traceback (most recent call last):")
    first_frame = text[last:].splitlines()[1]
    assert first_frame.startswith(f'  File "{__file__}", line ')
    assert first_frame.endswith("in body")
    assert "asflow/runtime" not in text
    assert text.endswith("MineError: bäd \\ud800\n")
    output = flow.task.output(body, "a.b")
    assert output.error() == text
    assert output.status == "suppressed"


def test_a_suppressed_failure_is_remembered_until_it_is_deleted(flow: Flow, sink: RecordingSink) -> None:
    calls = 0

    @flow.task(on="{name}.txt", suppress=MineError, retry=3)
    def body(name: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MineError("for good")
        flow.task.write("made")

    body("x")
    body("x")
    assert calls == 1
    assert flow.task.output(body, "x").delete()
    body("x")
    assert flow.task.output(body, "x").text() == "made"
    assert sink.outcomes() == ["suppressed", "suppressed", "completed"]
    assert [event.error is None for event in sink.finished()] == [False, True, True]
    assert sink.kinds()[4:6] == ["task_finished", "task_queued"], (
        "the second one finished without having started"
    )
    assert not flow.task.output(body, "y").delete()


def test_suppress_without_on_holds_for_one_call(flow: Flow, sink: RecordingSink, store: MemoryStore) -> None:
    @flow.task(suppress=MineError, retry=3)
    def body() -> str:
        raise MineError("again and again")

    assert body() is None
    assert body() is None
    assert sink.outcomes() == ["suppressed"] * 2
    assert sink.kinds().count("task_started") == 2
    assert list(store.list("")) == []


def test_skip_leaves_nothing_behind_and_comes_after_retries(
    flow: Flow, sink: RecordingSink, store: MemoryStore
) -> None:
    @flow.task(on="{name}.txt", skip=MineError, retry=2)
    def body(name: str) -> None:
        flow.task.write("half")
        raise MineError("not now")

    with fake_clock() as clock:
        body("x")
        body("x")
    assert sink.kinds().count("task_started") == 6
    assert len(clock.waits) == 4
    assert 1 <= clock.waits[0] < 2 <= clock.waits[1] < 3
    assert list(store.list("")) == []
    assert sink.outcomes() == ["skipped", "skipped"]


def test_each_attempt_writes_a_fresh_output(flow: Flow) -> None:
    attempts = 0

    @flow.task(on="{name}.txt", retry=2)
    def body(name: str) -> None:
        nonlocal attempts
        attempts += 1
        flow.task.write(f"attempt {attempts}")
        run = flow.task.run
        assert run is not None
        assert run.attempt == attempts
        if attempts < 3:
            raise MineError("not yet")

    with fake_clock():
        body("x")
    assert attempts == 3
    assert flow.task.output(body, "x").text() == "attempt 3"


def test_the_slot_is_free_while_a_retry_waits(flow: Flow) -> None:
    order: list[str] = []

    @flow.task(limit=1, retry=Retry(1, backoff_factor=5, backoff_jitter=0))
    async def body(name: str) -> None:
        order.append(name)
        if order == ["first"]:
            raise MineError("once")

    async def main() -> None:
        with fake_clock(manual=True) as clock:
            first = asyncio.create_task(body("first"))
            while not clock.sleeping:
                await asyncio.sleep(0)
            await body("second")
            clock.advance(5)
            await first

    asyncio.run(main())
    assert order == ["first", "second", "first"]


def test_a_timeout_is_a_timeout_error_like_any_other(
    flow: Flow, sink: RecordingSink, store: MemoryStore
) -> None:
    attempts = 0

    @flow.task(
        on="{name}.txt", timeout=0.001, retry=Retry(1, backoff_factor=0, backoff_jitter=0), skip=TimeoutError
    )
    async def body(name: str) -> None:
        nonlocal attempts
        attempts += 1
        flow.task.write("half")
        await asyncio.get_running_loop().create_future()

    assert asyncio.run(body("x")) is None
    assert attempts == 2
    assert sink.outcomes() == ["skipped"]
    assert isinstance(sink.finished()[0].error, TimeoutError)
    assert list(store.list("")) == []


@pytest.mark.parametrize("step", ["status", "claim", "write", "publish"])
@KINDS
def test_a_store_that_raises_fails_the_call_with_that_object(step: Any, is_async: bool) -> None:
    """Nothing is left that looks done, nothing is held, and the next run succeeds."""
    inner, sink = MemoryStore(), RecordingSink()
    store = FaultyStore(inner)
    flow = Flow(store=store, sink=sink)
    error = OSError(28, "No space left on device")
    store.fail(step, error)

    calls: list[str] = []

    def body(name: str) -> None:
        calls.append(name)
        flow.task.write("whole")

    async def body_async(name: str) -> None:
        body(name)

    decorate: Any = flow.task(on="{name}.txt", limit=1)
    task = decorate(body_async if is_async else body)

    def call() -> object:
        return asyncio.run(task("x")) if is_async else task("x")

    with pytest.raises(OSError) as caught:  # noqa: PT011 - the object is compared
        call()
    assert caught.value is error
    assert list(inner.list("")) == []
    assert sink.outcomes() == ["failed"]
    before = len(calls)
    call()
    assert len(calls) == before + 1
    assert inner.open("x.txt").read() == b"whole"


def test_a_custom_writer_is_ended_once_however_the_call_ends() -> None:
    """`commit` or `abort`, once; a commit that raises is followed by an abort."""
    ends: list[str] = []

    class Lines:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def write(self, record: str, /) -> None:
            self.stream.write(record.encode())

        def commit(self) -> None:
            ends.append("commit")
            if broken:
                raise OSError("commit")

        def abort(self) -> None:
            ends.append("abort")

    store = FaultyStore(MemoryStore())
    flow = Flow(store=store, sink=NullSink())
    broken = False

    @flow.task(on="{name}.log", writer=Lines, suppress=MineError)
    def body(name: str, error: Exception | None = None) -> None:
        flow.task.write(name)
        if error is not None:
            raise error

    body("a")
    assert ends == ["commit"]
    store.fail("publish", OSError("publish"))
    with pytest.raises(OSError, match="publish"):
        body("b")
    assert ends == ["commit", "commit"]
    body("b", MineError("suppressed"))
    with pytest.raises(ArithmeticError):
        body("c", ArithmeticError())
    assert ends[2:] == ["abort", "abort"]
    broken = True
    with pytest.raises(OSError, match="commit"):
        body("d")
    assert ends[4:] == ["commit", "abort"]
