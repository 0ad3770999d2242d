"""With stdin, stdout and stderr closed, what a library's C code prints gets into no output."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CLOSED = """
import ctypes, os, sys
for number in (0, 1, 2):
    os.close(number)
from asflow import Flow
from asflow.sinks import NullSink, TraceSink
from asflow.stores._spool import Spool

libc = ctypes.CDLL(None)
def print_by_c():
    for number in (1, 2):
        libc.dprintf(number, b"from a library\\n")

flow = Flow("out", sink=TraceSink("trace.json"))

@flow.task(on="{name}.txt")
def make(name):
    spools = [Spool(0, "spool"), Spool(0)]
    for spool in spools:
        spool.write(b"spooled")
    print_by_c()
    flow.task.write("text")
    print_by_c()
    assert spools[1].rewound().read() == b"spooled"
    for spool in spools:
        spool.close()

@flow
def pipeline():
    make("x")
    print_by_c()

try:
    pipeline()
except BaseException:
    import traceback
    with open("error", "w") as file:
        traceback.print_exc(file=file)
    raise
"""


@pytest.mark.skipif(sys.platform != "linux", reason="dprintf of the C library")
def test_c_code_never_writes_into_our_files(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED], cwd=tmp_path)
    error = tmp_path / "error"
    assert done.returncode == 0, error.read_text() if error.exists() else ""
    assert (tmp_path / "out" / "x.txt").read_bytes() == b"text"
    assert (tmp_path / "spool").read_bytes() == b"spooled"
    assert b"library" not in (tmp_path / "trace.json").read_bytes()
