"""Whole programs in a terminal of tmux: resized, interrupted, stopped, killed, and with much to show.

tmux wraps what is there again when a window becomes narrower, as most terminals do and pyte does not.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(180),
]

PATIENCE = 60.0  # seconds
PROMPT = "ready> "

BEGIN = """
import asyncio, os, sys
from pathlib import Path
from asflow import flow

Path("pid").write_text(str(os.getpid()))

async def gate(name="go"):
    while not Path(name).exists():
        await asyncio.sleep(0.02)
"""

MANY = """
@flow.task(limit=100)
async def call(n):
    if n >= 5_000:
        await gate()

@flow
async def main():
    await flow.task.map(call, range(10_000))

asyncio.run(main())
"""

FLOWS = """
@flow.task(limit=100)
async def call(n):
    if n % 2:
        await gate()

@flow
async def part(n):
    await flow.task.map(call, range(2))

@flow
async def main():
    async with asyncio.TaskGroup() as group:
        for n in range(50):
            group.create_task(part(n))

asyncio.run(main())
"""

HOSTILE = """
EVIL = "\\u202eevil\\u202c"
NAMES = [EVIL, EVIL, "a\\x1b[2Jb\\x1b]0;t\\x07", "\\u6f22\\u5b57" * 90, "zero\\u200bwidth", "x" * 900]

@flow.task(limit=9)
async def fetch(name):
    flow.task.progress(name, total=3).advance()
    if name == EVIL:
        raise KeyError(name)
    await gate()
    raise ValueError(name)

@flow
async def main():
    await flow.task.map(fetch, NAMES, on_error="collect")

asyncio.run(main())
"""

FAILING = """
@flow.task(skip=KeyError, limit=8)
async def fetch(n):
    if n == 1:
        raise KeyError("rows")
    if n == 2:
        raise ValueError("503 Service Unavailable")
    await gate()
    if n == 3:
        raise OSError("the disk is full")

@flow
async def main():
    async for _ in flow.task.map(fetch, range(8), on_error="collect"):
        pass
    if Path("fail").exists():
        raise RuntimeError("no table today")

asyncio.run(main())
"""


STOPPING = """
import signal, threading, time

class Stop:
    def __getattr__(self, name):  # the display asks for a name to show
        if threading.current_thread().name == "asflow-display":
            os.kill(os.getpid(), signal.SIGTSTP)
            time.sleep(0.1)  # another thread may take the signal, and stops this one a little later
            while Path("prints").exists():
                time.sleep(0.01)
        raise AttributeError(name)

@flow.task(limit=8)
async def fetch(what):
    while not Path("go").exists():
        before = time.monotonic()
        await asyncio.sleep(0.02)
        if time.monotonic() - before > 0.5 and Path("prints").exists():
            print("a row")
            Path("prints").unlink()

@flow
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(fetch(1))
        await gate("stop")
        group.create_task(fetch(Stop()))

