"""What `save=` keeps, in both directions: each type in each format, compressed and not."""

from __future__ import annotations

import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import pickle
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NoReturn,
    NotRequired,
    TypedDict,
    TypeVar,
    cast,
)

import attrs
import hypothesis.strategies as st
import msgspec
import numpy as np
import pandas
import polars
import pyarrow  # type: ignore[import-untyped]
import pydantic
import pytest
from hypothesis import given, settings
from support.drawing import examples

from asflow._executors.messages import dump
from asflow.errors import CorruptOutputError, DefinitionTypeError, RecordTypeError, RecordValueError
from asflow.writers import open_writer
from asflow.writers._kept import IN_FILE, Kept

T = TypeVar("T")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int
    note: str | None = None


@dataclass
class Deep:
    id: uuid.UUID
    at: datetime.datetime
    day: datetime.date
    clock: datetime.time
    took: datetime.timedelta
    price: decimal.Decimal
    colour: Colour
    level: Level
    path: pathlib.PurePosixPath
    data: bytes
    points: list[Point]
    first: Point | None
    tags: set[str]
    pair: tuple[int, str]
    kind: Literal["a", "b"]
    ratio: float
    ok: bool


class Typed(TypedDict):
    a: int
    b: str | None
    c: NotRequired[float]


class Pair(NamedTuple):
    a: int
    b: str
    c: float = 1.5


class Struct(msgspec.Struct, rename="camel"):
    long_name: int
    inner: Point | None = None


class Tagged(msgspec.Struct, tag="t"):
    x: int


class Other(msgspec.Struct, tag="o"):
    x: str


class Rowlike(msgspec.Struct, array_like=True):
    x: int
    y: str


class Model(pydantic.BaseModel):
    day: datetime.date
    parts: list[Point] = []
    alias: int = pydantic.Field(1, alias="the-alias")


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    day: datetime.date
    url: pydantic.HttpUrl | None = None


class Root(pydantic.RootModel[list[int]]):
    pass


@attrs.define
class Attrs:
    x: int
    _hidden: str = "h"


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: str | None = None


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list["Tree"])


@attrs.define
class Around:
    inner: Attrs


@dataclass
class Drawn:
    number: int
    text: str
    maybe: str | None
    ratio: float
    share: float | None
    flag: bool | None
    tags: list[str]
    inner: Typed | None
    by_name: dict[str, int]


class Client:
    """Not data."""


Html = NewType("Html", str)

DEEP = Deep(
    id=uuid.UUID(int=5),
    at=NOW,
    day=NOW.date(),
    clock=datetime.time(3, 4, 5),
    took=datetime.timedelta(hours=1, microseconds=5),
    price=decimal.Decimal("1.10"),
    colour=Colour.RED,
    level=Level.LOW,
    path=pathlib.PurePosixPath("a/b"),
    data=b"\x00\xff",
    points=[Point(1), Point(2, "x")],
    first=Point(3),
    tags={"x", "y"},
    pair=(1, "b"),
    kind="a",
    ratio=0.5,
    ok=True,
)
MODEL = Model.model_validate({"day": "2026-01-02", "parts": [{"x": 1}], "the-alias": 5})
STRICT = Strict(day=NOW.date(), url=pydantic.HttpUrl("https://example.org/x"))
COMPRESSIONS = ["", ".gz", ".zst"]


class Case:
    """One output in memory."""

    def __init__(self, suffix: str, annotation: object, task: str = "get") -> None:
        self.kept = Kept(task, suffix, annotation)
        self.name = f"x{suffix}"
        self.data = b""

    def keep(self, value: object) -> object:
        """Keep a value as the runtime does, and return what it would give: from memory, or from the file."""
        stored = io.BytesIO()
        kept = self.kept
        writer = open_writer(kept.suffix, stored, task=kept.task, record_type=kept.record_type)
        try:
            if kept.shape == "stream":
                for record in value:  # type: ignore[attr-defined]
                    writer.write(kept.record(record))
                same: object = IN_FILE
            else:
                same = kept.keep(value, writer.write)
            writer.commit()
        except BaseException:
            writer.abort()
            raise
        self.data = stored.getvalue()
        return self.read() if same is IN_FILE else same

    def read(self) -> object:
        raw = io.BytesIO(self.data)
        if self.kept.shape == "stream":
            return list(self.kept.records(self.name, raw))
        value = self.kept.read(self.name, raw)
        assert raw.closed
        return value


