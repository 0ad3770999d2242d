"""CSV and TSV: mappings, rows, raw text, and their mixing."""

import datetime
import enum
import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import numpy as np
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
        ([{"a": float("nan"), "b": np.float64("nan"), "c": np.int8(3)}], "a,b,c\nnan,nan,3\n"),
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
