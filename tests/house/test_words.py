"""The English of the package and its documentation: none of the wrong words of `words.py`."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from house.words import ALLOWED, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
PATTERNS = {re.compile(rf"\b(?:{wrong})\b", re.IGNORECASE): right for wrong, right in WORDS.items()}

Text = list[tuple[int, str]]
"""Words, each with its line number."""


class Finding(NamedTuple):
    """A wrong word, where it is, and what to write instead."""

    line: int
    wrong: str
    right: str


def files() -> list[str]:
    found = [*(ROOT / "asflow").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def words(text: str, line: int = 1) -> Text:
    return [(line + number, word) for number, row in enumerate(text.split("\n")) for word in row.split()]


def comments(source: str) -> Iterator[Text]:
    """Yield the comments of *source*; those on consecutive lines make one text."""
    block: Text = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            if line != last + 1:
                yield block
                block = []
            block += words(token.string.lstrip("#"), line)
            last = line
    yield block


def prose(name: str, source: str) -> Iterator[Text]:
    """Yield the strings (docstrings too) and comments of a module, or a page as a whole."""
    if not name.endswith(".py"):
        yield words(source)
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield words(node.value, node.lineno)
    yield from comments(source)


def findings(texts: Iterable[Text]) -> Iterator[Finding]:
    for text in texts:
        starts = [0]
        for _, word in text:
            starts.append(starts[-1] + len(word) + 1)
        joined = " ".join(word for _, word in text)
        for pattern, right in PATTERNS.items():
            for match in pattern.finditer(joined):
                line, _ = text[bisect_right(starts, match.start()) - 1]
                yield Finding(line, match[0].lower(), right)


@pytest.mark.parametrize("name", files())
def test_no_wrong_words(name: str) -> None:
    """The failure shows what to write instead."""
    allowed = ALLOWED.get(name, {})
    found = sorted(set(findings(prose(name, (ROOT / name).read_text("utf-8")))))
    wrong = [
        f'{name}:{line}: not "{wrong}", but: {right}' for line, wrong, right in found if wrong not in allowed
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_no_exception_is_unused() -> None:
    for name, reasons in ALLOWED.items():
        found = {finding.wrong for finding in findings(prose(name, (ROOT / name).read_text("utf-8")))}
        assert reasons.keys() <= found, name
        assert all(reasons.values()), name


MODULE = '''\
"""Docstrings stand
for much. There is no harm in this, and it is no longer wrong."""

told = 1  # names and code are not looked at: tell(told)
def whoever(room):
    x = room  # a comment, of which nobody
    # ever hears
    return f"{told} is no file"
'''


def test_docstrings_comments_and_strings_are_read_and_names_are_not() -> None:
    found = sorted(findings(prose("x.py", MODULE)))
    assert [(line, wrong) for line, wrong, _ in found] == [
        (1, "stand for"),
        (4, "tell"),
        (4, "told"),
        (6, "nobody"),
        (7, "hears"),
        (8, "is no file"),
    ]


def test_a_page_is_read_as_a_whole() -> None:
    found = list(findings(prose("x.md", "# Title\n\nA sink is told,\n- so\n  many at once.\n")))
    assert [(line, wrong) for line, wrong, _ in found] == [(3, "told"), (4, "so many")]
