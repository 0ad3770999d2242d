"""The demo, run as a user runs it: the script against its API in another process."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo"
PYTHON = [sys.executable, "-W", "error"]

pytestmark = pytest.mark.timeout(180)  # more than a thousand downloads in several processes


@contextmanager
def serving(*options: str) -> Generator[str]:
    """The API in a process of its own; gives its URL."""
    command = [*PYTHON, "-u", str(DEMO / "api.py"), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[2]
        finally:
            server.terminate()


@pytest.fixture
def unstable() -> Iterator[str]:
    """The URL of an API that cuts the first connection for three of its days."""
    with serving("--latency", "0", "--unstable", "3") as url:
        yield url


@pytest.fixture
def slow_api() -> Iterator[str]:
    """The URL of an API that takes its time."""
    with serving("--latency", "0.05") as url:
        yield url


def pipeline(base: Path, *options: str) -> list[str]:
    return [*PYTHON, str(DEMO / "pipeline.py"), "--base", str(base), *options]


def run(base: Path, *options: str) -> str:
    done = subprocess.run(
        pipeline(base, *options), capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_downloads_once_and_resumes(tmp_path: Path, unstable: str) -> None:
    first = run(tmp_path, "--url", unstable)
    assert "350 downloaded, 0 on disk already, 12 not available (0 known before), 3 left" in first
    pages = tmp_path / "data" / "temperatures"
    assert len(list(pages.glob("*.jsonl.zst"))) == 350
    assert len(list(pages.glob("*.err"))) == 12
    assert len(list(pages.iterdir())) == 350 + 12

    second = run(tmp_path, "--url", unstable)
    assert "3 downloaded, 350 on disk already, 12 not available (12 known before), 0 left" in second
    assert "Everything was on disk already." not in second

    third = run(tmp_path)
    assert "0 downloaded, 353 on disk already, 12 not available (12 known before), 0 left" in third
    assert "0 requests" in third
    assert "Everything was on disk already." in third

    hottest = pl.scan_ndjson(pages / "2010-07-*.jsonl.zst").select(pl.col("temperature").max()).collect()
    assert f"┆ {hottest.item()} │" in third


@pytest.mark.slow
def test_a_killed_demo_keeps_what_it_had(tmp_path: Path, slow_api: str) -> None:
    """`kill -9` at 50 pages: those are whole, and are not asked for again."""
    pages = tmp_path / "data" / "temperatures"
    with subprocess.Popen(pipeline(tmp_path, "--url", slow_api), stderr=subprocess.DEVNULL) as victim:
        while len(list(pages.glob("*.jsonl.zst"))) < 50:
            assert victim.poll() is None, "the demo ended before it could be killed"
            time.sleep(0.01)
        victim.kill()
    had = len(list(pages.glob("*.jsonl.zst")))
    assert 50 <= had < 353
    rows = pl.read_ndjson(pages / "*.jsonl.zst").group_by(pl.col("time").str.head(10)).len()["len"]
    assert set(rows) <= {23, 24}

    again = run(tmp_path, "--url", slow_api)
    assert f"{353 - had} downloaded, {had} on disk already, 12 not available" in again
    assert len(list(pages.glob("*.jsonl.zst"))) == 353


def test_a_killed_run_goes_on(tmp_path: Path, slow_api: str) -> None:
    command = [*PYTHON, str(DEMO / "crash.py"), "--base", str(tmp_path), "--url", slow_api]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    before, _, after = done.stdout.partition(" pages on disk, each of them whole")
    survived = int(before.rpartition(" ")[2])
    assert 120 <= survived < 353
    assert f"{353 - survived} downloaded, {survived} on disk already" in after
    again = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert "kill -9" not in again.stdout
    assert "Everything was on disk already." in again.stdout
