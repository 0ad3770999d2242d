"""A program on a pseudo-terminal, controlled step by step, and the contents of its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pyte
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE = 20.0

_HIDDEN, _SHOWN = b"\x1b[?25l", b"\x1b[?25h"  # the cursor: how a frame begins, and how it ends

_PROGRAM = r"""
import logging, os, sys, threading, time
if early:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger("user").addHandler(handler)

from asflow.events import (Digest, FlowFinished, FlowStarted, ProblemCall, RunningCall, RunningFlow, Tally,
                           TaskFinished, WaitingCall)
from asflow.sinks import LineSink, NullSink, RichSink

class Call(RunningCall):
    def __init__(self, text, started=None, completed=0.0, total=None, description=None, attempt=1):
        self.text, self.started, self.completed, self.total = text, started, completed, total
        self.description, self.attempt = description, attempt

    @property
    def label(self):
        return self.text

class Flow(RunningFlow):
    pass

sink = RichSink(refresh_per_second=20)
flows = {}

def start(flow_id, flow="transcripts", label="", parent=None, progress=True, sink=sink,
          live=RunningFlow()):
    flows[flow_id] = (flow, {})
    sink.emit(FlowStarted(flow_id=flow_id, flow=flow, label=label, parent_id=parent, progress=progress,
                          tallies=flows[flow_id][1], live=live, at=time.monotonic()))

def finish(flow_id, outcome="completed", error=None, seconds=41.0, sink=sink, digest=Digest()):
    sink.emit(FlowFinished(flow_id=flow_id, flow=flows.pop(flow_id)[0], outcome=outcome, error=error,
                           seconds=seconds, digest=digest, at=time.monotonic()))

def tally(flow_id, task="extract", **numbers):
    found = flows[flow_id][1].setdefault(task, Tally(task))
    for name, number in numbers.items():
        setattr(found, name, number)
    return found

def done(task="extract", label="'Hello'", flow_id=None, outcome="completed", error=None, seconds=1.0,
         sink=sink):
    sink.emit(TaskFinished(call_id=1, flow_id=flow_id, task=task, label=label, outcome=outcome, error=error,
                           seconds=seconds, output=None, at=time.monotonic()))

for step in sys.stdin:
    try:
        exec(eval(step), globals())
    except BaseException as error:
        import traceback
        os.write(ack, traceback.format_exc().encode())
    os.write(ack, b"\0")
"""


class Terminal:
    """A program that runs on a pseudo-terminal, and the contents of the screen."""

    def __init__(
        self, columns: int, rows: int, env: dict[str, str], stdout: Path | None, *, early: bool
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        self._size(columns, rows)
        self._acks, ack = os.pipe()
        names = {"CI", "NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
        inherited = {key: value for key, value in os.environ.items() if key not in names}
        with contextlib.ExitStack() as files:
            out = slave if stdout is None else files.enter_context(stdout.open("wb"))
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"early, ack = {early}, {ack}\n{_PROGRAM}"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=slave,
                pass_fds=[ack],
                env={**inherited, "TERM": "xterm-256color", "PYTHONUTF8": "1", **env},
            )
        os.close(slave)
        os.close(ack)

    def do(self, code: str) -> None:
        """Run *code* in the program; return when it has ended, fail with its traceback if it raised."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{code!r}\n".encode())
        self.process.stdin.flush()
        said = b""
        while not said.endswith(b"\0"):
            self._read(0.02)
            if select.select([self._acks], [], [], 0)[0]:
                chunk = os.read(self._acks, 4096)
                assert chunk, "the program has ended"
                said += chunk
        assert said == b"\0", said.decode()
        while self._read(0):  # frames from before *code*, which must not be taken for its result
            pass

    def shows(self, *texts: str, until: Callable[[], bool] | None = None) -> list[str]:
        """Wait, from frame to frame, until *texts* are on the screen and *until* holds; return its lines."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            lines = self.lines
            # A terminal delivers output in pieces: half a frame may have been read.
            whole = self.raw.count(_HIDDEN) == self.raw.count(_SHOWN)
            seen = all(any(text in line for line in lines) for text in texts)
            if whole and seen and (until is None or until()):
                return lines
            self._read(0.02)
        raise AssertionError("never shown: " + repr(texts) + "\n" + "\n".join(self.lines))

    def frames(self, count: int = 3) -> None:
        """Wait until *count* more frames were drawn; the first may have started before."""
        seen = self.raw.count(_HIDDEN)
        self.shows(until=lambda: self.raw.count(_HIDDEN) >= seen + count)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without those below the last one with text."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def write(self, line: str) -> None:
        """Write a line to the terminal as a shell would, after all that the program has written."""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while self._read(0.1):
                pass
        self._stream.feed(f"{line}\r\n".encode())

    def pause(self, seconds: float) -> None:
        """Let time pass for a program that is stopped."""
        time.sleep(seconds)

    def resize(self, columns: int, rows: int) -> None:
        """Resize the window, as a terminal does."""
        self.screen.resize(rows, columns)
        self._size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def end(self) -> list[str]:
        """End the program and return the last screen."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while self._read(_PATIENCE):
                pass
        self.process.wait(_PATIENCE)
        return self.lines

    def close(self) -> None:
        self.process.kill()
        self.process.wait(_PATIENCE)
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        os.close(self._master)
        os.close(self._acks)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        data = os.read(self._master, 65536)
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Make a `Terminal`: `terminal(columns=80, rows=24, env={}, stdout=None, early=False)`."""
    with contextlib.ExitStack() as opened:

        def make(
            columns: int = 80,
            rows: int = 24,
            env: dict[str, str] | None = None,
            stdout: Path | None = None,
            early: bool = False,
        ) -> Terminal:
            made = Terminal(columns, rows, env or {}, stdout, early=early)
            opened.callback(made.close)
            return made

        yield make
