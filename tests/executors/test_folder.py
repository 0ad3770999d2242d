"""The folder of workers' finished bytes: it is removed with the process that made it, and with no other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import asflow
from asflow.stores._temporary import remove_folder

SCRIPT = """
import os, sys, tempfile
from asflow._executors.caller import _folders

mine = _folders.path()
assert os.path.dirname(mine) == tempfile.gettempdir()
pid = os.fork()
if pid == 0:
    if {uses}:
        own = _folders.path()
        assert own != mine and os.path.isdir(own)
        assert _folders.path() == own
    sys.exit(7)             # as any program ends: what is registered for the exit runs
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert os.listdir(tempfile.gettempdir()) == [os.path.basename(mine)]
with open(os.path.join(mine, "bytes"), "wb"):
    pass                    # as a worker does
assert _folders.path() == mine
print(mine)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("uses", [False, True], ids=["the child makes none", "the child has its own"])
def test_a_forked_child_leaves_its_parents_folder_alone(tmp_path: Path, uses: bool) -> None:
    """Whether it has made its own or not; each is removed with its own process."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(uses=uses)],
        cwd="/",
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    made = process.stdout.strip()
    assert Path(made).parent == tmp_path
    assert Path(made).name.startswith("asflow-")
    assert os.listdir(tmp_path) == []


def test_a_worker_that_starts_while_its_folder_is_removed_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled just when a worker starts it: the worker's files go with the folder, or are refused."""

    def work(folder: Path, start: threading.Barrier) -> None:
        start.wait(30)
        for number in range(40):
            try:
                (folder / f"{number}").touch(exist_ok=False)
            except OSError:
                return

    for number in range(200):
        folder, start = tmp_path / f"{number}", threading.Barrier(2)
        folder.mkdir()
        worker = threading.Thread(target=work, args=(folder, start))
        worker.start()
        start.wait(30)
        remove_folder(str(folder))
        worker.join()
        assert os.listdir(tmp_path) == []
