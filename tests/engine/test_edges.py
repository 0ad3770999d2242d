"""Edges that no other test reaches: the last surrogate, the longest name, the details of messages."""

import dataclasses
import inspect
from collections.abc import Callable
from decimal import Decimal
from enum import Flag
from pathlib import PurePosixPath

import pytest
from support.names import decoded

from asflow._checks import checked_seconds
from asflow._engine import vocabulary
from asflow._engine.policy import Retry, checked_exceptions
from asflow._labels import short
from asflow._naming.escaping import safe
from asflow._naming.identity import call_hasher, fingerprint
from asflow._naming.namer import MAX_NAME, Namer, compile_namer
from asflow._naming.patterns import Pattern
from asflow.errors import DefinitionTypeError, DefinitionValueError, IdentityError, OutputNameError


def namer_of(on: str, function: Callable[..., object], key: Callable[..., str] | None = None) -> Namer:
    signature = inspect.signature(function)
    pattern = Pattern.parse(on, parameters=list(signature.parameters), task="extract", keyed=key is not None)
    return compile_namer(pattern, signature, task="extract", key=key)


@pytest.mark.parametrize("code", [0xD7FF, 0xD800, 0xDFFF, 0xE000])
def test_the_first_and_the_last_surrogate(code: int) -> None:
    text = f"a{chr(code)}b"
    name = safe(text)
    assert name.encode().decode() == name
    assert (name == text) == (code in (0xD7FF, 0xE000))
    assert decoded(name) == text


@pytest.mark.parametrize("text", ["X", "aX", "x"])
def test_only_a_dot_and_a_space_are_encoded_at_the_end(text: str) -> None:
    assert safe(text) == text
    assert safe(text + ".") == text + "%2E"
    assert safe(text + " ") == text + "%20"


def test_the_hash_of_a_text_with_lone_surrogates() -> None:
    """A path of bytes that are not UTF-8 has lone surrogates, and another one has another hash."""
    hashes = {fingerprint("t", {"x": PurePosixPath(name)}) for name in ("a\udc80", "a\udc81", "a?")}
    assert len(hashes) == 3


class Loose:
    """Has no identity."""


@dataclasses.dataclass
class Fields:
    """Has an attribute of named tuples, but is not one."""

    _fields = ("b",)
    a: int


def test_a_dataclass_with_an_attribute_of_named_tuples_is_a_dataclass() -> None:
    assert fingerprint("t", {"x": Fields(1)}) != fingerprint("t", {"x": Fields(2)})


def refusal(value: object) -> str:
    with pytest.raises(IdentityError) as caught:
        fingerprint("t", {"x": value})
    return str(caught.value)


def test_a_refusal_names_the_type_in_full_but_for_builtins() -> None:
    assert f"is of type {Loose.__module__}.Loose, which" in refusal(Loose())
    assert "is of type object, which" in refusal(object())


@pytest.mark.parametrize(
    ("depth", "where"), [(1, "at x[0],"), (8, "at x" + "[0]" * 8 + ","), (9, "at x" + "[0]" * 8 + "...,")]
)
def test_a_refusal_says_where_in_eight_steps(depth: int, where: str) -> None:
    value: object = Loose()
    for _ in range(depth):
        value = [value]
    assert where in refusal(value)


def test_a_refusal_names_the_argument_that_is_meant() -> None:
    hash_call = call_hasher("t", ["b", "a"])
    with pytest.raises(IdentityError, match="argument 'b'"):
        hash_call(Loose(), 1)
    with pytest.raises(IdentityError, match="argument 'a'"):
        hash_call(1, Loose())


class Odd(Flag):
    """A flag of two bits."""

    ONE = 1
    TWO = 2


def test_flags_that_have_no_name_differ_by_their_value() -> None:
    assert fingerprint("t", {"x": Odd.ONE | Odd.TWO}) != fingerprint("t", {"x": Odd.ONE})


@pytest.mark.parametrize("set_at", [1, 5, 19, 20])
def test_a_set_inside_lists_has_no_stable_text(set_at: int) -> None:
    value: object = {"one", "two"}
    for _ in range(set_at):
        value = [value]
    with pytest.raises(OutputNameError, match="changes from run to run"):
        namer_of("{x}.json", lambda x: None).output(value)


@pytest.mark.parametrize("value", [Decimal("1.5"), ("date", 2)])
def test_a_value_other_than_a_date_may_hold_the_stop_character(value: object) -> None:
    """Only dates have it in a fixed position."""
    name = namer_of("{x}-{y}.json", lambda x, y: None)
    assert name.output(value, "a-b") != name.output(f"{value}-a", "b")


