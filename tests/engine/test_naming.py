"""Names of outputs: injective, inside their folder, bounded, bound as Python binds, pinned."""

import inspect
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.names import decoded

from asflow._naming.escaping import MAX_COMPONENT, safe
from asflow._naming.identity import fingerprint
from asflow._naming.namer import Namer, Pattern, compile_namer
from asflow.errors import (
    DefinitionError,
    DefinitionTypeError,
    DefinitionValueError,
    IdentityError,
    OutputNameError,
)


def namer_of(on: str, function: Callable[..., object], key: Callable[..., str] | None = None) -> Namer:
    signature = inspect.signature(function)
    task = function.__qualname__.replace("<lambda>", "extract")
    pattern = Pattern.parse(on, parameters=list(signature.parameters), task=task, keyed=key is not None)
    return compile_namer(pattern, signature, task=task, key=key)


def one(on: str) -> Callable[..., str]:
    return namer_of(on, lambda x: None).output


def two(on: str) -> Callable[..., str]:
    return namer_of(on, lambda a, b: None).output


def parse(on: str) -> Pattern:
    return Pattern.parse(on, parameters=("x", "y", "args"), task="extract")


any_text = st.text(st.characters(), max_size=12)
"""Any code point, surrogates and NUL included."""
tricky_text = st.text(st.sampled_from("ab2EF-_.%~ /\\*é\ud800\x00part"), max_size=8)
long_text = st.builds(
    lambda text, times: text * times, st.text(st.characters(), min_size=1), st.integers(1, 400)
)
texts = any_text | tricky_text | long_text


# Names


PATTERNS = [
    "d/{x}.json",
    "{x}",
    "d-{x}",
    "{x}t",
    "{x}rr",
    "d/{x}/y.json",
    "{x}/{x}.csv.gz",
    ".{x}",
    "a.{x}",
    "{x}é.json",
]


@settings(max_examples=60)
@given(texts)
def test_a_name_keeps_to_its_pattern(text: str) -> None:
    """Never another folder, never a reserved end, never too long, always recognised."""
    for on in PATTERNS:
        namer = namer_of(on, lambda x: None)
        name, failure = namer.names(text)
        assert name.count("/") == on.count("/")
        assert not name.lower().endswith((".part", ".err"))
        for component in (*name.split("/"), *failure.split("/")):
            assert component not in ("", ".", "..")
            assert len(component.encode()) <= MAX_COMPONENT + len(".err")
        assert name.startswith(namer.pattern.prefix)
        assert name.endswith(namer.pattern.suffix)
        assert failure == name.removesuffix(namer.pattern.suffix) + ".err"
        assert namer.pattern.match(name)
        assert not namer.pattern.match(failure)
        if "%~" not in name:
            values = re.fullmatch(re.escape(on).replace(re.escape("{x}"), "([^/]+)"), name)
            assert values is not None
            assert {decoded(value) for value in values.groups()} == {text}


@settings(max_examples=100)
@given(st.lists(texts, min_size=2, max_size=6, unique=True))
def test_different_texts_have_different_names(several: list[str]) -> None:
    for on in PATTERNS:
        output = one(on)
        assert len({output(text) for text in several}) == len(several)


SEPARATED = [
    "{a}-{b}.json",
    "{a}/{b}.json",
    "{a}.{b}",
    "{a}2{b}x",
    "{a}E{b}",
    "{a}-%{b}",
    "{a}--{b}/f",
    "{a}é{b}",
]


