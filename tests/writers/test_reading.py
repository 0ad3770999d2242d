"""Records come back as the types that users name; a damaged output is refused."""

import datetime
import decimal
import enum
import gc
import io
import pathlib
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, assert_type

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from asflow.errors import CorruptOutputError
from asflow.writers import RecordReader, open_reader, open_writer, read_records, read_text


class Colour(enum.Enum):
    RED = "red"


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    at: datetime.datetime
    tags: list[str] = []


@dataclass
class Everything:
    when: datetime.datetime
    day: datetime.date
    uid: uuid.UUID
    amount: decimal.Decimal
    colour: Colour
    path: pathlib.PurePosixPath
    model: Model
    data: bytes
    span: datetime.timedelta
    tags: set[str] = field(default_factory=set)


class Snippet(TypedDict):
    text: str
    start: float


class Pair(NamedTuple):
    a: int
    b: str


@attrs.define
class Attrs:
    a: int


class Struct(msgspec.Struct, tag=True):
    a: int


PYDANTIC = tuple(map(int, pydantic.VERSION.split(".")[:2]))
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
EVERYTHING = Everything(
    NOW,
    NOW.date(),
    uuid.UUID(int=7),
    decimal.Decimal("1.10"),
    Colour.RED,
    pathlib.PurePosixPath("a/b"),
    Model(at=NOW),
    b"\xff",
    datetime.timedelta(seconds=1.5),
    {"a"},
)


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson.gz", "x.jsonl.zst"])
@pytest.mark.parametrize(
    ("record_type", "record"),
    [
        (Everything, EVERYTHING),
        (Snippet, {"text": "é", "start": 1.0}),
        (Pair, Pair(1, "b")),
        (Attrs, Attrs(1)),
        (Struct, Struct(1)),
        (Model, Model(at=NOW, tags=["x"])),
        (dict[str, int], {"a": 1}),
        (object, {"a": [1]}),
        (Any, 5),
    ],
)
def test_records_come_back_as_their_type(
    back: Callable[..., list[object]], name: str, record_type: type, record: object
) -> None:
    assert back(name, record_type, record, record) == [record, record]


@pytest.mark.parametrize("record_type", [Model, Everything])
def test_a_json_list_comes_back_as_its_items(back: Callable[..., list[object]], record_type: type) -> None:
    record = EVERYTHING if record_type is Everything else Model(at=NOW)
    assert back("x.json.zst", record_type, [record] * 3) == [record] * 3


@pytest.mark.parametrize(
    ("name", "raw", "record_type", "match"),
    [
        ("x.jsonl", '{"a":1}\n{"a":"no"}\n', Attrs, r"record 2: .*int"),
        ("x.jsonl", '{"a":1}\n\n{"a"\n', Attrs, "record 2"),
        ("x.jsonl", b"\xff\n", str, "record 1"),
        ("x.jsonl", '{"text":"a"}', Snippet, "start"),
        ("x.jsonl", '{"at":"never"}', Model, "record 1"),
        ("x.json", '[{"a":1},{"b":1}]', Attrs, "record 2"),
        ("x.json", '[{"a":1}', Attrs, "not a JSON document"),
        ("x.txt", b"a\n\xff", str, "record 2"),
    ],
)
def test_what_does_not_decode_names_output_and_record(
    back: Callable[..., list[object]], name: str, raw: object, record_type: type, match: str
) -> None:
    with pytest.raises(CorruptOutputError, match=match) as caught:
        back(name, record_type, raw)
    assert f"'{name}'" in str(caught.value)
    assert caught.value.__cause__ is not None


class Inside(pydantic.BaseModel):
    long_name: int = pydantic.Field(alias="longName")


class Aliased(pydantic.BaseModel):
    first: int = pydantic.Field(alias="1st")
    second: int | None = pydantic.Field(None, validation_alias="2nd")
    inside: Inside


@dataclass
class Around:
    inside: Inside


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    number: int
    day: datetime.date
    colour: Colour
    tags: set[str]


@pytest.mark.skipif(PYDANTIC < (2, 11), reason="this pydantic takes aliases only")
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.parquet"])
def test_fields_with_an_alias_come_back(back: Callable[..., list[object]], name: str) -> None:
    inside = {"longName": 1}
    records = [
        Aliased.model_validate({"1st": 1, "2nd": 2, "inside": inside}),
        Aliased.model_validate({"1st": 1, "inside": inside}),
    ]
    for record in records:
        assert back(name, Aliased, record) == [record]
    around = Around(Inside.model_validate(inside))
    assert back(name, Around, around) == [around]
    assert back(name, Inside, inside) == [around.inside]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.parquet"])
def test_strict_models_come_back(back: Callable[..., list[object]], name: str) -> None:
    record = Strict(number=1, day=NOW.date(), colour=Colour.RED, tags={"a"})
    assert back(name, Strict, record) == [record]


