"""Find the code in a Markdown page: what to run, and what it should print."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
"""The checkout."""

PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "examples" not in path.relative_to(ROOT).parts
)
"""Every page: README and the files beside it, and the site."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.M | re.S)
_TITLE = re.compile(r'title="([^"]+)"')
_DIRECTIVE = re.compile(r"<!-- (skip): ((?:(?!-->).)*?) -->\s*\Z", re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        line: the number of its first line, for messages.
        language: the fence's first word.
        title: the name of the file that it shows, or None.
        text: its content, without the fence's indentation.
        directive: the word and the text of a comment `<!-- skip: why -->` right before it, if any.
    """

    line: int
    language: str
    title: str | None
    text: str
    directive: tuple[str | None, str]


def module(path: str) -> Any:
    """Return a module of `docs/`, which is not a package."""
    name = f"docs_{Path(path).stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / path)
        assert spec is not None
        assert spec.loader is not None
        # A dataclass looks its module up.
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page's text, in order."""
    found: list[Block] = []
    for match in _FENCE.finditer(page):
        indent = len(match["indent"])
        info = match["info"].strip()
        title = _TITLE.search(info)
        comment = _DIRECTIVE.search(page, 0, match.start())
        text = "".join(line[indent:] if line.strip() else "\n" for line in match["text"].splitlines(True))
        found.append(
            Block(
                line=page.count("\n", 0, match.start()) + 2,
                language=info.split()[0] if info else "",
                title=title[1] if title else None,
                text=text,
                directive=(comment[1], comment[2]) if comment else (None, ""),
            )
        )
    return found


def without_code(page: str) -> str:
    """Return a page's text with fenced blocks and code spans blanked out."""
    page = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), page)
    return re.sub(r"`+[^`]*`+", lambda match: "\n" * match[0].count("\n") or "code", page)


def same_output(expected: str, actual: str) -> bool:
    """Compare what a page shows with what was printed.

    `...` matches any text, and a measured time matches any other; spaces at line ends, and empty lines at
    both ends, don't count.
    """
    return re.fullmatch(_pattern(expected), _plain(actual), re.S) is not None


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


_VARYING = (
    (r"(?:\\\[\d\d:\d\d:\d\d\\\] |           )(?=Flow|Task)", r"(?:\\[\\d\\d:\\d\\d:\\d\\d\\] |           )"),
    (r"\d+\\\.\d+(?=\\? ?s\b)", r"\\d+\\.\\d+"),
    (r"(127\\\.0\\\.0\\\.1:)\d+", r"\1\\d+"),
    (r"\\\.\\\.\\\.", r".*?"),
)


def _pattern(expected: str) -> str:
    pattern = re.escape(_plain(expected)).replace(r"\ ", " ")
    for varying, replacement in _VARYING:
        pattern = re.sub(varying, replacement, pattern)
    return pattern
