"""`asflow stale`, `asflow status`, `asflow refresh` and `asflow graph`."""

from __future__ import annotations

import gc
import json
import os
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from support.fresh import put, shift

from asflow import Flow
from asflow._cli.calls import Call
from asflow._cli.verdicts import verdicts
from asflow._task.finding import find
from asflow.sinks import NullSink
from asflow.stores._common import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]

MODULE = """
from datetime import date, timedelta
from pathlib import Path

from asflow import Flow, Ignored
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())
DAYS = [date(2026, 1, day) for day in (1, 2, 3)]


class Archive:
    @staticmethod
    @flow.task(on="raw/{city}/{day:%Y}/{day:%m-%d}.txt", suppress=KeyError)
    def raw(city: str, day: date) -> None:
        Path("called").touch()
        if day.day == 3:
            raise KeyError(day)


@flow.task(save="clean/{day}-{city}.json", reads=[Archive.raw, "settings.toml"])
def clean(city: str, day: date, *, client: Ignored[object] = None) -> float:
    return 1.5


@flow.task(save="mean/{city}.json", reads="clean/*-{city}.json")
def mean(city: str) -> float:
    return 1.5


@flow.task(save="hashed/*.json", reads=clean, refresh=lambda city, day: day.day == 9)
def hashed(city: str, day: date) -> float:
    return 1.5


@flow.task(on="loose/*.txt", refresh=timedelta(hours=1))
def loose(number: int) -> None: ...


@flow.task
def nothing() -> None: ...


@flow
def run() -> None:
    for day in DAYS:
        Archive.raw("rome", day)
        if day.day < 3:
            clean("rome", day)
            hashed("rome", day)
    mean("rome")
    loose(1)
"""


@pytest.fixture
def pipeline(folder: Path, asflow: Command) -> Path:
    """The module above, run once."""
    (folder / "pipeline.py").write_text(MODULE)
    put(folder / "settings.toml", seconds=-10)
    assert asflow("run", "pipeline:run").code == 0
    return folder


def rows(asflow: Command, *arguments: str) -> dict[str, tuple[Any, ...]]:
    answer = asflow("stale", "--json", *arguments)
    found = {row["name"]: (row["state"], row["reason"], row["input"]) for row in json.loads(answer.out)}
    made = any(state == "stale" or (state == "missing" and not reason) for state, reason, _ in found.values())
    assert answer.code == int(made)
    return found


LACKING = "raw/rome/2026/01-03.txt"
ALWAYS = {
    LACKING: ("suppressed", None, None),
    "clean/2026-01-03-rome.json": ("missing", "missing input", LACKING),
}


