"""The cases: which statements of the files in `accept/` and `reject/` a checker is asked about.

A mark belongs to the innermost statement on its line, or to the decorator there; on the line of a `def`,
to all of the function, since checkers report a missing `case` or an incompatible override at different
places of it.
"""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Case", "Subject", "read_subjects"]

HERE = Path(__file__).parent

Kind = Literal["accept", "reject"]


@dataclass(frozen=True, order=True)
class Case:
    """One question to a checker.

    Attributes:
        first, last: the lines, counted from 1, on which an error answers it.
        code: the first line without mark and indentation: the case's name in the list of gaps.
    """

    first: int
    last: int
    code: str


@dataclass(frozen=True)
class Subject:
    """One file of cases.

    Attributes:
        kind: whether they must pass or fail.
        name: the subject; a file of the same name may be on the other side.
        path: the file.
        since: the first minor version of Python 3 whose syntax it is written in, e.g. 12.
    """

    kind: Kind
    name: str
    path: Path
    since: int
    cases: list[Case] = field(compare=False)

    @property
    def label(self) -> str:
        """As in the list of gaps: `reject/options`."""
        return f"{self.kind}/{self.name}"


def read_subjects(only: list[str] | None = None) -> list[Subject]:
    """Read all files of cases.

    Args:
        only: names of subjects to keep; None is all.

    Raises:
        ValueError: a file has no case, or two that can't be told apart; or *only* names no subject.
    """
    kinds: tuple[Kind, ...] = ("accept", "reject")
    files = [(kind, path) for kind in kinds for path in sorted((HERE / kind).glob("*.py"))]
    if only:
        unknown = set(only) - {path.stem for _, path in files}
        if unknown:
            raise ValueError(f"no subject is called {', '.join(sorted(unknown))}")
        files = [(kind, path) for kind, path in files if path.stem in only]
    return [_read(kind, path) for kind, path in files]


def _read(kind: Kind, path: Path) -> Subject:
    source = path.read_text("utf-8")
    lines = source.splitlines()
    marked = _marked(source, "# OK" if kind == "accept" else "# E")
    regions = {_region(statement) for statement in _asserted(source)} if kind == "accept" else set()
    for line in marked:
        regions.add(_around(_statements(source), line, path))
    cases = [Case(first, last, _code(lines[first - 1])) for first, last in sorted(regions)]
    if not cases:
        raise ValueError(f"{path} has no case")
    first_line = lines[0] if lines else ""
    since = int(first_line.removeprefix("# Python 3.")) if first_line.startswith("# Python 3.") else 11
    return Subject(kind, path.stem, path, since, cases)


def _marked(source: str, mark: str) -> list[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.string == mark]


def _code(line: str) -> str:
    return line.partition("  # ")[0].strip()


def _statements(source: str) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            found.append(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found += node.decorator_list
    return found


def _asserted(source: str) -> list[ast.stmt]:
    """Find the statements that are a call of `assert_type`."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "assert_type"
    ]


def _region(node: ast.AST) -> tuple[int, int]:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    if isinstance(node, (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.ClassDef)):
        last = max(first, node.body[0].lineno - 1)
    return first, last


def _around(nodes: list[ast.AST], line: int, path: Path) -> tuple[int, int]:
    """Return the lines of the smallest statement or decorator that *line* belongs to."""
    regions = [_region(node) for node in nodes]
    around = [region for region in regions if region[0] <= line <= region[1]]
    if not around:
        raise ValueError(f"{path}:{line}: the mark is on no statement")
    return min(around, key=lambda region: region[1] - region[0])
