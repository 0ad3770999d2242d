"""Stores, writers and sinks of a user's own that raise, block or lie: they break their own task at most."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.errors import AsflowError
from asflow.sinks import NullSink
from asflow.stores import LocalStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asflow.protocols import ByteStream

LIES: dict[str, Callable[..., object]] = {
    "None": lambda *_, **__: None,
    "an unknown word": lambda *_, **__: "perhaps",
    "a number": lambda *_, **__: 7,
    "an object": lambda *_, **__: object(),
    "an exception class": lambda *_, **__: ValueError,
}


def raises(*_: object, **__: object) -> object:
    raise RuntimeError("the store is broken")


class Lying(MemoryStore):
    """Does what it should, but for one method, and for outputs called bad only."""

    def __init__(self, method: str, lie: Callable[..., object], *, blocking: bool) -> None:
        super().__init__()
        self.blocking = blocking
        honest = getattr(self, method)

        def answer(name: str, *args: object, **kwargs: object) -> object:
            return (lie if "bad" in name else honest)(name, *args, **kwargs)

        setattr(self, method, answer)


@pytest.mark.parametrize("lie", [*LIES, "raising"])
@pytest.mark.parametrize("method", ["status", "claim"])
@pytest.mark.parametrize("blocking", [False, True])
async def test_a_store_that_lies(method: str, lie: str, blocking: bool) -> None:
    """Its own task gets an error that says what came from whom; the others, and the slots, are unharmed."""
    store = Lying(method, LIES.get(lie, raises), blocking=blocking)
    flow = Flow(store=store, sink=NullSink())
    bodies: list[str] = []

    @flow.task(on="{name}.jsonl", limit=1)
    async def make(name: str) -> None:
        bodies.append(name)
        flow.task.write({"name": name})

    calls = [make("good"), make("bad"), make("better"), make("bad")]
    results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30)
    assert results[0] is None
    assert results[2] is None
    assert sorted(bodies) == ["better", "good"]  # a blocking store is asked in threads: either may be first
    for result in (results[1], results[3]):
        assert isinstance(result, RuntimeError if lie == "raising" else TypeError), result
        if lie != "raising":
            assert f"{method}()" in str(result)
            assert "Lying" in str(result)
    assert list(store.list("")) == ["better.jsonl", "good.jsonl"]


@pytest.mark.parametrize("step", ["write", "publish", "abort", "fail"])
@pytest.mark.parametrize("kind", [RuntimeError, ValueError, OSError])
async def test_a_claim_that_raises(step: str, kind: type[Exception]) -> None:
    """Any step of a claim raises: the error reaches the caller, but for an abort's, which hides no other."""

    class Claims(MemoryStore):
        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            claim = super().claim(name, failure, replace=replace)
            return claim if isinstance(claim, str) or "bad" not in name else Claim(claim)

    class Claim:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            return refuse if name == step else getattr(self.inner, name)

    def refuse(*_: object) -> None:
        raise kind(f"no {step}")

    store = Claims()
    flow = Flow(store=store, sink=NullSink())

    @flow.task(on="{name}.txt", limit=1, suppress=KeyError)
    async def make(name: str) -> None:
        flow.task.write("text")
        if step == "fail":
            raise KeyError(name)
        if step == "abort":
            raise ZeroDivisionError

    # A store that can't give up its claims has only itself to blame if nobody gets that output any more.
    names = ["bad", "good", "bad too" if step == "abort" else "bad", "better"]
    results = await asyncio.wait_for(asyncio.gather(*map(make, names), return_exceptions=True), 30)
    for name, result in zip(names, results, strict=True):
        if step == "abort":
            assert isinstance(result, ZeroDivisionError)
        elif name.startswith("bad"):
            assert isinstance(result, kind)
        else:
            assert result is None
    assert "bad.txt" not in list(store.list(""))


