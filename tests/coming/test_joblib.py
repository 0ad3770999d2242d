"""joblib, row by row."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import joblib
import polars as pl
from coming.rows import row

from asflow import Ignored

if TYPE_CHECKING:
    from pathlib import Path

    from asflow import Flow

here = partial(row, "joblib")


@here("`@memory.cache`")
@here("`f.check_call_in_cache(x)`")
@here("`f.clear()`")
def test_values_are_kept(flow: Flow, tmp_path: Path) -> None:
    calls: list[int] = []

    @flow.task(save="cache/*.json")
    def squares(n: int) -> list[int]:
        calls.append(n)
        return [i * i for i in range(n)]

    assert flow.task.output(squares, 4).status == "absent"
    assert squares(4) == squares(4) == [0, 1, 4, 9]
    assert calls == [4]
    assert flow.task.output(squares, 4).status == "complete"
    for output in flow.task.outputs(squares):
        output.delete()
    squares(4)
    assert calls == [4, 4]


@here("a cached data frame")
def test_frames_are_kept(flow: Flow) -> None:
    @flow.task(save="cache/*.parquet")
    def table(n: int) -> pl.DataFrame:
        return pl.DataFrame({"n": range(n)})

    assert table(3).equals(table(3))


@here('`memory.cache(ignore=["client"])`')
def test_ignored_arguments(flow: Flow) -> None:
    calls: list[object] = []

    @flow.task(save="cache/*.json")
    def fetch(client: Ignored[object], page: int) -> int:
        calls.append(client)
        return page

    fetch(object(), 1)
    fetch(object(), 1)
    assert len(calls) == 1


@here("`cache_validation_callback=expires_after(days=1)`")
@here("changed code is noticed")
def test_out_of_date(flow: Flow) -> None:
    calls: list[str] = []

    @flow.task(save="a.json", refresh=timedelta(days=1))
    def daily() -> int:
        calls.append("daily")
        return 1

    changed = datetime.now(UTC) + timedelta(days=1)

    @flow.task(save="b.json", refresh=changed)
    def versioned() -> int:
        calls.append("versioned")
        return 1

    for _ in range(2):
        daily()
        versioned()
    assert calls == ["daily", "versioned", "versioned"]


@here("`Parallel(n_jobs=4)(delayed(f)(x) for x in xs)`")
@here('`Parallel(return_as="generator")`')
def test_in_threads(flow: Flow) -> None:
    together = threading.Barrier(4)

    @flow.task(limit=4)
    def double(x: int) -> int:
        together.wait(30)
        return 2 * x

    assert [*flow.task.map(double, range(8))] == [2 * x for x in range(8)]


@here("worker processes")
def test_processes(flow: Flow) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        task = flow.task(executor=pool)(math.sqrt)
        assert [task(n) for n in (4, 9)] == [2, 3]


def test_below_a_task(flow: Flow, tmp_path: Path) -> None:
    memory = joblib.Memory(tmp_path / "joblib", verbose=0)
    calls: list[int] = []

    @flow.task
    @memory.cache
    def squares(n: int) -> list[int]:
        calls.append(n)
        return [i * i for i in range(n)]

    assert squares(3) == squares(3) == [0, 1, 4]
    assert calls == [3]
