# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
import polars as pl

from asflow import Flow, flow

_elsewhere = Flow()  # the page's own tasks have the same outputs
days = ["2024-01-01", "2024-01-02"]


@_elsewhere.task(on="data/{day}.jsonl.zst")
def _records(day: str) -> None:
    _elsewhere.task.write({"day": day})


@_elsewhere.task(on="data/{day}.parquet")
def _table(day: str) -> None:
    _elsewhere.task.write({"id": 1, "name": day})


for _day in days:
    _records(_day)
    _table(_day)


def rows_of(day: str) -> list[tuple[int, str]]:
    return []