asyncio.run(main())
"""


class Tmux:
    """A shell in a window of tmux, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = {"CI", "NO_COLOR", "TMUX", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_INTERACTIVE"}
        env = {name: value for name, value in os.environ.items() if name not in names}
        self._env = {**env, "TMUX_TMPDIR": str(folder), "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
        (folder / "rc").write_text(f"PS1='{PROMPT}'\n")
        shell = "bash --noprofile --rcfile rc -i"
        self.ask("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), shell)

    def ask(self, *command: str) -> str:
        """Give tmux a command and return what it says."""
        done = subprocess.run(
            ["tmux", *command], env=self._env, capture_output=True, text=True, encoding="utf-8", check=True
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Press keys, as tmux calls them."""
        self.ask("send-keys", *keys)

    def run(self, code: str) -> None:
        """Run a program until the frame of its flow is shown."""
        (self.folder / "pipeline.py").write_text(BEGIN + code, encoding="utf-8")
        self.type(f"{sys.executable} pipeline.py", "Enter")
        self.shows("@task")

    def go(self, name: str = "go") -> None:
        """Open a gate of the program."""
        (self.folder / name).touch()

    def stop(self) -> list[str]:
        """Wait until the program is stopped, write from the shell, and return the lines."""
        lines = self.shows(r"\[1\]\+ +Stopped", until=lambda lines: lines[-1] == PROMPT.rstrip())
        self.type("echo between", "Enter")
        self.shows("^between$")
        time.sleep(1.0)  # what was stopped for less does not know it
        return lines

    def continued(self) -> list[str]:
        """Continue the program, wait for a frame below what the shell has written; return the lines."""
        self.type("fg", "Enter")
        return self.shows(
            "@task",
            until=lambda lines: "between" in lines and "@task" in str(lines[lines.index("between") :]),
        )

    def kill(self, how: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(int((self.folder / "pid").read_text()), how)

    def resize(self, columns: int, rows: int) -> None:
        self.ask("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def lines(self) -> list[str]:
        """What the window shows, without the empty lines below."""
        return [line.rstrip() for line in self.ask("capture-pane", "-p").rstrip("\n").split("\n")]

    def shows(self, *patterns: str, until: Callable[[list[str]], bool] | None = None) -> list[str]:
        """Wait until each of *patterns* is in a line and *until* holds for all; return the lines."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = self.lines
            found = all(any(re.search(pattern, line) for line in lines) for pattern in patterns)
            if found and (until is None or until(lines)):
                return lines
            assert time.monotonic() < deadline, "\n".join([f"never shown: {patterns}", *lines])
            time.sleep(0.05)

    def prompt(self) -> list[str]:
        """Wait until the shell waits for a command again; return the lines before its prompt."""
        self.shows(until=lambda lines: lines[-1] == PROMPT.rstrip())
        assert self.ask("display-message", "-p", "#{cursor_flag} #{wrap_flag}").split() == ["1", "1"]
        return self.lines[:-1]


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A shell in tmux, on 80 x 24."""
    opened = Tmux(tmp_path)
    try:
        opened.shows("^ready>")
        yield opened
    finally:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            opened.kill(signal.SIGKILL)
        opened.ask("kill-server")


def one_frame(lines: list[str]) -> bool:
    """Whether one frame is there, and nothing else of one."""
    return (
        sum(line.startswith("@flow") for line in lines) == 1
        and sum(line.startswith(" @task") for line in lines) == 1
    )


def test_ten_thousand_calls_a_hundred_in_flight_while_resizing(tmux: Tmux) -> None:
    """80 x 24, 40 x 10, 120 x 40 and back: one frame, with its numbers, and nothing of the ones before."""
    tmux.run(MANY)
    tmux.shows(r"@task call\(\) .* 5,000/10,000 ", r"… and 96 more calls", until=one_frame)
    for columns, rows, calls in (
        (40, 10, r"… and 9\d more"),
        (120, 40, "… and 96 more"),
        (80, 24, "… and 96"),
    ):
        tmux.resize(columns, rows)
        lines = tmux.shows(r"@task .* 5,000/10,000", calls, until=one_frame)
        assert len(lines) <= rows
        assert max(map(len, lines[-7:])) < columns
    tmux.go()
    lines = tmux.prompt()
    assert "Flow main(): 10,000 done in" in " ".join(" ".join(lines[-2:]).split())
    assert not any("━" in line for line in lines)


def test_fifty_flows(tmux: Tmux) -> None:
    """Counted in one row; the first ones are shown, as many as fit, and how many more there are."""
    tmux.run(FLOWS)
    part = r" @flow part\(\) .* 0/50 "
    tmux.shows(
        r"@flow main\(\) .* 50 ", part, r"@flow part\(0\)", r"@task call\(\) .* 1/2", "… and 46 more flows"
    )
    tmux.resize(40, 10)
    lines = tmux.shows(r"@flow main.* 50", r"@flow part.* 0/50", r"… and \d+ more (flows|lines)")
    assert len(lines) <= 10
    tmux.go()
    lines = tmux.prompt()
    assert "Flow main(): 100 done in" in " ".join(" ".join(lines).split())
    assert not any("━" in line or "@" in line for line in lines)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (120, 40)])
def test_hostile_names(tmux: Tmux, columns: int, rows: int) -> None:
    """None clears the screen, hides, turns a line round, or makes it wrap; they can be told apart."""
    tmux.resize(columns, rows)
    tmux.type("clear; echo above", "Enter")
    tmux.run(HOSTILE)
    lines = tmux.shows("@task fetch|@task", "failed", until=one_frame)
    if columns > 40:
        tmux.shows(re.escape("a\\x1b[2Jb"), re.escape("zero\\u200bwidth"))
        tmux.shows(r"failed, 2 KeyError: .*\\u202eevil")
    assert not re.search("[\u202a-\u202e\u200b]", "\n".join(tmux.lines))
    assert len(lines) <= rows
    tmux.go()
    tmux.prompt()
    said = tmux.ask("capture-pane", "-p", "-S", "-", "-J")
    assert "above\n" in said
    assert re.search(r"failed, \d ValueError", said)
    assert not re.search("[\u202a-\u202e\u200b━]", said)


def test_ctrl_c(tmux: Tmux) -> None:
    """The traceback first; then the summary, what went wrong by name, and the prompt; no frame."""
    tmux.run(FAILING)
    tmux.shows("1 failed", r"failed, 1 ValueError|fetch\(2\) failed")
    tmux.type("C-c")
    lines = [line for line in tmux.prompt() if line]
    text = "\n".join(lines)
    assert "asflow/" not in text, "a frame that is not the user's"
    assert lines.index("KeyboardInterrupt") < text[: text.index("Flow main()")].count("\n")
    assert "Flow main() cancelled: 1 skipped, 1 failed, 6 cancelled in" in " ".join(text.split())
    assert lines[-2].lstrip() == "fetch(2) failed: ValueError: 503 Service Unavailable"
    assert lines[-1].lstrip() == "fetch(1) skipped: KeyError: 'rows'"
    assert not any("━" in line or "@" in line for line in lines)


def test_ctrl_z_and_fg(tmux: Tmux) -> None:
    """The shell writes below the frame; continued, the program draws a new one below that."""
    tmux.run(FAILING)
    tmux.shows("failed", "6 running|fetch")
    tmux.type("C-z")
    lines = tmux.stop()
    stopped = next(at for at, line in enumerate(lines) if "Stopped" in line)
    frame = [at for at, line in enumerate(lines) if "@" in line or "━" in line]
    assert max(frame) < stopped
    assert f"{PROMPT}fg" in tmux.continued()
    tmux.go()
    lines = tmux.prompt()
    after = lines[lines.index("between") :]
    assert sum("Flow main(): 5 done, 1 skipped, 2 failed in" in line for line in after) == 1
    assert not any("━" in line for line in after)


@pytest.mark.parametrize("prints", [False, True], ids=["", "and-prints-first"])
def test_stopped_while_a_frame_is_being_made(tmux: Tmux, prints: bool) -> None:
    """Continued, the program finishes the frame, or prints before that; nothing of the shell's is lost."""
    if prints:
        tmux.go("prints")
    tmux.run(STOPPING)
    tmux.go("stop")
    tmux.stop()
    lines = tmux.continued()
    assert one_frame(lines[: lines.index("between")])
    below = lines[lines.index("between") :]
    assert f"{PROMPT}fg" in below
    assert ("a row" in below) == prints
    tmux.go()
    assert "Flow main(): 2 done in" in tmux.prompt()[-1]


@pytest.mark.parametrize(("how", "word"), [(signal.SIGTERM, "Terminated"), (signal.SIGKILL, "Killed")])
def test_the_prompt_is_below_the_frame_of_a_program_that_was_killed(
    tmux: Tmux, how: signal.Signals, word: str
) -> None:
    tmux.run(FAILING)
    tmux.shows("failed, 1 ValueError|fetch.2. failed")
    tmux.kill(how)
    lines = tmux.prompt()
    assert word in lines[-1]
    assert one_frame(lines)
    tmux.type("echo on its own line", "Enter")
    assert tmux.shows("^on its own line$", until=lambda lines: lines[-1] == PROMPT.rstrip())[-2:] == [
        "on its own line",
        PROMPT.rstrip(),
    ]


def test_an_exception(tmux: Tmux) -> None:
    """The whole traceback, which ends in the user's code; then the summary, and what went wrong."""
    tmux.go("fail")
    tmux.run(FAILING)
    tmux.go()
    lines = tmux.prompt()
    text = "\n".join(lines)
    assert text.index("RuntimeError: no table today") < text.index("Flow main() failed (RuntimeError")
    assert "5 done, 1 skipped, 2 failed" in " ".join(text.split())
    assert [line.strip() for line in lines[-3:]] == [
        "fetch(2) failed: ValueError: 503 Service Unavailable",
        "fetch(3) failed: OSError: the disk is full",
        "fetch(1) skipped: KeyError: 'rows'",
    ]
    assert not any("━" in line or line.startswith("@") for line in lines)
