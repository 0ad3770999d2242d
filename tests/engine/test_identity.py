"""The canonical hash: pinned by golden vectors, typed, the same in every process, never by address."""

import dataclasses
import json
import math
import os
import struct
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from types import ModuleType
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow._naming.identity import MAX_DEPTH, call_hasher, fingerprint
from asflow.errors import IdentityError

HERE = Path(__file__).parent
GOLDEN: dict[str, str] = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))


T = TypeVar("T")


class Color(Enum):
    RED = 1
    CRIMSON = RED
    BLUE = 2


class Size(IntEnum):
    BIG = 1


class Word(StrEnum):
    RED = "red"


class Mode(Flag):
    R = 1
    W = 2


class Bits(IntFlag):
    A = 1


@dataclass
class Query:
    text: str
    tags: set[str] = field(default_factory=set)
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Slotted:
    x: object = None


@dataclass(frozen=True)
class Box(Generic[T]):
    inside: T

    @cached_property
    def double(self) -> tuple[T, T]:
        return self.inside, self.inside


class Point(NamedTuple):
    x: int
    y: int


# What a vector is called in golden.json, and the arguments of a call of the task `extract`.
VECTORS: dict[str, dict[str, object]] = {
    "no arguments": {},
    "none": {"x": None},
    "true": {"x": True},
    "false": {"x": False},
    "zero": {"x": 0},
    "one": {"x": 1},
    "negative int": {"x": -255},
    "big int": {"x": 10**5000},
    "float one": {"x": 1.0},
    "float minus zero": {"x": -0.0},
    "float nan": {"x": math.nan},
    "float inf": {"x": math.inf},
    "str one": {"x": "1"},
    "str empty": {"x": ""},
    "str accents": {"x": "żółć 東京 \U0001f600"},
    "str surrogate": {"x": "\ud800"},
    "bytes": {"x": b"\x00\xff"},
    "tuple": {"x": (1, "a", None)},
    "tuple empty": {"x": ()},
    "list": {"x": [1, "a", None]},
    "dict": {"x": {"b": 1, "a": [2], 3: ()}},
    "set": {"x": {"a", "b", "c", 1, None}},
    "frozenset": {"x": frozenset({"a", "b", "c"})},
    "date": {"x": date(2026, 1, 2)},
    "datetime": {"x": datetime(2026, 1, 2, 3, 4, 5)},
    "datetime microseconds": {"x": datetime(2026, 1, 2, 3, 4, 5, 6)},
    "datetime fold": {"x": datetime(2026, 1, 2, 3, 4, 5, fold=1)},
    "datetime utc": {"x": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)},
    "datetime offset": {"x": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-5, seconds=1)))},
    "time": {"x": time(3, 4)},
    "timedelta": {"x": timedelta(days=-1, microseconds=1)},
    "decimal": {"x": Decimal("-1.50E+3")},
    "decimal nan": {"x": Decimal("sNaN")},
    "uuid": {"x": UUID(int=2**127 + 1)},
    "path": {"x": Path("data/x.json")},
    "posix path": {"x": PurePosixPath("data/x.json")},
    "windows path": {"x": PureWindowsPath("data\\x.json")},
    "enum": {"x": Color.RED},
    "int enum": {"x": Size.BIG},
    "str enum": {"x": Word.RED},
    "flag": {"x": Mode.R},
    "flags": {"x": Mode.R | Mode.W},
    "no flags": {"x": Mode(0)},
    "unknown flags": {"x": Bits(6)},
    "dataclass": {"x": Query("a", {"t", "u"}, "n")},
    "dataclass slots": {"x": Slotted()},
    "dataclass generic": {"x": Box[int](1)},
    "named tuple": {"x": Point(1, 2)},
    "numpy int": {"x": np.int8(7)},
    "numpy float": {"x": np.float32(0.1)},
    "numpy datetime": {"x": np.datetime64("2026-01-02T03:04:05.000000006")},
    "numpy timedelta": {"x": np.timedelta64(90, "m")},
    "numpy not a time": {"x": np.datetime64("NaT", "D")},
    "pandas nanoseconds": {"x": pd.Timestamp("2026-01-02T03:04:05.000006007+01:00")},
    "pandas timedelta": {"x": pd.Timedelta(-1, "ns")},
    "pandas not a time": {"x": pd.NaT},
    "pandas missing": {"x": pd.NA},
    "nested": {"x": {"a": [({"b": frozenset({(1, 2)})},)]}},
    "several": {"a": 1, "b": "two", "args": (3.0, 4), "kwargs": {"z": None, "y": b""}},
}


