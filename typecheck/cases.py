"""The cases: the lines in `accept/` and `reject/` that a checker must get right.

A mark applies to its logical line; on a `def`, to the whole function, since checkers report a missing `case`
or an incompatible override at different places in it. Lines are found by their tokens, so that a file may
use a newer syntax than the Python that runs this.
"""

from __future__ import annotations

import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Case", "Kind", "Subject", "read_subjects"]

_HERE = Path(__file__).parent
_SKIPPED = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER)
_SINCE = "# Python 3."
_AWAIT = ": await"

Kind = Literal["accept", "reject"]
_MARKS: dict[Kind, str] = {"accept": "# OK", "reject": "# E"}


@dataclass(frozen=True)
class Case:
    """One case for a checker.

    Attributes:
        first, last: the lines, counted from 1, on which an error counts.
        code: the first line without mark and indentation: the name of the case in the list of gaps.
        unawaited: whether the error must be about a forgotten `await`: the mark is `# E: await`.
    """

    first: int
    last: int
    code: str
    unawaited: bool = False


@dataclass(frozen=True)
class Subject:
    """One file of cases.

    Attributes:
        kind: whether its cases must pass or fail.
        name: the subject; the other kind may have a file of the same name.
        path: the file.
        since: the first minor version of Python 3 with its syntax, e.g. 12.
        cases: the cases, in the order of the file.
    """

    kind: Kind
    name: str
    path: Path
    since: int
    cases: list[Case] = field(compare=False)

    @property
    def label(self) -> str:
        """The name in the list of gaps: `reject/options`."""
        return f"{self.kind}/{self.name}"


@dataclass
class _Line:
    """A logical line: its position, its tokens, and whether it is marked."""

    first: int
    last: int
    indent: int
    words: list[str]
    marked: bool = False
    unawaited: bool = False


def read_subjects(only: list[str] | None = None) -> list[Subject]:
    """Read all files of cases.

    Args:
        only: names of subjects to keep; None or an empty list: all.

    Raises:
        ValueError: a file has no case or a mark without code, or *only* has an unknown name.
    """
    files = [(kind, path) for kind in _MARKS for path in sorted((_HERE / kind).glob("*.py"))]
    if only:
        unknown = set(only) - {path.stem for _, path in files}
        if unknown:
            raise ValueError(f"no subject is called {', '.join(sorted(unknown))}")
        files = [(kind, path) for kind, path in files if path.stem in only]
    return [_read(kind, path) for kind, path in files]


def _read(kind: Kind, path: Path) -> Subject:
    source = path.read_text("utf-8").splitlines()
    lines = _logical_lines(path, _MARKS[kind])
    cases: list[Case] = []
    for number, line in enumerate(lines):
        if line.marked or (kind == "accept" and line.words[:1] == ["assert_type"]):
            last = _end_of_function(lines, number) if "def" in line.words[:2] else line.last
            code = source[line.first - 1].partition("  # ")[0].strip()
            cases.append(Case(line.first, last, code, line.unawaited))
    if not cases:
        raise ValueError(f"{path} has no case: mark what is one with {_MARKS[kind]!r}")
    since = int(source[0].removeprefix(_SINCE)) if source[0].startswith(_SINCE) else 11
    return Subject(kind, path.stem, path, since, cases)


def _logical_lines(path: Path, mark: str) -> list[_Line]:
    lines: list[_Line] = []
    current: _Line | None = None
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            line = token.start[0]
            if token.type == tokenize.COMMENT:
                if token.string not in (mark, f"{mark}{_AWAIT}"):
                    continue
                if current is None:
                    raise ValueError(f"{path}:{line}: the mark is on no code")
                current.marked = True
                current.unawaited = token.string.endswith(_AWAIT)
            elif token.type == tokenize.NEWLINE:
                current = None
            elif token.type not in _SKIPPED:
                if current is None:
                    current = _Line(line, line, token.start[1], [])
                    lines.append(current)
                current.last = token.end[0]
                current.words.append(token.string)
    return lines


def _end_of_function(lines: list[_Line], number: int) -> int:
    last = lines[number].last
    for line in lines[number + 1 :]:
        if line.indent <= lines[number].indent:
            break
        last = line.last
    return last
