"""CSV and TSV: mappings, rows, raw text, and their mixing."""

import contextlib
import datetime
import enum
import io
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import numpy as np
import pandas
import pydantic
import pytest

from asflow.errors import CorruptOutputError, RecordTypeError, RecordValueError
from asflow.writers import open_writer, read_records


@dataclass
class Row:
    name: str
    count: int | None = None
    ratio: float = 0.5


class Pair(NamedTuple):
    a: int
    b: str
    c: float = 1.5


class Typed(TypedDict):
    a: int
    b: str | None
    c: NotRequired[bool]


@attrs.define
class Attrs:
    a: int
    b: str


class Struct(msgspec.Struct, rename="camel"):
    long_name: int


class Model(pydantic.BaseModel):
    a: int
    b: datetime.date | None = None


class Turned(TypedDict):
    b: int
    a: int


class ByAlias(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)
    a: int = pydantic.Field(alias="the-name")
    left_out: int = pydantic.Field(1, exclude=True)


@dataclass
class Inner:
    x: int


@dataclass
class Nested:
    numbers: list[int]
    sets: dict[str, set[int]]
    inner: Inner | None
    pair: tuple[int, str] | None
    models: list[Model]


class Deep(pydantic.BaseModel):
    tags: list[str] = []
    parts: dict[str, list[int]] | None = None
    inner: Model | None = None


def split(value: object) -> object:
    return value.split(";") if isinstance(value, str) else value


class Split(pydantic.BaseModel):
    """Takes texts that are JSON, or that its own validator cuts."""

    tags: Annotated[list[str], pydantic.BeforeValidator(split)]
    either: pydantic.Json[list[int]]
    text: list[int] | str


SPLIT = Split.model_construct(tags=["a", "b"], either=[1], text="[2]")


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"a": 1, "b": "x"}, {"b": "y"}, {"b": "z", "a": 2}], "a,b\n1,x\n,y\n2,z\n"),
        ([OrderedDict(a='q"', b="c,d"), {"a": "e\nf", "b": "g\rh"}], 'a,b\n"q""","c,d"\n"e\nf","g\rh"\n'),
        ([["a", 1], ("b", None), [True]], "a,1\nb,\ntrue\n"),
        ([Row("n"), Row("m", 3, 1e-7)], "name,count,ratio\nn,,0.5\nm,3,1e-07\n"),
        ([Pair(1, "x")], "a,b,c\n1,x,1.5\n"),
        ([Attrs(1, "x")], "a,b\n1,x\n"),
        ([Struct(5)], "longName\n5\n"),
        ([Model(a=1, b=datetime.date(2026, 1, 2))], "a,b\n1,2026-01-02\n"),
        ([np.array([1.5, 2])], "1.5,2.0\n"),
        (["a;b\n", "1;2\n"], "a;b\n1;2\n"),
        ([{"a": 1}, "# note\n", {"a": 2}], "a\n1\n# note\n2\n"),
        (["title\n", [1, 2]], "title\n1,2\n"),
        ([{"a": Colour.RED, "b": [1, {"c": None}]}], 'a,b\nred,"[1,{""c"":null}]"\n'),
        ([{"a": datetime.datetime(2026, 1, 2, 3), "b": b"ab"}], "a,b\n2026-01-02T03:00:00,YWI=\n"),
        ([{"a": float("nan"), "b": np.float64("nan"), "c": np.int8(3)}], "a,b,c\n,,3\n"),
        ([[""]], '""\n'),
        ([{1: 2}], "1\n2\n"),
        ([], ""),
    ],
)
def test_records_become_rows(text: Callable[..., str], records: list[object], expected: str) -> None:
    assert text("x.csv", *records) == expected


def test_tsv_sets_cells_apart_by_tabs(text: Callable[..., str]) -> None:
    assert text("x.tsv.gz", {"a": "b\tc", "d": "e,f"}) == 'a\td\n"b\tc"\te,f\n'


