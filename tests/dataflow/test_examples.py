"""The examples of the documentation run, and print what they say."""

from __future__ import annotations

import ast
import runpy
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples" / "dataflows").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_its_docstring_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring is not None
    _, _, promised = docstring.partition("Prints:\n\n")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out == textwrap.dedent(promised) + "\n"


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"first", "operators", "reuse", "forever"}


def test_the_first_block_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "dataflows.md").read_text("utf-8")
    block = page.split("```python\n")[1].split("```")[0]
    exec(compile(block, "dataflows.md", "exec"), {})
    assert capsys.readouterr().out == block.rpartition("# ")[2]
