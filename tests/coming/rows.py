"""The rows of the page `docs/learn/coming-from.md`, and the tests that say which of them they are about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "learn" / "coming-from.md"
TESTED: set[tuple[str, str]] = set()
"""Section and first cell of each row that a test is about."""

F = TypeVar("F", bound="Callable[..., object]")


def row(section: str, before: str) -> Callable[[F], F]:
    """Say that a test is about the row of *section* whose first cell is *before*."""

    def decorated(test: F) -> F:
        TESTED.add((section, before))
        return test

    return decorated


def rows() -> set[tuple[str, str]]:
    """Return section and first cell of each row of the page."""
    found: set[tuple[str, str]] = set()
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and not re.match(
            r"\| [^|`]*(by hand|0\.0\.x|aiodag|flow|joblib|Prefect|Luigi) \| here", line
        ):
            first = re.split(r"(?<!\\) \| ", line.removeprefix("| "))[0]
            found.add((section, first.replace("\\|", "|")))
    return found
