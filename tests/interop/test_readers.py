"""What asflow writes, read by Polars, DuckDB, pandas and pyarrow: one by one and by glob.

The tables in `docs/reading.md` are this file in words.
"""

from __future__ import annotations

import glob
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import polars as pl
import pytest

from asflow import Flow
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Libraries whose types are missing or not strict.
pandas: Any = import_module("pandas")
arrow: Any = import_module("pyarrow")
for _name in ("csv", "dataset", "json", "parquet"):
    import_module(f"pyarrow.{_name}")

Row: TypeAlias = tuple[int, str | None, float]

COLUMNS = ("id", "name", "x")
SCHEMA = {"id": pl.Int64, "name": pl.String, "x": pl.Float64}
TEXTS = [".jsonl", ".ndjson", ".json", ".csv", ".tsv"]
SUFFIXES = [text + compression for text in TEXTS for compression in ("", ".gz", ".zst")] + [".parquet"]


def rows(part: int, count: int) -> list[Row]:
    """Records with values that break formats: quotes, delimiters, other scripts, a missing value."""
    names = ['say "hi", twice', "日本語\té", None, "plain"]
    return [(part * 100 + i, names[i % 4], i + 0.5) for i in range(count)]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, list[int]], list[Row]]:
    """Make `PART<suffix>` for each count of records; returns all of them."""

    def write(suffix: str, counts: list[int]) -> list[Row]:
        flow = Flow(tmp_path, sink=NullSink())

        @flow.task(on="{part}" + suffix)
        def make(part: int, count: int) -> None:
            records = [dict(zip(COLUMNS, row, strict=True)) for row in rows(part, count)]
            if suffix.startswith(".json") and not suffix.startswith(".jsonl"):
                flow.task.write(records)
                return
            for record in records:
                flow.task.write(record)

        for part, count in enumerate(counts):
            make(part, count)
        return [row for part, count in enumerate(counts) for row in rows(part, count)]

    return write


def of_arrow(table: Any) -> list[Row]:
    """Bring any frame to plain rows; an empty cell of CSV is None, or an empty text."""
    if isinstance(table, pl.DataFrame):
        table = table.to_arrow()
    elif isinstance(table, pandas.DataFrame):
        table = arrow.Table.from_pandas(table, preserve_index=False)
    if not table.num_rows:
        return []
    assert set(COLUMNS) <= set(table.column_names)
    return sorted((row["id"], row["name"] or None, row["x"]) for row in table.to_pylist())


def delimiter(suffix: str) -> str:
    return "\t" if suffix.startswith(".tsv") else ","


def read_polars(pattern: str, suffix: str) -> Any:
    match suffix.split(".")[1]:
        case "jsonl" | "ndjson":
            return pl.scan_ndjson(pattern).collect()
        case "json":
            # read_json takes one file, and no pattern
            return pl.concat([pl.read_json(path) for path in sorted(glob.glob(pattern))])
        case "parquet":
            return pl.scan_parquet(pattern).collect()
        case _:
            return pl.scan_csv(pattern, separator=delimiter(suffix)).collect()


def query(sql: str) -> pl.DataFrame:
    found = duckdb.sql(sql)
    assert found is not None
    frame: pl.DataFrame = found.pl()
    return frame


def read_duckdb(pattern: str, suffix: str) -> Any:
    return query(f"from '{pattern}'")


def read_pandas(pattern: str, suffix: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "jsonl": lambda path: pandas.read_json(path, lines=True),
        "ndjson": lambda path: pandas.read_json(path, lines=True),
        "json": pandas.read_json,
        "csv": pandas.read_csv,
        "tsv": lambda path: pandas.read_csv(path, sep="\t"),
        "parquet": pandas.read_parquet,
    }
    read = readers[suffix.split(".")[1]]
    return pandas.concat([read(path) for path in sorted(glob.glob(pattern))])


def read_pyarrow(pattern: str, suffix: str) -> Any:
    """Its data sets read no zstd, so each file is opened as a stream, which does."""

    def read(path: str) -> Any:
        # It infers compression from the name, but knows .zstd only, not .zst.
        stream = arrow.input_stream(path, compression="zstd") if path.endswith("zst") else path
        if "json" in suffix:
            return arrow.json.read_json(stream)
        options = arrow.csv.ParseOptions(delimiter=delimiter(suffix))
        return arrow.csv.read_csv(stream, parse_options=options)

    if suffix == ".parquet":
        return arrow.dataset.dataset(sorted(glob.glob(pattern)), format="parquet").to_table()
    tables = [read(path) for path in sorted(glob.glob(pattern))]
    return arrow.concat_tables(tables, promote_options="permissive")


