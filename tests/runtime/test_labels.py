"""Labels: any arguments on one short line."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow._labels import call_label, short


class Region(enum.Enum):
    NORTH = "n"

    def __repr__(self) -> str:
        raise AssertionError("never asked")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(ANYTHING)
def test_a_label_is_one_short_printable_line(value: object) -> None:
    text = short(value)
    assert text.isprintable()
    assert 0 < len(text) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Hello", "'Hello'"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        (b"ab", "b'ab'"),
        ([{"word": "Hello", "count": 1}, {"word": "x"}], "[{'word': 'Hello', 'count': 1}, ...]"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
        (dict.fromkeys("abcd", 0), "{'a': 0, 'b': 0, 'c': 0, ...}"),
        ((1, 2), "(1, 2)"),
        (datetime.date(2026, 1, 2), "datetime.date(2026, 1, 2)"),
        (Decimal("1.10"), "Decimal('1.10')"),
        (UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (Path("a/b"), "PosixPath('a/b')"),
        (object(), "<object>"),
        (Region.NORTH, "Region.NORTH"),
        ((Region.NORTH, range(3)), "(Region.NORTH, range(0, 3))"),
        ("a\x1b[31m", "'a\\x1b[31m'"),
        ([], "[]"),
    ],
)
def test_what_values_look_like(value: object, text: str) -> None:
    assert short(value) == text


def test_a_value_whose_repr_is_slow_or_raises_is_shown_by_its_type() -> None:
    class Frame:
        def __repr__(self) -> str:
            raise AssertionError("never asked")

    class list(dict[Any, Any]):  # noqa: A001, N801 - reprlib goes by the name of the type
        def __len__(self) -> int:
            raise RuntimeError

    assert short(Frame()) == "<Frame>"
    assert short([Frame()]) == "[<Frame>]"
    assert short(list()) == "<list>"


def test_the_label_of_a_call() -> None:
    assert call_label((), {}) == ""
    assert call_label(("self", "Hello", 3), {"lang": "en"}, skip=1) == "'Hello', 3, lang='en'"
    assert call_label(tuple(range(9)), {}) == "0, 1, 2, 3, ..."
    assert call_label((), dict.fromkeys("abcdef", 1)) == "a=1, b=1, c=1, d=1, ..."


def test_dates_paths_and_numbers_are_labelled_as_they_print() -> None:
    class Zone(datetime.tzinfo):
        def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
            raise RuntimeError

        def dst(self, moment: datetime.datetime | None) -> datetime.timedelta:
            raise RuntimeError

        def tzname(self, moment: datetime.datetime | None) -> str:
            raise RuntimeError

    values = (datetime.date(2026, 1, 2), Decimal("1.10"), UUID(int=1))
    assert call_label(values, {}) == "2026-01-02, 1.10, 00000000-0000-0000-0000-000000000001"
    assert call_label(([values[0]] * 9, {"at": Path("a/b")}), {}) == "[2026-01-02, ...], {'at': a/b}"
    assert call_label((Path("a/b"),), {"path": Path("x" * 100)}) == f"a/b, path={'x' * 77}..."
    assert call_label((Path("a\n"), Path("\udc80")), {}) == "PosixPath('a\\n'), PosixPath('\\udc80')"
    nowhere = datetime.datetime(2026, 1, 2, tzinfo=Zone())
    assert call_label((nowhere,), {}).startswith("datetime.datetime(2026, 1, 2")
