"""Names of outputs: injective, inside their folder, bounded, bound as Python binds, pinned."""

import functools
import inspect
import linecache
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import examples
from support.names import decoded

from asflow._naming import namer
from asflow._naming.escaping import MAX_COMPONENT, safe
from asflow._naming.identity import fingerprint
from asflow._naming.namer import Namer, compile_namer
from asflow._naming.patterns import Pattern
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


@settings(max_examples=examples(60))
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


@settings(max_examples=examples(100))
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


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=4, unique=True))
def test_different_pairs_of_texts_have_different_names(pairs: list[tuple[str, str]]) -> None:
    for on in SEPARATED:
        output = two(on)
        assert len({output(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("on", SEPARATED)
def test_short_pairs_of_texts_never_collide(on: str) -> None:
    """All of them, over an alphabet of the characters of separators and escapes."""
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
    """A user's own date class, which may have another text."""


class Place(tzinfo):
    """A user's own time zone, whose name has a separator."""

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
        # The text of a date has its `-` in fixed positions, except in its zone: an offset's sign, a name.
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
        # A number has a `-` only in front, unless its format pads with it.
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
def test_a_separator_in_a_fixed_position_is_kept(on: str, value: object, name: str) -> None:
    """In any other position it is encoded, so that no other pair has the same name."""
    assert two(on)(value, "b") == name


def test_a_digit_that_separates_has_no_fixed_position_in_a_date() -> None:
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
def test_values_are_named_by_their_text(value: object, name: str) -> None:
    assert one("{x}.json")(value) == f"{name}.json"


def test_format_specs_are_applied() -> None:
    output = namer_of("{day:%Y}/{day:%m-%d}_{n:03d}_{s:>4}.txt", lambda day, n, s: None).output
    assert output(date(2026, 1, 2), 7, "ab") == "2026/01-02_007_  ab.txt"


class Client:
    """Its text shows its address."""


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
        ("{x}", Client(), ["Client", "changes from run to run"]),
        ("{x}", [Client()], ["list", "changes from run to run"]),
        ("{x}", {1, 2}, ["set", "changes from run to run"]),
        ("{x}", [({"a": frozenset()},)], ["list", "changes from run to run"]),
    ],
)
def test_values_without_a_usable_text_are_refused(on: str, value: object, words: list[str]) -> None:
    with pytest.raises(OutputNameError, match=r"^task extract\(\): argument 'x'") as caught:
        one(on)(value)
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)
    assert " at 0x" not in str(caught.value)


def test_numbers_of_thousands_of_digits() -> None:
    """Python itself refuses to convert an int of more than 4300 digits."""
    assert len(one("{x}")(10**4000)) == MAX_COMPONENT
    with pytest.raises(OutputNameError, match=r"can be formatted, not .* \(ValueError: Exceeds the limit"):
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
    shown, wanted = (inspect.signature(function).parameters.values() for function in (output, plain))
    assert [(p.name, p.kind, p.default) for p in shown] == [(p.name, p.kind, p.default) for p in wanted]


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
    with pytest.raises(IdentityError, match=r"^task plain\(\): argument 'y' is of type .*Client"):
        namer_of("*", plain).output(1, Client())


def test_a_key_replaces_the_star() -> None:
    output = namer_of("d/*.json", kinds, lambda *args, **kwargs: f"{args}{sorted(kwargs.items())}").output
    assert output(1, 2, k=3, z=4) == "d/(1, 2, 'd')" + safe("[('j', None), ('k', 3), ('z', 4)]") + ".json"
    assert namer_of("*", plain, lambda x, y: "a/b").output(1) == "a%2Fb"
    assert namer_of("*", plain, lambda x, y: "").output(1) == "%_"
    assert namer_of("*-{x}", plain, lambda x, y: "a-b").output("c-d") == "a%2Db-c-d"
    assert namer_of("*", plain, lambda x, y: "ab.part").output(1) == "ab.par%74"