READERS = {"polars": read_polars, "duckdb": read_duckdb, "pandas": read_pandas, "pyarrow": read_pyarrow}

# pyarrow reads JSON Lines only.
CASES = [
    (suffix, reader)
    for suffix in SUFFIXES
    for reader in READERS
    if not (reader == "pyarrow" and suffix.split(".")[1] == "json")
]


@pytest.mark.parametrize(("suffix", "reader"), CASES)
def test_one_by_one_and_by_glob(
    tmp_path: Path, write: Callable[[str, list[int]], list[Row]], suffix: str, reader: str
) -> None:
    expected = sorted(write(suffix, [4, 7]))
    read = READERS[reader]
    assert of_arrow(read(f"{tmp_path}/*{suffix}", suffix)) == expected
    assert of_arrow(read(f"{tmp_path}/0{suffix}", suffix)) == expected[:4]


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zero_records_among_others_in_polars(
    tmp_path: Path, write: Callable[[str, list[int]], list[Row]], suffix: str, place: str
) -> None:
    """It takes the columns from one file, so they are best given; then each format is read."""
    expected = sorted(write(suffix, [0, 4] if place == "first" else [4, 0]))
    pattern = f"{tmp_path}/*{suffix}"
    match suffix.split(".")[1]:
        case "jsonl" | "ndjson":
            frame = pl.scan_ndjson(pattern, schema=SCHEMA).collect()
        case "json":
            frames = [pl.read_json(path, schema=SCHEMA) for path in sorted(glob.glob(pattern))]
            frame = pl.concat(frames)
        case "parquet":
            frame = pl.scan_parquet(pattern, schema=SCHEMA, missing_columns="insert").collect()
        case _:
            separator = delimiter(suffix)
            scan = pl.scan_csv(pattern, separator=separator, schema=SCHEMA, raise_if_empty=False)
            frame = scan.collect()
    assert dict(frame.schema) == SCHEMA
    assert of_arrow(frame) == expected


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("suffix", [suffix for suffix in SUFFIXES if suffix != ".parquet"])
def test_zero_records_among_others_in_duckdb(
    tmp_path: Path, write: Callable[[str, list[int]], list[Row]], suffix: str, place: str
) -> None:
    """JSON as it is, CSV with `union_by_name`."""
    expected = sorted(write(suffix, [0, 4] if place == "first" else [4, 0]))
    pattern = f"{tmp_path}/*{suffix}"
    source = f"'{pattern}'" if "json" in suffix else f"read_csv('{pattern}', union_by_name = true)"
    assert of_arrow(query(f"from {source}")) == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zero_records_alone(
    tmp_path: Path, write: Callable[[str, list[int]], list[Row]], suffix: str
) -> None:
    """A file without records is a whole file: no reader takes it for a damaged one."""
    write(suffix, [0])
    path = f"{tmp_path}/0{suffix}"
    kind = suffix.split(".")[1]
    if kind in ("jsonl", "ndjson"):
        assert pl.read_ndjson(path, schema=SCHEMA).height == 0
        assert len(pandas.read_json(path, lines=True)) == 0
    elif kind == "json":
        assert pl.read_json(path).height == 0
        assert len(pandas.read_json(path)) == 0
    elif kind == "parquet":
        assert pl.read_parquet(path).height == 0
        assert len(pandas.read_parquet(path)) == 0
        assert arrow.parquet.read_table(path).num_rows == 0
        return
    else:
        assert pl.read_csv(path, raise_if_empty=False).height == 0
        with pytest.raises(pandas.errors.EmptyDataError):  # there is no header to name the columns
            pandas.read_csv(path)
    assert query(f"from '{path}'").height == 0


def test_zero_records_in_pyarrow(tmp_path: Path, write: Callable[[str, list[int]], list[Row]]) -> None:
    """It refuses text without records with a clear message; tables of Parquet are concatenated."""
    write(".jsonl.gz", [0])
    with pytest.raises(arrow.ArrowInvalid, match="Empty JSON file"):
        arrow.json.read_json(f"{tmp_path}/0.jsonl.gz")
    write(".csv.gz", [0])
    with pytest.raises(arrow.ArrowInvalid, match="Empty CSV file"):
        arrow.csv.read_csv(f"{tmp_path}/0.csv.gz")
    expected = sorted(write(".parquet", [0, 4]))
    # Not `dataset`: it takes the columns from the first file, which here has none.
    tables = [arrow.parquet.read_table(path) for path in sorted(glob.glob(f"{tmp_path}/*.parquet"))]
    assert of_arrow(arrow.concat_tables(tables, promote_options="default")) == expected


