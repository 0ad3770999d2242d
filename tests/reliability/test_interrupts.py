"""Ctrl-C between any two bytecodes of asflow, in sync tasks: no slot, output, file or call is lost.

In processes of their own: a trace function that raises leaves more behind than an interrupt does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from reliability.interrupts import KINDS
from reliability.processes import ENVIRONMENT


def survey(folder: Path, kind: str, error: str, how: str) -> tuple[int, list[str]]:
    """Interrupt a call at every point in turn; return the number of points, and what was lost where."""
    script = Path(__file__).with_name("interrupts.py")
    done = subprocess.run(
        [sys.executable, str(script), kind, error, how, str(folder)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    points, lost = json.loads(done.stdout)
    return points, lost


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "MemoryError"])
@pytest.mark.parametrize("kind", ["plain", "shared", "recursive", "flow"])
def test_nothing_is_lost_between_any_two_bytecodes(tmp_path: Path, kind: str, error: str) -> None:
    """Once the exception is dropped, all is as before, wherever it was raised.

    Kinds that hold a lock in a `with`, and a retry, are left out: their critical places are several
    bytecodes, in none of which Python handles signals.
    """
    points, lost = survey(tmp_path, kind, error, "any")
    assert points >= 2  # as Python 3.14 traces a call that other versions trace at a hundred
    assert not lost, "\n".join(lost)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "recursive"])
def test_nothing_is_lost_while_the_exception_is_kept(tmp_path: Path, kind: str) -> None:
    """Where Python handles signals, all is as before at once, and not only when the traceback is dropped."""
    points, lost = survey(tmp_path, kind, "KeyboardInterrupt", "real")
    assert points >= 2
    assert not lost, "\n".join(lost)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timers that send signals")
def test_real_signals_leave_no_file_and_no_descriptor(tmp_path: Path) -> None:
    """They come most often right after a call that has waited for the disk."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("alarms.py")), str(tmp_path), "400", "7"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert json.loads(done.stdout) == {"interrupted": 400, "parts": 0, "cut": 0, "descriptors": 0}
