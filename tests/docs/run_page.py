"""Run the Python blocks of one page, in order, in one namespace: `python run_page.py BLOCKS.json`.

A separate process, because examples print, decorate functions of `__main__` and start event loops.
The file holds the page's name and a list of `[line, code]`; a list of what each printed replaces it.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import linecache
import re
import sys
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(code: str, name: str, namespace: dict[str, object]) -> str:
    """Run *code*, which may use `await` at its top level, and return what it printed."""
    printed = io.StringIO()
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)  # for tracebacks
    compiled = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.redirect_stdout(printed):
        if compiled.co_flags & inspect.CO_COROUTINE:

            async def main() -> None:
                await types.FunctionType(compiled, namespace)()

            asyncio.run(main())
        else:
            for statement, refusal in statements(code, name):
                execute(statement, refusal, namespace)
    return printed.getvalue()


def statements(code: str, name: str) -> Iterator[tuple[types.CodeType, str | None]]:
    """Yield the top-level statements of *code*, each with the error that a comment beside it shows."""
    lines = code.splitlines()
    for node in ast.parse(code, name).body:
        end = node.end_lineno or node.lineno
        following = (line for line in lines[end : end + 1] if line.startswith("#"))
        beside = " ".join([lines[end - 1], *following])
        announced = re.search(r"# (\w+(?:Error|Exception): .*)", beside)
        text = announced[1] if announced else None
        yield compile(ast.Module([node], []), name, "exec"), text


def execute(statement: types.CodeType, announced: str | None, namespace: dict[str, object]) -> None:
    """Run a statement; where an error is announced it must come, with the first words of its text."""
    try:
        exec(statement, namespace)
    except Exception as error:
        shown = " ".join(f"{type(error).__name__}: {error}".split())
        if announced is None:
            raise
        assert shown.startswith(announced.strip()), f"the page shows {announced!r}, but it was {shown!r}"
    else:
        assert announced is None, f"the page shows {announced!r}, but nothing was raised"


def main(path: Path) -> int:
    """Run all blocks; stop at the first that fails, with its traceback and exit code 1."""
    page, blocks = json.loads(path.read_text())
    # A new module, with the name that a script has: it sees nothing of this file.
    sys.modules["__main__"] = module = types.ModuleType("__main__")
    namespace = vars(module)
    outputs: list[str] = []
    for line, code in blocks:
        try:
            outputs.append(run("\n" * (line - 1) + code, f"{page}:{line}", namespace))
        except BaseException:
            traceback.print_exc()
            return 1
    path.write_text(json.dumps(outputs))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
