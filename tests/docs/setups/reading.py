# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
import polars as pl

from asflow import flow

days = ["2024-01-01", "2024-01-02"]


@flow.task(on="data/{day}.jsonl.zst")
def _records(day: str) -> None:
    flow.task.write({"day": day})


@flow.task(on="data/{day}.parquet")
def _table(day: str) -> None:
    flow.task.write({"id": 1, "name": day})


for _day in days:
    _records(_day)
    _table(_day)


def rows_of(day: str) -> list[tuple[int, str]]:
    return []