async def test_a_store_that_blocks() -> None:
    """One that says so holds up its own task alone: the loop goes on, and other outputs are made."""
    go = threading.Event()
    ticks = 0

    class Slow(MemoryStore):
        blocking = True

        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            if "slow" in name:
                go.wait()
            return super().claim(name, failure, replace=replace)

    flow = Flow(store=Slow(), sink=NullSink())

    @flow.task(on="{name}.txt", limit=4)
    async def make(name: str) -> None:
        flow.task.write("text")

    slow = asyncio.create_task(make("slow"))
    for name in "abc":
        await make(name)
        ticks += 1
    assert ticks == 3
    assert not slow.done()
    go.set()
    await slow


@pytest.mark.parametrize("step", ["make", "write", "commit", "abort"])
@pytest.mark.parametrize("end", ["returns", "fails"])
def test_a_writer_that_raises(tmp_path: Path, step: str, end: str) -> None:
    """Nothing is published, the error is the writer's (or the body's own), and the next output is fine."""
    broken = True

    class Writer:
        def __init__(self, stream: ByteStream) -> None:
            self.stream = stream
            self.check("make")

        def check(self, what: str) -> None:
            if broken and what == step:
                raise LookupError(f"no {what}")

        def write(self, record: str) -> None:
            self.check("write")
            self.stream.write(record.encode())

        def commit(self) -> None:
            self.check("commit")

        def abort(self) -> None:
            self.check("abort")

    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{name}.x.zst", writer=Writer)
    def make(name: str) -> None:
        flow.task.write(name)
        if end == "fails":
            raise ZeroDivisionError

    for _ in range(2):
        if end == "fails" and step not in {"make", "write"}:
            with pytest.raises(ZeroDivisionError):
                make("x")
        elif step != "abort":
            with pytest.raises(LookupError, match=f"no {step}"):
                make("x")
        assert not tmp_path.exists() or step == "abort" or os.listdir(tmp_path) == []
    broken = False
    if end == "returns":
        make("y")
        assert (tmp_path / "y.x.zst").exists()


def test_a_writer_that_keeps_writing_after_its_end(tmp_path: Path) -> None:
    """The stream of a published output takes nothing more."""
    streams: list[ByteStream] = []

    class Writer:
        def __init__(self, stream: ByteStream) -> None:
            streams.append(stream)

        def write(self, record: bytes) -> None:
            streams[-1].write(record)

        def commit(self) -> None: ...

        def abort(self) -> None:
            streams[-1].write(b"from abort")

    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{name}.x", writer=Writer, skip=KeyError)
    def make(name: str) -> None:
        flow.task.write(b"whole")
        if name == "bad":
            raise KeyError(name)

    make("good")
    make("bad")
    for stream in streams:
        with pytest.raises((AsflowError, ValueError)):
            stream.write(b"late")
    assert (tmp_path / "good.x").read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["good.x"]


@pytest.mark.parametrize("kind", [Exception, RuntimeError, OSError, BrokenPipeError])
def test_a_sink_that_raises(tmp_path: Path, kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """It breaks nothing, is reported, and dropped after five errors in a row."""

    class Sink:
        told = 0

        def emit(self, event: object, /) -> None:
            self.told += 1
            raise kind("no display")

    sink = Sink()
    flow = Flow(tmp_path, sink=sink)

    @flow.task(on="{name}.txt")
    async def make(name: str) -> None:
        flow.task.write("text")

    @flow
    async def run() -> str:
        await asyncio.gather(*map(make, "abcdef"))
        return "done"

    assert asyncio.run(run()) == "done"
    assert sorted(os.listdir(tmp_path)) == [f"{name}.txt" for name in "abcdef"]
    assert sink.told == 5
    assert len([record for record in caplog.records if record.name.startswith("asflow")]) == 2


def test_a_sink_that_calls_back(tmp_path: Path) -> None:
    """A sink that itself runs a task of the flow, of all things, does not make it hang or fail."""

    class Sink:
        inside = False

        def emit(self, event: object, /) -> None:
            if not Sink.inside:
                Sink.inside = True
                try:
                    nested()
                finally:
                    Sink.inside = False

    flow = Flow(tmp_path, store=LocalStore(durability="atomic"), sink=Sink())

    @flow.task
    def nested() -> None: ...

    @flow.task(on="x.txt", limit=2)
    def make() -> None:
        flow.task.write("text")

    make()
    assert (tmp_path / "x.txt").read_text() == "text"
