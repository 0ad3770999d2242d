"""Parquet: records and tables as row groups."""

import datetime
import decimal
import gc
import io
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

import duckdb
import numpy as np
import pandas
import polars
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pydantic
import pytest

from asflow.errors import (
    CorruptOutputError,
    MissingExtraError,
    OutputClosedError,
    RecordTypeError,
    RecordValueError,
)
from asflow.writers import check_suffix, open_writer, read_records, read_text
from asflow.writers._arrow import _native
from asflow.writers._parquet import ParquetWriter


@dataclass
class Row:
    name: str
    at: datetime.datetime
    amount: decimal.Decimal
    tags: list[str]
    data: bytes
    count: int | None = None


class Pair(NamedTuple):
    a: int
    b: str


class Model(pydantic.BaseModel):
    a: int
    at: datetime.date


class Typed(TypedDict):
    a: int


class Loose(TypedDict):
    a: int
    b: NotRequired[int]
    c: str | None


class Optional(NamedTuple):
    a: int
    b: int = 9


@dataclass
class Defaults:
    a: int
    n: int = 7
    any: object = "set"


NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


def table(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def test_records_keep_their_types(written: Callable[..., bytes], back: Callable[..., list[object]]) -> None:
    rows = [
        Row("é", NOW, decimal.Decimal("1.10"), ["a"], b"\xff"),
        Row("", NOW, decimal.Decimal(5), [], b"", 3),
    ]
    schema = table(written("x.parquet", *rows)).schema
    assert str(schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert schema.field("data").type == pa.binary()
    assert back("x.parquet", Row, *rows) == rows
    assert back("x.parquet", Typed, {"a": 1}, {"a": 2}) == [{"a": 1}, {"a": 2}]
    assert back("x.parquet", Model, Model(a=1, at=NOW.date())) == [Model(a=1, at=NOW.date())]
    assert table(written("x.parquet", Pair(1, "b"))).to_pylist() == [{"a": 1, "b": "b"}]
    assert table(written("x.parquet", {"a": np.int64(1), "b": np.array([1.5])})).to_pylist() == [
        {"a": 1, "b": [1.5]}
    ]


@pytest.mark.parametrize(
    "made",
    [
        lambda: pa.table({"a": [1, 2], "b": ["x", None]}),
        lambda: pa.record_batch({"a": [1, 2], "b": ["x", None]}),
        lambda: polars.DataFrame({"a": [1, 2], "b": ["x", None]}),
        lambda: pandas.DataFrame({"a": [1, 2], "b": ["x", None]}),
        lambda: duckdb.sql("select * from (values (1::bigint, 'x'), (2, null)) t(a, b)"),
        lambda: pa.table({"a": [1, 2], "b": ["x", None]}).to_reader(),
    ],
    ids=["pyarrow", "record batch", "polars", "pandas", "duckdb", "reader"],
)
def test_tables_of_every_library_are_taken(written: Callable[..., bytes], made: Callable[[], object]) -> None:
    data = written("x.parquet", made(), {"a": 3, "b": "z"}, {"a": 4}, made())
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert table(data).to_pylist() == [*rows, {"a": 3, "b": "z"}, {"a": 4, "b": None}, *rows]
    assert polars.read_parquet(io.BytesIO(data)).height == 6


def test_categories_of_every_library_are_taken(written: Callable[..., bytes]) -> None:
    """Though their dictionaries differ from one table to the next."""
    for make in (
        lambda words: polars.DataFrame({"a": words}, schema={"a": polars.Categorical}),
        lambda words: pandas.DataFrame({"a": pandas.Categorical(words)}),
    ):
        data = written("x.parquet", make(["x", "y"]), make(["z", "y"]))
        assert table(data).column("a").to_pylist() == ["x", "y", "z", "y"]
        assert polars.read_parquet(io.BytesIO(data))["a"].to_list() == ["x", "y", "z", "y"]


def test_rows_are_gathered_into_groups_in_constant_memory() -> None:
    class Counting:
        size = 0

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self.size += len(data)

    sink = Counting()
    writer = open_writer("x.parquet", sink)
    text = np.random.default_rng(5).bytes(100_000).hex()
    tracemalloc.start()
    try:
        before = pa.total_allocated_bytes()
        held = 0
        for number in range(800):
            writer.write({"number": number, "text": text[number:]})
            held = max(held, pa.total_allocated_bytes() - before)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert held < 80 << 20
    writer.commit()
    assert sink.size > 1000


@pytest.mark.parametrize(
    ("records", "error", "match"),
    [
        (["text"], RecordTypeError, "is raw"),
        ([b"bytes"], RecordTypeError, "is raw"),
        ([5], RecordTypeError, "is not a row"),
        ([[1, 2]], RecordTypeError, "is not a row"),
        ([{"a": 1j}], RecordTypeError, "complex"),
        ([{"a": "\ud800"}], RecordValueError, "'a'"),
        ([{"a": 1}, {"a": "x"}], RecordValueError, "'a'"),
        ([{"a": 2**70}], RecordValueError, "'a'"),
        (
            [*[{"a": 1}] * 1025, {"a": 1.5}, {"a": 2.5}],
            RecordValueError,
            r"the record \{'a': 1.5\} of type dict does not fit column 'a', made int64",
        ),
        (
            [*[{"a": 1}] * 1025, {"a": 1, "new": 1}, {"new": 2}],
            RecordValueError,
            r"the record \{'a': 1, 'new': 1\} of type dict has a column 'new' that",
        ),
        ([pa.table({"a": [1]}), pa.table({"a": [1.5]})], RecordValueError, "pyarrow.*Table.*'a', made int64"),
        ([*[{"a": {"b": 1}}] * 1024, {"a": {"b": 1, "c": 2}}], RecordValueError, "'a'"),
        ([*[{"a": 1}] * 1024, {"a": "5"}], RecordValueError, "'a'"),
        ([pa.table({"a": [1]}), pa.table({"b": [1]})], RecordValueError, "'b'"),
        ([polars.Series([1, 2])], RecordTypeError, "Parquet"),
        (
            [pa.table([[1]], pa.schema([pa.field("a", pa.int64(), nullable=False)])), {}],
            RecordValueError,
            "{}",
        ),
        ([{}], RecordValueError, "no columns"),
        ([{1: "x", "1": "y"}], RecordValueError, "one column"),
        ([{"a": NOW.date()}, {"a": NOW}], RecordValueError, "'a'.*dates beside datetimes"),
        ([{"a": NOW}, {"a": NOW.replace(tzinfo=None)}], RecordValueError, "'a'.*without a zone"),
        ([{"a": NOW.replace(tzinfo=None)}, {"a": NOW}], RecordValueError, "'a'.*without a zone"),
        ([{"a": NOW.timetz()}], RecordValueError, "'a'.*zone"),
        (
            [{"a": [{"b": NOW.date()}, None]}, {"a": [{"b": NOW}]}, {"a": None}],
            RecordValueError,
            "'a'.*dates",
        ),
    ],
)
def test_what_fits_no_column_is_refused(
    written: Callable[..., bytes], records: list[object], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=rf"(?s)^task get\(\): .*{match}") as caught:
        written("x.parquet", *records, task="get")
    assert "\n" not in str(caught.value)


def test_later_records_may_be_narrower_than_the_first(written: Callable[..., bytes]) -> None:
    first = [{"a": 1.5, "d": decimal.Decimal("1.5"), "s": {"x": 1, "y": 2}}] * 1024
    later = [{"a": 2, "d": decimal.Decimal("12345.5"), "s": {"x": 5}}, {"a": None}]
    rows = table(written("x.parquet", *first, *later)).to_pylist()[1024:]
    assert rows == [
        {"a": 2.0, "d": decimal.Decimal("12345.5"), "s": {"x": 5, "y": None}},
        {"a": None, "d": None, "s": None},
    ]


def test_a_failed_row_group_is_never_committed() -> None:
    writer = open_writer("x.parquet", io.BytesIO())
    for _ in range(1024):
        writer.write({"a": 1})
    for _ in range(1023):
        writer.write({"a": 2})
    with pytest.raises(RecordValueError):
        writer.write({"a": "x"})
    with pytest.raises(RecordValueError):
        writer.write({"a": 3})
    with pytest.raises(RecordValueError):
        writer.commit()
    writer.abort()


def test_dates_and_times_of_one_form_are_kept(back: Callable[..., list[object]]) -> None:
    """None, lists and other zones included: the instant counts."""
    there = datetime.timezone(datetime.timedelta(hours=2))
    rows: list[dict[str, object]] = [
        {"a": [NOW.date(), None], "b": NOW, "c": {"d": NOW.time()}, "e": None},
        {"a": [], "b": NOW.astimezone(there), "c": None, "e": NOW.replace(tzinfo=None)},
    ]
    assert back("x.parquet", dict, *rows) == rows


def test_an_interrupted_row_group_is_never_committed() -> None:
    """In front of a stream that forgets what it refused, too."""

    class Interrupted:
        calls = 0

        def write(self, data: bytes | bytearray | memoryview) -> int:
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return len(data)

    writer = ParquetWriter(Interrupted(), task="get")
    with pytest.raises(KeyboardInterrupt):
        writer.write(pa.table({"a": np.random.default_rng(5).random(400_000)}))
    with pytest.raises(OutputClosedError, match=r"^task get\(\): an earlier write was interrupted"):
        writer.write({"a": 1.0})
    with pytest.raises(OutputClosedError):
        writer.commit()
    writer.abort()


def test_the_disks_error_stays_an_oserror() -> None:
    class Full:
        def write(self, data: object) -> None:
            raise OSError(28, "No space left on device")

    writer = open_writer("x.parquet", Full())
    with pytest.raises(OSError, match="No space left") as caught:
        writer.write(pa.table({"a": np.random.default_rng(5).random(400_000)}))
    assert caught.value.errno == 28
    with pytest.raises(OSError, match="No space left") as caught:
        writer.commit()
    assert caught.value.errno == 28
    writer.abort()


def test_abort_writes_nothing_and_later_writes_are_refused() -> None:
    sink = io.BytesIO()
    writer = open_writer("x.parquet", sink)
    writer.write(pa.table({"a": [1]}))
    writer.abort()
    assert sink.getvalue() == b""
    with pytest.raises(OutputClosedError):
        writer.write({"a": 1})
    alone = ParquetWriter(sink)
    alone.write(pa.table({"a": [1]}))
    size = len(sink.getvalue())
    alone.abort()
    del alone
    gc.collect()
    assert len(sink.getvalue()) == size, "no footer, although pyarrow writes one when it is dropped"


def test_a_missing_pyarrow_is_reported_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"asflow\[parquet\]"):
        check_suffix("x.parquet")
    with pytest.raises(MissingExtraError, match=r"asflow\[parquet\]"):
        open_writer("x.parquet", io.BytesIO())
    raw = io.BytesIO(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"asflow\[parquet\]"):
        read_records("x.parquet", raw, dict)
    assert raw.closed
    check_suffix("x.parquet", custom=True)


def test_nested_and_large_columns_are_taken(written: Callable[..., bytes]) -> None:
    frame = polars.DataFrame({"a": [["x"], []], "s": [{"t": "u"}, {"t": None}], "b": [b"1", b"2"]})
    rows = [{"a": ["z"], "s": {"t": "v"}, "b": b"3"}]
    expected = [*frame.to_dicts(), *rows]
    assert table(written("x.parquet", frame, *rows)).to_pylist() == expected
    assert table(written("x.parquet", *rows, frame)).to_pylist() == [*rows, *frame.to_dicts()]
    many = pa.table({"n": pa.array(range(300_000), pa.int32())})
    data = written("x.parquet", many)
    assert table(data).equals(many)
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 3


class Stream(io.BytesIO):
    """As an object store's: it can't go back."""

    def seekable(self) -> bool:
        return False


def test_pyarrow_reads_from_files_of_its_own(written: Callable[..., bytes], tmp_path: Path) -> None:
    """Its threads may let go of one while the interpreter exits, which a Python object doesn't survive."""
    data = written("x.parquet", {"n": 1})
    path = tmp_path / "x.parquet"
    path.write_bytes(data)
    with path.open("rb") as file, io.BytesIO(data) as memory, Stream(data) as stream:
        path.unlink()
        path.write_text("another file")
        for raw in (file, memory, stream):
            source = _native(pa, raw)
            assert type(source).__module__ == "pyarrow.lib"
            assert not isinstance(source, pa.PythonFile)
            if raw is not file or sys.platform == "linux":
                assert pq.ParquetFile(source).read().to_pylist() == [{"n": 1}]


def test_no_records_make_a_whole_file(
    written: Callable[..., bytes], back: Callable[..., list[object]]
) -> None:
    assert table(written("x.parquet")).num_rows == 0
    assert back("x.parquet", dict) == []
    assert (
        table(written("x.parquet", pa.table({"a": pa.array([], pa.int8())}))).schema.field("a").type
        == pa.int8()
    )


def test_a_key_or_field_that_was_left_out_comes_back_so(back: Callable[..., list[object]]) -> None:
    """None stays where the type has it, or takes anything."""
    rows: list[object] = [{"a": 1, "b": 2, "c": None}, {"a": 2, "c": "x"}]
    assert back("x.parquet", Loose, *rows) == rows
    assert back("x.parquet", Defaults, {"a": 1, "n": 5, "any": 1}, {"a": 2, "n": None, "any": None}) == [
        Defaults(1, 5, 1),
        Defaults(2, 7, None),
    ]
    with pytest.raises(CorruptOutputError, match="record 2: Expected `int`"):
        back("x.parquet", Defaults, {"a": 1, "n": 5}, {"a": None, "n": 5})


def test_a_dict_inside_a_record_has_the_keys_of_all_of_them(back: Callable[..., list[object]]) -> None:
    rows = [{"a": {"x": 1}}, {"a": {"y": 2}}]
    assert back("x.parquet", dict, *rows) == [{"a": {"x": 1, "y": None}}, {"a": {"x": None, "y": 2}}]


def test_named_tuples_come_back(back: Callable[..., list[object]]) -> None:
    assert back("x.parquet", Pair, Pair(1, "b"), Pair(2, "c")) == [Pair(1, "b"), Pair(2, "c")]
    assert back("x.parquet", Optional, {"b": 2, "a": 1}, {"a": 3}) == [Optional(1, 2), Optional(3)]
    with pytest.raises(CorruptOutputError, match="record 1: column 'a' is missing"):
        back("x.parquet", Optional, {"b": 2})


def test_map_columns_come_back_as_dicts(back: Callable[..., list[object]]) -> None:
    kind = pa.map_(pa.string(), pa.int64())
    made = pa.table({"m": pa.array([[("x", 1), ("y", 2)], []], kind)})
    try:
        made.to_batches()[0].to_pylist(maps_as_pydicts="strict")
    except TypeError:
        pytest.skip("this pyarrow makes lists of pairs only")
    assert back("x.parquet", dict[str, dict[str, int]], made) == [{"m": {"x": 1, "y": 2}}, {"m": {}}]
    twice = pa.table({"m": pa.array([[("x", 1), ("x", 2)]], kind)})
    with pytest.raises(CorruptOutputError, match=r"'x\.parquet'.*key twice"):
        back("x.parquet", dict, twice)


def test_a_parquet_file_has_no_text(written: Callable[..., bytes]) -> None:
    for name in ("x.parquet", "x.PARQUET"):
        raw = io.BytesIO(written("x.parquet", {"a": 1}))
        with pytest.raises(TypeError, match=rf"'{name}': Parquet has no text; use records\(\)"):
            read_text(name, raw)
        assert raw.closed


def test_cut_files_and_other_types_are_refused(written: Callable[..., bytes]) -> None:
    data = written("x.parquet", {"a": "x"})
    for cut in range(0, len(data), 7):
        with pytest.raises(CorruptOutputError, match=r"'x\.parquet'"):
            list(read_records("x.parquet", io.BytesIO(data[:cut]), dict[str, str]))
    with pytest.raises(CorruptOutputError, match="record 1"):
        list(read_records("x.parquet", io.BytesIO(data), dict[str, int]))
