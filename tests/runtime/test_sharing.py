"""Several processes, or loops, map a task over one folder: each makes what no other one is making."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, Limit, LocalStore, MemoryStore
from asflow.sinks import NullSink
from asflow.stores import _local_part

SCRIPT = """
import asyncio, os, random, sys, time
from asflow import Flow
from asflow.sinks import NullSink

base, kind, count, way, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
flow = Flow(base, sink=NullSink())
items = list(range(count))
if way == "mixed":
    random.shuffle(items)

def say(*words):  # in one write, from any thread
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def begun(i):
    say("body", i)

def stop(i):
    flow.task.write(f"{i}")

async def make_async(i: int) -> None:
    begun(i)
    if pause == "told":
        await asyncio.to_thread(os.read, 0, 1)
    else:
        await asyncio.sleep(float(pause))
    stop(i)

def make_sync(i: int) -> None:
    begun(i)
    if pause == "told":
        os.read(0, 1)
    else:
        time.sleep(float(pause))
    stop(i)

make = flow.task(on="out/{i}.txt", limit=2)(make_async if kind == "async" else make_sync)

async def main():
    async for _ in flow.task.map(make, items, ordered=way == "same"):
        say("result")

say("ready")
os.read(0, 1)
if kind == "async":
    asyncio.run(main())
else:
    for _ in flow.task.map(make, items, ordered=way == "same"):
        say("result")
say("end")
"""


class Process:
    """A process that maps; `lines` holds what it has printed so far."""

    def __init__(self, folder: Path, kind: str, count: int, way: str, pause: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), kind, str(count), way, pause],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait_for("ready")

    def read(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            yield self.lines[-1]

    def wait_for(self, word: str, count: int = 1) -> None:
        for line in self.read():
            count -= line.startswith(word)
            if count == 0:
                return
        raise AssertionError(self.lines)

    def tell(self, times: int = 1) -> None:
        """Let it begin, or let bodies that wait to be told go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n" * times)
        self.process.stdin.flush()

    def finish(self) -> None:
        for _ in self.read():
            pass
        assert self.process.wait() == 0
        assert self.lines[-1] == "end"

    @property
    def bodies(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines if line.startswith("body")]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def outputs(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "out").iterdir()}


def whole(count: int) -> dict[str, str]:
    return {f"{number}.txt": f"{number}" for number in range(count)}


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("end", ["told", "killed"])
def test_another_process_makes_all_else_and_comes_back(tmp_path: Path, kind: str, end: str) -> None:
    """The first one holds items 0 and 1. The second makes the other eight, then takes or makes these two."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(closing(Process(tmp_path, kind, 10, way, pause)))
            for way, pause in (("same", "told"), ("any", "0"))
        )
        first.tell()
        first.wait_for("body", 2)
        second.tell()
        second.wait_for("result", 8)
        assert sorted(second.bodies) == list(range(2, 10))
        if end == "told":
            first.tell(2)
            first.finish()
            second.finish()
            assert sorted(first.bodies + second.bodies) == list(range(10))
        else:
            first.process.send_signal(signal.SIGKILL)
            second.finish()
            assert sorted(second.bodies) == list(range(10))
    assert outputs(tmp_path) == whole(10)


@pytest.mark.parametrize("way", ["same", "mixed"])
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("kind", ["async", "sync"])
def test_each_body_runs_once_in_all(tmp_path: Path, kind: str, count: int, way: str) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(closing(Process(tmp_path, kind, 60, way, "0.01"))) for _ in range(count)
        ]
        for process in processes:
            process.tell()
        for process in processes:
            process.finish()
            assert process.lines.count("result") == 60
        assert sorted(chain.from_iterable(process.bodies for process in processes)) == list(range(60))
    assert outputs(tmp_path) == whole(60)


@pytest.mark.parametrize("way", ["same", "mixed"])
def test_one_of_four_is_killed_and_the_rest_goes_on(tmp_path: Path, way: str) -> None:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(closing(Process(tmp_path, "async", 80, way, "0.01"))) for _ in range(4)
        ]
        for process in processes:
            process.tell()
        victim, *others = processes
        victim.wait_for("body", 6)
        os.kill(victim.process.pid, signal.SIGKILL)
        for process in others:
            process.finish()
        for _ in victim.read():
            pass
        begun = Counter(chain.from_iterable(process.bodies for process in processes))
        assert set(begun) == set(range(80))
        again = [number for number, times in begun.items() if times > 1]
        assert len(again) <= 2, "what the victim was making, at most its limit"
        assert set(again) <= set(victim.bodies)
    assert outputs(tmp_path) == whole(80)


def test_two_loops_of_one_process_share_too(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    bodies, begun, gate = list[int](), threading.Semaphore(0), threading.Event()
    slow = threading.local()

    @flow.task(on="out/{i}.txt", limit=4)
    async def make(i: int) -> None:
        bodies.append(i)
        if getattr(slow, "is_slow", False):
            begun.release()
            await asyncio.to_thread(gate.wait, 30)
        flow.task.write(f"{i}")

    async def first() -> None:
        slow.is_slow = True
        async with asyncio.TaskGroup() as group:
            for i in range(2):
                group.create_task(make(i))

    async def second() -> list[None]:
        results = aiter(flow.task.map(make, range(10), ordered=False))
        for _ in range(8):
            await anext(results)
        gate.set()
        return [None] * 8 + [result async for result in results]

    thread = threading.Thread(target=lambda: asyncio.run(first()))
    thread.start()
    begun.acquire()
    begun.acquire()
    assert asyncio.run(second()) == [None] * 10
    thread.join()
    assert sorted(bodies) == list(range(10))
    assert outputs(tmp_path) == whole(10)


async def test_what_is_made_elsewhere_uses_up_no_start_of_the_rate(tmp_path: Path) -> None:
    flow, gate, made = Flow(tmp_path, sink=NullSink()), asyncio.Event(), list[int]()

    @flow.task(on="{i}.txt", limit=20)
    async def first(i: int) -> None:
        await gate.wait()
        flow.task.write("first")

    other = Flow(tmp_path, sink=NullSink())

    @other.task(on="{i}.txt", limit=Limit(2, rate="2/hour"))
    async def second(i: int) -> None:
        made.append(i)
        other.task.write("second")

    async with asyncio.TaskGroup() as group:
        for i in range(10):
            group.create_task(first(i))
        await asyncio.sleep(0)
        results = aiter(other.task.map(second, range(12), ordered=False))
        for _ in range(2):
            await anext(results)
        assert made == [10, 11]
        gate.set()
        assert [result async for result in results] == [None] * 10


async def test_a_start_that_finds_the_output_claimed_is_given_back(tmp_path: Path) -> None:
    """The store can't tell without a claim, so a start is taken first."""
    store = MemoryStore()
    flow = Flow("base", store=store, sink=NullSink())

    @flow.task(on="{i}.txt", limit=Limit(2, rate="1/hour"))
    async def make(i: int) -> None:
        flow.task.write("x")

    claim: Any = store.claim("base/0.txt", "base/0.err")
    waits = asyncio.create_task(make(0))
    await asyncio.sleep(0)
    await make(1)
    assert flow.task.output(make, 1).status == "complete"
    waits.cancel()
    await asyncio.wait([waits])
    claim.abort()