def always(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Take what a suppressed failure leads to out of what was found, and return the rest."""
    for name, expected in ALWAYS.items():
        assert found.pop(name) == expected
    hashed = [name for name, row in found.items() if row[1] == "missing input"]
    assert len(hashed) == 1
    del found[hashed[0]]
    return found


def test_what_a_run_would_make_and_why(asflow: Command, pipeline: Path) -> None:
    (pipeline / "called").unlink()
    assert always(rows(asflow, "pipeline")) == {}
    shift(pipeline / "raw/rome/2026/01-01.txt", 60)
    found = always(rows(asflow, "pipeline"))
    first = "clean/2026-01-01-rome.json"
    assert found.pop(first) == ("stale", "input", "raw/rome/2026/01-01.txt")
    assert found.pop("mean/rome.json") == ("stale", "input made again", first)
    assert list(found.values()) == [("stale", "input made again", first)]  # one with a hash for a name
    assert not (pipeline / "called").exists()


def test_one_task_with_what_it_reads_in_sight(asflow: Command, pipeline: Path) -> None:
    shift(pipeline / "raw/rome/2026/01-01.txt", 60)
    assert list(rows(asflow, "pipeline:mean")) == ["mean/rome.json"]
    assert list(rows(asflow, "pipeline:Archive.raw")) == [LACKING]


def test_missing_old_and_marked_outputs(asflow: Command, pipeline: Path) -> None:
    (loose,) = (pipeline / "loose").iterdir()
    shift(loose, -4000)
    os.unlink(pipeline / "clean/2026-01-02-rome.json")
    os.utime(pipeline / "mean/rome.json", (MARKED, MARKED))
    found = always(rows(asflow, "pipeline"))
    assert found.pop(f"loose/{loose.name}") == ("stale", "age", None)
    assert found.pop("clean/2026-01-02-rome.json") == ("missing", None, None)
    assert found.pop("mean/rome.json") == ("stale", "marked", None)
    (hashed,) = found.values()
    assert hashed == ("stale", "input made again", "clean/2026-01-02-rome.json")
    text = asflow("stale", "pipeline")
    assert "stale       mean/rome.json  marked by asflow refresh\n" in text.out
    assert f"its input {LACKING} does not exist" in text.out
    assert text.err.startswith("3 stale, 3 missing, 1 suppressed, ")


def test_what_can_not_be_known_is_said(asflow: Command, pipeline: Path) -> None:
    put(pipeline / "hashed" / ("a" * 32 + ".json"), "1")
    found = always(rows(asflow, "pipeline"))
    assert found == {"hashed/" + "a" * 32 + ".json": ("unknown", None, None)}


def test_a_run_makes_what_was_listed(asflow: Command, pipeline: Path) -> None:
    time.sleep(0.02)
    put(pipeline / "settings.toml", "edited")
    before = always(rows(asflow, "pipeline"))
    assert len(before) == 5
    times = {name: (pipeline / name).stat().st_mtime_ns for name in before}
    assert asflow("run", "pipeline:run").code == 0
    assert always(rows(asflow, "pipeline")) == {}
    assert all((pipeline / name).stat().st_mtime_ns > times[name] for name in before)


def test_status_counts_by_task(asflow: Command, pipeline: Path) -> None:
    shift(pipeline / "raw/rome/2026/01-01.txt", 60)
    answer = asflow("status", "pipeline", "--json")
    assert answer.code == 0
    counts = {row.pop("task"): row for row in json.loads(answer.out)}
    none = {"stale": 0, "missing": 0, "suppressed": 0, "unknown": 0, "fresh": 0}
    assert counts == {
        "Archive.raw": none | {"suppressed": 1, "fresh": 2},
        "clean": none | {"stale": 1, "missing": 1, "fresh": 1},
        "mean": none | {"stale": 1},
        "hashed": none | {"stale": 1, "missing": 1, "fresh": 1},
        "loose": none | {"fresh": 1},
    }
    text = asflow("status", "pipeline:mean").out.splitlines()
    assert [line.split() for line in text] == [
        ["STALE", "MISSING", "SUPPRESSED", "UNKNOWN", "FRESH", "TASK"],
        ["1", "0", "0", "0", "0", "mean"],
    ]


def test_refresh_marks_and_a_run_makes_it_and_what_reads_it(asflow: Command, pipeline: Path) -> None:
    name = "raw/rome/2026/01-02.txt"
    os.unlink(pipeline / "called")
    dry = asflow("refresh", "raw/**/01-02*", "--dry-run")
    assert (dry.code, dry.out) == (0, f"would mark {name}\n")
    assert always(rows(asflow, "pipeline")) == {}
    time.sleep(0.02)
    answer = asflow("refresh", name, "raw/rome/2026/*-02.txt")
    assert (answer.code, answer.out, answer.err) == (0, f"marked {name}\n", "1 output\n")
    found = always(rows(asflow, "pipeline"))
    assert found.pop(name) == ("stale", "marked", None)
    assert {reason for _, reason, _ in found.values()} == {"input made again"}
    assert asflow("run", "pipeline:run").code == 0
    assert (pipeline / "called").exists()
    assert always(rows(asflow, "pipeline")) == {}


@pytest.mark.parametrize("pattern", ["nothing/*", "raw", "raw/rome/2026/01-03.err"])
def test_refresh_of_what_is_no_output(asflow: Command, pipeline: Path, pattern: str) -> None:
    answer = asflow("refresh", "mean/rome.json", pattern)
    assert (answer.code, answer.out) == (2, "")
    assert f"no output matches {pattern!r}" in answer.err
    assert (pipeline / "mean/rome.json").stat().st_mtime > MARKED + 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere", "there is no module 'nowhere'"),
        ("pipeline:nope", "pipeline has no task 'nope'; choose one of Archive.raw, clean"),
        ("pipeline.py", "'pipeline.py' is not a module"),
        ("empty", "empty has no task; decorate"),
    ],
)
@pytest.mark.parametrize("command", ["stale", "status", "graph"])
def test_a_module_that_is_none(
    asflow: Command, pipeline: Path, command: str, target: str, message: str
) -> None:
    (pipeline / "empty.py").touch()
    answer = asflow(command, target)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_a_refresh_function_that_raises(asflow: Command, folder: Path) -> None:
    (folder / "odd.py").write_text(
        "from asflow import flow\n\n"
        "def broken(x: int) -> bool:\n    raise LookupError(f'no {x}')\n\n"
        "@flow.task(on='{x}.txt', refresh=broken)\ndef make(x: int) -> None: ...\n"
    )
    put(folder / "1.txt")
    assert rows(asflow, "odd") == {"1.txt": ("unknown", "LookupError: no 1", None)}


def test_the_picture(asflow: Command, pipeline: Path) -> None:
    text = asflow("graph", "pipeline")
    assert text.code == 0
    assert text.out.startswith("flowchart LR\n")
    assert text.out.count("-->") == 4
    root = ElementTree.fromstring(asflow("graph", "pipeline", "--svg").out)
    shown = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Archive.raw", "clean", "mean", "hashed", "loose", "nothing", "settings.toml"} <= shown


def test_calls_are_kept_only_for_tasks_that_others_read(tmp_path: Path) -> None:
    """Memory does not grow with the outputs of a pattern that nothing reads."""
    flow = Flow(str(tmp_path), sink=NullSink())

    @flow.task(on="{number}.txt")
    def made(number: int) -> None: ...

    for number in range(20):
        put(tmp_path / f"{number}.txt")
    found = find(made)
    assert found is not None
    alive = [
        sum(isinstance(each, Call) for each in gc.get_objects()) for _ in verdicts([found[0]], [found[0]])
    ]
    assert len(alive) == 20
    assert max(alive) <= 2
