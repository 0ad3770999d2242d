"""Compare a checker's errors with the cases."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from typecheck.gaps import Gap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from typecheck.cases import Case, Subject
    from typecheck.checkers import Diagnostic

__all__ = ["Loss", "Verdict", "judge"]


@dataclass(frozen=True)
class Loss:
    """Something that a checker got wrong.

    Attributes:
        subject: the subject's name.
        where: file and line.
        case: `accept/SUBJECT: CODE`, by which the list of gaps names it.
        why: the checker's message, or that there is none.
        known: whether it is in the list of gaps.
    """

    subject: str
    where: str
    case: str
    why: str
    known: bool = False


@dataclass
class Verdict:
    """The results of one checker on all cases, for one Python version.

    Attributes:
        checker, python: the checker and the Python version.
        cases: the number of cases, by subject.
        losses: the cases that it got wrong.
        closed: listed gaps that it gets right now.
        seconds: how long it ran.
    """

    checker: str
    python: str
    cases: Mapping[str, int]
    losses: list[Loss] = field(default_factory=list[Loss])
    closed: list[Gap] = field(default_factory=list[Gap])
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the losses are exactly the listed gaps."""
        return not self.closed and all(loss.known for loss in self.losses)


def judge(
    checker: str,
    python: str,
    subjects: Sequence[Subject],
    diagnostics: Iterable[Diagnostic],
    gaps: Sequence[Gap],
    broken: Collection[str],
    unawaited: Collection[str],
) -> Verdict:
    """Compare a checker's errors with the expectation of each case.

    Args:
        checker, python: the checker and the Python version.
        subjects: the files that it checked.
        diagnostics: the errors that it found.
        gaps: the list of known gaps.
        broken: the checker's rules for broken cases.
        unawaited: its rules for a forgotten `await`.
    """
    by_path: defaultdict[Path, list[Diagnostic]] = defaultdict(list)
    for diagnostic in diagnostics:
        by_path[diagnostic.path].append(diagnostic)
    counts: defaultdict[str, int] = defaultdict(int)
    losses: list[Loss] = []
    for subject in subjects:
        counts[subject.name] += len(subject.cases)
        losses += _losses(subject, by_path.pop(subject.path.resolve(), []), broken, unawaited)
    for path, rest in by_path.items():
        losses += [Loss("", f"{path}:{each.line}", str(path), each.message) for each in rest]
    mine = [gap for gap in gaps if gap.checker == checker and (not gap.python or python in gap.python)]
    names = {f"{subject.label}: " for subject in subjects}
    asked = [gap for gap in mine if any(gap.case.startswith(name) for name in names)]
    known = {gap.case for gap in mine}
    losses = [replace(loss, known=loss.case in known) for loss in losses]
    lost = {loss.case for loss in losses}
    return Verdict(checker, python, counts, losses, [gap for gap in asked if gap.case not in lost])


def _losses(
    subject: Subject, found: list[Diagnostic], broken: Collection[str], unawaited: Collection[str]
) -> list[Loss]:
    if subject.kind == "accept":
        return [
            _loss(subject, each.line, _at(subject, each.line), f"refused: {_short(each)}") for each in found
        ]

    def refused(case: Case) -> bool:
        lines = [each for each in found if case.first <= each.line <= case.last]
        if case.unawaited:
            return any(each.rule in unawaited for each in lines)
        return any(each.rule not in broken and each.rule not in unawaited for each in lines)

    losses = [_loss(subject, case.first, case, "not refused") for case in subject.cases if not refused(case)]
    return losses + [
        _loss(subject, each.line, None, f"refused without a mark: {_short(each)}")
        for each in found
        if _at(subject, each.line) is None
    ]


def _at(subject: Subject, line: int) -> Case | None:
    around = [case for case in subject.cases if case.first <= line <= case.last]
    return min(around, key=lambda case: case.last - case.first) if around else None


def _loss(subject: Subject, line: int, case: Case | None, why: str) -> Loss:
    code = case.code if case else subject.path.read_text("utf-8").splitlines()[line - 1].strip()
    where = f"typecheck/{subject.label}.py:{line}"
    return Loss(subject.name, where, f"{subject.label}: {code}", why)


def _short(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.message.splitlines()[0]} [{diagnostic.rule}]"