def same(one: object, two: object) -> bool:
    if isinstance(one, (polars.DataFrame, pandas.DataFrame)):
        frame: Any = one
        return bool(frame.equals(two))
    return one == two and type(one) is type(two)


DOCUMENTS: list[tuple[object, object]] = [
    (Point, Point(1)),
    (Point, Point(1, "x")),
    (Deep, DEEP),
    (Typed, {"a": 1, "b": None}),
    (Typed, {"a": 1, "b": "", "c": 0.5}),
    (Pair, Pair(1, "x")),
    (Struct, Struct(5, Point(1))),
    (Tagged | Other, Other("x")),
    (list[Tagged | Other], [Other("x"), Tagged(5)]),
    (Rowlike, Rowlike(1, "y")),
    (Model, MODEL),
    (Strict, STRICT),
    (list[Model], [MODEL]),
    (dict[str, Strict | None], {"a": STRICT, "b": None}),
    (Model | Strict, MODEL),
    (list[Model | Strict], [STRICT, MODEL]),
    (Root, Root([1, 2])),
    (Attrs, Attrs(1, "z")),
    (list[Attrs], [Attrs(1, "z"), Attrs(2)]),
    (tuple[Attrs, ...] | None, (Attrs(1, "z"),)),
    (Page[Point], Page([Point(1)], "next")),
    (Page[Any], Page([1, "x", None])),
    (Tree, Tree("a", [Tree("b", [Tree("c")])])),
    (dict[str, int], {"a": 1}),
    (dict[str, Any], {"a": [1, None, {"b": 0.5}], "é": "ü"}),
    (dict[str, object], {"a": [1, None, {"b": 0.5}]}),
    (dict[int, str], {1: "a"}),
    (dict[datetime.date, float], {NOW.date(): 0.5}),
    (dict, {"a": 1}),
    (list, [1, "x"]),
    (list[int], []),
    (list[Point], [Point(1), Point(2)]),
    (tuple[int, str], (1, "x")),
    (tuple[int, ...], (1, 2)),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (Sequence[int], [1]),
    (Mapping[str, float], {"a": 0.5}),
    (int, 2**53 + 1),
    (float, 0.1),
    (bool, True),
    (datetime.datetime, NOW),
    (datetime.date, NOW.date()),
    (decimal.Decimal, decimal.Decimal("1.10")),
    (uuid.UUID, uuid.UUID(int=5)),
    (Colour, Colour.BLUE),
    (pathlib.Path, pathlib.Path("a")),
    (Literal["a", 1], "a"),
    (int | None, None),
    (int | None, 5),
    (Point | None, None),
    (Point | str | None, "x"),
    (int | str, 5),
    (Annotated[int, msgspec.Meta(ge=0)], 5),
    (str | None, '{"a": 1}'),
    (np.float64, np.float64(0.5)),
    (pandas.Timestamp, pandas.Timestamp(NOW)),
]
LINES: list[tuple[object, list[object]]] = [
    (Point, [Point(1), Point(2, "")]),
    (Deep, [DEEP]),
    (Typed, [{"a": 1, "b": None}, {"a": 1, "b": "", "c": 0.5}]),
    (Pair, [Pair(1, "x"), Pair(2, "", 2.5)]),
    (Struct, [Struct(5, Point(1)), Struct(6)]),
    (Tagged | Other, [Other("x"), Tagged(5)]),
    (Model, [MODEL]),
    (Model | Strict, [STRICT, MODEL]),
    (Attrs, [Attrs(1, "z"), Attrs(2)]),
    (dict[str, Any], [{"a": 1}, {"b": None}]),
    (dict[str, object], [{"a": [1]}]),
    (int | None, [1, None]),
    (str, ["a\nb", ""]),
    (bytes, [b"\xff"]),
    (list[Point], [[Point(1)], []]),
]
COLUMNS: list[tuple[object, list[object]]] = [
    (Point, [Point(1), Point(2, "x")]),
    (Deep, [DEEP]),
    (Typed, [{"a": 1, "b": None}, {"a": 1, "b": "x", "c": 0.5}]),
    (Pair, [Pair(1, "x"), Pair(2, "", 2.5)]),
    (Struct, [Struct(5, Point(1)), Struct(6)]),
    (Tagged, [Tagged(5)]),
    (Rowlike, [Rowlike(1, "y")]),
    (Model, [MODEL]),
    (Strict, [STRICT, Strict(day=NOW.date())]),
    (Attrs, [Attrs(1, "z"), Attrs(2)]),
    (Page[int], [Page([1, 2], "next"), Page([])]),
    (dict[str, int], [{"a": 1, "b": 2}]),
    (dict[str, str | None], [{"a": "x", "b": None}]),
    (dict[str, list[int]], [{"a": [1]}]),
    (Annotated[Point, "note"], [Point(1)]),
]


