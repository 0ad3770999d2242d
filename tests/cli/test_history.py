"""`asflow history`: which runs there were, how they ended, and what failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.sinks import HistorySink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]


@pytest.fixture
def recorded(folder: Path) -> Path:
    """Three runs: one with problems, one that raises, one without its end, as a kill leaves it."""
    flow = Flow("data", sink=HistorySink("history"))

    @flow.task(skip=KeyError)
    def work(n: int) -> None:
        if n == 1:
            raise KeyError("rows")
        if n == 2:
            raise ValueError("bad \x1b[31m")

    @flow
    def nightly(day: str, last: int) -> None:
        for n in range(last):
            work(n)

    nightly("2026-01-01", 2)
    with pytest.raises(ValueError, match="bad"):
        nightly("2026-01-02", 3)
    nightly("2026-01-03", 1)
    newest = max((folder / "history").iterdir())
    lines = newest.read_bytes().splitlines(keepends=True)
    newest.write_bytes(b"".join(lines[:-1]))
    (folder / "history/notes.txt").write_text("not a run")
    return folder


def test_runs_are_listed_newest_first_with_what_failed(asflow: Command, recorded: Path) -> None:
    answer = asflow("history")
    assert answer.code == 0
    lines = answer.out.splitlines()
    titles = [line for line in lines if not line.startswith(" ")]
    assert [line.split("  ")[1] for line in titles] == [
        "nightly('2026-01-03', 1)",
        "nightly('2026-01-02', 3)",
        "nightly('2026-01-01', 2)",
    ]
    assert "unfinished: killed, or running; last seen" in titles[0]
    assert "1 done" in titles[0]
    assert "failed in 0.0" in titles[1]
    assert "1 done, 1 skipped, 1 failed" in titles[1]
    assert "completed in 0.0" in titles[2]
    assert "    work(1) skipped: KeyError: 'rows'" in lines
    assert "    work(2) failed: ValueError: bad  [31m" in lines
    assert answer.err == "3 runs\n"


def test_as_json_and_the_last_ones_only(asflow: Command, recorded: Path) -> None:
    rows = json.loads(asflow("history", "history", "--json", "-n", "2").out)
    assert [(row["outcome"], row["calls"], row["failed"]) for row in rows] == [
        ("unfinished", 1, 0),
        ("failed", 3, 1),
    ]
    assert rows[1]["error"] == "ValueError: bad  [31m"
    assert rows[1]["problems"][0] == {
        "task": "work",
        "outcome": "failed",
        "error_type": "ValueError",
        "count": 1,
        "calls": [{"label": "2", "message": "bad  [31m"}],
    }
    assert rows[0]["started"].endswith("+00:00")


def test_a_damaged_file_is_a_problem_and_the_others_are_listed(asflow: Command, recorded: Path) -> None:
    oldest, _, newest = sorted(recorded.glob("history/*.jsonl"))
    oldest.write_text('{"kind": "call"}\n')
    newest.write_bytes(newest.read_bytes() + b"{half\n")
    answer = asflow("history")
    assert answer.code == 1
    assert len([line for line in answer.out.splitlines() if not line.startswith(" ")]) == 2
    assert "does not begin as a run's file does" in answer.err
    assert "has 1 lines that can't be read" in answer.err


def test_bad_usage(asflow: Command, folder: Path) -> None:
    assert asflow("history").code == 2
    assert asflow("history", "-n", "0").code == 2


def test_the_sink_is_added_by_name(asflow: Command, folder: Path) -> None:
    (folder / "named.py").write_text("from asflow import flow\n@flow\ndef main() -> None: ...\n")
    assert asflow("run", "--sink", "history=runs", "named:main").code == 0
    assert [row["flow"] for row in json.loads(asflow("history", "runs", "--json").out)] == ["main"]
    assert asflow("run", "--sink", "history", "named:main").code == 2