def test_good_records_before_a_bad_one_are_yielded() -> None:
    records = read_records("x.jsonl", io.BytesIO(b"1\n2\nx\n4\n"), int)
    assert [next(records), next(records)] == [1, 2]
    with pytest.raises(CorruptOutputError, match="record 3"):
        next(records)


def test_lines_longer_than_a_chunk_come_back_whole(back: Callable[..., list[object]]) -> None:
    texts = ["x" * size for size in (0, 1, 65_533, 65_534, 65_535, 65_536, 200_000, 5)]
    assert back("x.jsonl", dict[str, str], *({"t": text} for text in texts)) == [
        {"t": text} for text in texts
    ]


def test_the_last_line_may_lack_its_line_feed() -> None:
    assert list(read_records("x.jsonl", io.BytesIO(b'{"a":1}\r\n \n{"a":2}'), Attrs)) == [Attrs(1), Attrs(2)]


def test_suffixes_may_be_given_apart_from_the_name(written: Callable[..., bytes]) -> None:
    """An argument's value with a dot in it does not change how its output is read."""
    data = written(".jsonl.zst", {"a": 1})
    assert list(read_records("v1.csv", io.BytesIO(data), Attrs, suffix=".jsonl.zst")) == [Attrs(1)]
    assert read_text("v1", io.BytesIO(data), suffix=".zst") == '{"a":1}\n'


def test_the_output_is_closed_however_reading_ends() -> None:
    data = b"1\n2\n"
    for read in (list, lambda records: next(records) and records.close(), lambda records: None):
        raw = io.BytesIO(data)
        records = read_records("x.jsonl", raw, int)
        read(records)
        del records
        gc.collect()
        assert raw.closed
    raw = io.BytesIO(data)
    with read_records("x.jsonl", raw, int) as records:
        assert next(records) == 1
    assert raw.closed
    raw = io.BytesIO(b"x")
    with pytest.raises(TypeError):
        read_records("x.txt", raw, int)
    assert raw.closed
    raw = io.BytesIO(b"")
    with pytest.raises(CorruptOutputError):
        read_text("x.zst", raw)
    assert raw.closed


