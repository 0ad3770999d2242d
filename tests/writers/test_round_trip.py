"""Records in are records out, for asflow's own reader and those of other libraries."""

import io
import math
import pathlib
from collections.abc import Callable

import attrs
import duckdb
import hypothesis.strategies as st
import pandas
import polars
import pyarrow.json  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from support.drawing import examples

from asflow.writers import open_writer, read_records


@attrs.define
class Hidden:
    """Fields that msgspec leaves out."""

    _key: str
    _count: int = 0
    note: str = ""


COMPRESSIONS = ["", ".gz", ".zst"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def strict(value: object) -> object:
    """What strict JSON keeps of a value: no infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [strict(item) for item in value]
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    return value


def write(name: str, records: list[object]) -> io.BytesIO:
    stored = io.BytesIO()
    writer = open_writer(name, stored)
    for record in records:
        writer.write(record)
    writer.commit()
    stored.seek(0)
    return stored


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson.zst", "x.json", "x.csv.gz", "x.tsv", "x.parquet"])
def test_private_fields_of_attrs_classes_are_kept(name: str) -> None:
    records = [Hidden("a", 5, "n"), Hidden("b")]
    stored = write(name, [records] if name == "x.json" else list(records))
    assert list(read_records(name, stored, Hidden)) == records


def test_a_document_may_be_one_object_with_private_fields() -> None:
    assert write("x.json", [Hidden("a")]).getvalue() == b'{"_key":"a","_count":0,"note":""}\n'


@settings(max_examples=examples(60), deadline=None)
@given(
    records=st.lists(st.dictionaries(TEXT, VALUE, max_size=4), max_size=10), end=st.sampled_from(COMPRESSIONS)
)
def test_json_keeps_records(records: list[dict[str, object]], end: str) -> None:
    expected = [strict(record) for record in records]
    lines = write("x.jsonl" + end, list(records))
    assert list(read_records("x.jsonl" + end, lines, dict[str, object])) == expected
    document = write("x.json" + end, [list(records)])
    assert list(read_records("x.json" + end, document, dict[str, object])) == expected


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data(), end=st.sampled_from(COMPRESSIONS), form=st.sampled_from([".csv", ".tsv"]))
def test_csv_keeps_texts(data: st.DataObject, end: str, form: str) -> None:
    keys = data.draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    records = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(keys, TEXT)), max_size=6))
    stored = write("x" + form + end, list(records))
    assert list(read_records("x" + form + end, stored, dict[str, str])) == records
    rows = data.draw(st.lists(st.lists(TEXT, min_size=1, max_size=4), max_size=6))
    stored = write("x" + form + end, list(rows))
    assert list(read_records("x" + form + end, stored, list[str])) == rows


@settings(max_examples=examples(40), deadline=None)
@given(
    parts=st.lists(st.binary(max_size=40) | st.just(b"x" * 70_000), max_size=5),
    end=st.sampled_from(COMPRESSIONS),
)
def test_bytes_pass_unchanged(parts: list[bytes], end: str) -> None:
    from asflow.writers import open_reader

    with open_reader("x.bin" + end, write("x.bin" + end, list(parts))) as reader:
        assert reader.read() == b"".join(parts)


ROWS = [
    {
        "id": number,
        "name": f"n{number}, é",
        "value": None if number % 5 == 0 else number / 4,
        "ok": number % 2 == 0,
    }
    for number in range(3000)
]


@pytest.fixture(params=COMPRESSIONS)
def files(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, written: Callable[..., bytes]
) -> dict[str, str]:
    """The rows in each format; names without dots of their own."""
    paths = {}
    for form in (".jsonl", ".csv"):
        path = tmp_path / f"rows{form}{request.param}"
        path.write_bytes(written(path.name, *ROWS))
        paths[form] = str(path)
    return paths


def test_polars_reads_them(files: dict[str, str]) -> None:
    assert polars.read_ndjson(files[".jsonl"]).to_dicts() == ROWS
    assert polars.read_csv(files[".csv"]).to_dicts() == ROWS


def test_duckdb_reads_them(files: dict[str, str]) -> None:
    for path in files.values():
        query = duckdb.sql(f"select * from '{path}' order by id")
        assert query is not None
        assert [dict(zip(query.columns, row, strict=True)) for row in query.fetchall()] == ROWS


def test_pandas_reads_them(files: dict[str, str]) -> None:
    for frame in (pandas.read_json(files[".jsonl"], lines=True), pandas.read_csv(files[".csv"])):
        assert len(frame) == len(ROWS)
        assert frame["name"].tolist() == [row["name"] for row in ROWS]
        assert frame["value"].sum() == sum(float(str(row["value"] or 0)) for row in ROWS)


def test_pyarrow_reads_them(files: dict[str, str]) -> None:
    with pyarrow.input_stream(
        files[".jsonl"], compression=None if files[".jsonl"].endswith("l") else "detect"
    ) as f:
        assert pyarrow.json.read_json(f).to_pylist() == ROWS


@pytest.mark.parametrize("end", COMPRESSIONS)
def test_an_output_without_records_has_none_for_others_too(
    tmp_path: pathlib.Path, written: Callable[..., bytes], end: str
) -> None:
    path = tmp_path / f"none.jsonl{end}"
    path.write_bytes(written(path.name))
    assert len(pandas.read_json(path, lines=True)) == 0
    assert polars.read_ndjson(path, schema={"a": polars.Int64}).height == 0
