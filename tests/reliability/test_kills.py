"""Whole flows that are killed at random moments: never half, never twice, nothing left."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
from reliability.pipeline import LIMIT, Pipeline
from reliability.processes import bodies, everything, stable, until_begun
from support.guards import Guards

from asflow.stores import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock, fork and SIGKILL")

KILLS = int(os.environ.get("ASFLOW_KILLS", "16"))
"""What the tests scale with; the soak run asks for more."""


def check_end(folder: Path, pipeline: Pipeline, count: int, kills: int) -> None:
    """After a complete run: every output once and whole, nothing else, and a further run calls no body."""
    assert os.listdir(folder / "violations") == []
    found, expected = everything(folder / "out"), pipeline.expected(count)
    # A process may be killed just after another has published what it was about to make: see reliability.md.
    outputs = expected | {f"raw/{index}.jsonl.zst" for index in range(count)}
    parts = {name for name in found if name.endswith(".part") and name.removesuffix(".part") in outputs}
    assert found - parts == expected
    assert len(parts) <= 1 + kills // 50
    assert sum(pipeline.whole(index) for index in range(count)) == len(pipeline.expected(count))
    # A kill can undo no more than what was in progress.
    retried = sum(
        len((folder / "bodies" / f"raw-{index}").read_text().splitlines()) for index in range(count)
    )
    converted = bodies(folder) - retried
    assert converted <= len(pipeline.expected(count)) - count + kills * LIMIT


def test_a_killed_body_is_over_before_its_claim(tmp_path: Path) -> None:
    """What the other tests here take for granted: who gets the claim of a killed process finds no guard."""
    guards, store = Guards(str(tmp_path)), LocalStore()
    os.mkfifo(tmp_path / "told")
    with stable(tmp_path) as server:
        for index in range(20):
            name = str(tmp_path / "out" / "held" / f"{index}.txt")
            owner = server.start("hold", index, "wait")
            assert (tmp_path / "told").read_text() == "held"
            assert store.claim(name, f"{name}.err") == "busy"
            os.kill(owner, signal.SIGKILL)
            while isinstance(claim := store.claim(name, f"{name}.err"), str):
                assert claim == "busy"
            guards.enter(f"held-{index}")
            claim.abort()
            assert server.wait(owner) == -signal.SIGKILL
    assert os.listdir(tmp_path / "violations") == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("durability", ["data", "atomic", "full"])
def test_killed_flows(tmp_path: Path, durability: str) -> None:
    """Three processes with two loops and their threads each, killed one after the other."""
    kills, count = KILLS * 10, KILLS * 25
    hits = 0
    pipeline = Pipeline(str(tmp_path))
    draw = random.Random(durability)
    with stable(tmp_path) as server:
        running = [server.start("all", durability, count, seed, 2) for seed in range(3)]
        for kill in range(kills):
            # The moment of the kill is the random input of this test. However quick the machine, there is
            # work left: the next processes get more.
            until_begun(tmp_path, draw.randrange(4), 0.06)
            time.sleep(draw.random() * 0.005)
            hits += server.kill(running.pop(0)) == -signal.SIGKILL
            if bodies(tmp_path) > 1.5 * count:
                count += kills
            running.append(server.start("all", durability, count, 100 + kill, 2))
            for index in draw.sample(range(count), 5):
                pipeline.whole(index)
        for child in running:
            assert server.wait(child) == 0
        before = bodies(tmp_path)
        assert server.run("all", durability, count, 999, 2) == 0
        assert bodies(tmp_path) == before
    check_end(tmp_path, pipeline, count, kills)
    assert hits > kills * 0.8, "most kills hit a run that was not done yet"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signalled_flows(tmp_path: Path, how: signal.Signals) -> None:
    """One process, ended at random moments. After Ctrl-C not even work in progress is left."""
    count = 60
    pipeline = Pipeline(str(tmp_path))
    draw = random.Random(how)
    rounds = 0
    with stable(tmp_path) as server:
        for rounds in range(1, 16):
            child = server.start("all", "data", count, rounds)
            time.sleep(draw.random() * 0.1)  # the moment is the random input of this test
            ended = server.kill(child, how)
            assert ended in ({0, 130, -how} if how == signal.SIGINT else {0, -how})
            for index in range(count):
                pipeline.whole(index)
            if how == signal.SIGINT and ended in {0, 130}:
                assert not [name for name in everything(tmp_path / "out") if name.endswith(".part")]
            if ended == 0:
                break
        assert server.run("all", "data", count, 999) == 0
        before = bodies(tmp_path)
        assert server.run("all", "data", count, 1000) == 0
        assert bodies(tmp_path) == before
    check_end(tmp_path, pipeline, count, rounds)
