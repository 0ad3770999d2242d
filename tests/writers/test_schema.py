"""Parquet's schema from the annotations of the records: the same for every output of a task."""

from __future__ import annotations

import datetime
import decimal
import enum
import io
import pathlib
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Optional, TypedDict, TypeVar

import attrs
import msgspec
import numpy as np
import pandas
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pydantic
import pytest

from asflow.errors import RecordValueError
from asflow.writers import open_writer, read_records

T = TypeVar("T")
UTC = datetime.UTC
BERLIN = datetime.timezone(datetime.timedelta(hours=1))
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 6)
TEXT, STAMP = pa.string(), pa.timestamp("us")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Inner:
    x: float
    at: datetime.datetime | None = None
    tags: list[str] | None = None


class Loose(TypedDict):
    a: int
    b: NotRequired[float]
    more: NotRequired[dict[str, int]]


class InnerModel(pydantic.BaseModel):
    x: float = 1.5


class Struct(msgspec.Struct, tag="s", rename="camel"):
    long_name: int | None = None


class Rowlike(msgspec.Struct, array_like=True):
    a: int
    b: float


class Plain(NamedTuple):
    a: int
    b: int


def parquet(*records: object, record_type: object = None) -> bytes:
    stored = io.BytesIO()
    writer = open_writer("x.parquet", stored, task="get", record_type=record_type)
    for record in records:
        writer.write(record)
    writer.commit()
    return stored.getvalue()


def types(*records: object, record_type: object = None) -> dict[str, Any]:
    """The type of each column of an output with these records."""
    schema = pq.read_schema(io.BytesIO(parquet(*records, record_type=record_type)))
    return dict(zip(schema.names, schema.types, strict=True))


def list_of(kind: Any) -> Any:
    return pa.list_(pa.field("element", kind))


INNER = pa.struct([("x", pa.float64()), ("at", pa.timestamp("us", "UTC")), ("tags", list_of(TEXT))])

KINDS: list[tuple[Any, object, Any]] = [
    (int, 5, pa.int64()),
    (int | None, 5, pa.int64()),
    (float, 5, pa.float64()),
    (int | float, 5, pa.float64()),
    (str, "x", TEXT),
    (bool, True, pa.bool_()),
    (bytes, b"x", pa.binary()),
    (datetime.datetime, NOW.replace(tzinfo=UTC), pa.timestamp("us", "UTC")),
    (Annotated[datetime.datetime, msgspec.Meta(tz=True)], NOW.replace(tzinfo=UTC), pa.timestamp("us", "UTC")),
    (Optional[Annotated[datetime.datetime, msgspec.Meta(tz=False)]], NOW, STAMP),  # noqa: UP045 - pyright
    (datetime.date, NOW.date(), pa.date32()),
    (datetime.time, NOW.time(), pa.time64("us")),
    (datetime.timedelta, datetime.timedelta(1, 2, 3), pa.duration("us")),
    (decimal.Decimal, decimal.Decimal("1.10"), pa.decimal128(38, 18)),
    (uuid.UUID, uuid.UUID(int=5), TEXT),
    (Colour, Colour.RED, TEXT),
    (Level | None, Level.LOW, pa.int64()),
    (Literal["a", "b"], "a", TEXT),
    (Literal[1, None], 1, pa.int64()),
    (pathlib.PurePosixPath, pathlib.PurePosixPath("a"), TEXT),
    (list[int], [1, 2], list_of(pa.int64())),
    (list[float], [1, 2], list_of(pa.float64())),
    (tuple[str, ...], ("a",), list_of(TEXT)),
    (set[str], {"a"}, list_of(TEXT)),
    (tuple[int, float], (1, 2.5), list_of(pa.float64())),
    (list[list[int | None]], [[1, None], []], list_of(list_of(pa.int64()))),
    (Inner, Inner(1, NOW.replace(tzinfo=UTC), ["a"]), INNER),
    (list[Inner] | None, [Inner(1)], list_of(INNER)),
    (Struct, Struct(5), pa.struct([("type", TEXT), ("longName", pa.int64())])),
    (InnerModel | None, InnerModel(x=1), pa.struct([("x", pa.float64())])),
    (Rowlike, Rowlike(1, 2.5), list_of(pa.float64())),
    (Plain, Plain(1, 2), list_of(pa.int64())),
    (np.float32, np.float32(0.5), pa.float64()),
    (np.int16, np.int16(5), pa.int64()),
    (pandas.Timestamp, pandas.Timestamp(NOW, tz="UTC"), pa.timestamp("us", "UTC")),
]


