"""The list of known gaps: cases that a checker gets wrong today, each with a reason."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gap", "read_gaps"]

_FILE = Path(__file__).with_name("gaps.toml")
_WITHOUT = ("mypy", "pyright", "basedpyright")


@dataclass(frozen=True)
class Gap:
    """One case that one checker gets wrong.

    Attributes:
        checker: the checker.
        case: `accept/SUBJECT: CODE`, as a loss is printed.
        reason: one line, or the checker's issue.
        python: the affected Python versions; empty: all.
    """

    checker: str
    case: str
    reason: str
    python: tuple[str, ...] = ()


def read_gaps() -> list[Gap]:
    """Read the list.

    Raises:
        ValueError: an entry is incomplete or repeated, or its checker may have no gaps.
    """
    entries = tomllib.loads(_FILE.read_text("utf-8")).get("gap", [])
    gaps: list[Gap] = []
    for entry in entries:
        try:
            gap = Gap(entry["checker"], entry["case"], entry["reason"], tuple(entry.get("python", ())))
        except KeyError as error:
            raise ValueError(f"{_FILE.name}: {entry} has no {error}") from error
        if gap.checker in _WITHOUT:
            raise ValueError(f"{_FILE.name}: {gap.checker} has no gaps: {gap.case}")
        if not gap.reason.strip():
            raise ValueError(f"{_FILE.name}: no reason is given for {gap.case}")
        if any(gap.checker == other.checker and gap.case == other.case for other in gaps):
            raise ValueError(f"{_FILE.name}: {gap.checker} has {gap.case} twice")
        gaps.append(gap)
    return gaps
