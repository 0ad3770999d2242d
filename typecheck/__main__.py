"""Run the checkers on all cases, print the matrix, and fail on a wrong result that is not in `gaps.toml`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from typecheck.cases import Subject, read_subjects
from typecheck.checkers import CHECKERS, CheckerError, check
from typecheck.gaps import Gap, read_gaps
from typecheck.judging import Verdict, judge
from typecheck.matrix import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m typecheck", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help="only these subjects, e.g. `options`; all by default"
    )
    parser.add_argument(
        "--checker", action="append", choices=tuple(CHECKERS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--python", action="append", choices=PYTHONS, help="only this Python version; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="mypy and pyright for Python 3.11 only")
    parser.add_argument("--code", action="store_true", help="the project's code too, in the same runs")
    parser.add_argument("--jobs", type=int, default=2, help="checkers at once (default: 2)")
    parser.add_argument("--all-losses", action="store_true", help="list the known gaps too")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checkers, print the results, and return the exit status."""
    arguments = _arguments(argv)
    checkers: list[str] = arguments.checker or (["mypy", "pyright"] if arguments.quick else list(CHECKERS))
    pythons: list[str] = arguments.python or (["3.11"] if arguments.quick else list(PYTHONS))
    subjects, gaps = read_subjects(arguments.subjects), read_gaps()
    runs = [(checker, python) for checker in checkers for python in pythons]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [
            pool.submit(_ask, checker, python, subjects, gaps, arguments.code) for checker, python in runs
        ]
        verdicts = [future.result() for future in futures]
    for verdict in verdicts:
        _report(verdict, every=arguments.all_losses)
    print(as_text(verdicts))
    failed = [f"{verdict.checker} ({verdict.python})" for verdict in verdicts if not verdict.ok]
    print(f"failed: {', '.join(failed)}" if failed else "all as expected")
    return 1 if failed else 0


def _ask(checker: str, python: str, subjects: Sequence[Subject], gaps: Sequence[Gap], code: bool) -> Verdict:
    minor = int(python.partition(".")[2])
    asked = [subject for subject in subjects if subject.since <= minor]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="typecheck-") as folder:
        found = check(checker, [subject.path for subject in asked], python, Path(folder).resolve(), code=code)
    rules = CHECKERS[checker]
    verdict = judge(checker, python, asked, found, gaps, rules.broken, rules.unawaited)
    verdict.seconds = time.monotonic() - began
    return verdict


def _report(verdict: Verdict, *, every: bool) -> None:
    for loss in verdict.losses:
        if not loss.subject:
            print(f"{loss.where}: {loss.why} [{verdict.checker}]")
        elif every or not loss.known:
            kind = "known gap" if loss.known else "LOST"
            print(
                f"{loss.where}: {kind} by {verdict.checker} ({verdict.python}): {loss.why}\n    {loss.case}"
            )
    for gap in verdict.closed:
        print(
            f"{verdict.checker} ({verdict.python}) gets this right now, take it out of gaps.toml: {gap.case}"
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CheckerError, ValueError) as error:
        sys.exit(f"typecheck: {error}")