def test_a_key_that_returns_no_text_or_raises() -> None:
    with pytest.raises(
        IdentityError, match=r"^task plain\(\): key returns the text .*, not 7; return a str$"
    ):
        namer_of("*", plain, lambda x, y: 7).output(1)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        namer_of("*", plain, lambda x, y: str(x / 0)).output(1)


async def async_key(x: int, y: int) -> str:
    return ""


@pytest.mark.parametrize(
    ("on", "key", "error", "words"),
    [
        ("*", "abc", DefinitionTypeError, "key takes a function of the task's own parameters, not 'abc';"),
        ("*", async_key, DefinitionTypeError, "key takes a plain function, not the async async_key;"),
        ("{x}", str, DefinitionValueError, "which on='{x}' does not have;"),
    ],
)
def test_keys_that_can_not_work_are_refused(
    on: str, key: Any, error: type[DefinitionError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        namer_of(on, plain, key)
    assert str(caught.value).startswith("task plain(): ")


def test_a_pattern_of_another_task_is_refused() -> None:
    with pytest.raises(DefinitionValueError, match="'args' can't be one of its parameters"):
        compile_namer(parse("{args}"), inspect.signature(plain), task="plain")
    with pytest.raises(DefinitionValueError, match="keyed=False"):
        compile_namer(parse("*"), inspect.signature(plain), task="plain", key=lambda x, y: "")


# Messages


def refusals() -> list[Exception]:
    """An error from each place that refuses a pattern, a key or a value, all of one local task."""

    def download(x: Any) -> None: ...

    def named(on: Any, key: Any = None, value: object = "a") -> None:
        task = download.__qualname__
        pattern = Pattern.parse(on, parameters=["x"], task=task, keyed=key is not None)
        compile_namer(pattern, inspect.signature(download), task=task, key=key).output(value)

    attempts: list[tuple[Any, ...]] = [
        *((None,), ("",), ("{y}",), ("{x.y}",), ("../{x}",), ("{x}.err",), ("a*b*",), ("{x}{x}",), ("{x",)),
        *(("*", 3), ("*", async_key), ("{x}", str), ("*", lambda x: 7)),
        *(("*", None, Client()), ("{x}", None, Client()), ("{x:%Y}", None, "a"), ("/{x}",)),
        ("/".join(["{x}"] * 40), None, "a" * 150),
    ]
    errors: list[Exception] = []
    for attempt in attempts:
        try:
            named(*attempt)
        except (DefinitionError, IdentityError, OutputNameError) as error:
            errors.append(error)
    assert len(errors) == len(attempts)
    return errors


@pytest.mark.parametrize("error", refusals(), ids=str)
def test_every_message_has_the_one_form(error: Exception) -> None:
    """The task by its short name, what is wrong, one semicolon, what to do."""
    assert re.fullmatch(r"task download\(\): [^A-Z;][^;]*; [a-z][^;]*[^;.]", str(error))


# The generated source


def test_a_traceback_shows_the_generated_source() -> None:
    def key(x: int, y: int) -> str:
        raise LookupError

    output = namer_of("d/{x}-*.json", plain, key).output
    with pytest.raises(LookupError) as caught:
        output(1)
    frame = traceback.extract_tb(caught.value.__traceback__)[-2]
    assert frame.filename.startswith("<asflow output names of plain")
    assert frame.line == "_asflow_star = _asflow_key(x, y)"
    assert "_asflow_star = _asflow_key(x, y)" in inspect.getsource(output)


def test_a_task_that_is_decorated_again_adds_no_source() -> None:
    first = namer_of("d/{x}.json", plain).output.__code__.co_filename
    before = len(linecache.cache)
    assert {namer_of("d/{x}.json", plain).output.__code__.co_filename for _ in range(50)} == {first}
    assert len(linecache.cache) == before


def test_two_sources_of_one_name_are_both_shown() -> None:
    first, second = (namer_of(on, plain).output for on in ("d/{x}.json", "d/{y:03d}.json"))
    assert first.__code__.co_filename != second.__code__.co_filename
    assert "{_asflow_v0}" in inspect.getsource(first)
    assert "_asflow_text" in inspect.getsource(second)
    assert inspect.getsource(first) != inspect.getsource(second)


def test_the_kept_sources_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namer, "_files", deque[str]())
    monkeypatch.setattr(namer, "_MAX_SOURCES", 3)
    signature = inspect.signature(plain)
    pattern = Pattern.parse("{x}", parameters=["x", "y"], task="t")
    outputs = [compile_namer(pattern, signature, task=f"bounded{number}").output for number in range(5)]
    kept = [output.__code__.co_filename in linecache.cache for output in outputs]
    assert kept == [False, False, True, True, True]
    assert [output("a") for output in outputs] == ["a"] * 5


def with_all(video: str, /, page: int = 1, *rest: str, lang: str, **more: str) -> None: ...


def with_option(client: object, user: int, *, deep: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("task", "key"),
    [
        (with_option, lambda client, user, deep: ""),
        (with_option, lambda client, user, *, deep: ""),
        (with_option, lambda client, user, **options: ""),
        (with_option, lambda _client, user, **_: ""),
        (with_option, lambda _, user, deep, cache=None: ""),
        (with_option, lambda *args, **kwargs: ""),
        (with_option, functools.partial(lambda site, client, user, deep: "", "x")),
        (with_all, lambda video, page, *rest, lang, **more: ""),
        (with_all, lambda *args, **kwargs: ""),
        (lambda text: None, str),
        (lambda text: None, str.upper),
        (lambda: None, lambda: ""),
    ],
)
def test_keys_with_the_tasks_own_parameters(task: Callable[..., None], key: Callable[..., str]) -> None:
    namer_of("*.txt", task, key=key)


@pytest.mark.parametrize(
    ("task", "key", "wrong"),
    [
        (with_option, lambda client, user: "", "does not take 'deep'"),
        (with_option, lambda client, deep: "", "does not take 'deep'"),
        (with_option, lambda user, client, deep: "", "has 'user' instead of 'client'"),
        (with_option, lambda client, *, user, deep: "", "does not take 'user'"),
        (with_option, lambda client, user, deep, cache: "", "needs 'cache'"),
        (with_all, lambda v, page, *rest, lang, **more: "", "has 'v' instead of 'video'"),
        (with_all, lambda video, page, *, lang, **more: "", "does not take 'rest'"),
        (with_all, lambda video, page, rest, *, lang, **more: "", "does not take *rest"),
        (with_all, lambda video, page, cache=None, *rest, lang, **more: "", "does not take *rest"),
        (with_all, lambda video, page, *rest, lang: "", "does not take 'more'"),
        (with_all, lambda video, page, *rest, lang, more: "", "does not take **more"),
        (with_all, lambda video, page, *rest, **more: "", None),
        (lambda: None, lambda x: "", "needs 'x'"),
    ],
)
def test_keys_with_other_parameters_are_refused(
    task: Callable[..., None], key: Callable[..., str], wrong: str | None
) -> None:
    """At decoration, by name: each call would raise, or take one argument for another."""
    if wrong is None:
        namer_of("*.txt", task, key=key)
        return
    with pytest.raises(DefinitionTypeError) as caught:
        namer_of("*.txt", task, key=key)
    shown = inspect.signature(task)
    plain = [each.replace(annotation=each.empty, default=each.empty) for each in shown.parameters.values()]
    assert re.fullmatch(
        r"task .*\(\): key takes a function of the task's own parameters, not .*lambda.*, which "
        rf"{re.escape(wrong)}; give it the parameters {re.escape(str(inspect.Signature(plain)))}",
        str(caught.value),
    )
