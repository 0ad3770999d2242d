"""The runner of `typecheck/`: a lost case fails, a gap is known, a closed gap must leave the list."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from typecheck.__main__ import main
from typecheck.cases import Subject, read_subjects
from typecheck.checkers import CheckerError, Diagnostic
from typecheck.gaps import Gap, read_gaps
from typecheck.judging import Verdict, judge
from typecheck.matrix import as_text

ROOT = Path(__file__).parents[2]

ACCEPT = """
def greet(name: str) -> str:
    return name


assert_type(
    greet("a"),
    str,
)
text: str = greet("b")  # OK
"""

REJECT = """
greet(1)  # E
greet("a")


def all_of_it(number: int) -> int:  # E
    if number:
        return 1


later = 1
"""


@pytest.fixture
def subjects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """One subject of two cases on each side."""
    for kind, source in (("accept", ACCEPT), ("reject", REJECT)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "greeting.py").write_text(source.lstrip())
    monkeypatch.setattr("typecheck.cases._HERE", tmp_path)
    return read_subjects()


def asked(
    subjects: list[Subject], *lines: tuple[str, int], rule: str = "wrong", gaps: tuple[Gap, ...] = ()
) -> Verdict:
    paths = {subject.kind: subject.path.resolve() for subject in subjects}
    found = [
        Diagnostic(paths["accept" if kind == "accept" else "reject"], n, rule, "no") for kind, n in lines
    ]
    return judge("ty", "3.11", subjects, found, gaps, {"unknown-name"}, {"not-awaited"})


def test_cases_are_statements_with_all_their_lines(subjects: list[Subject]) -> None:
    accept, reject = subjects
    assert [(case.first, case.last, case.code) for case in accept.cases] == [
        (5, 8, "assert_type("),
        (9, 9, 'text: str = greet("b")'),
    ]
    assert [(case.first, case.last) for case in reject.cases] == [(1, 1), (5, 7)]


def test_all_right(subjects: list[Subject]) -> None:
    verdict = asked(subjects, ("reject", 1), ("reject", 7))
    assert verdict.ok
    assert "| greeting         | 4  |" in as_text([verdict])


@pytest.mark.parametrize(
    "lines",
    [
        [("reject", 1)],  # one is not refused
        [("reject", 1), ("reject", 7), ("reject", 2)],  # one too many is
        [("reject", 1), ("reject", 7), ("accept", 7)],  # what must pass does not
        [("reject", 1), ("reject", 7), ("accept", 2)],  # nor what is no case
    ],
)
def test_a_loss_fails(subjects: list[Subject], lines: list[tuple[str, int]]) -> None:
    verdict = asked(subjects, *lines)
    assert len(verdict.losses) == 1
    assert not verdict.ok


def test_an_error_in_the_projects_code_fails(subjects: list[Subject], tmp_path: Path) -> None:
    right = [Diagnostic(subjects[1].path.resolve(), line, "wrong", "no") for line in (1, 7)]
    wrong = Diagnostic(tmp_path / "code.py", 3, "wrong", "no")
    verdict = judge("ty", "3.11", subjects, [*right, wrong], (), {"unknown-name"}, {"not-awaited"})
    assert [loss.where for loss in verdict.losses] == [f"{tmp_path / 'code.py'}:3"]
    assert not verdict.ok


def test_an_await_that_is_missing_is_a_refusal_only_where_the_case_is_about_it(
    subjects: list[Subject], tmp_path: Path
) -> None:
    (tmp_path / "reject" / "greeting.py").write_text("greet(1)  # E\nfetch()  # E: await\n")
    reject = read_subjects()[1]
    assert [case.unawaited for case in reject.cases] == [False, True]
    path = reject.path.resolve()

    def lost(*lines: tuple[int, str]) -> list[str]:
        found = [Diagnostic(path, line, rule, "no") for line, rule in lines]
        verdict = judge("ty", "3.11", [reject], found, (), {"unknown-name"}, {"not-awaited"})
        return [loss.case.partition(": ")[2] for loss in verdict.losses]

    assert lost((1, "wrong"), (2, "not-awaited")) == []
    assert lost((1, "not-awaited"), (2, "wrong")) == ["greet(1)", "fetch()"]


def test_a_broken_case_is_not_refused(subjects: list[Subject]) -> None:
    verdict = asked(subjects, ("reject", 1), ("reject", 7), rule="unknown-name")
    assert [loss.why for loss in verdict.losses] == ["not refused", "not refused"]


def test_a_known_gap_is_no_failure_and_shows_in_the_matrix(subjects: list[Subject]) -> None:
    gap = Gap("ty", "reject/greeting: greet(1)", "a reason")
    verdict = asked(subjects, ("reject", 7), gaps=(gap,))
    assert verdict.ok
    assert "3/4" in as_text([verdict])


def test_a_closed_gap_fails(subjects: list[Subject]) -> None:
    gap = Gap("ty", "reject/greeting: greet(1)", "a reason")
    others = (Gap("mypy", gap.case, "another checker"), Gap("ty", gap.case, "another Python", ("3.12",)))
    assert asked(subjects, ("reject", 1), ("reject", 7), gaps=others).ok
    verdict = asked(subjects, ("reject", 1), ("reject", 7), gaps=(gap,))
    assert verdict.closed == [gap]
    assert not verdict.ok


def test_a_file_without_cases_and_a_mark_without_code_are_refused(subjects: list[Subject]) -> None:
    subjects[0].path.write_text("x = 1\n")
    with pytest.raises(ValueError, match="has no case"):
        read_subjects()
    subjects[0].path.write_text("# OK\n")
    with pytest.raises(ValueError, match="the mark is on no code"):
        read_subjects()


def test_the_list_of_gaps_names_cases_that_exist() -> None:
    cases = {f"{subject.label}: {case.code}" for subject in read_subjects() for case in subject.cases}
    assert {gap.case for gap in read_gaps()} <= cases


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_fails_where_a_case_is_lost() -> None:
    """With the list of gaps emptied, ty's losses are failures; with it, they are not."""
    command = [sys.executable, "-m", "typecheck", "parameters", "--checker", "ty", "--python", "3.11"]
    right = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stderr) == (0, "")
    assert "all as expected" in right.stdout
    script = (
        "import sys; from typecheck import __main__ as m; m.read_gaps = list; sys.exit(m.main(sys.argv[1:]))"
    )
    wrong = subprocess.run(
        [sys.executable, "-c", script, *command[3:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1
    assert "LOST by ty" in wrong.stdout


def test_the_code_is_refused_where_no_checker_of_the_run_checks_it() -> None:
    with pytest.raises(CheckerError, match="ty: can't check the project's code"):
        main(["parameters", "--checker", "ty", "--code"])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("quick", [True, False], ids=["quick", "all"])
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_an_error_in_the_code_fails_in_the_run_that_it_shares_with_the_cases(
    checker: str, quick: bool, tmp_path: Path
) -> None:
    """In a copy without the tests; its settings are those of this project."""
    copied = ("asflow", "docs/examples", "stubs", "typecheck")
    for folder in copied:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "support").mkdir(parents=True)
    for name in ("asflow/_wrong.py", "tests/support/wrong.py", "tests/test_wrong.py"):
        (tmp_path / name).write_text('NUMBER: int = "text"\n')
    extent = ["--quick"] if quick else ["--python", "3.11"]
    command = [sys.executable, "-m", "typecheck", "parameters", *extent, "--code", "--checker", checker]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"{tmp_path / 'asflow/_wrong.py'}:1: " in done.stdout
    assert f"{tmp_path / 'tests/support/wrong.py'}:1: " in done.stdout
    left_out = quick and checker == "pyright"
    assert (f"{tmp_path / 'tests/test_wrong.py'}:1: " not in done.stdout) == left_out
    assert "LOST" not in done.stdout
