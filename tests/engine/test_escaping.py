"""How values are encoded, and how a component that is too long is cut."""

import inspect
from collections.abc import Callable
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.names import decoded

from asflow._naming.escaping import MAX_COMPONENT, safe
from asflow._naming.namer import MAX_NAME, Namer, compile_namer
from asflow._naming.patterns import Pattern
from asflow.errors import OutputNameError


def namer_of(on: str, function: Callable[..., object], key: Callable[..., str] | None = None) -> Namer:
    signature = inspect.signature(function)
    task = function.__qualname__.replace("<lambda>", "extract")
    pattern = Pattern.parse(on, parameters=list(signature.parameters), task=task, keyed=key is not None)
    return compile_namer(pattern, signature, task=task, key=key)


def one(on: str) -> Callable[..., str]:
    return namer_of(on, lambda x: None).output


any_text = st.text(st.characters(), max_size=12)
"""Any code point, surrogates and NUL included."""
tricky_text = st.text(st.sampled_from("ab2EF-_.%~ /\\*é\ud800\x00part"), max_size=8)
long_text = st.builds(
    lambda text, times: text * times, st.text(st.characters(), min_size=1), st.integers(1, 400)
)
texts = any_text | tricky_text | long_text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("żółć 東京", "żółć 東京"),
        ("", "%_"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("a. ", "a.%20"),
        (" ", "%20"),
        ("a.b", "a.b"),
        ("\0", "%00"),
        ("\x7f\x85", "%7F%C2%85"),
        ("\ud800", "%ED%A0%80"),
        ("%2F", "%252F"),
        ('/\\:*?"<>|%[]{}', "%2F%5C%3A%2A%3F%22%3C%3E%7C%25%5B%5D%7B%7D"),
    ],
)
def test_safe_is_a_file_format(text: str, name: str) -> None:
    assert safe(text) == name
    assert decoded(name) == text


@given(texts, st.sampled_from(["", "-", ".", "2", "E", "%", " ", "é"]))
def test_safe_can_be_undone_and_stays_in_its_component(text: str, stop: str) -> None:
    name = safe(text, stop)
    assert decoded(name) == text
    name.encode()
    assert name
    assert name[0] != "."
    assert name[-1] not in ". "
    assert not set(name) & set('/\\:*?"<>|[]{}\0')
    if stop and stop not in "%2E":
        assert stop not in name


# Long names


def test_a_long_component_is_cut_and_keeps_its_suffix() -> None:
    component = "a" * 5000 + ".jsonl.zst"
    digest = "9cac64f65d9de1a09645b678aca4f51d"
    assert blake2b(component.encode(), digest_size=16).hexdigest() == digest
    assert one("d/{x}.jsonl.zst")("a" * 5000) == "d/" + "a" * 156 + f"%~{digest}.jsonl.zst"


@pytest.mark.parametrize("character", ["a", "é", "東", "\U0001f600", "/", "\ud800"])
def test_components_are_cut_at_the_boundary_of_a_character(character: str) -> None:
    output = one("{x}.json")
    for size in range(10, 420):
        name = output(character * size)
        assert ("%~" in name) == (len(safe(character * size).encode()) + len(".json") > MAX_COMPONENT)
        assert MAX_COMPONENT - 3 <= len(name.encode()) <= MAX_COMPONENT or "%~" not in name
        assert name.endswith(".json")


def test_a_cut_name_is_not_the_name_of_another_value() -> None:
    output = one("{x}.json")
    name = output("a" * 300)
    assert output(name.removesuffix(".json")) != name


def test_folders_are_cut_too_and_a_whole_name_is_bounded() -> None:
    assert [len(part) for part in one("{x}-raw/{x}.json")("a" * 999).split("/")] == [MAX_COMPONENT] * 2
    assert one("{x}-raw/f.json")("a" * 999).endswith("-raw/f.json")
    output = one("/".join(["{x}"] * 20))
    assert len(output("a" * 170)) == 20 * 171 - 1
    with pytest.raises(OutputNameError, match=f"at most {MAX_NAME}"):
        output("a" * 200)
