"""`asflow run --fail-on`: the exit code of a flow that returned although calls went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]

MODULE = """
from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())


@flow.task(skip=LookupError)
def work(n: int) -> None:
    if n % 2:
        raise LookupError
    if n == 4:
        raise OSError


@flow
def inner() -> None:
    work(1)


@flow
async def main(last: int) -> str:
    inner()
    await flow.task.map(work, range(2, last), on_error="collect")
    return "done"
"""


@pytest.fixture(autouse=True)
def module(folder: Path) -> None:
    (folder / "putting_up.py").write_text(MODULE)


@pytest.mark.parametrize(
    ("words", "last", "code", "found"),
    [
        ("failed", 4, 0, None),
        ("failed", 6, 1, "1 failed"),
        ("failed,skipped", 6, 1, "1 failed, 3 skipped"),
        ("skipped, cancelled", 2, 1, "1 skipped"),
        ("suppressed", 6, 0, None),
    ],
)
def test_calls_that_went_wrong(asflow: Command, words: str, last: int, code: int, found: str | None) -> None:
    answer = asflow("run", "--fail-on", words, "putting_up:main", str(last))
    assert (answer.code, answer.out) == (code, "done\n")
    assert answer.err == ("" if found is None else f"asflow: putting_up:main: {found}, as --fail-on asks\n")
    assert asflow("run", "putting_up:main", str(last)).code == 0


def test_a_task_and_a_flow_that_raises(asflow: Command) -> None:
    answer = asflow("run", "--fail-on=skipped", "putting_up:work", "3")
    assert (answer.code, answer.err) == (1, "asflow: putting_up:work: 1 skipped, as --fail-on asks\n")
    answer = asflow("run", "--fail-on=skipped", "putting_up:work", "4")
    assert answer.code == 1
    assert "OSError" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-on", "late", "putting_up:main", "3"], "--fail-on takes words out of failed, skipped,"),
        (["--fail-on"], "--fail-on names no outcome; write"),
    ],
)
def test_mistakes(asflow: Command, arguments: list[str], message: str) -> None:
    answer = asflow("run", *arguments)
    assert answer.code == 2
    assert answer.err.startswith(f"asflow: {message}")