@pytest.mark.parametrize(("kind", "value", "expected"), KINDS, ids=lambda x: str(x)[:40])
def test_a_column_has_the_type_of_its_annotation_whatever_the_values_are(
    kind: Any, value: object, expected: Any
) -> None:
    @dataclass
    class Row:
        id: int
        value: Any

    Row.__annotations__.update(id=int, value=kind)
    struct = msgspec.defstruct("Struct", [("id", int), ("value", kind)])
    made = attrs.make_class("Made", {"id": attrs.field(type=int), "value": attrs.field(type=kind)})
    tuple_: Any = NamedTuple("tuple_", [("id", int), ("value", kind)])
    for make in (Row, struct, made, tuple_):
        for values in ([value], [None], [None, value], [None] * 1500 + [value]):
            found = types(*(make(number, each) for number, each in enumerate(values)))
            assert found == {"id": pa.int64(), "value": expected}, make
        assert types(record_type=make) == types(make(1, value))
    typed_dict: Any = TypedDict
    typed: Any = typed_dict("typed", {"id": int, "value": kind})
    for records in ([], [{"id": 1, "value": value}], [{"value": None, "id": 2}], [{"id": 1}]):
        assert list(types(*records, record_type=typed).items()) == [("id", pa.int64()), ("value", expected)]


MODELS: list[tuple[Any, object, Any]] = [
    (int, 5, pa.int64()),
    (float | None, 5, pa.float64()),
    (pydantic.AwareDatetime, NOW.replace(tzinfo=UTC), pa.timestamp("us", "UTC")),
    (pydantic.NaiveDatetime | None, NOW, STAMP),
    (pydantic.PastDate, NOW.date().replace(year=2020), pa.date32()),
    (pydantic.HttpUrl, "https://example.org", TEXT),
    (pydantic.PositiveInt, 5, pa.int64()),
    (list[InnerModel], [InnerModel(x=1)], list_of(pa.struct([("x", pa.float64())]))),
    (Inner | None, Inner(1), INNER),
    (dict[str, int], {"a": 1}, pa.struct([("a", pa.int64())])),
    (Colour, Colour.RED, TEXT),
]


@pytest.mark.parametrize(("kind", "value", "expected"), MODELS, ids=lambda x: str(x)[:40])
def test_so_has_that_of_a_pydantic_model(kind: Any, value: object, expected: Any) -> None:
    create: Any = pydantic.create_model
    make = create("Row", id=int, value=(kind | None, None))
    assert types(make(id=1, value=value)) == {"id": pa.int64(), "value": expected}
    assert types(make(id=1, value=value), record_type=make) == {"id": pa.int64(), "value": expected}
    if not pa.types.is_struct(expected) or "x" in [field.name for field in expected]:
        assert types(make(id=1)) == types(record_type=make) == {"id": pa.int64(), "value": expected}


def test_zones_are_utc_and_follow_the_values_where_the_annotation_says_none() -> None:
    @dataclass
    class Row:
        at: datetime.datetime | None
        inner: list[Inner]

    Row.__annotations__.update(at=datetime.datetime | None, inner=list[Inner])
    aware, naive = NOW.replace(tzinfo=BERLIN), NOW
    assert types(Row(aware, [Inner(1, aware)])) == types(Row(None, [])) == types(record_type=Row)
    assert types(Row(aware, []))["at"] == pa.timestamp("us", "UTC")
    assert types(Row(naive, []))["at"] == STAMP
    assert types(Row(None, [Inner(1), Inner(2, naive)]))["inner"].value_type.field("at").type == STAMP
    zones = [aware, NOW.replace(tzinfo=UTC), None, NOW.replace(tzinfo=BERLIN)]
    rows = [Row(each, [Inner(1, each)]) for each in zones] * 400
    assert list(read_records("x.parquet", io.BytesIO(parquet(*rows)), Row)) == rows
    with pytest.raises(RecordValueError, match="with and without a zone"):
        parquet(Row(aware, []), Row(naive, []))
    with pytest.raises(RecordValueError, match=r"column 'at', timestamp\[us, tz=UTC\] by its annotation"):
        parquet(*[Row(aware, [])] * 1024, Row(naive, []))


class Tree(TypedDict):
    name: str
    children: list[Tree]


@dataclass
class Reading:
    id: int
    note: str | None
    degrees: float
    price: decimal.Decimal | None = None


@pytest.mark.parametrize(
    ("record", "match"),
    [
        (Reading(1.5, None, 1), r"column 'id', int64 by its annotation: .*; write values of the annotated"),  # type: ignore[arg-type]
        (Reading(2**63, None, 1), "column 'id', int64 by its annotation: .*too large"),
        (Reading(1, 5, 1), "column 'note', string by its annotation"),  # type: ignore[arg-type]
        (Reading(1, None, "x"), "column 'degrees', double by its annotation"),  # type: ignore[arg-type]
        (Reading(1, None, 1, decimal.Decimal("1e-19")), r"column 'price', decimal128\(38, 18\) by its"),
        (Reading(1, None, 1, decimal.Decimal("1e21")), r"column 'price', decimal128\(38, 18\) by its"),
    ],
)
def test_a_value_of_another_type_is_refused(record: object, match: str) -> None:
    for records in ([record], [Reading(1, "x", 1.5), record], [Reading(1, "x", 1.5)] * 1024 + [record]):
        with pytest.raises(RecordValueError, match=rf"^task get\(\): the record {{.*{match}"):
            parquet(*records)