@pytest.mark.parametrize(
    ("records", "error", "match"),
    [
        ([{"a": 1}, {"a": 1, "new": 2}], RecordValueError, "'new'"),
        ([{"a": 1}, [1]], RecordValueError, "bare row"),
        ([[1], {"a": 1}], RecordValueError, "rows without a header"),
        (["raw\n", {"a": 1}], RecordValueError, "raw text"),
        ([{1: "a", "1": "b"}], RecordValueError, "two keys"),
        ([{}], RecordValueError, "no keys"),
        ([[]], RecordValueError, "no cells"),
        ([5], RecordTypeError, "is not a row"),
        ([{1, 2}], RecordTypeError, "is not a row"),
        ([Row], RecordTypeError, "is not a row"),
        ([{"a": 1j}], RecordTypeError, "complex"),
        ([{"a": "\ud800"}], RecordValueError, "surrogate"),
    ],
)
def test_what_makes_no_table_is_refused(
    written: Callable[..., bytes], records: list[object], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=rf"^task get\(\): .*{match}"):
        written("x.csv", *records, task="get")


def test_an_empty_text_is_nothing(written: Callable[..., bytes]) -> None:
    assert written("x.csv", "", {"a": 1}) == written("x.csv", {"a": 1})


def test_a_refused_first_record_makes_no_header() -> None:
    data = bytearray()

    class Sink:
        def write(self, part: bytes | bytearray | memoryview) -> None:
            data.extend(part)

    writer = open_writer("x.csv", Sink())
    with pytest.raises(RecordTypeError):
        writer.write({"bad": object()})
    writer.write({"a": 1})
    with pytest.raises(RecordValueError):
        writer.write({"a": 1, "b": 2})
    writer.write({"a": 3})
    writer.commit()
    assert bytes(data) == b"a\n1\n3\n"


@pytest.mark.parametrize(
    ("record_type", "records", "expected"),
    [
        (Row, [Row("n"), Row("", 3)], None),
        (Pair, [Pair(1, ""), Pair(2, "x", 2.5)], None),
        (Typed, [{"a": 1, "b": None, "c": True}, {"a": 2, "b": "x"}], None),
        (Attrs, [Attrs(1, "2")], None),
        (Struct, [Struct(5)], None),
        (Model, [Model(a=1), Model(a=2, b=datetime.date(2026, 1, 2))], None),
        (dict[str, str], [{"a": "1", "b": ""}], None),
        (dict[str, int | None], [{"a": 1, "b": None}], None),
        (object, [{"a": 1}], [{"a": "1"}]),
        (Nested, [Nested([1, 2], {"x": {3}}, Inner(4), (5, "x"), [Model(a=6)])], None),
        (Nested, [Nested([], {}, None, None, [])], None),
        (Deep, [Deep(tags=["a", "b"], parts={"x": [1]}, inner=Model(a=1)), Deep()], None),
        (dict[str, list[int]], [{"a": [1], "b": [2, 3]}], None),
        (Split, [{"tags": "a;b", "either": "[1]", "text": "[2]"}], [SPLIT]),
        (list[str], [["a", "b"], ["1", "2"]], None),
        (tuple[str, int], [("a", 1)], None),
    ],
)
def test_records_come_back_typed(
    back: Callable[..., list[object]], record_type: type, records: list[object], expected: list[object] | None
) -> None:
    assert back("x.csv.zst", record_type, *records) == (records if expected is None else expected)


@pytest.mark.parametrize(
    ("raw", "record_type", "match"),
    [
        ("a,b\n1\n", dict[str, str], "record 1: the row has 1 cells and the header 2"),
        ("name,count\nx,1\ny,z\n", Row, "record 2"),
        ("b\nx\n", Pair, "'a'"),
        ('a\n"open', dict[str, str], "does not read as CSV"),
        (b"a\n\xff\n", dict[str, str], "does not read as CSV"),
    ],
)
def test_what_does_not_fit_is_named(
    back: Callable[..., list[object]], raw: object, record_type: type, match: str
) -> None:
    with pytest.raises(CorruptOutputError, match=match) as caught:
        back("x.csv", record_type, raw)
    assert "'x.csv'" in str(caught.value)


def test_a_cell_may_be_long_and_blank_lines_are_no_records(back: Callable[..., list[object]]) -> None:
    assert back("x.csv", dict[str, str], {"a": "x" * 200_000}) == [{"a": "x" * 200_000}]
    assert list(read_records("x.csv", io.BytesIO(b"a\n\n1\n\n"), dict[str, str])) == [{"a": "1"}]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv.zst"])