@pytest.mark.parametrize("end", COMPRESSIONS)
@pytest.mark.parametrize(("annotation", "value"), DOCUMENTS, ids=lambda x: str(x)[:40])
def test_a_document_comes_back(annotation: object, value: object, end: str) -> None:
    case = Case(".json" + end, annotation)
    assert same(case.keep(value), value)
    assert same(case.read(), value)


@pytest.mark.parametrize("end", [".jsonl", ".ndjson.gz", ".jsonl.zst"])
@pytest.mark.parametrize(("record", "values"), LINES, ids=lambda x: str(x)[:40])
def test_lists_and_streams_of_lines_come_back(record: Any, values: list[object], end: str) -> None:
    for annotation in (list[record], Iterator[record], AsyncIterator[record], Generator[record, None, None]):
        for records in (values, []):
            case = Case(end, annotation)
            assert same(case.keep(records), records)
            assert same(case.read(), records)


@pytest.mark.parametrize("end", [".csv", ".tsv", ".csv.gz", ".tsv.zst", ".parquet"])
@pytest.mark.parametrize(("record", "values"), COLUMNS, ids=lambda x: str(x)[:40])
def test_lists_and_streams_of_rows_come_back(record: Any, values: list[object], end: str) -> None:
    if end == ".parquet" and record is Deep:
        values = [replaced(DEEP)]
        record = Flat
    for annotation in (list[record], Iterator[record], AsyncIterator[record]):
        for records in (values, []):
            case = Case(end, annotation)
            assert same(case.keep(records), records)
            assert same(case.read(), records)


@dataclass
class Flat(Deep):
    """Without a tuple of two types, for which Arrow has no type."""

    pair: tuple[int, int]  # type: ignore[assignment]


def replaced(deep: Deep) -> Flat:
    values: dict[str, Any] = {name: getattr(deep, name) for name in Deep.__dataclass_fields__}
    make: Any = Flat
    return cast("Flat", make(**values | {"pair": (1, 2)}))


ANY_SUFFIX = [".txt", ".html", ".pdf", "", ".jsonl", ".csv", ".tsv", ".json"]


@pytest.mark.parametrize("end", COMPRESSIONS)
@pytest.mark.parametrize("suffix", ANY_SUFFIX)
def test_text_and_bytes_come_back_under_any_suffix(suffix: str, end: str) -> None:
    texts = ["", "é\n", "a\r\n\nb\n", '{"a":1}\n', "\ufeffx\n", '"', "5\n"]
    for text in texts:
        text += "\n" * (suffix == ".jsonl" and text == '"')
        case = Case(suffix + end, str)
        assert same(case.keep(text), text)
        assert same(case.read(), text)
        case = Case(suffix + end, bytes)
        assert same(case.keep(text.encode() + b"\n"), text.encode() + b"\n")
        assert same(case.read(), text.encode() + b"\n")


def test_a_text_in_lines_gets_its_last_line_feed() -> None:
    """As `write` adds it; the first call gives the same as all later ones."""
    assert Case(".jsonl", str).keep('{"a":1}') == '{"a":1}\n'


@pytest.mark.parametrize("kind", [str, bytes, Html, Annotated[str, "note"]])
def test_json_that_a_server_sent_is_kept_as_it_is(kind: Any) -> None:
    """Rather than as a text with JSON in it, which no other program would see."""
    for text in (' {"a": [1, 2]} \n', "[ 1 ]"):
        value = text.encode() if kind is bytes else text
        case = Case(".json", kind)
        assert same(case.keep(value), value)
        assert same(case.read(), value)
        assert case.data.decode() == text
    for other in ("plain", '{"a": ', '"quoted"', "5", "null", ""):
        value = other.encode() if kind is bytes else other
        case = Case(".json", kind)
        assert same(case.keep(value), value)
        assert same(case.read(), value)
        assert isinstance(json.loads(case.data), str)


