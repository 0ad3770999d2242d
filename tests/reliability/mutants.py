"""Mutation testing: mutmut changes the code in one place at a time, and the tests have to notice.

    make mutants MUTANTS="asflow.stores._local_claim.*"

Runs in the current directory, a copy of the repository that `make mutants` has made, with `[tool.mutmut]`
of `pyproject.toml`. Arguments are patterns of mutants' names; none takes them all, quickest first. Ctrl-C
(or the end of the hour) stops it. Prints each change that no test noticed by then, and the score.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

import libcst as cst
import mutmut.__main__ as tool
from mutmut.mutation import file_mutation, mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

# A mutant is reached through two more calls each; some tests nest values as deep as is allowed.
RECURSION = 20_000
PROCESSES = ("tests/stores/test_faults.py", "tests/stores/test_processes.py")
LOCAL = {"_local_claim.py", "_local.py", "_local_part.py", "_posix.py"}
run_stats = PytestRunner.run_stats
CACHED = type(cache(len))
TRAMPOLINE = "from asflow._trampoline import wrap_in_trampoline as _mutmut_mutated, MutantDict"


def drop_call(node: cst.Expr) -> Iterator[cst.CSTNode]:
    """A call for its effect alone (a sync, a close) that does not happen."""
    value = node.value.expression if isinstance(node.value, cst.Await) else node.value
    if isinstance(value, cst.Call):
        yield cst.Pass(semicolon=node.semicolon)


def drop_raise(node: cst.Raise) -> Iterator[cst.CSTNode]:
    """An error that is not raised."""
    yield cst.Pass(semicolon=node.semicolon)


def drop_handler(node: cst.ExceptHandler) -> Iterator[cst.CSTNode]:
    """An error that is not caught: nothing here raises this one."""
    if node.type is not None:
        yield node.with_changes(type=cst.Name("StopAsyncIteration"))


def drop_result(node: cst.Return) -> Iterator[cst.CSTNode]:
    """A function that returns nothing."""
    if node.value is not None and not (isinstance(node.value, cst.Name) and node.value.value == "None"):
        yield node.with_changes(value=cst.Name("None"))


def turn_condition(node: cst.If | cst.While) -> Iterator[cst.CSTNode]:
    """A condition that holds when it should not; mutmut itself turns comparisons and `not`."""
    if isinstance(node.test, (cst.Comparison, cst.UnaryOperation)):
        return
    inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    space = cst.SimpleWhitespace(" ")
    turned = cst.UnaryOperation(cst.Not(), inner)
    if isinstance(node, cst.If):
        yield node.with_changes(test=turned, whitespace_before_test=space)
    else:
        yield node.with_changes(test=turned, whitespace_after_while=space)


def change_text(node: cst.BaseString) -> Iterator[cst.CSTNode]:
    """mutmut's changes of a text, where a program reads it: sentences are for people."""
    if not (isinstance(node, cst.SimpleString) and node.value.strip("\"'").count(" ") > 1):
        yield from mutators.operator_string(node)


def choose(name: str | None) -> None:
    """Choose the mutant *name*; what a test's own processes call can't be counted."""
    set_mutant_under_test(name)
    # What the tests left in a cache would hide what a mutant does.
    for module in [module for known, module in sys.modules.items() if known.startswith("asflow.")]:
        for value in vars(module).values():
            if isinstance(value, CACHED):
                value.cache_clear()
    if name == "stats":
        del os.environ["MUTANT_UNDER_TEST"]


def count(runner: PytestRunner, *, tests: Iterable[str]) -> int:
    """Find out which tests call what; those in `PROCESSES` may call any part of the local store."""
    code = run_stats(runner, tests=tests)
    own = {test for test in state().duration_by_test if test.startswith(PROCESSES)}
    for path in walk_mutatable_files():
        if path.name in LOCAL:
            data = SourceFileMutationData(path=path)
            data.load()
            for mutant in data.exit_code_by_key:
                state().tests_by_mangled_function_name[mangled_name_from_mutant_name(mutant)] |= own
    return code


def prepare() -> None:
    """Let mutmut make these changes, too, and leave the types of casts alone."""
    operators = cast("list[object]", mutators.mutation_operators)
    operators[:] = [pair for pair in mutators.mutation_operators if pair[1] is not mutators.operator_string]
    operators += [
        (cst.BaseString, change_text),
        (cst.Expr, drop_call),
        (cst.Raise, drop_raise),
        (cst.ExceptHandler, drop_handler),
        (cst.Return, drop_result),
        (cst.If, turn_condition),
        (cst.While, turn_condition),
    ]
    file_mutation.NEVER_MUTATE_FUNCTION_CALLS.add("cast")
    sys.setrecursionlimit(RECURSION)
    # Some tests start a Python without site-packages, and so without mutmut.
    shutil.copy(Path(__file__).with_name("trampoline.py"), "asflow/_trampoline.py")
    file_mutation.trampoline_impl_cst[:] = cst.parse_module(TRAMPOLINE).body
    setattr(PytestRunner, "run_stats", count)  # noqa: B010
    setattr(tool, "set_mutant_under_test", choose)  # noqa: B010


def report() -> None:
    """Print each survivor as a diff, the counts of each file, and the score."""
    everything: Counter[str] = Counter()
    lines: list[str] = []
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        statuses = {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}
        for name, status in statuses.items():
            if status in {"survived", "no tests"}:
                changes = get_diff_for_mutant(name, path=path).splitlines()[3:]
                print(f"-- {status}: {name}", *(line for line in changes if line[:1] in "+-"), sep="\n")
        counts = Counter(statuses.values())
        everything += counts
        lines.append(f"{path}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    print(*lines, sep="\n")
    tried = everything.total() - everything["not checked"]
    alive = everything["survived"] + everything["no tests"]
    print(f"{tried - alive} of {tried} mutants killed, of {everything.total()} there are; {alive} survived")


if __name__ == "__main__":
    prepare()
    try:
        tool.cli.main(["run", "--max-children", "1", *sys.argv[1:]], standalone_mode=False)
    finally:
        report()
