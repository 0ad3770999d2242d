"""Every block of code in the pages runs, and prints what the page shows.

    ```python                  runs after the page's earlier blocks, in the same namespace and folder;
                               a command in between starts a new process
    ```python title="x.py"     is written to that file, for the commands that follow
    ```console                 each `$ command` runs, and prints what follows it
    ```output, ```text         right after a Python block: what that block prints

A comment `<!-- skip: why -->` right before a block skips it; it must still be valid Python. `setups/PAGE.py`
defines names that a page takes for granted, and runs before its first block; files in `setups/PAGE/` are
there from the beginning.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from docs.pages import PAGES, ROOT, blocks, same_output

if TYPE_CHECKING:
    from pathlib import Path

    from docs.pages import Block

HERE = ROOT / "tests" / "docs"
RUNNER = HERE / "run_page.py"
DEMO = ROOT / "docs" / "examples" / "demo" / "api.py"

ELSEWHERE = ("pip install ", "make ", "streamlit run ", "asflow ")
"""Commands that install or don't end, and those whose output is compared in `tests/cli`."""

WITH_PYTHON = [
    page for page in PAGES if any(b.language in {"python", "console"} for b in blocks(page.read_text()))
]


def environment(folder: Path) -> dict[str, str]:
    """Return variables for no color, a fixed width, and the `python` of this environment."""
    kept = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "CI"}}
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    modules = os.pathsep.join([str(folder), str(ROOT)])
    return {**kept, "PATH": path, "PYTHONPATH": modules, "COLUMNS": "80", "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8", "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:asyncio"}  # fmt: skip


def execute(page: Path, code: list[tuple[int, str]], folder: Path) -> list[str]:
    """Run Python code in one process and return what each piece printed."""
    work = folder / ".blocks.json"
    name = str(page.relative_to(ROOT))
    work.write_text(json.dumps([name, code]))
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(work)],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"a block of {name} failed:\n{done.stderr[-4000:]}", pytrace=False)
    printed: list[str] = json.loads(work.read_text())
    return printed


def commands(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that follows it."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def converse(page: Path, block: Block, folder: Path) -> None:
    """Run the commands of a console block and compare both streams with the page."""
    for command, expected in commands(block):
        if command.startswith(ELSEWHERE):
            continue
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment(folder), timeout=150,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        where = f"{page.relative_to(ROOT)}:{block.line}: $ {command}"
        assert same_output(expected, done.stdout), (
            f"{where}\nthe page shows:\n{expected}\nit was:\n{done.stdout}"
        )


@pytest.mark.timeout(180)  # a page runs several programs, one after the other
@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "api.py")
    if (files := HERE / "setups" / page.stem).is_dir():
        shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    setup = HERE / "setups" / f"{page.stem}.py"
    first: list[tuple[int, str]] = [(1, setup.read_text())] if setup.exists() else []
    code = list(first)
    expected: dict[int, tuple[int, str]] = {}
    last: Block | None = None

    def flush() -> None:
        for index, printed in enumerate(execute(page, code, tmp_path) if len(code) > len(first) else ()):
            if index in expected:
                line, text = expected[index]
                assert same_output(text, printed), f"{page.name}:{line} shows:\n{text}\nit was:\n{printed}"
        code[:] = first
        expected.clear()

    for block in blocks(page.read_text()):
        before, last = last, block
        if block.directive[0] == "skip":
            continue
        if block.language == "python" and block.title is not None:
            target = tmp_path / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        elif block.language == "python":
            code.append((block.line, block.text))
        elif block.language == "console" and not all(c.startswith(ELSEWHERE) for c, _ in commands(block)):
            flush()
            converse(page, block, tmp_path)
        elif (
            block.language in {"output", "text"}
            and code
            and before is not None
            and before.language == "python"
        ):
            expected[len(code) - 1] = (block.line, block.text)
    flush()


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_skipped_block_says_why_and_is_python(page: Path) -> None:
    for block in blocks(page.read_text()):
        if block.directive[0] == "skip":
            assert len(block.directive[1].split()) >= 3, f"{page.name}:{block.line}: say why it is skipped"
            if block.language == "python":
                ast.parse(block.text)