FRAMES: list[tuple[type, Callable[[], Any]]] = [
    (polars.DataFrame, lambda: polars.DataFrame({"a": [1, None], "b": ["x", "é"], "t": [NOW, NOW]})),
    (polars.DataFrame, lambda: polars.DataFrame({"a": []}, schema={"a": polars.Int32})),
    (pandas.DataFrame, lambda: pandas.DataFrame({"a": [1, 2], "b": ["x", None]})),
    (pandas.DataFrame, lambda: pandas.DataFrame({"a": [0.5]}, index=pandas.Index(["x"], name="i"))),
    (pyarrow.Table, lambda: pyarrow.table({"a": [1, None], "b": [["x"], []]})),
]


@pytest.mark.parametrize(("kind", "make"), FRAMES)
def test_frames_come_back(kind: type, make: Callable[[], Any]) -> None:
    case = Case(".parquet", kind)
    assert case.kept.record_type is None
    frame = make()
    assert same(case.keep(frame), frame) or (kind is pyarrow.Table and case.read() == frame)
    assert isinstance(case.read(), kind)
    other = [{"a": 1}]
    with pytest.raises(RecordTypeError, match=r"^task get\(\): the value \[.* is not a (DataFrame|Table); "):
        case.keep(other)


def test_a_frame_comes_from_a_stream_that_cannot_seek() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *args: object) -> int:
            raise io.UnsupportedOperation

    case = Case(".parquet", pyarrow.Table)
    case.keep(pyarrow.table({"a": [1]}))
    assert case.kept.read(case.name, Pipe(case.data)) == pyarrow.table({"a": [1]})


# ---------------------------------------------------------------------------------- what would not come back


@pytest.mark.parametrize(
    ("suffix", "annotation", "value", "match"),
    [
        (".json", dict[str, float], {"a": math.nan}, r"Expected `float`, got `null` - at `\$\[...\]`"),
        (".json.zst", Point, Point("1"), r"come back as Point: Expected `int`, got `str` - at `\$.x`"),  # type: ignore[arg-type]
        (".json", Point, None, r"Expected `object`, got `null`"),
        (".json", list[int], ["x"], r"list\[int\]: Expected `int`, got `str` - at `\$\[0\]`"),
        (".json", Typed, {"a": 1}, "missing required field `b`"),
        (".json", Colour, "green", "Invalid enum value"),
        (".json", int | None, 0.5, r"int \| None: Expected `int \| null`, got `float`"),
        (".json", Model, {"parts": []}, r"Field required - at `\$.day`"),
        (".json", dict[str, Strict], {"a": {"day": 5}}, r"date.*, got `int` - at `\$.day` - at `\$\[...\]`"),
        (".json", str, 5, "it is not str"),
        (".json", bytes, "text", "it is not bytes"),
        (".jsonl", list[Point], [Point(1), Point(0.5)], r"the value <Point> .* got `float`"),  # type: ignore[arg-type]
        (".jsonl", Iterator[Point], [Point(1), None], r"got `null`"),
        (".jsonl", list[Point], (Point(1),), r"is not a list\[Point\]"),
        (".parquet", list[Point], [Point("1")], r"Expected `int`, got `str` - at `\$.x`"),  # type: ignore[arg-type]
        (".parquet", list[Typed], [{"a": 1}], "missing required field `b`"),
        (".csv", list[Point], [Point("1")], r"has '1' in 'x', which CSV would return as 1"),  # type: ignore[arg-type]
        (".csv.gz", list[Point], [Point(1, "")], r"has '' in 'note', which CSV would return as None"),
        (".tsv", Iterator[Typed], [{"a": 1, "b": ""}], r"has '' in 'b', which CSV would return as None"),
        (".csv", list[Pair], [Pair(1, "x", math.nan)], r"has None in 'c', which CSV would return as 1.5"),
        (".csv", list[dict[str, float]], [{"a": math.nan}], "would not come back"),
        (".csv", list[dict[str, int | str]], [{"a": 5}], r"has 5 in 'a', which CSV would return as '5'"),
        (".csv", list[list[str | None]], [[None]], r"would come back from CSV as \[''\]"),
        (".csv", list[dict[str, str]], [{"a": "x", "b": "y"}, {"a": "z"}], "lacks the column 'b'"),
        (".csv", list[dict[str, str]], [{"a": "x"}, {"a": "z", "b": "y"}], "has a key 'b'"),
        (".txt", str, b"x", "is not a str"),
        (".txt", bytes, "x", "is not a bytes"),
        (".txt", str, "\ud800", "surrogate"),
        (".json", dict[str, str], {"a": "\ud800"}, "surrogate"),
        (".json", dict[str, Any], {"a": object()}, "can't be encoded"),
    ],
)
def test_what_would_not_come_back_is_refused(
    suffix: str, annotation: object, value: object, match: str
) -> None:
    with pytest.raises((RecordTypeError, RecordValueError), match=match) as caught:
        Case(suffix, annotation).keep(value)
    text = str(caught.value)
    assert text.startswith("task get(): the ")
    assert text.count("; ") == 1
    assert not text.endswith(".")
    assert "\n" not in text


