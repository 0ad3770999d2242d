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
from typecheck.checkers import CHECKERS, CheckerError, check, project_code
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
    parser.add_argument(
        "--code",
        action="store_true",
        help="the project's code too, in mypy's and pyright's runs for the first version; with --quick, "
        "pyright checks only what the tests share of them",
    )
    parser.add_argument("--jobs", type=int, default=2, help="checkers at once (default: 2)")
    parser.add_argument("--all-losses", action="store_true", help="list the known gaps too")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checkers, print the results, and return the exit status."""
    arguments = _arguments(argv)
    checkers: list[str] = arguments.checker or (["mypy", "pyright"] if arguments.quick else list(CHECKERS))
    pythons: list[str] = arguments.python or (["3.11"] if arguments.quick else list(PYTHONS))
    if arguments.code and all(CHECKERS[checker].along is None for checker in checkers):
        raise CheckerError(f"{', '.join(checkers)}: can't check the project's code")
    subjects, gaps = read_subjects(arguments.subjects), read_gaps()
    runs = [(checker, version) for checker in checkers for version in pythons]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [
            pool.submit(
                _ask, checker, version, subjects, gaps, _code(arguments, checker, version == pythons[0])
            )
            for checker, version in runs
        ]
        verdicts = [future.result() for future in futures]
    for verdict in verdicts:
        _report(verdict, every=arguments.all_losses)
    print(as_text(verdicts))
    failed = [f"{verdict.checker} ({verdict.python})" for verdict in verdicts if not verdict.ok]
    print(f"failed: {', '.join(failed)}" if failed else "all as expected")
    return 1 if failed else 0


def _code(arguments: argparse.Namespace, checker: str, first: bool) -> list[str]:
    """Return what this run checks of the project's code."""
    if not arguments.code or not first or CHECKERS[checker].along is None:
        return []
    # Nearly half of pyright's time would go into the tests, which mypy checks as strictly.
    return project_code(tests=not arguments.quick or checker != "pyright")


def _ask(
    checker: str, python: str, subjects: Sequence[Subject], gaps: Sequence[Gap], code: Sequence[str]
) -> Verdict:
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
