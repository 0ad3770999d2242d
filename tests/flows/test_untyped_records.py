"""`Output.records()` without a type: what JSON holds, in every format."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from asflow import Flow, MemoryStore, Output, Records
from asflow.errors import CorruptOutputError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asflow.typing import JsonValue

DAY = {"day": datetime.date(2026, 1, 2), "price": Decimal("1.50"), "count": 3, "note": None}


def kept(suffix: str, records: Iterable[object]) -> Output[None]:
    """Return the output of a task that writes *records*."""
    flow = Flow(store=MemoryStore(), sink=NullSink())

    @flow.task(on=f"rows{suffix}")
    def rows() -> None:
        for record in records:
            flow.task.write(record)

    rows()
    return flow.task.output(rows)


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (".jsonl", {"day": "2026-01-02", "price": "1.50", "count": 3, "note": None}),
        (".jsonl.zst", {"day": "2026-01-02", "price": "1.50", "count": 3, "note": None}),
        (".parquet", {"day": "2026-01-02", "price": "1.50", "count": 3, "note": None}),
        (".csv.gz", {"day": "2026-01-02", "price": "1.50", "count": "3", "note": ""}),
    ],
)
def test_a_record_is_a_dict_of_plain_values(suffix: str, expected: JsonValue) -> None:
    output = kept(suffix, [DAY, DAY])
    assert list(output.records()) == [expected, expected]
    assert next(output.records()) == expected


def test_lines_are_any_values() -> None:
    values: list[JsonValue] = [1, "two", None, [3.5, {"a": True}]]
    assert list(kept(".json", [values]).records()) == values
    assert list(kept(".jsonl", [1, {"two": None}, [3.5, True]]).records()) == [1, {"two": None}, [3.5, True]]


def test_what_has_no_format_has_lines() -> None:
    assert list(kept(".txt.gz", ["a\nb", "c\n"]).records()) == ["a", "bc"]


def test_what_does_not_decode_is_an_error() -> None:
    records = kept(".jsonl", ['{"a": 1}\n{"a"\n']).records()
    assert next(records) == {"a": 1}
    with pytest.raises(CorruptOutputError):
        next(records)


def test_the_classes_can_be_subscripted() -> None:
    """In annotations that are evaluated, such as those of a pydantic model."""
    assert str(Output[int]).endswith("Output[int]")
    assert str(Records[int]).endswith("Records[int]")
