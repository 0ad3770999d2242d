"""The `on=` patterns: which are refused, their parts, and how names are recognised."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow._naming.namer import Namer, compile_namer
from asflow._naming.patterns import Pattern
from asflow.errors import DefinitionTypeError, DefinitionValueError, OutputNameError


def namer_of(on: str, function: Callable[..., object], key: Callable[..., str] | None = None) -> Namer:
    signature = inspect.signature(function)
    task = function.__qualname__.replace("<lambda>", "extract")
    pattern = Pattern.parse(on, parameters=list(signature.parameters), task=task, keyed=key is not None)
    return compile_namer(pattern, signature, task=task, key=key)


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


def plain(x: Any, y: Any = 2) -> None: ...


@pytest.mark.parametrize(
    ("on", "prefix", "suffix", "failure_shape"),
    [
        ("data/{x}.jsonl.zst", "data/", ".jsonl.zst", "data/{}.err"),
        ("data/*.json", "data/", ".json", "data/*.err"),
        ("data/{x}", "data/", "", "data/{}.err"),
        ("{x:%Y.%m}-{y}_raw.csv", "", "_raw.csv", "{}-{}.err"),
        ("data/all.jsonl.gz", "data/all.jsonl.gz", ".jsonl.gz", "data/all.err"),
        (".cache/.all.json", ".cache/.all.json", ".json", ".cache/.all.err"),
        ("data/.all", "data/.all", "", "data/.all.err"),
        ("{x}/page.v1.html", "", ".v1.html", "{}/page.err"),
        ("./data//./{x}.json", "data/", ".json", "data/{}.err"),
        ("a{{b}}/{x}{{.json", "a{b}/", "{.json", "a{{b}}/{}.err"),
        ("a.part/{x}.part.json", "a.part/", ".part.json", "a.part/{}.err"),
    ],
)
def test_the_parts_of_a_pattern(on: str, prefix: str, suffix: str, failure_shape: str) -> None:
    pattern = parse(on)
    assert pattern.text == on
    assert (pattern.prefix, pattern.suffix) == (prefix, suffix)
    assert pattern.failure_shape == failure_shape
    braces = suffix.replace("{", "{{")
    assert pattern.shape == failure_shape.removesuffix(".err") + braces
    assert parse(on) == pattern
    assert hash(parse(on)) == hash(pattern)


def test_a_star_with_a_key_has_the_form_of_a_placeholder() -> None:
    keyed = Pattern.parse("data/*-{x}.json", parameters=("x",), task="extract", keyed=True)
    assert (keyed.shape, keyed.failure_shape) == ("data/{}-{}.json", "data/{}-{}.err")
    assert parse("data/*-{x}.json").shape == "data/*-{}.json"


def test_placeholders_are_listed_once_in_order() -> None:
    pattern = parse("{y}/{x}-{y}/*.json")
    assert pattern.placeholders == ("y", "x")
    assert pattern.has_hash
    assert not parse("{y}").has_hash


def test_a_dot_in_a_value_is_not_part_of_the_suffix() -> None:
    assert namer_of("d/{x}.json", plain).names("v1.2.3") == ("d/v1.2.3.json", "d/v1.2.3.err")
    assert namer_of("d/all.json", plain).names(1) == ("d/all.json", "d/all.err")
    assert namer_of("d/{x}", plain).names("v1.2") == ("d/v1.2", "d/v1.2.err")


def test_output_and_failure_of_a_cut_name_share_their_stem() -> None:
    name, failure = namer_of("d/{x}.json", plain).names("a" * 999)
    assert name.removesuffix(".json") == failure.removesuffix(".err")


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("", "is empty"),
        ("data/{z}.json", "names the unknown parameter '{z}'"),
        ("data/{arg}.json", "did you mean '{args}'? (parameters: x, y, args)"),
        ("data/{0}.json", "names the unknown parameter '{0}'"),
        ("data/{x }.json", "did you mean '{x}'?"),
        ("data/{}.json", "a placeholder without a name; name one of the parameters (x, y, args)"),
        ("data/{x.name}.json", "looks inside an argument with '{x.name}'"),
        ("data/{x[0]}.json", "looks inside an argument with '{x[0]}'"),
        ("data/{x!r}.json", "conversion '!r'"),
        ("data/{x:{y}}.json", "inside the format spec"),
        ("data/{x:*>9}.json", "'*' inside the format spec"),
        ("data/{x:%Y/%m}.json", "'/' inside the format spec"),
        ("data/{x.json", "unbalanced braces"),
        ("data/x}.json", "unbalanced braces"),
        ("data/*/*.json", "two `*`"),
        ("data/**.json", "two `*`"),
        ("data/{x}.err", "ends in '.err'"),
        ("data/{x}.json.part", "ends in '.part'"),
        ("data/{x}.PART", "ends in '.PART'"),
        ("data/all.err", "ends in '.err'"),
        ("s3://bucket/{x}.json", "holds a URL"),
        ("s3:/bucket/{x}.json", "holds a URL"),
        ("data/s3://{x}", "holds a URL"),
        ("{x:%H://}", "holds a URL"),
        ("file:///data/{x}.json", "holds a URL"),
        ("/data/{x}.json", "absolute path"),
        ("//data/{x}.json", "absolute path"),
        ("C:/data/{x}.json", "absolute path"),
        ("c:{x}", "absolute path"),
        ("~/data/{x}.json", "starts with '~'"),
        ("../{x}.json", "leaves the flow's `base`"),
        ("data/../{x}.json", "leaves the flow's `base`"),
        ("data\\{x}.json", "backslash"),
        ("data/{x}\0.json", "the character '\\x00'"),
        ("data/{x}\n.json", "the character '\\n'"),
        ("data/{x}\udc80.json", "the character '\\udc80'"),
        ("data/", "names a folder"),
        ("data/.", "names a folder"),
        ("data/..", "names a folder"),
        (".", "names a folder"),
        ("d" * 251, "251 bytes"),
        ("é" * 81 + "{x}", "162 bytes"),
        ("data/{x}%{y}.json", "has a '%' after 'x'"),
        ("data/{x}{y}.json", "nothing between 'x' and 'y'"),
    ],
)
def test_patterns_that_can_not_work_are_refused(on: str, words: str) -> None:
    with pytest.raises(DefinitionValueError) as caught:
        parse(on)
    message = str(caught.value)
    assert message.startswith("task extract(): on=")
    assert message.count("; ") == 1
    assert not message.endswith(".")
    assert repr(on)[:20] in message
    assert words in message
    assert len(message) < 500


@pytest.mark.parametrize("on", [None, 3, b"data/*.json", ["*"]])
def test_a_pattern_of_another_type_is_refused(on: Any) -> None:
    with pytest.raises(DefinitionTypeError) as caught:
        Pattern.parse(on, parameters=("x",), task="extract")
    shown = repr(on)
    assert str(caught.value) == (
        f"task extract(): on takes a str or a path, not {shown}; write for example on='data/{{x}}.json'"
    )


def test_values_side_by_side_need_a_spec_or_a_hash() -> None:
    assert two("{a:04d}{b:02d}.json")(2026, 1) == "202601.json"
    assert parse("{x}*.json").has_hash
    with pytest.raises(DefinitionValueError, match=r"nothing between 'x' and '\*'"):
        Pattern.parse("{x}*.json", parameters=("x",), task="extract", keyed=True)


@given(st.text(st.sampled_from("{}x*/.:[]!y\\ ae-~\0"), max_size=12))
def test_any_pattern_is_refused_or_works(on: str) -> None:
    try:
        pattern = Pattern.parse(on, parameters=("x", "y"), task="f")
    except DefinitionValueError:
        return
    namer = compile_namer(pattern, inspect.signature(lambda x, y: None), task="f")
    try:
        name = namer.output("a", "b")
    except OutputNameError as error:
        assume(error.__cause__ is not None)
        return
    assert not name.startswith("/")
    assert ".." not in name.split("/")
    assert pattern.match(name)


# Reading names


def test_names_are_recognised() -> None:
    pattern = parse("data/{x}-*.json")
    assert pattern.match("data/a-" + "0" * 32 + ".json")
    for name in [
        "data/a.json",
        "data/a-" + "0" * 31 + ".json",
        "data/-" + "0" * 32 + ".json",
        "data/a/b-.json",
    ]:
        assert not pattern.match(name)
    keyed = Pattern.parse("data/*.json", parameters=(), task="f", keyed=True)
    assert keyed.match("data/a%20b.json")
    assert not parse("data/*.json").match("data/a.json")
    for name in ["data/a.part", "data/a.err", "data/a.ERR", "data/.a", "data/a ", "data/a:b", "data/"]:
        assert not parse("data/{x}").match(name)


def test_cut_names_and_names_of_several_values_are_recognised() -> None:
    assert parse("{x}.json").match("a%~" + "0" * 32 + ".json")
    assert not parse("{x}.json").match("a%~" + "0" * 31 + ".json")
    assert not parse("{x}.json").match("a%~" + "0" * 32 + ".csv")
    assert parse("{x}-{y}.json").match("2026-01-02-rome.json")
    assert parse("{x}.json").match("%_.json")
    assert not parse("{x}.json").match("%_x.json")
    assert not parse("{x}.json").match("%2.json")


@settings(max_examples=examples(60))
@given(texts, texts)
def test_the_name_of_two_values_is_recognised(a: str, b: str) -> None:
    for on in SEPARATED:
        namer = namer_of(on, lambda a, b: None)
        assert namer.pattern.match(namer.output(a, b))
