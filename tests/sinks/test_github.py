"""The workflow commands of a job's log."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.sinks import GitHubActionsSink
from asflow.testing import check_sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))


CODE = """\
def fetch(name):
    if name != 'a':
        raise (LookupError if name == 'b' else ValueError)('100%')
"""


def users_module(tmp_path: Path, code: str) -> Callable[[str], None]:
    """Run *code* as a file of the user's checkout; return its `fetch`."""
    path = tmp_path / "src" / "steps, v1.py"
    path.parent.mkdir()
    path.write_text(code)
    names: dict[str, Callable[[str], None]] = {}
    exec(compile(code, str(path), "exec"), names)
    return names["fetch"]


def test_the_kit_finds_no_fault() -> None:
    check_sink(lambda: GitHubActionsSink(io.StringIO()))


def test_groups_annotations_and_the_summary(tmp_path: Path) -> None:
    fetch = users_module(tmp_path, CODE)
    stream = io.StringIO()
    flow = Flow(sink=GitHubActionsSink(stream))
    task = flow.task(skip=LookupError)(fetch)

    @flow
    def inner() -> None:
        task("b")

    @flow
    def pipeline(day: str) -> None:
        task("a")
        inner()
        task("c")

    with pytest.raises(ValueError, match="100%"):
        pipeline("1")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "::group::Flow pipeline('1')"
    assert lines[1].startswith("Task fetch('a') finished in ")
    assert "::warning file=src/steps%2C v1.py,line=3,title=fetch('b') skipped::LookupError: 100%25" in lines
    assert "::error file=src/steps%2C v1.py,line=3,title=fetch('c')::ValueError: 100%25" in lines
    assert "Traceback (most recent call last):" in lines
    assert lines.count("::endgroup::") == 1
    assert lines[-1] == "::endgroup::"
    assert sum(line.startswith("::group::") for line in lines) == 1
    summary = (tmp_path / "summary.md").read_text()
    assert "| fetch | 1 | 0 | 0 | 0 | 1 |" in summary
    assert r"Flow pipeline\('1'\) failed" in summary


def test_ten_of_a_kind_are_annotated_and_a_failed_flow_once() -> None:
    stream = io.StringIO()
    flow = Flow(sink=GitHubActionsSink(stream))

    @flow.task(skip=LookupError)
    def work(n: int) -> None:
        raise LookupError

    @flow
    def pipeline() -> None:
        for n in range(30):
            work(n)
        raise ValueError("in the flow itself")

    with pytest.raises(ValueError, match="itself"):
        pipeline()
    text = stream.getvalue()
    assert text.count("::warning ") == 10
    assert text.count("skipped after") == 30
    assert "::error title=pipeline()::ValueError: in the flow itself" in text


def test_no_text_from_outside_is_a_command() -> None:
    stream = io.StringIO()
    flow = Flow(sink=GitHubActionsSink(stream))

    @flow.task(skip=LookupError)
    def work(text: str) -> None:
        raise LookupError(text)

    @flow
    def pipeline(text: str) -> None:
        work(text)

    pipeline("\n::set-output name=x::y\r\n::stop-commands::z\n::add-mask::q")
    commands = [line for line in stream.getvalue().splitlines() if line.startswith("::")]
    assert [line.split("::")[1].split(" ")[0] for line in commands] == ["group", "warning", "endgroup"]


def test_flows_at_the_same_time_share_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    """Groups don't nest; the default is standard output."""
    import threading

    flow = Flow(sink=GitHubActionsSink())
    both = threading.Barrier(2)

    @flow
    def pipeline() -> None:
        both.wait(10)

    threads = [threading.Thread(target=pipeline) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("::group::") for line in lines) == lines.count("::endgroup::") == 1
    assert lines[-1] == "::endgroup::"
    assert sys.stdout is not None
