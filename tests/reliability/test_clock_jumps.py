"""The wall clock jumps by a year, while nothing runs and while something does."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from reliability.processes import run

from asflow import Flow
from asflow.sinks import NullSink

YEAR = 366 * 86400.0

SCRIPT = """
    import asyncio, os, sys, time
    real, shift = time.time, [0.0]
    time.time = lambda: real() + shift[0]         # before anything can have taken it by name
    time.time_ns = lambda: int(time.time() * 1e9)
    from asflow import Flow, Limit, Retry
    from asflow.sinks import NullSink
    jump = float(sys.argv[1])
    flow = Flow(sink=NullSink())
    bodies = []
    @flow.task(on="{name}.jsonl.zst", limit=Limit(2, rate="200/s"), timeout=60,
               retry=Retry(2, backoff_factor=0.01, backoff_jitter=0), suppress=LookupError)
    async def make(name: str) -> None:
        bodies.append(name)
        flow.task.write({"name": name})
        shift[0] += jump                          # in the middle of the body
        await asyncio.sleep(0)
        shift[0] -= jump if len(bodies) % 2 else 0
        if bodies.count(name) == 1 and name in "ab":
            raise ConnectionError
        if name == "c":
            raise KeyError(name)
    async def main():
        await asyncio.gather(*map(make, "abcdef"))
    for _ in range(3):
        asyncio.run(asyncio.wait_for(main(), 30))
        shift[0] += jump
    print("".join(sorted(bodies)), sorted(os.listdir(".")))
    """


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_jumps_change_nothing(tmp_path: Path, jump: float) -> None:
    """Retries, rates, timeouts, claims, skips: each body is called as often as without a jump."""
    names = ["a", "b", "c", "d", "e", "f"]
    files = [f"{name}.err" if name == "c" else f"{name}.jsonl.zst" for name in names]
    assert run(SCRIPT, tmp_path, str(jump)) == f"aabbcdef {files}\n"


@pytest.mark.parametrize("age", [timedelta(days=30), 30 * 86400.0])
def test_what_refresh_judges_old(tmp_path: Path, age: timedelta | float) -> None:
    """An output from the future is fresh; one that is older by the clock is made anew."""
    flow = Flow(tmp_path, sink=NullSink())
    bodies: list[str] = []

    @flow.task(on="x.txt", refresh=age)
    def make() -> None:
        bodies.append("x")
        flow.task.write(str(len(bodies)))

    make()
    path = tmp_path / "x.txt"
    for shift, runs in [(0.0, 1), (YEAR, 1), (-29 * 86400, 1), (-YEAR, 2)]:
        now = time.time()
        os.utime(path, (now + shift, now + shift))
        make()
        assert len(bodies) == runs
    make()
    assert path.read_text() == "2"
    assert abs(path.stat().st_mtime - time.time()) < YEAR


@pytest.mark.parametrize("shift", [YEAR, -YEAR])
def test_time_stamps_mean_nothing_without_refresh(tmp_path: Path, shift: float) -> None:
    """Neither an output's, a failure's, nor that of a dead writer's work in progress."""
    flow = Flow(tmp_path, sink=NullSink())
    bodies: list[str] = []

    @flow.task(on="{name}.txt", suppress=KeyError)
    def make(name: str) -> None:
        bodies.append(name)
        flow.task.write(name)
        if name == "b":
            raise KeyError(name)

    make("a")
    make("b")
    (tmp_path / "c.txt.part").write_text("a dead writer's half")
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() + shift, time.time() + shift))
    for name in "abc":
        make(name)
    assert bodies == ["a", "b", "c"]
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.err", "c.txt"]
    assert (tmp_path / "c.txt").read_text() == "c"
