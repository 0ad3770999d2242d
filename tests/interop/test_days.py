"""Parquet outputs of one task, a day each, read as one table by glob: whatever a day lacks."""

from __future__ import annotations

import datetime
import decimal
import glob
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict

import duckdb
import msgspec
import polars as pl
import pydantic
import pytest

from asflow import Flow
from asflow.sinks import NullSink
from asflow.writers import open_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

query: Any = duckdb.sql

# Libraries whose types are missing or not strict.
pandas: Any = import_module("pandas")
dataset: Any = import_module("pyarrow.dataset")

UTC = datetime.UTC
SUMMER = datetime.timezone(datetime.timedelta(hours=2))
NOON = datetime.datetime(2026, 1, 2, 12)


@dataclass
class Part:
    name: str
    share: float | None = None


@dataclass
class Reading:
    id: int
    note: str | None
    degrees: float
    at: datetime.datetime | None = None
    price: decimal.Decimal | None = None
    parts: list[Part] | None = None
    first: Part | None = None


class Struct(msgspec.Struct):
    id: int
    note: str | None
    degrees: float
    at: datetime.datetime | None = None
    price: decimal.Decimal | None = None
    parts: list[Part] | None = None
    first: Part | None = None


class Model(pydantic.BaseModel):
    id: int
    note: str | None
    degrees: float
    at: pydantic.AwareDatetime | None = None
    price: decimal.Decimal | None = None
    parts: list[Part] | None = None
    first: Part | None = None


class Typed(TypedDict):
    id: int
    note: str | None
    degrees: float
    at: datetime.datetime | None
    price: decimal.Decimal | None
    parts: list[Part] | None
    first: Part | None


DAYS: list[list[dict[str, Any]]] = [
    [{"id": 1, "note": None, "degrees": 20}],
    [{"id": 2, "note": "broken sensor", "degrees": 20.5, "at": NOON.replace(tzinfo=SUMMER)}],
    [{"id": 3, "note": "x", "degrees": 1, "at": NOON.replace(tzinfo=UTC), "price": decimal.Decimal("1.10")}],
    [{"id": 4, "note": None, "degrees": 1, "price": decimal.Decimal("2.125"), "parts": []}],
    [{"id": 5, "note": None, "degrees": 1, "parts": [Part("a"), Part("b", 0.5)], "first": Part("c", 1)}],
]
SCHEMA = {
    "id": pl.Int64,
    "note": pl.String,
    "degrees": pl.Float64,
    "at": pl.Datetime("us", "UTC"),
    "price": pl.Decimal(38, 18),
    "parts": pl.List(pl.Struct({"name": pl.String, "share": pl.Float64})),
    "first": pl.Struct({"name": pl.String, "share": pl.Float64}),
}

READERS: dict[str, Callable[[str], list[Any]]] = {
    "polars": lambda pattern: pl.scan_parquet(pattern).collect()["id"].to_list(),
    "duckdb": lambda pattern: query(f"select id from '{pattern}' order by id").fetchall(),
    "pandas": lambda pattern: pandas.concat(map(pandas.read_parquet, sorted(glob.glob(pattern))))[
        "id"
    ].tolist(),
    "pyarrow": lambda pattern: dataset.dataset(sorted(glob.glob(pattern))).to_table()["id"].to_pylist(),
}


def check(folder: Path, days: int) -> None:
    for path in folder.glob("*.parquet"):
        assert pl.read_parquet_schema(path) == SCHEMA
    frame = pl.scan_parquet(folder / "*.parquet").collect()
    assert dict(frame.schema) == SCHEMA
    assert frame["id"].to_list() == list(range(1, days + 1))
    for name, read in READERS.items():
        assert len(read(f"{folder}/*.parquet")) == days, name
    columns = query(f"describe from '{folder}/*.parquet'").fetchall()
    assert [column[0] for column in columns] == list(SCHEMA)


@pytest.mark.parametrize("make", [Reading, Struct, Model])
@pytest.mark.parametrize("turned", [False, True])
def test_days_of_a_class_are_one_table(tmp_path: Path, make: Any, turned: bool) -> None:
    """The class of the records says the types, in whatever order the days are read."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{day}.parquet")
    def write(day: int, rows: list[dict[str, Any]]) -> None:
        flow.task.write_all(make(**row) for row in rows)

    for number, rows in enumerate(DAYS):
        write(len(DAYS) - number if turned else number, rows)
    if turned:
        assert sorted(pl.scan_parquet(tmp_path / "*.parquet").collect()["id"]) == [1, 2, 3, 4, 5]
        return
    check(tmp_path, len(DAYS))
    read = [row for day in range(len(DAYS)) for row in flow.task.output(write, day, []).records(make)]
    assert read == [make(**row) for rows in DAYS for row in rows]


@pytest.mark.parametrize("record_type", [Reading, Struct, Model, Typed])
@pytest.mark.parametrize("place", ["first", "middle", "last", "alone"])
def test_a_day_without_records_has_the_columns_of_its_type(
    tmp_path: Path, record_type: Any, place: str
) -> None:
    days: list[list[dict[str, Any]]] = [] if place == "alone" else list(DAYS)
    days.insert({"first": 0, "middle": 2, "last": len(days), "alone": 0}[place], [])
    for number, rows in enumerate(days):
        with (tmp_path / f"{number}.parquet").open("wb") as file:
            writer = open_writer(".parquet", file, record_type=record_type)
            for row in rows:
                writer.write(row if record_type is Typed else record_type(**row))
            writer.commit()
    check(tmp_path, len(days) - 1)


def test_a_header_without_rows_is_a_table_for_every_reader(tmp_path: Path) -> None:
    for number, records in enumerate([[], [Part("a", 0.5)]]):
        with (tmp_path / f"{number}.csv").open("wb") as file:
            writer = open_writer(".csv", file, record_type=Part)
            for record in records:
                writer.write(record)
            writer.commit()
    schema = {"name": pl.String, "share": pl.Float64}
    for pattern in ("*", "0", "1"):
        frame = pl.scan_csv(tmp_path / f"{pattern}.csv", schema=schema).collect()
        assert dict(frame.schema) == schema
        assert frame.height == (pattern != "0")
    assert pandas.read_csv(tmp_path / "0.csv").columns.tolist() == ["name", "share"]
    assert query(f"from '{tmp_path}/0.csv'").columns == ["name", "share"]


def test_a_csv_of_nan_has_a_column_of_numbers_with_a_gap(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="x.csv")
    def write() -> None:
        flow.task.write_all([{"a": 1.5, "b": "x"}, {"a": float("nan"), "b": None}])

    write()
    frame = pl.read_csv(tmp_path / "x.csv")
    assert frame.to_dicts() == [{"a": 1.5, "b": "x"}, {"a": None, "b": None}]
    assert query(f"select a from '{tmp_path}/x.csv'").fetchall() == [(1.5,), (None,)]
    assert pandas.read_csv(tmp_path / "x.csv")["a"].isna().tolist() == [False, True]
