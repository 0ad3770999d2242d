"""Luigi, row by row."""

from __future__ import annotations

import os
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coming.rows import row

if TYPE_CHECKING:
    from asflow import Flow

here = partial(row, "Luigi")


@here("`class Download(luigi.Task)` with parameters")
@here('`output()` returns `LocalTarget(f"data/{self.day}.csv")`')
@here('`with self.output().open("w") as file`')
@here("`self.input().open()`")
@here("`complete()`")
@here("`luigi.build(tasks, workers=4)`")
@here("`DateInterval` parameters")
def test_targets(flow: Flow, tmp_path: Path) -> None:
    @flow.task(on="data/{day}.csv", limit=4)
    def download(day: date) -> None:
        flow.task.write({"day": day, "rows": 1})

    days = [date(2026, 1, 1) + timedelta(n) for n in range(3)]
    assert flow.task.output(download, days[0]).status == "absent"
    list(flow.task.map(download, days))
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [f"{day}.csv" for day in days]
    assert flow.task.output(download, days[0]).status == "complete"
    with flow.task.output(download, days[0]).open() as file:
        assert file.read() == b"day,rows\n2026-01-01,1\n"


@here("`self.output().temporary_path()`")
def test_paths(flow: Flow, tmp_path: Path) -> None:
    @flow.task(on="sheet.bin")
    def sheet() -> None:
        Path(flow.task.path()).write_bytes(b"sheet")
        assert not (tmp_path / "sheet.bin").exists()

    sheet()
    assert (tmp_path / "sheet.bin").read_bytes() == b"sheet"


@here("`requires()`")
@here("`ExternalTask`")
def test_inputs(flow: Flow, tmp_path: Path) -> None:
    made: list[str] = []
    (tmp_path / "incoming").mkdir()
    incoming = tmp_path / "incoming" / "a.csv"
    incoming.write_text("a\n1\n")
    os.utime(incoming, (1_700_000_000, 1_700_000_000))

    @flow.task(on="clean.csv", reads="incoming/*.csv")
    def clean() -> None:
        made.append("clean")
        flow.task.write(incoming.read_bytes())

    @flow.task(save="total.json", reads=clean)
    def total() -> int:
        made.append("total")
        return len(flow.task.output(clean).text())

    @flow
    def pipeline() -> int:
        clean()
        return total()

    assert pipeline() == pipeline()
    assert made == ["clean", "total"]
    incoming.write_text("a\n1\n2\n")
    os.utime(incoming, (4_000_000_000, 4_000_000_000))
    pipeline()
    assert made == ["clean", "total", "clean", "total"]


@here("`retry_count = 3`")
def test_retries(flow: Flow) -> None:
    from asflow import Retry

    calls: list[int] = []

    @flow.task(retry=Retry(total=3, delay=lambda error, number: 0))
    def unsteady() -> None:
        calls.append(1)
        if len(calls) < 4:
            raise OSError

    unsteady()
    assert len(calls) == 4
