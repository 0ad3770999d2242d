"""Mutation testing: change the code in one place, and see whether a test notices.

    python tests/reliability/mutants.py [--every N] [--seconds S] [PATH ...]     (make mutants)

Works on a copy of the repository in a temporary folder; each mutant runs the fast
tests of its own room, quickest first. *every* takes each N-th mutant only, *seconds* stops after so long.
Prints the survivors as diffs, and the score.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PATHS = ["asflow/engine", "asflow/stores"]
SUITES = {
    "asflow/engine": ["tests/engine", "tests/runtime", "tests/flows"],
    "asflow/stores": [
        "tests/stores",
        "tests/reliability/test_io_errors.py",
        "tests/reliability/test_endings.py",
    ],
}

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


def quiet(node: ast.AST) -> set[ast.AST]:
    """What below *node* can't be tested: annotations, `__all__`, messages of exceptions, types."""
    silent: set[ast.AST] = set()
    for each in ast.walk(node):
        parts: list[ast.AST | None] = []
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts += [each.returns, *(each.body if each.name == "__repr__" else [])]
        elif isinstance(each, (ast.arg, ast.AnnAssign)):
            parts += [each.annotation]
        elif isinstance(each, (ast.Raise, ast.Assert, ast.JoinedStr)) or _for_readers(each):
            parts += [each]
        for part in parts:
            if part is not None:
                silent |= set(ast.walk(part))
    return silent


def _for_readers(node: ast.AST) -> bool:
    """Whether *node* is a list of names, or there for the type checker alone."""
    if isinstance(node, ast.Assign):
        return any(
            isinstance(name, ast.Name) and name.id in {"__all__", "__slots__"} for name in node.targets
        )
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """Yield each mutant of *source* with its line: one operator, constant, condition or statement changed."""
    tree = ast.parse(source)
    silent = quiet(tree)
    for node in list(ast.walk(tree)):
        if node in silent:
            continue
        for change in changes(node):
            undo = change()
            yield getattr(node, "lineno", 0), ast.unparse(tree)
            undo()


def changes(node: ast.AST) -> Iterator[Callable[[], Callable[[], None]]]:
    """Yield functions that change *node* and return one that undoes it."""

    def setting(target: object, name: str, value: object) -> Callable[[], Callable[[], None]]:
        def change() -> Callable[[], None]:
            before = getattr(target, name)
            setattr(target, name, value)
            return lambda: setattr(target, name, before)

        return change

    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        yield setting(node, "ops", [COMPARE[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        yield setting(node, "op", ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield setting(node, "op", ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield setting(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield setting(node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield setting(node, "value", node.value + 1)
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)) and not isinstance(node.test, ast.Constant):
        yield setting(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, (ast.FunctionDef, ast.If, ast.With, ast.For, ast.While, ast.Try)):
        for index, statement in enumerate(node.body):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                body = [*node.body[:index], ast.Pass(), *node.body[index + 1 :]]
                yield setting(node, "body", body)


def suites(path: str) -> list[str]:
    room = next((room for room in SUITES if path.startswith(room)), "asflow/stores")
    return [suite for suite in SUITES[room] if (ROOT / suite).exists()]


def survives(copy: Path, path: str) -> bool:
    # -B and a changed size or not: a stale .pyc must never stand in for the mutant.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTEST_DEBUG_TEMPROOT"] = str(copy)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout", "20", "-p", "no:cacheprovider"]
    # A mutant that leaves a file open would keep a test's disk from being unmounted.
    command += ["-m", "not slow", "-k", "not full_disk and not mount and not full_of_names"]
    try:
        process = subprocess.run(
            [*command, *suites(path)],
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=180,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return process.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("paths", nargs="*", default=PATHS)
    options = parser.parse_args()
    end = time.monotonic() + cast("float", options.seconds)
    tried = survived = 0
    everyone: list[tuple[Path, int, str]] = []
    with tempfile.TemporaryDirectory(prefix="mutants") as top:
        copy = Path(top)
        for each in ("asflow", "tests", "docs"):
            shutil.copytree(ROOT / each, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        files = [
            file
            for path in cast("list[str]", options.paths)
            for file in ([copy / path] if path.endswith(".py") else sorted((copy / path).rglob("*.py")))
        ]
        everyone += [(file, line, text) for file in files for line, text in mutants(file.read_text())]
        rooms = {tuple(suites(str(file.relative_to(copy)))): str(file.relative_to(copy)) for file in files}
        for room, path in rooms.items():
            if not survives(copy, path):
                raise SystemExit(f"these tests fail without any change: {' '.join(room)}")
        for file, line, text in everyone[:: cast("int", options.every)]:
            if time.monotonic() > end:
                print("stopped: out of time")
                break
            path, before = str(file.relative_to(copy)), file.read_text()
            file.write_text(text)
            try:
                alive = survives(copy, path)
            finally:
                file.write_text(before)
            tried, survived = tried + 1, survived + alive
            if alive:
                clean = ast.unparse(ast.parse(before)).splitlines()
                print(f"-- survived: {path}:{line}")
                print(
                    "\n".join(list(difflib.unified_diff(clean, text.splitlines(), lineterm="", n=1))[2:]),
                    flush=True,
                )
    print(f"{tried - survived} of {tried} mutants killed, of {len(everyone)} there are; {survived} survived")


if __name__ == "__main__":
    main()
