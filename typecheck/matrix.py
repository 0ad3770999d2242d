"""The matrix: the number of cases that each checker gets right, by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typecheck.judging import Verdict

__all__ = ["as_text"]


def as_text(verdicts: Sequence[Verdict]) -> str:
    """Return the matrix, with a row for each subject and Python version and a column for each checker.

    A cell shows the right cases out of all, for the worst of several Python versions. The text is Markdown.
    """
    checkers = list(dict.fromkeys(verdict.checker for verdict in verdicts))
    pythons = list(dict.fromkeys(verdict.python for verdict in verdicts))
    subjects = sorted({name for verdict in verdicts for name in verdict.cases})
    rows = [
        ["subject", *checkers],
        *([name, *(_worst(verdicts, checker, name) for checker in checkers)] for name in subjects),
        *([f"all, Python {each}", *(_total(verdicts, name, each) for name in checkers)] for each in pythons),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _worst(verdicts: Sequence[Verdict], checker: str, subject: str) -> str:
    cells = [_count(verdict, subject) for verdict in verdicts if verdict.checker == checker]
    return _cell(*max(cells, key=lambda cell: (cell[1] - cell[0], cell[1])))


def _count(verdict: Verdict, subject: str) -> tuple[int, int]:
    cases = verdict.cases.get(subject, 0)
    lost = {loss.case for loss in verdict.losses if loss.subject == subject}
    return max(0, cases - len(lost)), cases


def _total(verdicts: Sequence[Verdict], checker: str, python: str) -> str:
    found = [verdict for verdict in verdicts if (verdict.checker, verdict.python) == (checker, python)]
    counts = [_count(found[0], subject) for subject in found[0].cases]
    return _cell(sum(right for right, _ in counts), sum(cases for _, cases in counts))


def _cell(right: int, cases: int) -> str:
    return "-" if not cases else str(cases) if right == cases else f"{right}/{cases}"
