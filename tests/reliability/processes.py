"""Processes for the tests to break: started from one that has asflow imported, by fork, in milliseconds."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import asflow

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = str(Path(asflow.__file__).parents[1])
HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((ROOT, str(HERE.parent)))}


class Stable:
    """A process that forks a child for each job; see `pipeline.py` for what the jobs are.

    It has one thread and no running loop, so that its children begin like processes of their own. They
    are reaped by `wait` alone: until then a process id stays the child's.
    """

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "pipeline.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        self.alive: list[int] = []
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, *words: object) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.line()

    def start(self, *job: object) -> int:
        """Fork a child for *job*; return its process id once it is about to begin."""
        child = int(self.ask("start", *job))
        self.alive.append(child)
        return child

    def wait(self, child: int) -> int:
        """Wait for the end of *child*: its exit code, or minus the signal that ended it."""
        code = int(self.ask("wait", child))
        self.alive.remove(child)
        return code

    def run(self, *job: object) -> int:
        return self.wait(self.start(*job))

    def kill(self, child: int, how: int = 9) -> int:
        os.kill(child, how)
        return self.wait(child)

    def close(self) -> None:
        try:
            for child in self.alive:
                os.kill(child, 9)
        finally:
            self.process.communicate(timeout=60)


@contextlib.contextmanager
def stable(folder: Path) -> Generator[Stable]:
    server = Stable(folder)
    try:
        yield server
    finally:
        server.close()


def run(script: str, folder: Path, *arguments: str, code: int = 0, quiet: bool = True) -> str:
    """Run *script* in a fresh interpreter in *folder*; return what it printed."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert process.returncode == code, process.stderr
    if quiet:
        assert process.stderr == "", process.stderr
    return process.stdout


def root_tool(name: str) -> str:
    """The path of a tool that needs root; skips the test where it can't be used."""
    tool = shutil.which(name)
    if tool is None or os.geteuid() != 0:
        pytest.skip(f"needs root and {name}")
    return tool


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Generator[Path]:
    """Mount something at *place* for the time of the block."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        [root_tool("mount"), *options, str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"mount {' '.join(options)} is refused here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    subprocess.run([root_tool("umount"), str(place)], check=True, capture_output=True)


def everything(folder: Path) -> set[str]:
    """The relative names of all files below *folder*."""
    return {str(Path(top, name).relative_to(folder)) for top, _, names in os.walk(folder) for name in names}


def bodies(folder: Path) -> int:
    """How many bodies have begun in the pipeline of *folder*."""
    return sum(len(path.read_text().splitlines()) for path in (folder / "bodies").glob("*"))


def until_begun(folder: Path, more: int, seconds: float = 2) -> None:
    """Wait until *more* bodies have begun, or for *seconds*: a moment that is the same on every machine."""
    wanted, end = bodies(folder) + more, time.monotonic() + seconds
    while bodies(folder) < wanted and time.monotonic() < end:
        time.sleep(0.001)


def as_nobody(command: Sequence[str]) -> list[str]:
    """Return *command* run as a user without rights, where the tests run as root."""
    if os.geteuid() != 0:
        return list(command)
    return [root_tool("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *command]
