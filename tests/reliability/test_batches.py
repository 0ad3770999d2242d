"""Commits of several async calls, whose waits for the disk overlap: none is lost, none spoils another.

A gate in `os.fsync` holds them while something happens to them; everything else is real.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from typing import TYPE_CHECKING

import pytest
from reliability.processes import ENVIRONMENT, everything, run

from asflow import Flow
from asflow.errors import OutputPlaceError
from asflow.sinks import NullSink
from asflow.stores import LocalStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from asflow.stores._local_claim import Durability

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and fork")

KILLS = int(os.environ.get("ASFLOW_KILLS", "16")) // 2
DURABILITIES: list[Durability] = ["data", "full", "atomic"]


class Gate:
    """Holds every `os.fsync` until it is opened, and says when the first one has come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        fsync = os.fsync

        def held(descriptor: int) -> None:
            self.reached.set()
            self.opened.wait()
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", held)


def task_of(folder: Path, durability: Durability = "data") -> Callable[[int], Awaitable[None]]:
    flow = Flow(folder, store=LocalStore(durability=durability), sink=NullSink())

    @flow.task(on="{index}.jsonl", limit=24)
    async def make(index: int) -> None:
        flow.task.write({"index": index})

    return make


def wanted(count: int) -> set[str]:
    return {f"{index}.jsonl" for index in range(count)}


def check(folder: Path, count: int) -> None:
    assert everything(folder) == wanted(count)
    for index in range(count):
        assert (folder / f"{index}.jsonl").read_text() == f'{{"index":{index}}}\n'