def test_whole_numbers_are_numbers_and_decimals_of_any_scale_one_type() -> None:
    prices = [decimal.Decimal("1.10"), decimal.Decimal(5), decimal.Decimal("0.123456789012345678")]
    rows = [Reading(number, None, number, price) for number, price in enumerate(prices)]
    data = parquet(*rows)
    assert list(read_records("x.parquet", io.BytesIO(data), Reading)) == rows
    assert pq.read_table(io.BytesIO(data)).column("degrees").to_pylist() == [0.0, 1.0, 2.0]


def test_records_of_two_classes_or_none_are_inferred_as_ever() -> None:
    @dataclass
    class Wider(Reading):
        more: int = 1

    both = types(Reading(1, None, 1), Wider(2, None, 2))
    assert both == {"id": pa.int64(), "note": pa.null(), "degrees": pa.int64(), "price": pa.null()} | {
        "more": pa.int64()
    }
    assert types({"id": 1, "note": None}) == {"id": pa.int64(), "note": pa.null()}
    # A later class must fit what the first 1,024 records have made.
    assert types(*[Reading(1, None, 1)] * 1024, {"id": 2, "degrees": 1}) == types(Reading(1, None, 1))


def test_what_an_annotation_leaves_open_is_inferred() -> None:
    @dataclass
    class Row(Generic[T]):
        anything: Any
        mapping: dict[str, int]
        either: int | str
        generic: T

    Row.__annotations__.update(anything=Any, mapping=dict[str, int], either=int | str, generic=T)
    found = types(Row([1], {"a": 1}, "x", 0.5))
    assert found == {
        "anything": list_of(pa.int64()),
        "mapping": pa.struct([("a", pa.int64())]),
        "either": TEXT,
        "generic": pa.float64(),
    }
    assert set(types(record_type=Row).values()) == {pa.null()}
    assert types(record_type=Row[int])["generic"] == pa.int64()
    assert types(record_type=dict[str, int]) == {}
    assert types({"a": 1}, record_type=dict[str, int]) == {"a": pa.int64()}
    assert types({"a": 1}, record_type=Any) == {"a": pa.int64()}


def test_a_type_that_holds_itself_is_left_open() -> None:
    leaf = {"name": "b", "children": []}
    with_children = types({"name": "a", "children": [leaf]}, record_type=Tree)
    assert with_children["name"] == TEXT
    assert pa.types.is_struct(with_children["children"].value_type)


def test_columns_that_the_type_does_not_know_are_added_by_the_first_records() -> None:
    found = types({"a": 1, "extra": "x"}, {"a": 2, "b": 1}, record_type=Loose)
    assert list(found)[:2] == ["a", "b"]
    assert found["extra"] == TEXT
    assert found["b"] == pa.float64()
    with pytest.raises(RecordValueError, match="has a column 'extra' that the first records lack"):
        parquet(*[{"a": 1}] * 1024, {"a": 1, "extra": 1}, record_type=Loose)


def test_a_record_without_any_column_is_a_row_if_the_type_declares_some() -> None:
    class Open(TypedDict, total=False):
        a: int

    Open.__annotations__["a"] = int
    data = parquet({}, {"a": 1}, record_type=Open)
    assert list(read_records("x.parquet", io.BytesIO(data), Open)) == [{}, {"a": 1}]


class Holder(TypedDict):
    one: NotRequired[Loose]
    many: list[Loose]
    by_name: dict[str, Loose]


def test_what_is_left_out_inside_a_record_comes_back_so() -> None:
    records: list[Any] = [
        {"one": {"a": 1}, "many": [{"a": 1, "b": 0.5}, {"a": 2}], "by_name": {"x": {"a": 1}}},
        {
            "many": [{"a": 3, "more": {"k": 1}}, {"a": 4, "more": {"l": 2}}],
            "by_name": {"y": {"a": 1, "b": 2}},
        },
    ]
    for data in (parquet(*records), parquet(*records, record_type=Holder)):
        assert list(read_records("x.parquet", io.BytesIO(data), Holder)) == records

    class Model(pydantic.BaseModel):
        parts: list[InnerModel] = []
        inner: InnerModel = InnerModel()

    data = parquet({"parts": [{"x": 1.0}, {}], "inner": {}}, {"parts": [], "inner": {"x": 2.0}})
    assert list(read_records("x.parquet", io.BytesIO(data), Model)) == [
        Model(parts=[InnerModel(x=1), InnerModel()]),
        Model(inner=InnerModel(x=2)),
    ]


def test_keys_that_are_no_texts_come_back() -> None:
    @dataclass
    class Row:
        by_number: dict[int, str]

    Row.__annotations__["by_number"] = dict[int, str]
    rows = [Row({1: "a"}), Row({2: "b"})]
    assert list(read_records("x.parquet", io.BytesIO(parquet(*rows)), Row)) == rows


def test_a_series_is_a_row_and_a_frame_a_table() -> None:
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    rows = [row for _, row in frame.iterrows()]
    assert pq.read_table(io.BytesIO(parquet(*rows))).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert types(frame)["a"] == pa.int64()


def test_a_list_of_records_is_refused_with_what_to_call() -> None:
    with pytest.raises(TypeError, match=r"pass it to flow\.task\.write_all"):
        parquet([Reading(1, None, 1)])
