"""Several processes that make and read the same outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen

from asflow import Flow
from asflow.sinks import NullSink

SCRIPT = """
import os, sys
from pathlib import Path
from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sys.argv[1], sink=NullSink())
base = Path(sys.argv[1])

@flow.task(on="raw/{n}.txt", reads="source.txt")
def raw(n: int) -> None:
    (base / f"log/raw-{n}-{os.getpid()}").touch()
    flow.task.write((base / "source.txt").read_text())

@flow.task(save="clean/{n}.txt", reads=raw)
def clean(n: int) -> str:
    (base / f"log/clean-{n}-{os.getpid()}").touch()
    return flow.task.output(raw, n).text()

print("ready", flush=True)
sys.stdin.readline()
for n in range(20):
    raw(n)
    assert clean(n)
"""


def _run(folder: Path, count: int) -> list[str]:
    """Run the script in *count* processes at once, and return what was made."""
    for name in os.listdir(folder / "log"):
        os.unlink(folder / "log" / name)
    workers = [
        Popen([sys.executable, "-c", SCRIPT, str(folder)], stdin=PIPE, stdout=PIPE, text=True)
        for _ in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.communicate("go\n", timeout=50)
        assert worker.returncode == 0
    return sorted(name.rpartition("-")[0] for name in os.listdir(folder / "log"))


def test_each_is_made_once_and_again_once_after_an_edit(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "source.txt").write_text("one")
    everything = sorted(f"{task}-{n}" for task in ("raw", "clean") for n in range(20))
    assert _run(tmp_path, 3) == everything
    assert _run(tmp_path, 2) == []
    (tmp_path / "source.txt").write_text("two")
    assert _run(tmp_path, 3) == everything
    assert _run(tmp_path, 1) == []
    assert {path.read_text() for path in (tmp_path / "clean").iterdir()} == {"two"}


def test_an_input_that_another_process_replaces_while_the_body_runs(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("old")
    flow = Flow(tmp_path, sink=NullSink())
    read: list[str] = []

    @flow.task(save="copy.txt", reads="source.txt")
    def copy() -> str:
        read.append(source.read_text())
        if len(read) == 1:
            code = "import os, sys; open('new', 'w').write('new'); os.replace('new', sys.argv[1])"
            with Popen([sys.executable, "-c", code, str(source)], cwd=tmp_path) as writer:
                assert writer.wait(50) == 0
        return read[-1]

    assert [copy(), copy(), copy()] == ["old", "new", "new"]
    assert read == ["old", "new"]
