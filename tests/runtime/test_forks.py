"""A forked child can use every task, whatever other threads of its parent were doing at the fork."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from runtime.many_forks import in_child

from asflow import Flow, Limit, MemoryStore, _forks
from asflow._runtime.threads import closings
from asflow.sinks import NullSink, TraceSink

if TYPE_CHECKING:
    from asflow.protocols import ByteStream

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def test_slots_rates_and_lines_of_other_threads_are_free_in_the_child(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    both = Limit(2, rate="1000/s")
    go, held = threading.Event(), threading.Semaphore(0)

    @flow.task(limit=1)
    def alone(wait: bool) -> str:
        if wait:
            held.release()
            assert go.wait(60)
        return "done"

    @flow.task(limit=both, on="{n}.txt")
    def shared(n: int, wait: bool) -> None:
        flow.task.write("x")
        if wait:
            held.release()
            assert go.wait(60)

    threads = [threading.Thread(target=alone, args=(True,)) for _ in range(3)]
    threads += [threading.Thread(target=shared, args=(n, True)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert held.acquire(timeout=30)

    def work() -> bool:
        shared(100 + os.getpid(), False)
        return alone(False) == "done" and len(closings.free) == closings.total

    try:
        for _ in range(10):
            assert in_child(work)
    finally:
        go.set()
        for thread in threads:
            thread.join()
    assert alone(False) == "done"


def test_a_body_that_forks_keeps_its_slot_in_the_child(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    results: list[bool] = []

    @flow.task(limit=1)
    def inner(depth: int) -> int:
        if depth == 0:
            results.append(in_child(lambda: inner(1) == 2 and free() == 0))
            return 0
        return depth + 1

    def free() -> int:
        slots: Any = inner.__asflow__.spec.limit.slots  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
        return len(slots.free)

    inner(0)
    assert results == [True]
    assert free() == 1


def test_a_hundred_forks_while_threads_call_tasks(tmp_path: Path) -> None:
    """At random moments of four threads: in flows, with outputs, shared limits and async tasks."""
    script = Path(__file__).with_name("many_forks.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(tmp_path.glob("-*.txt"))) == 101


def test_every_lock_that_another_thread_holds_is_free_in_the_child(tmp_path: Path) -> None:
    parts = Flow(tmp_path, sink=TraceSink(tmp_path / "trace.json"), store=MemoryStore())
    owners: dict[object, str] = {owner: name for owner, (name, _) in list(_forks._locks.items())}  # pyright: ignore[reportPrivateUsage]
    held, go = threading.Event(), threading.Event()

    def hold_all() -> None:
        with ExitStack() as stack:
            for owner, name in owners.items():
                stack.enter_context(getattr(owner, name))
            held.set()
            assert go.wait(60)

    def work() -> bool:
        taken = [getattr(owner, name).acquire(timeout=0) for owner, name in owners.items()]
        return all(taken)

    assert len(owners) > 8, parts
    thread = threading.Thread(target=hold_all)
    thread.start()
    try:
        assert held.wait(30)
        assert in_child(work)
    finally:
        go.set()
        thread.join()


def test_a_body_that_forks_while_a_thread_of_it_writes(tmp_path: Path) -> None:
    """A write in the child does not wait for the other thread, which the child doesn't have."""
    flow = Flow(tmp_path, sink=NullSink())
    writing, go, results = threading.Event(), threading.Event(), list[bool]()

    class Blocking:
        def __init__(self, stream: ByteStream) -> None: ...

        def write(self, record: str, /) -> None:
            if record == "slow":
                writing.set()
                assert go.wait(60)

        def commit(self) -> None: ...

        def abort(self) -> None: ...

    @flow.task(on="{n}.txt", writer=Blocking)
    def body(n: int) -> None:
        thread = threading.Thread(target=copy_context().run, args=(flow.task.write, "slow"))
        thread.start()
        assert writing.wait(30)
        results.append(in_child(lambda: flow.task.write("quick") is None))  # type: ignore[func-returns-value]
        go.set()
        thread.join()

    body(1)
    assert results == [True]


_flow = Flow(sink=NullSink())


@_flow.task(limit=Limit(50, rate="100000/s"))
def pooled(n: int) -> int:
    return n * 2


@pytest.mark.skipif(sys.platform == "darwin", reason="fork is unsafe beside macOS's own threads")
def test_a_pool_of_forked_workers_calls_tasks() -> None:
    stopped = threading.Event()

    def busy() -> None:
        while not stopped.is_set():
            pooled(1)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map_async(pooled, range(200)).get(60) == [n * 2 for n in range(200)]
    finally:
        stopped.set()
        thread.join()
