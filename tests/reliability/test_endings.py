"""Interruptions at chosen moments of real processes, and threads that outlive their task."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from reliability.processes import everything, run

from asflow import Flow
from asflow.errors import OutputClosedError
from asflow.sinks import NullSink
from asflow.stores import LocalStore, MemoryStore
from asflow.testing import FaultyStore

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

START = """
    import asyncio, atexit, gc, os, signal, sys, threading
    from asflow import Flow, Retry
    from asflow.sinks import NullSink
    flow = Flow("out", sink=NullSink())
    def left():
        return sorted(os.listdir("out")) if os.path.isdir("out") else []
    """

BODY = {
    "in an async body": """
    @flow.task(on="x.jsonl.zst")
    async def make() -> None:
        flow.task.write({"half": 1})
        os.kill(os.getpid(), SIGNAL)
        await asyncio.sleep(30)
    work = lambda: asyncio.run(make())
    """,
    "in a sync body": """
    @flow.task(on="x.jsonl.zst")
    def make() -> None:
        flow.task.write({"half": 1})
        os.kill(os.getpid(), SIGNAL)
        signal.pause()
    work = make
    """,
    "while waiting to retry": """
    @flow.task(on="x.jsonl.zst", retry=Retry(1, backoff_factor=60))
    async def make() -> None:
        flow.task.write({"half": 1})
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), SIGNAL)
        raise ValueError
    work = lambda: asyncio.run(make())
    """,
    "while waiting for the owner": """
    @flow.task(on="x.jsonl.zst", limit=0)
    async def make() -> None:
        flow.task.write({"half": 1})
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), SIGNAL)
        await asyncio.sleep(30)
    async def both():
        await asyncio.gather(make(), make())
    work = lambda: asyncio.run(both())
    """,
    "while waiting for a slot": """
    @flow.task(on="{name}.jsonl.zst", limit=1)
    async def make(name: str) -> None:
        flow.task.write({"half": 1})
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), SIGNAL)
        await asyncio.sleep(30)
    async def both():
        await asyncio.gather(make("x"), make("y"))
    work = lambda: asyncio.run(both())
    """,
}


@pytest.mark.parametrize("when", BODY)
def test_ctrl_c(tmp_path: Path, when: str) -> None:
    """KeyboardInterrupt is raised, and neither an output nor work in progress is left."""
    script = START + BODY[when].replace("SIGNAL", "signal.SIGINT")
    script += """
    try:
        work()
    except KeyboardInterrupt:
        print("interrupted", left())
    """
    assert run(script, tmp_path) == "interrupted []\n"


@pytest.mark.parametrize("when", BODY)
def test_sigterm(tmp_path: Path, when: str) -> None:
    """It runs no `finally`: work in progress stays under its own name, and the next run takes it over."""
    run(START + BODY[when].replace("SIGNAL", "signal.SIGTERM") + "\n    work()", tmp_path, code=-15)
    assert everything(tmp_path) <= {"out/x.jsonl.zst.part"}
    flow = Flow(tmp_path / "out", sink=NullSink())

    @flow.task(on="x.jsonl.zst")
    def make() -> None:
        flow.task.write({"whole": 1})

    assert flow.task.output(make).status == "absent"
    make()
    assert list(flow.task.output(make).records(dict[str, int])) == [{"whole": 1}]
    assert everything(tmp_path) == {"out/x.jsonl.zst"}


def test_sigterm_turned_into_an_exit(tmp_path: Path) -> None:
    """With a handler that raises SystemExit nothing is left at all."""
    script = START + BODY["in a sync body"].replace("SIGNAL", "signal.SIGTERM")
    script += """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    atexit.register(lambda: print(left()))
    work()
    """
    assert run(script, tmp_path, code=143) == "[]\n"


@pytest.mark.parametrize("end", ["sys.exit(0)", "loop.close()", "loop.close(); gc.collect()", "os._exit(0)"])
def test_a_loop_that_ends_under_its_tasks(tmp_path: Path, end: str) -> None:
    """A loop that is closed, or an interpreter that exits, with tasks in the middle of their bodies."""
    script = f"""
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
    @flow.task(on="{{name}}.jsonl.zst", limit=2)
    async def make(name: str) -> None:
        flow.task.write({{"half": 1}})
        await asyncio.sleep(0.001 if name == "quick" else 30)
    loop = asyncio.new_event_loop()
    calls = [loop.create_task(make(name)) for name in ("quick", "slow", "slower", "slow", "waiting")]
    loop.run_until_complete(calls[0])
    for call in calls:
        call._log_destroy_pending = False
    {end}
    """
    run(START + script, tmp_path, quiet=False)
    assert everything(tmp_path) - {
        f"out/{name}.jsonl.zst.part" for name in ("slow", "slower", "waiting")
    } == {"out/quick.jsonl.zst"}


def test_a_closed_loop_frees_what_it_held(tmp_path: Path) -> None:
    """The calls of a loop that was closed under them hold neither slot nor output once they are collected."""
    script = """
    import warnings
    warnings.simplefilter("ignore", ResourceWarning)
    entered = 0
    @flow.task(on="x.jsonl.zst", limit=1)
    async def make() -> None:
        global entered
        entered += 1
        flow.task.write({"n": entered})
        if entered == 1:
            await asyncio.sleep(30)
    loop = asyncio.new_event_loop()
    call = loop.create_task(make())
    loop.run_until_complete(asyncio.sleep(0))
    call._log_destroy_pending = False
    assert entered == 1
    loop.close()
    del call, loop
    gc.collect()
    assert left() == [], left()
    asyncio.run(make())
    print(left(), list(flow.task.output(make).records(dict[str, int])))
    """
    assert run(START + script, tmp_path) == "['x.jsonl.zst'] [{'n': 2}]\n"


def test_a_non_daemon_thread_finishes_its_output(tmp_path: Path) -> None:
    """Python waits for such a thread at exit, so its output is published."""
    script = """
    begun, go = threading.Event(), threading.Event()
    @flow.task(on="x.txt")
    def make() -> None:
        begun.set()
        go.wait()
        flow.task.write("whole")
    threading.Thread(target=make).start()
    begun.wait()
    threading.Timer(0.05, go.set).start()
    """
    run(START + script, tmp_path)
    assert (tmp_path / "out" / "x.txt").read_text() == "whole"
    assert everything(tmp_path) == {"out/x.txt"}


@pytest.mark.parametrize("end", ["cancelled", "failed", "finished", "skipped"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl.zst", ".csv.gz"])
async def test_a_thread_that_outlives_its_task(tmp_path: Path, end: str, suffix: str) -> None:
    """However the task ended, what the thread writes afterwards raises and reaches no file."""
    flow = Flow(tmp_path, sink=NullSink())
    go, ended = threading.Event(), threading.Event()
    heard: list[BaseException] = []
    row = "late" if suffix == ".txt" else {"a": "late"}
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def late() -> None:
        flow.task.write("early" if suffix == ".txt" else {"a": "early"})
        loop.call_soon_threadsafe(begun.set)
        go.wait()
        try:
            for _ in range(1000):
                flow.task.write(row)
        except OutputClosedError as error:
            heard.append(error)
        ended.set()

    @flow.task(on="x" + suffix, skip=LookupError)
    async def make() -> None:
        thread = asyncio.create_task(asyncio.to_thread(late))
        await begun.wait()
        if end == "cancelled":
            await thread
        elif end != "finished":
            raise LookupError if end == "skipped" else ValueError

    call = asyncio.create_task(make())
    await begun.wait()
    if end == "cancelled":
        call.cancel()
    results = await asyncio.gather(call, return_exceptions=True)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    go.set()
    await asyncio.to_thread(ended.wait)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    assert set(before) == ({"x" + suffix} if end == "finished" else set())
    assert len(heard) == 1
    assert "x" + suffix in str(heard[0]) or "ended" in str(heard[0])
    assert type(results[0]).__name__ == {"cancelled": "CancelledError", "failed": "ValueError"}.get(
        end, "NoneType"
    )


@pytest.mark.parametrize("blocking", [False, True])
async def test_cancelled_at_each_step_of_the_loop(tmp_path: Path, blocking: bool) -> None:
    """A call is cancelled after 0, 1, 2, ... steps until it is done: all or nothing, and no slot is lost."""
    for steps in range(150):
        folder = tmp_path / str(steps)
        store = FaultyStore(LocalStore(durability="atomic"), blocking=blocking)
        flow = Flow(folder, store=store, sink=NullSink())

        @flow.task(on="x.jsonl.zst", limit=1)
        async def make() -> None:
            flow.task.write({"a": 1})  # noqa: B023 - called in this round only
            await asyncio.sleep(0)
            await asyncio.to_thread(flow.task.write, {"a": 2})  # noqa: B023 - as above

        call = asyncio.create_task(make())
        for _ in range(steps):
            await asyncio.sleep(0)
        done = call.done()
        call.cancel()
        (result,) = await asyncio.gather(call, return_exceptions=True)
        if done:
            assert result is None
            break
        # A blocking store's claim is given up in a thread: the next call waits for that.
        names = everything(folder) - ({"x.jsonl.zst.part"} if blocking else set())
        assert names <= {"x.jsonl.zst"}, "published before the cancelling reached it"
        await asyncio.wait_for(make(), 30)
        rows = list(flow.task.output(make).records(dict[str, int]))
        assert rows == [{"a": 1}, {"a": 2}]
        assert everything(folder) == {"x.jsonl.zst"}
    else:
        # A thread may take longer than so many turns of an idle loop: then the later ones all hit its wait.
        assert steps == 149


def test_a_memory_store_keeps_the_same_promises() -> None:
    """A late thread and a cancelled call, without files."""
    store = MemoryStore()
    flow = Flow(store=store, sink=NullSink())

    @flow.task(on="x.txt")
    async def make(hold: bool) -> None:
        flow.task.write("text")
        if hold:
            await asyncio.sleep(30)

    async def main() -> None:
        call = asyncio.create_task(make(True))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert list(store.list("")) == []
        await make(False)
        assert list(store.list("")) == ["x.txt"]

    asyncio.run(main())