@pytest.mark.parametrize(
    "records", [[{"a": 1}, {"a": 2}], ({"a": 1},), [Row("n")], [Pair(1, "x")], [Struct(1), Attrs(1, "x")]]
)
def test_a_list_of_records_is_refused_with_what_to_call(
    written: Callable[..., bytes], name: str, records: object
) -> None:
    with pytest.raises(
        RecordTypeError, match=r"^task get\(\): the record .* is a list of records, and write"
    ):
        written(name, records, task="get")


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ([1, "x", None], "1,x,\n"),
        (["a", {"b": 1}], 'a,"{""b"":1}"\n'),
        ([[1, 2], [3]], '"[1,2]",[3]\n'),
        (Pair(1, "x"), "a,b,c\n1,x,1.5\n"),
    ],
)
def test_a_row_stays_a_row(text: Callable[..., str], row: object, line: str) -> None:
    assert text("x.csv", row) == line


def test_what_has_labels_is_a_record(text: Callable[..., str]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    with contextlib.closing(connection):
        rows = connection.execute("select 1 as a, 'x' as b union select 2, null").fetchall()
        [double] = connection.execute("select 1 as a, 2 as a").fetchall()
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert text("x.csv", *rows) == "a,b\n1,x\n2,\n"
    assert text("x.csv", *(row for _, row in frame.iterrows())) == "a,b\n1,x\n2,\n"
    for twice in (double, pandas.Series([1, 2], index=["a", "a"])):
        with pytest.raises(RecordValueError, match=r"^open_writer\(\): .* two values of one label"):
            text("x.csv", twice)
    with pytest.raises(RecordTypeError, match="is not a row"):
        text("x.csv", frame)


def test_nan_is_an_empty_cell(text: Callable[..., str]) -> None:
    nans = [
        float("nan"),
        np.float64("nan"),
        np.float32("nan"),
        np.datetime64("nat", "ns"),
        pandas.NA,
        pandas.NaT,
    ]
    assert text("x.csv", nans) == ",,,,,\n"
    assert text("x.csv", {"a": float("nan"), "b": [float("nan")]}) == "a,b\n,[null]\n"
    assert text("x.csv", [float("inf"), -float("inf")]) == "inf,-inf\n"


def of_type(record_type: object, *records: object, name: str = "x.csv") -> str:
    stored = io.BytesIO()
    writer = open_writer(name, stored, task="get", record_type=record_type)
    for record in records:
        writer.write(record)
    writer.commit()
    return stored.getvalue().decode()


@pytest.mark.parametrize(
    ("record_type", "records", "expected"),
    [
        (Row, [], "name,count,ratio\n"),
        (Typed, [], "a,b,c\n"),
        (Turned, [{"a": 1, "b": 2}], "b,a\n2,1\n"),
        (Typed, [{"b": "x", "a": 1}, {"a": 2, "b": None, "c": True}], "a,b,c\n1,x,\n2,,true\n"),
        (Typed, [{"a": 1, "b": "x", "more": 5}], "a,b,c,more\n1,x,,5\n"),
        (Pair, [Pair(1, "x")], "a,b,c\n1,x,1.5\n"),
        (Struct, [], "longName\n"),
        (Model, [], "a,b\n"),
        (ByAlias, [ByAlias.model_validate({"the-name": 1})], "the-name\n1\n"),
        (dict[str, int], [], ""),
        (dict[str, int], [{"a": 1}], "a\n1\n"),
        (list[str], [["a"]], "a\n"),
        (None, [{"a": 1}], "a\n1\n"),
    ],
)
def test_a_record_type_declares_the_header(record_type: object, records: list[object], expected: str) -> None:
    assert of_type(record_type, *records) == expected


def test_a_mapping_without_a_column_is_refused_where_its_type_declares_none() -> None:
    with pytest.raises(RecordValueError, match=r"^task get\(\): .* lacks the column 'b'"):
        of_type(dict[str, str], {"a": "1", "b": "2"}, {"a": "3"})


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    data = "\ufeffa,b\r\n1,x\r\n".encode()
    assert list(read_records("x.csv", io.BytesIO(data), Attrs)) == [Attrs(1, "x")]
    assert list(read_records("x.csv", io.BytesIO('\ufeff"a",b\n1,x\n'.encode()), Attrs)) == [Attrs(1, "x")]
    assert list(read_records("x.csv", io.BytesIO(b"\xef\xbb\xbf"), Attrs)) == []


def test_a_text_that_begins_with_a_byte_order_mark_keeps_it(back: Callable[..., list[object]]) -> None:
    assert back("x.csv", dict[str, str], {"\ufeffa": "\ufeff"}) == [{"\ufeffa": "\ufeff"}]
    assert back("x.csv", list[str], ["\ufeff", "x"], ["y", ""]) == [["\ufeff", "x"], ["y", ""]]