def in_threads(count: int, work: Callable[[int], Coroutine[None, None, None]]) -> None:
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            asyncio.run(work(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_no_wake_up_is_lost(tmp_path: Path, durability: Durability) -> None:
    """Loops in threads commit one by one, so that the queue keeps running empty, and many at once."""
    make = task_of(tmp_path, durability)
    loops, each = 6, 60

    async def work(number: int) -> None:
        mine = list(range(number * each, (number + 1) * each))
        draw = random.Random(number)
        while mine:
            taken = draw.choice([1, 1, 1, 2, 8])
            await asyncio.gather(*map(make, mine[:taken]))
            del mine[:taken]

    in_threads(loops, work)
    check(tmp_path, loops * each)


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_one_that_fails_fails_alone(tmp_path: Path, durability: Durability) -> None:
    flow = Flow(tmp_path, store=LocalStore(durability=durability), sink=NullSink())
    go = asyncio.Event()

    @flow.task(on="{index}.jsonl", limit=16)
    async def make(index: int) -> None:
        flow.task.write({"index": index})
        if index % 3 == 0:
            (tmp_path / f"{index}.jsonl").write_text("a stranger's")
        await go.wait()

    calls = [asyncio.ensure_future(make(index)) for index in range(12)]
    await asyncio.sleep(0)
    go.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [OutputPlaceError, type(None), type(None)] * 4
    assert everything(tmp_path) == wanted(12)
    assert {(tmp_path / f"{index}.jsonl").read_text() for index in range(0, 12, 3)} == {"a stranger's"}


@pytest.mark.parametrize("durability", ["data", "full"])
async def test_cancelled_while_a_batch_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """A cancelled call ends after its commit."""
    make = task_of(tmp_path, durability)
    with monkeypatch.context() as patch:
        gate = Gate(patch)
        calls = [asyncio.ensure_future(make(index)) for index in range(16)]
        await asyncio.to_thread(gate.reached.wait)
        for call in calls[::2]:
            call.cancel()
        await asyncio.sleep(0)
        assert not any(call.done() for call in calls), "a task's part runs on after the task"
        for call in calls[::4]:
            call.cancel()
        gate.opened.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, type(None)] * 8
    found = everything(tmp_path)
    assert {f"{index}.jsonl" for index in range(1, 16, 2)} <= found <= wanted(16)
    await asyncio.gather(*map(make, range(40)))
    check(tmp_path, 40)


async def test_outputs_that_end_together_are_synced_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync waits until sixteen have begun."""
    make = task_of(tmp_path)
    all_begun, fsync = threading.Barrier(16), os.fsync

    def held(descriptor: int) -> None:
        all_begun.wait()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held)
    await asyncio.gather(*map(make, range(48)))
    check(tmp_path, 48)


NO_THREADS = """
import asyncio, sys, threading
from asflow import Flow
from asflow.sinks import NullSink

def start(self):
    raise RuntimeError("can't start new thread")

flow = Flow(sys.argv[1], sink=NullSink())

@flow.task(on="{n}.txt")
async def make(n):
    flow.task.write(str(n))

@flow
async def main():
    threading.Thread.start = start
    await asyncio.gather(*map(make, range(20)))

asyncio.run(main())
"""


def test_without_threads_the_loop_waits_itself(tmp_path: Path) -> None:
    run(NO_THREADS, tmp_path, ".")
    assert everything(tmp_path) == {f"{n}.txt" for n in range(20)}


INTERRUPTED = """
import asyncio, itertools, sys
from pathlib import Path
from asflow import Flow
from asflow._runtime import disk
from asflow.sinks import NullSink
from asflow.stores import LocalStore

def interrupt_at(point):
    left = point
    def trace(frame, event, arg):
        nonlocal left
        if frame.f_code.co_filename != disk.__file__:
            return None
        left -= event == "line"
        if left == 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace
    sys.settrace(trace)

for point in itertools.count(1, int(sys.argv[2])):
    folder = Path(str(point))
    flow = Flow(folder, store=LocalStore(durability=sys.argv[1]), sink=NullSink())

    @flow.task(on="{n}.txt")
    async def make(n):
        flow.task.write(str(n))

    async def main():
        await asyncio.gather(*map(make, range(5)))

    interrupt_at(point)
    try:
        asyncio.run(main())
        break
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    asyncio.run(main())
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {f"{n}.txt": str(n) for n in range(5)}, found
print(point)
"""


@pytest.mark.parametrize("durability", ["data", "full"])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_interrupted_at_any_line_no_wait_is_lost(tmp_path: Path, durability: str, step: int) -> None:
    """Ctrl-C while the loop hands waits over or takes them back: it ends, and the next run makes the rest."""
    assert int(run(INTERRUPTED, tmp_path, durability, str(step), quiet=False)) > 50


async def test_a_folder_is_synced_once_for_all_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is, later outputs gather for the next time; each is synced after it has its name."""
    make = task_of(tmp_path, "full")
    await make(99)  # from here on the way to the folder is known
    inode, fsync = os.stat(tmp_path).st_ino, os.fsync
    begun, go, found = threading.Event(), threading.Event(), list[set[str]]()

    def held(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == inode:
            found.append({name for name in os.listdir(tmp_path) if not name.endswith(".part")})
            begun.set()
            go.wait()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held)
    first = asyncio.ensure_future(make(0))
    await asyncio.to_thread(begun.wait)
    rest = [asyncio.ensure_future(make(index)) for index in range(1, 8)]
    while len([name for name in os.listdir(tmp_path) if name.endswith(".jsonl")]) < 9:
        await asyncio.sleep(0)
    assert not any(call.done() for call in (first, *rest))
    go.set()
    await asyncio.gather(first, *rest)
    assert found == [{"99.jsonl", "0.jsonl"}, {"99.jsonl", *wanted(8)}]


@pytest.mark.parametrize("durability", ["data", "full"])
def test_the_loop_is_closed_while_a_batch_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    make = task_of(tmp_path, durability)
    with monkeypatch.context() as patch:
        gate = Gate(patch)
        loop = asyncio.new_event_loop()
        calls = [loop.create_task(to_end(make, index)) for index in range(16)]
        loop.run_until_complete(loop.run_in_executor(None, gate.reached.wait))
        for call in calls:
            vars_of = call  # asyncio logs a pending task that is dropped
            vars_of._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        del calls, call, vars_of, loop
        gc.collect()
        gate.opened.set()
    # Outputs of the closed loop are whole or free again: the calls wait for those that are still held.
    asyncio.run(all_of(make, 40))
    check(tmp_path, 40)


async def to_end(make: Callable[[int], Awaitable[None]], index: int) -> None:
    await make(index)


async def all_of(make: Callable[[int], Awaitable[None]], count: int) -> None:
    await asyncio.gather(*map(make, range(count)))


FLOW = """
    import asyncio, atexit, os, sys, threading, warnings
    from asflow import Flow, LocalStore
    from asflow.sinks import NullSink
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which is what is tried
    flow = Flow("out", store=LocalStore(durability=sys.argv[1]), sink=NullSink())
    @flow.task(on="{name}.jsonl", limit=24)
    async def make(name: str) -> None:
        flow.task.write({"name": name})
    async def all_of(names):
        await asyncio.gather(*map(make, names))
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", ["data", "full"])
def test_forks_while_batches_are_under_way(tmp_path: Path, durability: str) -> None:
    """A forked child has neither the threads nor their queue, and makes outputs of its own."""
    script = f"""{FLOW}
    # A fork while another thread imports a module would leave that import's lock taken.
    asyncio.run(all_of(["warm"]))
    ended = threading.Event()
    def work():
        for number in range(12):
            asyncio.run(all_of(f"p{{number}}-{{index}}" for index in range(20)))
        ended.set()
    thread = threading.Thread(target=work)
    thread.start()
    children = 0
    while not ended.is_set() and children < 12:
        pid = os.fork()
        if pid == 0:
            asyncio.run(all_of(f"c{{children}}-{{index}}" for index in range(4)))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        children += 1
    thread.join()
    print(children)
    """
    children = int(run(script, tmp_path, durability))
    mine = {f"out/p{number}-{index}.jsonl" for number in range(12) for index in range(20)}
    theirs = {f"out/c{child}-{index}.jsonl" for child in range(children) for index in range(4)}
    assert children > 0
    assert everything(tmp_path) == mine | theirs | {"out/warm.jsonl"}


def test_outputs_are_made_while_the_interpreter_exits(tmp_path: Path) -> None:
    """By functions that run at exit, before and after those of asflow, and in a child that was forked."""
    script = f"""
    import atexit
    atexit.register(lambda: asyncio.run(all_of("ab")))
    {FLOW}
    asyncio.run(all_of("cd"))
    atexit.register(lambda: asyncio.run(all_of("ef")))
    if os.fork() == 0:
        asyncio.run(all_of("gh"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    """
    run(script, tmp_path, "data")
    assert everything(tmp_path) == {f"out/{name}.jsonl" for name in "abcdefgh"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_killed_while_batches_are_under_way(tmp_path: Path, durability: str) -> None:
    """Killed at random moments: what is there is whole, and the next run makes the rest."""
    count = 60 * KILLS
    script = f"""{FLOW}
    print("ready", flush=True)
    asyncio.run(all_of(map(str, range({count}))))
    """
    draw = random.Random(durability)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), durability],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(draw.random() * 0.15)  # the moment of the kill is the random input of this test
        process.kill()
        process.communicate(timeout=60)
        for path in (tmp_path / "out").glob("*.jsonl"):
            assert path.read_text() == f'{{"name":"{path.stem}"}}\n', path
    run(script, tmp_path, durability)
    assert everything(tmp_path / "out") == wanted(count)
