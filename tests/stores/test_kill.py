"""Writers that are killed at random moments: never half, never twice, nothing left."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

import asflow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and SIGKILL")

WRITER = Path(__file__).with_name("writer.py")
KILLS = int(os.environ.get("ASFLOW_KILLS", "16"))
"""Kills a durability level; the soak run asks for more."""

_spec = importlib.util.spec_from_file_location("asflow_test_writer", WRITER)
assert _spec is not None
assert _spec.loader is not None
writer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(writer)


def start(folder: Path, names: int, seed: int, durability: str) -> subprocess.Popen[str]:
    paths = (Path(asflow.__file__).parents[1], WRITER.parents[1])
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(names), "2", str(seed), durability],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
    )


def stream(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def check_visible(folder: Path) -> int:
    """Read everything that a user's glob would match right now."""
    seen = 0
    for path in folder.glob("out/*/*"):
        if path.suffix in {".zst", ".err"}:
            assert writer.whole(path.read_bytes()), path
            seen += 1
    return seen


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("durability", ["data", "atomic", "full"])
def test_killed_writers_leave_whole_files_only(tmp_path: Path, durability: str) -> None:
    """On the file system of the temporary folder; others are in `test_file_systems.py`."""
    kill_writers(tmp_path, KILLS, durability)


def kill_writers(tmp_path: Path, kills: int, durability: str, *, leaves_parts: bool = False) -> None:
    """Four processes of two threads on the same names, killed one after the other, then one complete run."""
    names = 120 * kills
    draw = random.Random(20)
    running = [start(tmp_path, names, seed, durability) for seed in range(4)]
    try:
        for kill in range(kills):
            victim = running.pop(0)
            assert stream(victim).readline() == "ready\n"
            time.sleep(draw.random() * 0.05)  # the moment of the kill is the random input of this test
            victim.send_signal(signal.SIGKILL)
            running.append(start(tmp_path, names, 100 + kill, durability))
            victim.wait(30)
            stream(victim).close()
            check_visible(tmp_path)
        assert check_visible(tmp_path) > 0
        for process in running:
            assert process.wait(200) == 0
    finally:
        for process in running:
            process.kill()
            process.wait(30)
            stream(process).close()
    last = start(tmp_path, names, 999, durability)
    assert last.wait(200) == 0
    stream(last).close()
    assert os.listdir(tmp_path / "violations") == []
    wanted = {f"{index}.err" if writer.fails(index) else f"{index}.jsonl.zst" for index in range(names)}
    found = {path.name for path in tmp_path.glob("out/*/*")}
    # A process may be killed just after another has published what it was about to make: see reliability.md.
    parts = found & {f"{index}.jsonl.zst.part" for index in range(names)}
    assert found - parts == wanted
    assert leaves_parts or len(parts) <= 1 + kills // 10
    assert check_visible(tmp_path) == names


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_processes_share_the_work(tmp_path: Path) -> None:
    """Four undisturbed processes of two threads make each output once."""
    running = [start(tmp_path, 300, seed, "atomic") for seed in range(4)]
    try:
        for process in running:
            assert process.wait(100) == 0
    finally:
        for process in running:
            process.kill()
            process.wait(30)
            stream(process).close()
    assert os.listdir(tmp_path / "violations") == []
    assert check_visible(tmp_path) == 300 == len(list(tmp_path.glob("out/*/*")))
