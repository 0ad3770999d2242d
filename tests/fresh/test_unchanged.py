"""`raise Unchanged`: the output stays, and counts as made now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from support.fresh import shift

from asflow import Flow, LocalStore, MemoryStore, Unchanged
from asflow.errors import NoTimesError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

DAY = timedelta(days=1)


@pytest.mark.parametrize("durability", ["atomic", "data", "full"])
def test_the_output_stays_and_its_time_is_renewed(tmp_path: Path, durability: Any) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, store=LocalStore(durability=durability), sink=sink)
    calls: list[str] = []

    @flow.task(on="{name}.txt", refresh=DAY)
    def fetch(name: str) -> None:
        calls.append(name)
        flow.task.write("new")
        if len(calls) > 1:
            raise Unchanged

    fetch("x")
    output = flow.task.output(fetch, "x")
    os.utime(output.path, (1e9, 1e9))
    before = time.time() - 1
    fetch("x")
    fetch("x")
    assert (calls, output.text()) == (["x", "x"], "new")
    assert (output.modified or 0) >= before
    assert os.listdir(tmp_path) == ["x.txt"]
    assert sink.outcomes("fetch") == ["completed", "cached", "cached"]


async def test_a_value_is_read_back(flow: Flow) -> None:
    calls: list[str] = []

    @flow.task(save="{name}.json", refresh=0)
    async def fetch(name: str) -> list[str]:
        calls.append(name)
        if len(calls) > 1:
            raise Unchanged
        return calls.copy()

    assert [await fetch("x") for _ in range(3)] == [["x"]] * 3
    assert calls == ["x"] * 3


def test_it_is_never_skipped_suppressed_or_retried(flow: Flow) -> None:
    calls: list[str] = []

    @flow.task(on="{name}.txt", refresh=0, skip=Exception, suppress=Exception, retry=3)
    def fetch(name: str) -> None:
        calls.append(name)
        if len(calls) > 1:
            raise Unchanged
        flow.task.write("kept")

    fetch("x")
    time.sleep(0.02)  # the clock of the file system has moved on
    fetch("x")
    assert calls == ["x", "x"]
    assert flow.task.output(fetch, "x").status == "complete"
    assert flow.task.output(fetch, "x").error() is None


def test_without_an_output_it_is_an_error(flow: Flow, tmp_path: Path) -> None:
    raised = Unchanged("nothing new")

    @flow.task(on="{name}.txt", skip=Exception, retry=3)
    def fetch(name: str) -> None:
        flow.task.write("discarded")
        raise raised

    with pytest.raises(Unchanged) as caught:
        fetch("x")
    assert caught.value is raised
    assert "there is no output" in caught.value.__notes__[0]
    assert os.listdir(tmp_path) == []

    @flow.task(skip=Exception)
    def plain() -> None:
        raise raised

    with pytest.raises(Unchanged):
        plain()


def test_it_is_no_problem_in_the_report(flow: Flow) -> None:
    calls: list[str] = []

    @flow.task(on="{name}.txt", refresh=lambda name: True)
    def fetch(name: str) -> None:
        calls.append(name)
        if len(calls) > 1:
            raise Unchanged

    @flow
    def twice() -> tuple[int, int, int]:
        fetch("x")
        fetch("x")
        run = flow.run
        assert run is not None
        report = run.report()
        (task,) = report.tasks
        return task.completed, task.cached, len(report.problems)

    assert twice() == (1, 1, 0)


_elsewhere = Flow(sink=NullSink())


def unchanged(name: str) -> str:
    raise Unchanged(name)


def test_from_another_process(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        fetch = flow.task(save="{name}.txt", refresh=0, executor=pool)(unchanged)
        (tmp_path / "x.txt").write_text("there")
        shift(tmp_path / "x.txt", -100)
        assert fetch("x") == "there"
    assert (tmp_path / "x.txt").stat().st_mtime > time.time() - 60


def test_a_store_without_times(tmp_path: Path) -> None:
    class Plain:
        def __init__(self) -> None:
            inner = MemoryStore()
            for name in ("status", "info", "claim", "open", "list", "delete", "blocking"):
                setattr(self, name, getattr(inner, name))

    store: Any = Plain()
    flow = Flow(store=store, sink=NullSink())
    calls: list[str] = []

    @flow.task(on="{name}.txt", refresh=lambda name: True)
    def fetch(name: str) -> None:
        calls.append(name)
        if len(calls) > 1:
            raise Unchanged

    fetch("x")
    output = flow.task.output(fetch, "x")
    refusals: list[Callable[[], object]] = [lambda: fetch("x"), output.touch]
    for refused in refusals:
        with pytest.raises(NoTimesError, match=r"Plain\(\): can't set the time of 'x.txt'"):
            refused()
    assert output.status == "complete"


def test_touch(flow: Flow) -> None:
    @flow.task(on="{name}.txt")
    def fetch(name: str) -> None: ...

    output = flow.task.output(fetch, "x")
    with pytest.raises(FileNotFoundError):
        output.touch()
    fetch("x")
    shift(output.path, -1000)
    output.touch()
    assert (output.modified or 0) > time.time() - 60