READ_ALL: dict[str, Callable[[str], Any]] = {
    "polars": lambda pattern: pl.scan_parquet(pattern).collect(),
    "duckdb": lambda pattern: query(f"from '{pattern}'"),
    "pandas": lambda pattern: read_pandas(pattern, ".parquet"),
    "pyarrow": lambda pattern: read_pyarrow(pattern, ".parquet"),
}


@pytest.mark.parametrize("reader", READ_ALL)
@pytest.mark.parametrize("place", ["first", "last"])
def test_an_empty_frame_keeps_its_columns(tmp_path: Path, reader: str, place: str) -> None:
    """Written as a frame, zero rows are read by every library, first or last, without an option."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="data/{day}.parquet")
    def make(day: int, count: int) -> None:
        flow.task.write(pl.DataFrame(rows(day, count), schema=SCHEMA, orient="row"))

    counts = [0, 4] if place == "first" else [4, 0]
    for day, count in enumerate(counts):
        make(day, count)
    expected = sorted(row for day, count in enumerate(counts) for row in rows(day, count))
    assert of_arrow(READ_ALL[reader](f"{tmp_path}/data/*.parquet")) == expected
    assert of_arrow(READ_ALL[reader](f"{tmp_path}/data/{counts.index(0)}.parquet")) == []


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
def test_csv_with_its_header_has_columns(tmp_path: Path, suffix: str, place: str) -> None:
    """A header that is written before the rows makes zero rows a table too, without types."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{part}" + suffix)
    def make(part: int, count: int) -> None:
        flow.task.write(",".join(COLUMNS) + "\n")
        for row in rows(part, count):
            flow.task.write(row)

    for part, count in enumerate([0, 4] if place == "first" else [4, 0]):
        make(part, count)
    some, none = (1, 0) if place == "first" else (0, 1)
    pattern, empty = f"{tmp_path}/*{suffix}", f"{tmp_path}/{none}{suffix}"
    for reader in (read_pandas, read_pyarrow):
        assert of_arrow(reader(pattern, suffix)) == sorted(rows(some, 4)), reader
        assert of_arrow(reader(empty, suffix)) == []
    assert of_arrow(pl.scan_csv(pattern, schema=SCHEMA).collect()) == sorted(rows(some, 4))
    assert pl.read_csv(empty).columns == list(COLUMNS)
    assert query(f"from read_csv('{pattern}', union_by_name = true)").height == 4
    assert query(f"from '{empty}'").columns == list(COLUMNS)


def test_days_of_parquet_are_one_table(tmp_path: Path) -> None:
    """`on="data/{day}.parquet"`, a day a call, and `scan_parquet("data/*.parquet")` over all of them."""
    import datetime

    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="data/{day}.parquet")
    def make(day: datetime.date) -> None:
        for hour in range(24):
            flow.task.write({"day": day, "hour": hour, "temperature": day.day + hour / 10})

    days = [datetime.date(2024, 2, day) for day in range(1, 30)]
    for day in days:
        make(day)
    lazy = pl.scan_parquet(tmp_path / "data/*.parquet")
    daily = lazy.group_by("day").agg(pl.len(), pl.col("temperature").mean()).sort("day").collect()
    assert daily["day"].to_list() == days
    assert daily["len"].to_list() == [24] * 29
    assert daily["temperature"][0] == pytest.approx(2.15)
    assert query(f"select count(*) from '{tmp_path}/data/*.parquet'").item() == 24 * 29


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_a_glob_meets_whole_files_only(tmp_path: Path, reader: str) -> None:
    """Work in progress and recorded failures don't match the pattern of the outputs."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{n}.jsonl", suppress=LookupError)
    def make(n: int) -> None:
        flow.task.write({"id": n, "name": "x", "x": 0.5})
        if n == 1:
            raise LookupError
        if n == 2:
            assert (tmp_path / "2.jsonl.part").exists()
            assert of_arrow(READERS[reader](f"{tmp_path}/*.jsonl", ".jsonl")) == [(0, "x", 0.5)]

    for n in range(3):
        make(n)
    assert (tmp_path / "1.err").exists()
    found = of_arrow(READERS[reader](f"{tmp_path}/*.jsonl", ".jsonl"))
    assert found == [(0, "x", 0.5), (2, "x", 0.5)]


def test_polars_leaves_out_a_column_that_comes_late(tmp_path: Path) -> None:
    """As the page warns: silently, unless Polars is asked to look at all records."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="rows.jsonl.zst")
    def make() -> None:
        for number in range(300):
            flow.task.write({"i": number, "late": 1} if number >= 200 else {"i": number})

    make()
    path = tmp_path / "rows.jsonl.zst"
    assert pl.scan_ndjson(path).collect().columns == ["i"]
    assert pl.scan_ndjson(path, infer_schema_length=None).collect().columns == ["i", "late"]
