"""The scripts of the comparison: all are there; ours and the one by hand do what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = ROOT / "docs" / "examples" / "comparison"
PAGE = (ROOT / "docs" / "understand" / "comparison.md").read_text()


def run(script: str, folder: Path) -> list[str]:
    """Run a script twice; return what each run asked for."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(ROOT)])}
    asked: list[str] = []
    for status in (9, 0):
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / script)],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        if status:
            asked.append(" ".join((folder / "requests.txt").read_text().split()))
            (folder / "requests.txt").unlink()
        else:
            asked.append(done.stdout.removeprefix("asked for ").strip())
    return asked


def test_every_script_of_the_page_is_there_and_is_python() -> None:
    named = set(re.findall(r"`((?:with_\w+|by_hand)\.py|Snakefile)`", PAGE))
    there = {path.name for path in SCRIPTS.iterdir() if path.is_file()} - {"service.py"}
    assert named == there
    for path in SCRIPTS.glob("*.py"):
        compile(path.read_text(), path.name, "exec")


@pytest.mark.parametrize(
    ("script", "second", "lines"), [("with_asflow.py", "3 4 5", 4), ("by_hand.py", "4 5", 2)]
)
def test_what_the_page_says_of_a_kill(script: str, second: str, lines: int, tmp_path: Path) -> None:
    assert run(script, tmp_path) == ["1 2 3", second]
    assert len((tmp_path / "data" / "3.txt").read_text().splitlines()) == lines
    shutil.rmtree(tmp_path / "data")