def test_a_number_that_is_none_stays_none_where_the_type_has_none() -> None:
    """NaN has no form in JSON and CSV: as documented, it is null there, and an empty cell here."""
    assert Case(".json", dict[str, float | None]).keep({"a": math.nan}) == {"a": None}
    assert Case(".csv", list[dict[str, float | None]]).keep([{"a": math.nan}]) == [{"a": None}]
    records: Any = Case(".parquet", list[dict[str, float]]).keep([{"a": math.nan}])
    assert math.isnan(records[0]["a"])


def test_a_value_is_what_the_file_holds_from_the_first_call_on() -> None:
    assert Case(".json", dict[str, Any]).keep({"at": NOW}) == {"at": NOW.isoformat().replace("+00:00", "Z")}
    assert same(Case(".json", float).keep(1), 1.0)


def test_rows_are_kept_as_rows() -> None:
    assert Case(".csv", list[list[str]]).keep([["a", ""], ["c"]]) == [["a", ""], ["c"]]
    assert Case(".csv", Iterator[tuple[int, str]]).keep([(1, "x")]) == [(1, "x")]


# ------------------------------------------------------------------------------------------- refusals

NOTHING = TypeVar("NOTHING")


@pytest.mark.parametrize(
    ("suffix", "annotation", "odd", "remedy"),
    [
        (".json", None, "None", "use on= for a body that writes its output and returns None"),
        (".txt", type(None), "None", "use on="),
        (".json", Any, "Any", "annotate the type that the body returns"),
        (".jsonl", object, "object", "annotate the type that the body returns"),
        (".json", NOTHING, "NOTHING", "annotate the type that the body returns"),
        (".json", list[NOTHING], "list[NOTHING]", "without type variables"),  # type: ignore[valid-type]
        (".json", NoReturn, "NoReturn", "annotate a type that msgspec decodes"),
        (".json", Client, "Client", "annotate a dataclass"),
        (".json", dict[str, Client | None], "Client (in dict[str, Client | None])", "annotate a dataclass"),
        (".json", Page[Client], "Client (in Page[Client])", "annotate a dataclass"),
        (".json", complex, "complex", "annotate a dataclass"),
        (".json", list[np.ndarray], "ndarray (in list[ndarray])", "annotate a dataclass"),
        (".json", pandas.DataFrame, "DataFrame", "annotate a dataclass"),
        (".json", Around, "Attrs (in Around)", "rename its fields that begin with an underscore"),
        (".json", Iterator[int], "Iterator[int]", "name the output .jsonl"),
        (".json.gz", AsyncIterator[Point], "AsyncIterator[Point]", "name the output .jsonl"),
        (".jsonl", Point, "Point", "return list[Record] or Iterator[Record], or name the output .json"),
        (".jsonl", dict[str, int], "dict[str, int]", "or name the output .json"),
        (".csv", tuple[Point, ...], "tuple[Point, ...]", "return list[Record]"),
        (".jsonl", list, "Any (in list)", "annotate the type that a record has"),
        (".jsonl", Iterator[Any], "Any (in Iterator[Any])", "annotate the type that a record has"),
        (".jsonl", Iterator, "Any (in Iterator)", "annotate the type that a record has"),
        (".jsonl", list[object], "object (in list[object])", "annotate the type that a record has"),
        (".parquet", str, "str", "return list[Record] or Iterator[Record], or a DataFrame or Table"),
        (".parquet", list[list[int]], "list[int] (in list[list[int]])", "or name it .jsonl"),
        (".parquet", list[Point | None], "Point | None (in list[Point | None])", "annotate one class"),
        (".parquet", Iterator[Tagged | Other], "Tagged | Other (in Iterator[Tagged | Other])", "one class"),
        (".parquet", Iterator[pathlib.Path], "Path (in Iterator[Path])", "annotate a dataclass"),
        (".parquet", list[Deep], "Deep (in list[Deep])", "annotate one type for 'pair', as a column has"),
        (".csv", list[int], "int (in list[int])", "annotate a dataclass"),
        (".csv", list[set[int]], "set[int] (in list[set[int]])", "annotate a dataclass"),
        (".csv", list[Root], "Root (in list[Root])", "annotate a dataclass"),
        (".csv", list[dict[str, Any]], "dict[str, Any] (in list[dict[str, Any]])", "CSV has only text"),
        (".csv", pandas.DataFrame, "DataFrame", "return list[Record]"),
        (".txt", list[str], "list[str]", "return str or bytes, or name the output .json"),
        (".pdf", Point, "Point", "return str or bytes, or name the output .json"),
        ("", int, "int", "return str or bytes, or name the output .json"),
    ],
)
def test_a_type_that_the_format_cannot_return_is_refused(
    suffix: str, annotation: object, odd: str, remedy: str
) -> None:
    with pytest.raises(DefinitionTypeError) as caught:
        Kept("get", suffix, annotation)
    text = str(caught.value)
    assert text.startswith(f"task get(): save= can't keep {odd} as {suffix or 'text'} and return it; ")
    assert remedy in text
    assert not text.endswith(".")
    assert text.count("; ") == 1