def test_a_name_at_the_bound_and_one_beyond_it() -> None:
    """Bytes count, folders too; the message shows the name."""
    namer = namer_of("/".join(["{x}"] * 40) + ".json", lambda x: None)
    longest = max(n for n in range(1, 200) if len(("/".join(["a" * n] * 40) + ".json").encode()) <= MAX_NAME)
    assert namer.output("a" * longest).count("/") == 39
    with pytest.raises(OutputNameError, match=rf"at most {MAX_NAME} bytes, not the \d+ of 'aaa"):
        namer.output("a" * (longest + 1))


def test_a_long_text_and_a_hash_share_a_name() -> None:
    """The slow path, which cuts components, inserts the same hash as the fast one."""
    namer = namer_of("*/{x}.json", lambda x: None)
    folder, _, _ = namer.output("ä" * 300).partition("/")
    assert folder == fingerprint("extract", {"x": "ä" * 300})


def test_a_key_keeps_the_next_separator_out() -> None:
    namer = namer_of("*-{x}.json", lambda x: None, key=lambda x: "ä-b")
    assert namer.output("c") == "ä%2Db-c.json"


def test_both_names_take_arguments_by_keyword() -> None:
    """The output's and the failure's."""
    namer = namer_of("{x}.json", lambda x: None)
    assert namer.names(x="a") == namer.names("a") == ("a.json", "a.err")


def test_an_error_in_a_values_text_names_the_task() -> None:
    with pytest.raises(OutputNameError, match=r"^task extract\(\): "):
        namer_of("{x:%q}.json", lambda x: None).output("a")


@pytest.mark.parametrize("value", ["a" * 78, "a" * 79, "a" * 500, list(range(100)), object()])
def test_a_value_in_a_message_has_eighty_characters(value: object) -> None:
    assert len(short(value)) <= 80
    assert short(value)[:8] == repr(value)[:8] or short(value) in ("[0, ...]", "<object>")


def test_a_broken_repr_in_a_message() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    assert short(Broken()) == "<Broken>"


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("{video.id.x}.json", r"write '\{video\}' or"),
        ("{video[0]}.json", r"write '\{video\}' or"),
        ("{vide}.json", r"did you mean '\{video\}'\? \(parameters: video, videos\)$"),
        ("{zzz}.json", r"parameter '\{zzz\}'; name one of the parameters \(video, videos\)$"),
        ("{other.id}.json", "names the unknown parameter"),
    ],
)
def test_the_message_for_an_unknown_placeholder_shows_what_is_near(on: str, message: str) -> None:
    with pytest.raises(DefinitionValueError, match=message):
        Pattern.parse(on, parameters=["video", "videos"], task="t")


def test_an_unknown_placeholder_of_a_task_without_parameters() -> None:
    with pytest.raises(DefinitionValueError, match=r"remove it, as the task has no parameters$"):
        Pattern.parse("{x}.json", parameters=[], task="t")


def test_a_pattern_is_shown_up_to_120_characters() -> None:
    on = "{zzz}" + "a" * 300
    with pytest.raises(DefinitionValueError) as caught:
        Pattern.parse(on, parameters=["x"], task="t")
    assert f"on={short(on, 120)} names" in str(caught.value)
    assert len(short(on, 120)) == 120


def test_seconds_come_back_as_a_float() -> None:
    seconds = checked_seconds("task t()", "timeout", 2)
    assert seconds == 2.0
    assert isinstance(seconds, float)


@pytest.mark.parametrize(("positive", "least"), [(True, "more than 0"), (False, "0 or more")])
def test_seconds_that_are_refused_say_what_they_may_be(positive: bool, least: str) -> None:
    with pytest.raises(DefinitionValueError, match=f"timeout takes {least} finite seconds, not -1"):
        checked_seconds("task t()", "timeout", -1, positive=positive)
    with pytest.raises(DefinitionTypeError, match="seconds, not 'soon'"):
        checked_seconds("task t()", "timeout", "soon", positive=positive)


def test_a_retry_that_is_refused_names_what_is_wrong() -> None:
    async def later(error: Exception, n: int) -> float:
        raise NotImplementedError

    with pytest.raises(DefinitionTypeError, match=r"^Retry\(\): exceptions.*'x'"):
        Retry(exceptions="x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match="not 'x'"):
        Retry(delay="x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match=r"async .*later"):
        Retry(delay=later)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match="not 'x'"):
        Retry(hold_limit="x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert checked_exceptions("task t()", "skip", OSError) == (OSError,)


def test_events_and_actions_differ_in_a_set() -> None:
    kinds = vocabulary._Value.__subclasses__()
    error = OSError("down")
    values = [kind(*[error] * len(kind.__slots__)) for kind in kinds]
    assert len(set(values)) == len(values) > 20
    assert len({hash(value) for value in values}) > 1
    assert [kind(*[error] * len(kind.__slots__)) for kind in kinds] == values
    assert vocabulary.Wait(1, 2, error) != vocabulary.Wait(1, 3, error)
    assert repr(vocabulary.Finish("skipped", error)) == "Finish('skipped', OSError('down'))"
    assert vocabulary.Done() != ()