def test_a_file_left_unread_warns_of_nothing(tmp_path: pathlib.Path, written: Callable[..., bytes]) -> None:
    for name in ("x.jsonl.zst", "x.csv.gz", "x.jsonl", "x.txt"):
        (tmp_path / name).write_bytes(written(name, "a\n1\n"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_records(name, (tmp_path / name).open("rb"), str if name == "x.txt" else dict[str, str])
            open_reader(name, (tmp_path / name).open("rb")).close()
            gc.collect()


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(CorruptOutputError, match=r"'x\.txt': not UTF-8"):
        read_text("x.txt", io.BytesIO(b"\xff"))


@dataclass
class Lefts:
    inner: list["Left"]


Alias = TypeAliasType("Alias", list[int])
Alias2 = TypeAliasType("Alias2", Attrs)
ISO = NOW.isoformat().replace("+00:00", "Z")


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Left(pydantic.BaseModel):
    left: int


class Right(pydantic.BaseModel):
    right: str


@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x.ndjson.zst"])
@pytest.mark.parametrize(
    ("form", "records", "bad"),
    [
        (int | None, [1, None], "x"),
        (int | str, [1, "x"], 0.5),
        (Literal["a", 2], ["a", 2], "b"),
        (Annotated[int, msgspec.Meta(ge=0)], [0, 5], -1),
        (Attrs | None, [Attrs(1), None], {}),
        (Dog | Cat, [Dog("x"), Cat(9)], {"type": "cow"}),
        (Left | Right, [Left(left=1), Right(right="x")], {"up": 1}),
        (Left | None, [Left(left=1), None], {}),
        (Annotated[Left, "note"], [Left(left=1)], {}),
        (list[Left | Right], [[Left(left=1), Right(right="x")], []], [{}]),
        (dict[str, int | None], [{"a": None}], {"a": "x"}),
        (Alias, [[1]], ["x"]),
    ],
)
def test_any_form_of_a_type_is_read(
    written: Callable[..., bytes], name: str, form: Any, records: list[object], bad: object
) -> None:
    """Raw lines, so that the writer's rule on lists of records is not in the way."""

    def read(values: list[object]) -> list[object]:
        lines = [msgspec.json.encode(value, enc_hook=lambda x: x.model_dump()).decode() for value in values]
        raw = ["[" + ",".join(lines) + "]"] if ".json." in name else [line + "\n" for line in lines]
        return list(read_records(name, io.BytesIO(written(name, *raw)), form))

    assert read(records) == records
    with pytest.raises(CorruptOutputError, match=f"'{name}', record {len(records) + 1}: "):
        read([*records, bad])


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_so_is_one_of_columns(written: Callable[..., bytes], name: str) -> None:
    animals: list[object] = [{"type": "dog", "name": "x", "lives": None}, {"type": "cat", "lives": 9}]
    read: list[object] = list(read_records(name, io.BytesIO(written(name, *animals)), Dog | Cat))
    assert read == [Dog("x"), Cat(9)]
    data = written(name, Attrs(1), Attrs(2))
    forms: list[Any] = [Attrs | None, Annotated[Attrs, "note"], Alias2]
    for form in forms:
        assert list(read_records(name, io.BytesIO(data), form)) == [Attrs(1), Attrs(2)]
    data = written(name, Struct(1))
    assert list(read_records(name, io.BytesIO(data), Struct)) == [Struct(1)]
    sides = written(name, {"left": 1}, {"left": 2})
    assert list(read_records(name, io.BytesIO(sides), Left | Right)) == [Left(left=1), Left(left=2)]


def test_a_tagged_record_has_its_tag_in_a_column(text: Callable[..., str]) -> None:
    assert text("x.csv", Dog("x")) == "type,name\ndog,x\n"


@pytest.mark.parametrize(
    ("name", "records", "expected"),
    [
        (
            "x.jsonl.zst",
            [{"a": [1, None, 0.5], "at": NOW}, 5, None],
            [{"a": [1, None, 0.5], "at": ISO}, 5, None],
        ),
        ("x.json", [[{"a": 1}, "x"]], [{"a": 1}, "x"]),
        ("x.csv", [{"a": 1, "b": None}], [{"a": "1", "b": ""}]),
        ("x.parquet", [{"a": 1, "b": None, "at": NOW}], [{"a": 1, "b": None, "at": NOW}]),
        ("x.txt.gz", ["a\nb"], ["a", "b"]),
    ],
)
def test_without_a_type_there_are_plain_values(
    written: Callable[..., bytes], name: str, records: list[object], expected: list[object]
) -> None:
    data = written(name, *records)
    assert list(read_records(name, io.BytesIO(data))) == expected
    assert list(read_records(name, io.BytesIO(data), Any)) == expected
    assert list(read_records(name, io.BytesIO(data), object)) == expected


def test_checkers_know_what_is_read() -> None:
    raw = io.BytesIO(b"1\nnull\n")
    assert_type(read_records("x.jsonl", raw, int | None), RecordReader[int | None])
    assert_type(read_records("x.jsonl", raw, list[Pair]), RecordReader[list[Pair]])
    assert_type(read_records("x.jsonl", raw, Literal["a"]), RecordReader[Literal["a"]])
    assert_type(read_records("x.jsonl", raw, Attrs), RecordReader[Attrs])
    assert_type(read_records("x.jsonl", raw), RecordReader[Any])


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("end", ["", ".gz", ".zst"])
def test_a_byte_order_mark_is_passed_over(written: Callable[..., bytes], end: str) -> None:
    """Excel's "CSV UTF-8" and many APIs begin with one."""
    for name, raw, expected in (
        ("x.json", b'[{"a":1}]', [Attrs(1)]),
        ("x.json", b'\r\n{"a":1}', [Attrs(1)]),
        ("x.json", b"", []),
        ("x.jsonl", b'{"a":1}\r\n{"a":2}\r\n', [Attrs(1), Attrs(2)]),
        ("x.jsonl", b'\n{"a":1}', [Attrs(1)]),
        ("x.jsonl", b"", []),
        ("x.csv", b"a\r\n1\r\n", [Attrs(1)]),
        ("x.tsv", b"a\tb\n1\t2\n", [Attrs(1)]),
    ):
        stored = io.BytesIO()
        writer = open_writer(".txt" + end, stored)  # raw: what a server sent
        writer.write(BOM + raw)
        writer.commit()
        stored.seek(0)
        assert list(read_records(name + end, stored, Attrs)) == expected
    with pytest.raises(CorruptOutputError, match="record 2"):  # elsewhere it is not one
        list(read_records("x.jsonl", io.BytesIO(b"1\n" + BOM + b"2\n"), int))


def test_the_error_of_a_model_is_one_line() -> None:
    data = b'{"inner":[{"left":1},{"left":"x","more":1}]}\n'
    with pytest.raises(CorruptOutputError) as caught:
        list(read_records("x.jsonl", io.BytesIO(data), pydantic.create_model("M", inner=(list[Left], ...))))
    assert str(caught.value).startswith("output 'x.jsonl', record 1: Input should be a valid integer")
    assert "got `str` - at `$.inner[1].left`; read it as another type" in str(caught.value)
    with pytest.raises(CorruptOutputError, match=r"got `str` - at `\$.left` - at `\$.inner\[1\]`; "):
        list(read_records("x.jsonl", io.BytesIO(data), Lefts))