def hashes() -> dict[str, str]:
    return {name: fingerprint("extract", arguments) for name, arguments in VECTORS.items()}


def test_golden_vectors_hold() -> None:
    """A hash that changes would make every user's outputs unfindable."""
    assert hashes() == GOLDEN
    assert len(set(GOLDEN.values())) == len(GOLDEN)


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_golden_vectors_hold_in_another_process(seed: str) -> None:
    """Neither the hash seed nor the process matters."""
    code = (
        f"import sys, json, runpy; sys.path[:0] = {[str(HERE.parents[1]), str(HERE.parent)]!r};"
        f"print(json.dumps(runpy.run_path({__file__!r}, run_name='test_identity')['hashes']()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == GOLDEN


def test_the_format_is_the_documented_one() -> None:
    """Built by hand from the docstring, for a call that has one of each simple kind."""
    encoded = (
        b"asflow1:t2:s9:Api.fetchd3:"
        b"s1:at2:i1;f" + struct.pack(">d", 1.5) + b"s1:bd1:s1:kl2:TXdates10:2026-01-02"
        b"s2:ccS2:Es13:test_identitys5:Colors3:REDn"
    )
    arguments = {"cc": {None, Color.RED}, "b": {"k": [True, date(2026, 1, 2)]}, "a": (1, 1.5)}
    assert fingerprint("Api.fetch", arguments) == blake2b(encoded, digest_size=16).hexdigest()


def test_order_of_keywords_and_items_does_not_matter() -> None:
    assert fingerprint("f", {"a": 1, "b": 2}) == fingerprint("f", {"b": 2, "a": 1})
    assert fingerprint("f", {"x": {"a": 1, 2: 3}}) == fingerprint("f", {"x": {2: 3, "a": 1}})
    one, two = {0, 8}, {8, 0}
    assert list(one) != list(two), "these two are to differ in the order in which they are walked"
    assert fingerprint("f", {"x": one}) == fingerprint("f", {"x": two})


def test_the_task_and_the_parameter_count() -> None:
    assert len({fingerprint("f", {"a": 1}), fingerprint("g", {"a": 1}), fingerprint("f", {"b": 1})}) == 3


def test_flavours_of_paths_are_apart_and_differ_from_text() -> None:
    """A `Path` is one on every machine, whatever its flavour there."""
    values = [Path("a/b"), PurePosixPath("a/b"), PureWindowsPath("a/b"), PurePosixPath("a\\b"), "a/b"]
    assert len({fingerprint("f", {"x": value}) for value in values}) == len(values)
    assert fingerprint("f", {"x": PureWindowsPath("a\\b")}) == fingerprint("f", {"x": PureWindowsPath("a/b")})
    assert fingerprint("f", {"x": PurePath("a")}) == fingerprint("f", {"x": type(PurePath())("a")})


def module(name: str, source: str, file: str | None = None) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = file
    exec(source, vars(made))
    return made


KINDS = """
from dataclasses import dataclass
from enum import Enum, Flag
from typing import NamedTuple
class Kind(Enum):
    X = 1
class Flags(Flag):
    A = 1
    B = 2
@dataclass
class Data:
    n: int
class Pair(NamedTuple):
    n: int
"""


def of_kinds(made: ModuleType) -> list[str]:
    values = [made.Kind.X, made.Flags.A, made.Flags.A | made.Flags.B, made.Data(1), made.Pair(1)]
    return [fingerprint("f", {"x": value}) for value in values]


def test_a_class_is_told_by_the_last_part_of_its_module_and_its_name() -> None:
    """The folder of a package may move; two modules have two classes, whatever they call them."""
    first, second = of_kinds(module("pkg.first", KINDS)), of_kinds(module("pkg.second", KINDS))
    assert not set(first) & set(second)
    assert first == of_kinds(module("first", KINDS)) == of_kinds(module("other.pkg.first", KINDS))


@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
@pytest.mark.parametrize("file", ["first.py", "/srv/flows/first.py", "C:\\flows\\first.py", "flows/first"])
def test_a_script_is_the_module_of_its_name(monkeypatch: pytest.MonkeyPatch, main: str, file: str) -> None:
    """`python flows/first.py`, `python -m flows.first`, a spawned worker and `import flows.first` agree."""
    script = module(main, KINDS, file)
    monkeypatch.setitem(sys.modules, main, script)
    assert of_kinds(script) == of_kinds(module("flows.first", KINDS))
    script.__file__ = None  # a notebook, or `python -c`
    assert not set(of_kinds(script)) & set(of_kinds(module("flows.first", KINDS)))
    assert of_kinds(script)[0] == fingerprint("f", {"x": script.Kind.X})


def test_scalars_of_numpy_and_pandas_are_the_values_that_they_hold() -> None:
    """A value from a column and the same one from a keyboard name one output; their types stay apart."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6)
    pairs: list[tuple[object, object]] = [
        (np.int64(1), 1),
        (np.uint8(1), 1),
        (np.float64(1), 1.0),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.bytes_(b"a"), b"a"),
        (pd.Timestamp(moment), moment),
        (pd.Timestamp(moment).as_unit("us"), moment),
        (pd.Timestamp(moment, tz="UTC"), moment.replace(tzinfo=UTC)),
        (pd.Timedelta(-5, "us"), timedelta(microseconds=-5)),
        ([np.int64(1)], [1]),
    ]
    for scalar, plain in pairs:
        assert fingerprint("f", {"x": scalar}) == fingerprint("f", {"x": plain}), repr(scalar)
    apart: list[object] = [
        *(plain for _, plain in pairs),
        pd.Timestamp(moment) + pd.Timedelta(1, "ns"),
        pd.Timedelta(1, "ns"),
        pd.Timedelta(0),
        np.datetime64(1, "ns"),
        np.datetime64(1, "D"),
        np.timedelta64(1, "ns"),
        np.datetime64("NaT", "ns"),
        pd.NaT,
        pd.NA,
        None,
        math.nan,
    ]
    hashes = [fingerprint("f", {"x": value}) for value in apart]
    assert len(set(hashes)) == len(hashes) - 2  # 1 and *moment* are there twice


def test_what_a_cached_property_remembers_does_not_count() -> None:
    box = Box(1)
    before = fingerprint("f", {"x": box})
    assert box.double == (1, 1)
    assert vars(box).keys() == {"inside", "double"}
    assert fingerprint("f", {"x": box}) == before == fingerprint("f", {"x": Box[int](1)})


def test_a_subclass_without_state_of_its_own_is_a_class_of_its_own() -> None:
    assert fingerprint("f", {"x": Methods(1)}) != fingerprint("f", {"x": Slotted(1)})
    assert fingerprint("f", {"x": MorePoint(1, 2)}) != fingerprint("f", {"x": Point(1, 2)})
    assert fingerprint("f", {"x": MorePoint(1, 2)}) == fingerprint("f", {"x": MorePoint(1, 2)})


def test_every_nan_is_one_and_zeros_differ() -> None:
    other = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert fingerprint("f", {"x": other}) == GOLDEN_F_NAN
    assert fingerprint("f", {"x": 0.0}) != fingerprint("f", {"x": -0.0})


GOLDEN_F_NAN = fingerprint("f", {"x": math.nan})


def test_enum_aliases_agree_and_fields_out_of_comparison_count() -> None:
    assert fingerprint("f", {"x": Color.CRIMSON}) == fingerprint("f", {"x": Color.RED})
    assert fingerprint("f", {"x": Query("a", note="1")}) != fingerprint("f", {"x": Query("a", note="2")})


def test_the_zone_counts_by_its_offset_alone() -> None:
    plus_one = timezone(timedelta(hours=1))
    winter = datetime(2026, 1, 2, 3)
    assert fingerprint("f", {"x": winter.replace(tzinfo=ZoneInfo("Europe/Paris"))}) == fingerprint(
        "f", {"x": winter.replace(tzinfo=plus_one)}
    )
    assert fingerprint("f", {"x": winter}) != fingerprint("f", {"x": winter.replace(tzinfo=plus_one)})


def test_decimal_does_not_depend_on_the_context() -> None:
    with localcontext() as context:
        context.capitals = 0
        assert fingerprint("extract", VECTORS["decimal"]) == GOLDEN["decimal"]
    assert fingerprint("f", {"x": Decimal("1.0")}) != fingerprint("f", {"x": Decimal("1.00")})


class Client:
    """Something with no identity: its repr holds its address."""


class Text(str):
    """May hold more than its text."""


class Table(dict[str, int]):
    """May hold more than its items."""


@dataclass
class Odd(dict[str, int]):
    a: int = 1


class NoZone(tzinfo):
    def utcoffset(self, dt: datetime | None) -> None:
        return None

    dst = tzname = utcoffset


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"x"

    def as_posix(self) -> bytes:
        return b"x"


class HalfPath:
    def __fspath__(self) -> str:
        return "x"


class Methods(Slotted):
    def double(self) -> None: ...


class MorePoint(Point):
    def length(self) -> float:
        return math.hypot(*self)


def more(value: object, **state: object) -> object:
    """Give an instance attributes that its class does not declare."""
    for name, each in state.items():
        object.__setattr__(value, name, each)
    return value


class MoreSlots(Slotted):
    __slots__ = ("host",)


@dataclass
class OnDate(date):
    """Holds a date beside its field."""

    note: str = ""

    def __new__(cls, note: str) -> "OnDate":
        return super().__new__(cls, 2026, 1, 2)


@dataclass
class OnError(Exception):
    code: int


class Sequence3(tuple[int, ...]):
    """Has `_fields`, and holds more than those."""

    _fields = ("a",)


class Remote(PurePosixPath):
    __slots__ = ("host",)


Anonymous = namedtuple("Anonymous", "x")  # pyright: ignore[reportUntypedNamedTuple]
UNSET = object.__new__(Slotted)


@pytest.mark.parametrize(
    ("value", "type_name", "where"),
    [
        (Client(), "Client", ""),
        ([0, {"session": Client()}], "Client", "client[1]['session']"),
        ({Client(): 1}, "Client", "client{key}"),
        ({("a",): Client()}, "Client", "client[...]"),
        ({Client()}, "Client", "client{item}"),
        (Slotted((Client(),)), "Client", "client.x[0]"),
        (Anonymous(Client()), "Client", "client.x"),
        (Text("a"), "Text", ""),
        (Table(), "Table", ""),
        (Odd(), "Odd", ""),
        (bytearray(b"a"), "bytearray", ""),
        (lambda: None, "function", ""),
        (Client, "type", ""),
        (Query, "type", ""),
        (1j, "complex", ""),
        (range(3), "range", ""),
        (more(Query("a"), host="h"), "'host', which is not one of its fields", ""),
        (more(Methods(), host="h"), "'host', which is not one of its fields", ""),
        (more(MoreSlots(), host="h"), "'host', which is not one of its fields", ""),
        (more(MorePoint(1, 2), label="l"), "'label', which is not one of its fields", ""),
        (OnDate("a"), "OnDate, which holds more than its fields", ""),
        (OnError(1), "OnError, which holds more than its fields", ""),
        (Sequence3((1, 2)), "Sequence3, whose items are not its `_fields`", ""),
        (Remote("/x"), "Remote", ""),
        (np.zeros(2), "numpy.ndarray", ""),
        (np.complex64(1), "numpy.complex64", ""),
        (np.longdouble(1), "numpy.longdouble", ""),
        (np.zeros(1, "i4,i4")[0], "numpy.void", ""),
        (pd.Series([1]), "Series", ""),
        (pd.Period("2026-01"), "Period", ""),
        (
            pd.Timestamp("9999-12-31").as_unit("s") + pd.Timedelta(9, "D"),
            "can't hold",
            "",
        ),
        (BytesPath(), "BytesPath", ""),
        (HalfPath(), "HalfPath", ""),
        (UNSET, "'x' is not set", ""),
        (time(1, tzinfo=ZoneInfo("Europe/Paris")), "without a fixed offset", ""),
        (datetime(2026, 1, 1, tzinfo=NoZone()), "without a fixed offset", ""),
        (dataclasses.fields(Query)[0], "Field", ""),
    ],
)
def test_what_has_no_identity_is_refused(value: object, type_name: str, where: str) -> None:
    """The message names the task, the parameter, the way to the value, its type, and the next step."""
    with pytest.raises(IdentityError) as caught:
        fingerprint("Api.fetch", {"page": 1, "client": value})
    message = str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert message.startswith("task Api.fetch(): ")
    assert "argument 'client'" in message
    assert type_name in message
    assert f", at {where}," in message if where else ", at" not in message
    assert "`key=`" in message
    assert "`Ignored[...]`" in message
    assert "0x" not in message


def test_values_that_contain_themselves_are_refused() -> None:
    looped: list[object] = []
    looped += [looped, looped]
    table: dict[str, object] = {}
    table["x"] = {"y": table}
    for value in (looped, table):
        with pytest.raises(IdentityError, match="contains itself") as caught:
            fingerprint("f", {"x": value})
        assert len(str(caught.value)) < 500


def test_nesting_is_bounded_at_the_same_depth_everywhere() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert len(fingerprint("f", {"x": value})) == 32
    with pytest.raises(IdentityError, match=f"more than {MAX_DEPTH} levels"):
        fingerprint("f", {"x": [value]})


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([*Color, *Size, *Word]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.builds(Slotted, inner)
    ),
    max_leaves=6,
)


def typed(value: object) -> object:
    """A model of identity by other means: nested tuples of type and content."""
    if isinstance(value, float):
        return ("float", "nan" if value != value else struct.pack(">d", value))
    if isinstance(value, (list, tuple)):
        return (type(value), tuple(typed(item) for item in value))
    if isinstance(value, dict):
        return (dict, frozenset((typed(key), typed(item)) for key, item in value.items()))
    if isinstance(value, Slotted):
        return (Slotted, typed(value.x))
    return (type(value), value, getattr(value, "fold", 0))


@settings(max_examples=examples(150))
@given(values, values)
def test_hashes_agree_exactly_where_types_and_values_do(one: object, two: object) -> None:
    same = fingerprint("f", {"x": one}) == fingerprint("f", {"x": two})
    assert same == (typed(one) == typed(two))


@settings(max_examples=examples(50))
@given(st.dictionaries(st.text(min_size=1, max_size=4), values, max_size=4))
def test_a_prepared_hasher_returns_the_hash_of_the_pair(arguments: dict[str, object]) -> None:
    """The fast form is the dict encoding of the docstring, for any order of the parameters."""
    names = sorted(arguments, reverse=True)
    hasher = call_hasher("f", names)
    expected = fingerprint("f", arguments)
    assert hasher(*(arguments[name] for name in names)) == expected
    assert hasher(*(arguments[name] for name in names)) == expected