# --------------------------------------------------------------------------------- files that don't fit


@pytest.mark.parametrize(
    ("suffix", "old", "value", "new", "match"),
    [
        (".json", dict[str, str], {"x": "a"}, Point, r"Point: Expected `int`, got `str` - at `\$.x`"),
        (".json.zst", dict[str, int], {"y": 1}, Point, "Point: Object missing required field `x`"),
        (".json", list[int], [1], list[str], r"list\[str\]: Expected `str`, got `int` - at `\$\[0\]`"),
        (".json", int, 5, str, "str: Expected `str`, got `int`"),
        (".json", dict[str, str], {"day": "x"}, Model, r"Model: .*date.*, got `str` - at `\$.day`"),
        (".jsonl", list[Point], [Point(1), Point(2, "a")], list[Typed], "required field `a`, in record 1"),
        (
            ".jsonl.gz",
            list[dict[str, int | str]],
            [{"x": 1}, {"x": "b"}],
            Iterator[Point],
            r"Point: Expected `int`, got `str` - at `\$.x`, in record 2",
        ),
        (".csv", list[dict[str, str]], [{"x": "b"}], list[Point], r"got `str` - at `\$.x`, in record 1"),
        (".parquet", list[dict[str, str]], [{"x": "b"}], list[Point], r"got `str` - at `\$.x`, in record 1"),
    ],
)
def test_a_file_that_no_longer_fits_says_where_and_what_to_do(
    suffix: str, old: object, value: object, new: object, match: str
) -> None:
    before, now = Case(suffix, old), Case(suffix, new)
    before.keep(value)
    now.data = before.data
    with pytest.raises(CorruptOutputError, match=match) as caught:
        now.read()
    text = str(caught.value)
    assert text.startswith(f"task get(): output 'x{suffix}' does not fit ")
    assert text.endswith(
        "; change the annotation, pass refresh=datetime(...) to make older outputs again, or delete it"
    )
    assert "\n" not in text


@pytest.mark.parametrize(
    ("suffix", "annotation", "data"),
    [
        (".json", Point, b""),
        (".json", Point, b'{"x":'),
        (".json.gz", Point, b"\x1f\x8b\x08"),
        (".jsonl.zst", list[Point], b""),
        (".jsonl", list[Point], b'{"x":1}\n{"x"'),
        (".parquet", list[Point], b"PAR1"),
        (".parquet", pandas.DataFrame, b""),
        (".txt", str, b"\xff"),
        (".pdf.zst", bytes, b"x"),
    ],
)
def test_a_cut_file_is_corrupt(suffix: str, annotation: object, data: bytes) -> None:
    case = Case(suffix, annotation)
    case.data = data
    with pytest.raises(CorruptOutputError, match=f"output 'x{suffix}'"):
        case.read()


