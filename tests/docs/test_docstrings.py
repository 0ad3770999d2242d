"""The code in docstrings runs: every fenced or indented block that is Python.

Blocks are excerpts; the setups define the names that they leave out. Trees and tables are indented blocks
too, but not Python; a test counts the examples, so that none is lost.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETUPS = ROOT / "tests" / "docs" / "setups"
SETUP = "\n".join((SETUPS / name).read_text() for name in ("dataflows.py", "docstrings.py"))
"""The names of the page about data flows, and more; later definitions win."""


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in *node* at any depth. All nodes would be twenty times as many."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):
            yield child
            yield from statements(child)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield every docstring of the package, with its place."""
    for path in sorted((ROOT / "asflow").rglob("*.py")):
        module = ast.parse(path.read_text())
        for node in (module, *statements(module)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node)
                if text:
                    name = getattr(node, "name", "")
                    line = getattr(node, "lineno", 1)
                    yield f"{path.relative_to(ROOT)}:{line}:{name}", text


def code_of(docstring: str) -> Iterator[str]:
    """Yield the blocks of a docstring that are Python and do something."""
    for fence in re.findall(r"^ *```python\n(.*?)^ *```", docstring, re.M | re.S):
        yield textwrap.dedent(fence)
    plain = re.sub(r"^ *```.*?^ *```", "", docstring, flags=re.M | re.S)
    for paragraph in re.findall(r"(?:\A|\n\n)((?:    .*\n?|\n(?=    ))+)", plain):
        block = textwrap.dedent(paragraph).strip("\n")
        if is_code(block):
            yield block


def is_code(block: str) -> bool:
    try:
        body = ast.parse(block).body
    except SyntaxError:
        return False
    talk = (ast.Name, ast.Attribute, ast.BinOp, ast.Constant, ast.Tuple, ast.Compare)
    return any(
        not (
            isinstance(node, (ast.Expr, ast.AnnAssign))
            and isinstance(getattr(node, "value", None), (*talk, type(None)))
        )
        for node in body
    )


EXAMPLES = [(f"{place}#{n}", code) for place, text in docstrings() for n, code in enumerate(code_of(text), 1)]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[place for place, _ in EXAMPLES])
def test_an_example_compiles(code: str) -> None:
    compile(code, "docstring", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_examples_run(tmp_path: Path) -> None:
    """In one process, each in its own namespace."""
    script = tmp_path / "examples.py"
    script.write_text(
        inspect.cleandoc(
            """
            import ast, asyncio, inspect, sys, types
            failed = []
            for place, code in EXAMPLES:
                module = sys.modules["__main__"] = types.ModuleType("__main__")
                module.__dict__["__file__"] = __file__
                try:
                    exec(compile(SETUP, "setups", "exec"), vars(module))
                    compiled = compile(code, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                    async def main():  # an excerpt may be part of an async function
                        if compiled.co_flags & inspect.CO_COROUTINE:
                            await types.FunctionType(compiled, vars(module))()
                        else:
                            exec(compiled, vars(module))
                        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
                    if "asyncio.run(" in code:
                        exec(compiled, vars(module))
                    else:
                        asyncio.run(main())
                except BaseException as error:
                    failed.append(f"{place}: {type(error).__name__}: {error}\\n{code}")
            print("\\n\\n".join(failed))
            sys.exit(bool(failed))
            """
        )
        .replace("in EXAMPLES", f"in {EXAMPLES!r}")
        .replace("(SETUP,", f"({SETUP!r},")
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
