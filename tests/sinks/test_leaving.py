"""How a program leaves its terminal: killed, stopped and continued, interrupted, with subprocesses."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

SHELL = "shell> ls -l, and something longer than a label"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_shell_goes_on_below_the_frame(terminal: Callable[..., Any], how: signal.Signals) -> None:
    """What it writes is mixed with no line of the frame, also at the bottom of the terminal."""
    term = terminal(rows=12)
    term.do("for i in range(30): print('line', i)")
    term.do("start(1); tally(1, queued=100, completed=3).active.update({i: Call(str(i)) for i in range(9)})")
    term.shows("@task", "… and 5 more calls")
    term.process.send_signal(how)
    term.process.wait(20)
    term.write(SHELL)
    assert term.lines[-1] == SHELL
    assert sum("━" in line for line in term.lines) >= 5


def test_a_program_that_was_stopped_draws_below_what_the_shell_wrote(terminal: Callable[..., Any]) -> None:
    """Ctrl-Z and `fg`: the old frame stays, the new one follows."""
    term = terminal(rows=30)
    term.do("start(1); tally(1, queued=100, completed=3)")
    term.shows("@task")
    term.process.send_signal(signal.SIGSTOP)
    term.write(SHELL)
    term.pause(2.0)
    term.process.send_signal(signal.SIGCONT)
    lines = term.shows("@task", until=lambda: sum("@task" in line for line in term.lines) == 2)
    assert SHELL in lines
    assert [line.split("(")[0].strip() for line in lines if "@" in line] == 2 * [
        "@flow transcripts",
        "@task extract",
    ]
    term.do("finish(1)")
    assert "Flow transcripts(): 3 done" in term.end()[-1]


def test_what_a_subprocess_writes_is_above_the_frame(terminal: Callable[..., Any]) -> None:
    """It is neither erased nor written into the frame, which is below the cursor while the process runs."""
    term = terminal()
    term.do("start(1); tally(1, queued=4); import subprocess")
    term.shows("@task")
    term.do("child = subprocess.Popen(['sh', '-c', 'echo one; read line; echo two'], stdin=subprocess.PIPE)")
    term.frames(4)
    assert term.shows("one", "@task")[0] == "one"
    term.do("child.communicate(b'go'); child.wait()")
    term.frames(6)
    assert term.shows("two", "@task")[:2] == ["one", "two"]
    term.shows("@task", until=lambda: term.screen.cursor.y == len(term.lines))
    term.do("finish(1)")
    assert term.end()[:2] == ["one", "two"]