def test_a_byte_order_mark_is_passed_over() -> None:
    for suffix, annotation, data in (
        (".json", Point, b'{"x":1}'),
        (".json", str, b'{"x":1}'),
        (".jsonl", list[Point], b'{"x":1}\r\n{"x":2}'),
        (".csv", list[Point], b"x,note\r\n1,\r\n"),
    ):
        plain, marked = Case(suffix, annotation), Case(suffix, annotation)
        plain.data, marked.data = data, b"\xef\xbb\xbf" + data
        assert marked.read() == plain.read()


# ------------------------------------------------------------------------------------------- the object


@pytest.mark.parametrize(
    ("suffix", "annotation", "value"),
    [
        (".json", dict[str, Point | None], {"a": Point(1)}),
        (".jsonl.zst", list[Typed], [{"a": 1, "b": None}]),
        (".csv", Iterator[Pair], [Pair(1, "x")]),
        (".parquet", list[Point], [Point(1)]),
        (".parquet", pandas.DataFrame, pandas.DataFrame({"a": [1]})),
        (".json", Literal["a", "b"], "a"),
        (".json", Annotated[int, msgspec.Meta(ge=0)], 5),
    ],
)
def test_it_can_be_pickled_before_and_after_use(suffix: str, annotation: object, value: object) -> None:
    case = Case(suffix, annotation)
    for _ in range(2):
        case.kept = pickle.loads(pickle.dumps(case.kept))
        assert same(case.keep(value), value)
        assert same(case.read(), value)


def test_a_local_class_can_be_sent_by_cloudpickle() -> None:
    @dataclass
    class Local:
        x: int

    kept = Kept("get", ".jsonl", list[Local])
    sent: Kept = pickle.loads(dump(kept, by_value=True))
    assert (sent.task, sent.suffix, sent.shape, sent.kind.__name__) == ("get", ".jsonl", "list", "Local")
    case = Case(".jsonl", list[Local])
    case.kept = sent
    records: Any = case.keep([sent.kind(5)])
    assert records[0].x == 5


def test_threads_may_share_one() -> None:
    from concurrent.futures import ThreadPoolExecutor

    case = Case(".json", Point)

    def both(number: int) -> object:
        written: list[object] = []
        kept = case.kept.keep(Point(number), written.append)
        [data] = written
        assert isinstance(data, bytes)
        return kept, case.kept.read("x.json", io.BytesIO(data))

    with ThreadPoolExecutor(8) as pool:
        for number, pair in enumerate(pool.map(both, range(200))):
            assert pair == (Point(number), Point(number))


@pytest.mark.parametrize("place", [0, 255, 256, 300])
def test_a_record_among_many_is_named(place: int) -> None:
    points: list[object] = [Point(number) for number in range(600)]
    case = Case(".jsonl.gz", list[Point])
    assert case.keep(points) == points
    assert case.read() == points
    points[place] = Pair(5, "x")
    with pytest.raises(RecordValueError, match=r"the value <Pair> of type .* would not come back as Point"):
        case.keep(points)


LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ["", "1", "null", "\ufeff"]
)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TYPED = st.fixed_dictionaries({"a": NUMBERS, "b": st.none() | LETTERS}, optional={"c": st.floats(-1e9, 1e9)})
DRAWN = st.builds(
    Drawn,
    number=NUMBERS,
    text=LETTERS,
    maybe=st.none() | LETTERS,
    ratio=st.floats(),
    share=st.none() | st.floats(),
    flag=st.none() | st.booleans(),
    tags=st.lists(LETTERS, max_size=2),
    inner=st.none() | TYPED,
    by_name=st.dictionaries(st.sampled_from(["x", "y"]), NUMBERS, min_size=1),
)


@settings(max_examples=examples(150), deadline=None)
@given(
    values=st.lists(DRAWN, max_size=4),
    suffix=st.sampled_from([".json", ".jsonl.zst", ".csv", ".tsv.gz", ".parquet"]),
)
def test_all_that_is_kept_comes_back_and_the_rest_is_refused(values: list[Drawn], suffix: str) -> None:
    """But for NaN and the infinities where they may be None: JSON has no form for them, CSV none for NaN."""

    def plain(rows: object) -> object:
        return json.loads(msgspec.json.encode(rows))

    case = Case(suffix, list[Drawn])
    try:
        kept: Any = case.keep(values)
    except RecordValueError:
        is_text = suffix != ".parquet"
        assert is_text
        assert any(not math.isfinite(row.ratio) or (row.maybe == "" and suffix[1] in "ct") for row in values)
        return
    assert plain(kept) == plain(values)
    assert plain(case.read()) == plain(values)