_NAME_OWNER = """
import sys
from asflow import LocalStore

claim = LocalStore().claim(sys.argv[1], sys.argv[1] + ".err")
print("claimed", flush=True)
sys.stdin.readline()
claim.abort()
"""


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="the system does not say who holds a lock")
def test_a_local_store_names_the_process_that_makes_an_output(tmp_path: Path) -> None:
    store, name = LocalStore(), str(tmp_path / "x.txt")
    assert store.owner(name) is None
    claim: Any = store.claim(name, name + ".err")
    assert store.owner(name) == f"process {os.getpid()}"
    claim.abort()
    assert store.owner(name) is None
    with subprocess.Popen(
        [sys.executable, "-c", _NAME_OWNER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        assert store.owner(name) == f"process {other.pid}"
        other.communicate("\n")
    (tmp_path / "x.txt.part").write_text("of a dead writer")
    assert store.owner(name) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="no locks"),
        pytest.param("1: FLOCK  ADVISORY  WRITE -1 {place} 0 EOF\n", id="a process that is not visible"),
        pytest.param("1: FLOCK  ADVISORY  WRITE 0 {place} 0 EOF\n", id="in another container"),
        pytest.param("1: OFDLCK  ADVISORY  WRITE -1 {place} 0 EOF\n", id="another kind of lock"),
        pytest.param("1: -> FLOCK  ADVISORY  WRITE 77 {place} 0 EOF\n", id="one that waits"),
        pytest.param("1: FLOCK  ADVISORY  WRITE 77 00:00:1 0 EOF\n", id="of another file"),
        pytest.param("1: FLOCK  ADVISORY  WRITE 77 {place} 0 EOF\n", id="77"),
        pytest.param(None, id="no such list"),
    ],
)
def test_what_the_list_of_locks_may_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, text: str | None
) -> None:
    part = tmp_path / "x.txt.part"
    part.write_text("")
    found = part.stat()
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    locks = tmp_path / "locks"
    if text is not None:
        locks.write_text(text.format(place=place))
    monkeypatch.setattr(_local_part, "_LOCKS", str(locks))
    expected = "process 77" if "[77]" in request.node.name else None
    assert LocalStore().owner(str(tmp_path / "x.txt")) == expected


def test_a_local_store_sees_a_claim_of_any_process(tmp_path: Path) -> None:
    store, name = LocalStore(), str(tmp_path / "x.txt")
    assert not store.is_claimed(name)
    claim: Any = store.claim(name, name + ".err")
    assert store.is_claimed(name)
    claim.publish()
    assert not store.is_claimed(name)
    (tmp_path / "y.txt.part").write_text("of a dead writer")
    assert not store.is_claimed(str(tmp_path / "y.txt"))
    (tmp_path / "z.txt.part").mkdir()
    assert not store.is_claimed(str(tmp_path / "z.txt"))
