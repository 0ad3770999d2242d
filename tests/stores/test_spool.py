"""`Spool`: bytes in memory, in an unnamed file, or in a file of its owner's choice."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from asflow.stores._spool import Spool

LARGE = bytes(range(256)) * 16


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100])
def test_a_spool_returns_what_was_written(size: int) -> None:
    """In memory and in a file, in pieces of any type and item size."""
    spool = Spool(8)
    for start in range(0, size, 3):
        spool.write(LARGE[start : min(start + 3, size)])
    assert spool.rewound().read() == LARGE[:size]
    assert isinstance(spool.rewound(), io.BytesIO) == (size <= 8)
    spool.close()
    wide = Spool(8)
    wide.write(bytearray(b"ab"))
    wide.write(memoryview(LARGE[:16]).cast("I"))
    assert wide.rewound().read() == b"ab" + LARGE[:16]
    wide.close()


def test_a_spool_in_a_file_of_its_owner(tmp_path: Path) -> None:
    """Every byte is in the file at once, and stays there after `close`; `discard` removes it."""
    path = tmp_path / "x"
    spool = Spool(8, str(path))
    assert spool.path == str(path)
    for data in (b"ab", memoryview(b"cdefghijkl").cast("H")):
        assert spool.write(data) == memoryview(data).nbytes
        assert path.read_bytes() == b"abcdefghijkl"[: path.stat().st_size]
    assert path.read_bytes() == b"abcdefghijkl"
    spool.close()
    assert path.read_bytes() == b"abcdefghijkl"
    spool.discard()
    assert not path.exists()
    spool.discard()


@pytest.mark.parametrize("obstacle", ["no folder", "another file"])
def test_a_spool_whose_file_can_not_be_made_does_without(tmp_path: Path, obstacle: str) -> None:
    """The bytes are in memory, then in an unnamed file; the other file is left alone."""
    path = tmp_path / "x" if obstacle == "another file" else tmp_path / "folder" / "x"
    if obstacle == "another file":
        path.write_bytes(b"other")
    spool = Spool(8, str(path))
    assert spool.path is None
    spool.write(LARGE)
    assert spool.rewound().read() == LARGE
    spool.discard()
    assert path.exists() == (obstacle == "another file")


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "win32", reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # 3.12+, beside the threads of a test runner
@pytest.mark.parametrize("named", [True, False])
def test_a_forked_child_writes_nothing_into_it(tmp_path: Path, named: bool) -> None:
    """No buffer is in front of the file, so none is flushed a second time by the child."""
    spool = Spool(0, str(tmp_path / "x") if named else None)
    spool.write(b"parent ")
    pid = os.fork()
    if pid == 0:  # pragma: no cover - in the child
        spool.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    spool.write(b"only")
    spool.close() if named else None
    data = (tmp_path / "x").read_bytes() if named else spool.rewound().read()
    assert data == b"parent only"
    spool.discard()
