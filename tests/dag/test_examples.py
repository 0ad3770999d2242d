"""The examples of the documentation run, and print what they say."""

from __future__ import annotations

import ast
import runpy
import textwrap
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "graphs").glob("*.py"))
BLOCKS = (DOCS / "graphs.md").read_text("utf-8").split("```python\n")[1:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_its_docstring_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring is not None
    _, _, promised = docstring.partition("Prints:\n\n")
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out == textwrap.dedent(promised) + "\n"


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} == {"pipeline", "dynamic", "failures", "with_tasks"}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_blocks_of_the_page_run(number: int) -> None:
    """Those with a main are run; the first defines what the others use."""
    first, block = (text.split("```")[0] for text in (BLOCKS[0], BLOCKS[number]))
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(first, "graphs.md", "exec"), names)
    if number:
        exec(compile(block, f"graphs.md, block {number}", "exec"), names)