@settings(max_examples=100)
@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=4, unique=True))
def test_different_pairs_of_texts_have_different_names(pairs: list[tuple[str, str]]) -> None:
    for on in SEPARATED:
        output = two(on)
        assert len({output(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("on", SEPARATED)
def test_short_pairs_of_texts_never_collide(on: str) -> None:
    """All of them, over an alphabet that has what separators and escapes are made of."""
    words = ["".join(word) for size in range(3) for word in product("-2FE.%_é", repeat=size)]
    output = two(on)
    assert len({output(*pair) for pair in product(words, words)}) == len(words) ** 2


def test_a_reserved_end_is_broken_up() -> None:
    assert one("{x}")("a.part") == "a.par%74"
    assert one("{x}")("a.ERR") == "a.ER%52"
    assert one("{x}")("a.part.json") == "a.part.json"
    assert one("a.{x}")("part") == "a.par%74"
    assert one("{x}t")("a.par") == "a.pa%72t"
    assert one("{x}/f")("a.part") == "a.part/f"


def test_separators_are_encoded_in_texts_but_not_in_numbers_and_dates() -> None:
    output = two("{a}-{b}.json")
    assert output("x-y", "z-w") == "x%2Dy-z-w.json"
    assert output(-1, -2) == "-1--2.json"
    assert output(True, 1.5) == "True-1.5.json"
    assert output(date(2026, 1, 2), "rome") == "2026-01-02-rome.json"
    assert output(datetime(2026, 1, 2), 1) == "2026%2D01%2D02 00%3A00%3A00-1.json"
    assert two("{a:%Y-%m}-{b}")(datetime(2026, 1, 2), 1) == "2026-01-1"
    assert two("{a:03d}-{b}")(-7, 1) == "-07-1"
    assert two("{a:,},{b:,}")(1000, 1000) == "1%2C000,1,000"
    assert two("{a:->5}-{b}")("a", 1) == "%2D%2D%2D%2Da-1"
    assert two("{a}1{b}")(21, 1) == "2%3111"


class Moment(datetime):
    """A date of the user's own, which may write itself in another way."""


class Place(tzinfo):
    """A time zone whose name holds a separator, as that of a user may."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta:
        return timedelta(hours=-5)

    def dst(self, moment: datetime | None, /) -> timedelta:
        return timedelta()

    def tzname(self, moment: datetime | None, /) -> str:
        return "Winston-Salem"


HERE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=Place())


@pytest.mark.parametrize(
    ("on", "value", "name"),
    [
        # What a date writes has its `-` in fixed places, but for its zone: an offset's sign, a name.
        ("{a:%Y-%m}-{b}", HERE, "2026-01-b"),
        ("{a:%Y-%z}-{b}", HERE, "2026%2D%2D0500-b"),
        ("{a:%Y-%z}-{b}", datetime(2026, 1, 2, tzinfo=UTC), "2026%2D+0000-b"),
        # %:z came with Python 3.12.
        *([("{a:%:z}-{b}", HERE, "%2D05%3A00-b")] if sys.version_info >= (3, 12) else []),
        ("{a:%Z}-{b}", HERE, "Winston%2DSalem-b"),
        ("{a:%Y %Z}-{b}", HERE, "2026 Winston%2DSalem-b"),
        ("{a}-{b}", HERE, "2026%2D01%2D02 03%3A04%3A05%2D05%3A00-b"),
        ("{a}-{b}", HERE.date(), "2026-01-02-b"),
        ("{a:%d-%m}-{b}", HERE.date(), "02-01-b"),
        ("{a:%H-%M}-{b}", HERE.time(), "03%2D04-b"),
        ("{a:%Y-%m}-{b}", Moment(2026, 1, 2), "2026%2D01-b"),
        ("{a:%Y-%m}-{b}", type("datetime", (datetime,), {})(2026, 1, 2), "2026%2D01-b"),
        # A number has a `-` only in front, unless its format fills up with it.
        ("{a}-{b}", -7, "-7-b"),
        ("{a:d}-{b}", -7, "-7-b"),
        ("{a:05d}-{b}", -7, "-0007-b"),
        ("{a:4}-{b}", -7, "  -7-b"),
        ("{a:->4d}-{b}", -7, "%2D%2D%2D7-b"),
        ("{a:-d}-{b}", -7, "%2D7-b"),
        ("{a:x}-{b}", -26, "%2D1a-b"),
        ("{a}-{b}", False, "False-b"),
        ("{a}-{b}", -1.5, "%2D1.5-b"),
        ("{a:_}_{b}", 1000, "1%5F000_b"),
    ],
)
def test_where_a_separator_has_a_fixed_place(on: str, value: object, name: str) -> None:
    """There it stays readable; everywhere else it is encoded, so that no other pair has the name."""
    assert two(on)(value, "b") == name


def test_a_digit_that_separates_has_no_fixed_place_in_a_date() -> None:
    """`%-d` writes one or two digits: the first and the eleventh of a month would share names."""
    name = two("{a:%-d}1{b}")
    assert name(datetime(2026, 1, 1), "1X") != name(datetime(2026, 1, 11), "X")


class Color(Enum):
    RED = 1


class Word(StrEnum):
    RED = "r/d"


class Loud(str):
    def __format__(self, spec: str) -> str:
        return str(self).upper()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "0"),
        (-5, "-5"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        ("a-b_c", "a-b_c"),
        ("---", "---"),
        ("é", "é"),
        ("a b", "a b"),
        ("", "%_"),
        (Decimal("1.0"), "1.0"),
        (date(2026, 1, 2), "2026-01-02"),
        (Color.RED, "Color.RED"),
        (Word.RED, "r%2Fd"),
        (Loud("at 0x1"), "AT 0X1"),
        ([1, "a"], "%5B1, 'a'%5D"),
        ("x at 0x7f", "x at 0x7f"),
        ("https://a.b/c?d=1", "https%3A%2F%2Fa.b%2Fc%3Fd=1"),
    ],
)
def test_values_are_their_text(value: object, name: str) -> None:
    assert one("{x}.json")(value) == f"{name}.json"


def test_format_specs_are_applied() -> None:
    output = namer_of("{day:%Y}/{day:%m-%d}_{n:03d}_{s:>4}.txt", lambda day, n, s: None).output
    assert output(date(2026, 1, 2), 7, "ab") == "2026/01-02_007_  ab.txt"


class Client:
    """Its text holds its address."""


class Unwilling:
    def __str__(self) -> str:
        raise OSError("no text today")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("on", "value", "words"),
    [
        ("{x:%Y}.json", "2026-01-01", ["'2026-01-01'", "'%Y'", "Invalid format specifier"]),
        ("{x:03d}", None, ["None", "'03d'"]),
        ("{x}", Unwilling(), ["Unwilling", "no text today"]),
        ("{x}", Client(), ["Client", "not the same in the next run"]),
        ("{x}", [Client()], ["list", "not the same in the next run"]),
        ("{x}", {1, 2}, ["set", "not the same in the next run"]),
        ("{x}", [({"a": frozenset()},)], ["list", "not the same in the next run"]),
    ],
)
def test_values_without_a_usable_text_are_refused(on: str, value: object, words: list[str]) -> None:
    with pytest.raises(OutputNameError, match=r"task .*extract.*: argument 'x'") as caught:
        one(on)(value)
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)
    assert " at 0x" not in str(caught.value)


def test_numbers_without_end() -> None:
    """Python itself refuses to write an int of more than 4300 digits."""
    assert len(one("{x}")(10**4000)) == MAX_COMPONENT
    with pytest.raises(OutputNameError, match="can't be formatted: Exceeds the limit"):
        one("{x}")(10**5000)


def test_the_cause_of_a_format_error_is_kept() -> None:
    with pytest.raises(OutputNameError) as caught:
        one("{x:%Y}")("a")
    assert type(caught.value.__cause__) is ValueError


# Binding


def plain(x: Any, y: Any = 2) -> None: ...
def kinds(a: Any, /, x: Any, y: Any = "d", *args: Any, k: Any, j: Any = None, **kwargs: Any) -> None: ...
def keywords(*, x: Any, type: Any = 1, len: Any = 2) -> None: ...  # noqa: A002 - a namer must not trip over these
def positional(x: Any, y: Any = 5, /) -> None: ...
def variadic(*args: Any, **kwargs: Any) -> None: ...
def nothing() -> None: ...
def clashing(_asflow_slow: Any, _asflow__name: Any, x: Any, str: Any = "s") -> None: ...  # noqa: A002


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3, 4), {}),
    ((1, 2), {"k": 1}),
    ((1, 2, 3, 4), {"k": 1, "z": 9}),
    ((1,), {"x": 2}),
    ((1,), {"x": 2, "k": 3}),
    ((), {"x": 1}),
    ((), {"x": 1, "y": 3}),
    ((), {"x": 1, "type": "t"}),
    ((), {"x": 1, "nonsense": 2}),
    ((), {"args": 1}),
]


def type_error(function: Callable[..., object], *args: object, **kwargs: object) -> str | None:
    try:
        function(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("function", [plain, kinds, keywords, positional, variadic, nothing, clashing])
@pytest.mark.parametrize(("args", "kwargs"), CALLS)
def test_arguments_are_bound_as_the_task_binds_them(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """The same TypeError, word for word; or the hash and the texts of what was bound, defaults applied."""
    signature = inspect.signature(function)
    on = "/".join(["d", *[f"{{{name}}}" for name in signature.parameters], "*"])
    output = namer_of(on, function).output
    refused = type_error(function, *args, **kwargs)
    if refused is not None:
        assert type_error(output, *args, **kwargs) == refused
        assert function.__name__ in refused
        return
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    values = [safe(str(value)) for value in bound.arguments.values()]
    assert output(*args, **kwargs) == "/".join(
        ["d", *values, fingerprint(function.__qualname__, bound.arguments)]
    )


def test_default_and_given_agree_and_defaults_are_the_objects_themselves() -> None:
    marker = ["a"]
    seen: list[object] = []

    def task(x: int, y: object = marker, *, z: object = marker) -> None: ...

    def key(x: int, y: object, *, z: object) -> str:
        seen.extend((y, z))
        return "k"

    assert namer_of("*", task).output(1) == namer_of("*", task).output(1, ["a"], z=["a"])
    namer_of("*", task, key).output(1)
    assert seen[0] is marker
    assert seen[1] is marker


def test_the_namer_carries_the_tasks_name_and_signature() -> None:
    output = namer_of("{x}", plain).output
    assert (output.__name__, output.__qualname__) == ("plain", "plain")
    told, wanted = (inspect.signature(function).parameters.values() for function in (output, plain))
    assert [(p.name, p.kind, p.default) for p in told] == [(p.name, p.kind, p.default) for p in wanted]


def test_a_pattern_is_never_run_as_code() -> None:
    on = "\"'''{{x}}__import__('os')#{x}\"; raise.json"
    assert one(on)(1) == "\"'''{x}__import__('os')#1\"; raise.json"


# The star


def test_the_star_is_the_hash_of_all_arguments() -> None:
    output = namer_of("data/{x}-*.json", plain).output
    assert output(1) == f"data/1-{fingerprint('plain', {'x': 1, 'y': 2})}.json"
    assert output("a/b") == f"data/a%2Fb-{fingerprint('plain', {'x': 'a/b', 'y': 2})}.json"
    calls = [output(1), output("1"), output(True), output(1.0), output(1, 3)]
    assert len({call[-40:] for call in calls}) == len(calls)


def test_an_argument_without_identity_is_named() -> None:
    with pytest.raises(IdentityError, match=r"task 'plain': argument 'y' is of type .*Client"):
        namer_of("*", plain).output(1, Client())


def test_a_key_stands_for_the_star() -> None:
    output = namer_of("d/*.json", kinds, lambda *args, **kwargs: f"{args}{sorted(kwargs.items())}").output
    assert output(1, 2, k=3, z=4) == "d/(1, 2, 'd')" + safe("[('j', None), ('k', 3), ('z', 4)]") + ".json"
    assert namer_of("*", plain, lambda x, y: "a/b").output(1) == "a%2Fb"
    assert namer_of("*", plain, lambda x, y: "").output(1) == "%_"
    assert namer_of("*-{x}", plain, lambda x, y: "a-b").output("c-d") == "a%2Db-c-d"
    assert namer_of("*", plain, lambda x, y: "ab.part").output(1) == "ab.par%74"


def test_a_key_that_returns_no_text_or_raises() -> None:
    with pytest.raises(IdentityError, match="task 'plain': key= returned 7, of type int: return a str"):
        namer_of("*", plain, lambda x, y: 7).output(1)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        namer_of("*", plain, lambda x, y: str(x / 0)).output(1)


async def async_key(x: int, y: int) -> str:
    return ""


@pytest.mark.parametrize(
    ("on", "key", "error", "words"),
    [
        ("*", "abc", DefinitionTypeError, "key='abc' is no function"),
        ("*", async_key, DefinitionTypeError, "is async"),
        ("{x}", str, DefinitionValueError, "holds none"),
    ],
)
def test_keys_that_can_not_work_are_refused(
    on: str, key: Any, error: type[DefinitionError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        namer_of(on, plain, key)
    assert "task 'plain'" in str(caught.value)


def test_a_pattern_of_another_task_is_refused() -> None:
    with pytest.raises(DefinitionValueError, match="'args' can't be a parameter"):
        compile_namer(parse("{args}"), inspect.signature(plain), task="plain")
    with pytest.raises(DefinitionValueError, match="keyed=False"):
        compile_namer(parse("*"), inspect.signature(plain), task="plain", key=lambda x, y: "")
