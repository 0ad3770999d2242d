"""Dates, times, durations and decimals of other classes than Python's own."""

import datetime
import decimal
import zoneinfo
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from asflow.errors import RecordValueError

pandas: Any = import_module("pandas")

EAST = datetime.timezone(datetime.timedelta(hours=2))


class Stamp(datetime.datetime):
    pass


class Day(datetime.date):
    pass


class Clock(datetime.time):
    pass


class Span(datetime.timedelta):
    pass


class Amount(decimal.Decimal):
    pass


CASES: list[tuple[Any, object, str | None]] = [
    (Stamp(2026, 1, 2, 3, 4, 5, 6, EAST), datetime.datetime(2026, 1, 2, 3, 4, 5, 6, EAST), None),
    (Stamp(2026, 1, 2), datetime.datetime(2026, 1, 2), "2026-01-02T00:00:00"),
    (Day(2026, 1, 2), datetime.date(2026, 1, 2), "2026-01-02"),
    (Clock(3, 4, 5, 6), datetime.time(3, 4, 5, 6), "03:04:05.000006"),
    (Span(1, 2, 3), datetime.timedelta(1, 2, 3), "P1DT2.000003S"),
    (Span(-1, 2), datetime.timedelta(-1, 2), "-PT86398S"),
    (Amount("1.10"), decimal.Decimal("1.10"), "1.10"),
    (pandas.Timestamp("2026-01-02 03:04"), datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    (pandas.Timestamp(5), "1970-01-01T00:00:00.000000005", "1970-01-01T00:00:00.000000005"),
    (pandas.Timedelta("1h"), datetime.timedelta(hours=1), "PT3600S"),
    (pandas.Timedelta(5), "P0DT0H0M0.000000005S", "P0DT0H0M0.000000005S"),
    (pandas.NaT, None, ""),
    (pandas.NA, None, ""),
    (np.datetime64("2026-01-02T03:04", "ns"), datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    (np.datetime64("2026-01-02T03:04", "us"), datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
    (np.datetime64(5, "ns"), "1970-01-01T00:00:00.000000005", "1970-01-01T00:00:00.000000005"),
    (np.datetime64("20000", "Y"), "20000", "20000"),
    (np.datetime64("NaT", "ns"), None, ""),
    (np.timedelta64(5000, "ns"), datetime.timedelta(microseconds=5), "PT0.000005S"),
    (np.timedelta64(-5, "ns"), "-PT0.000000005S", "-PT0.000000005S"),
    (np.timedelta64(1, ("ps", 25)), "PT0.000000000025S", "PT0.000000000025S"),
    (np.timedelta64("NaT", "ns"), None, ""),
    (np.timedelta64(5, "Y"), 5, "5"),
    (np.array(5000, "M8[ns]"), datetime.datetime(1970, 1, 1, 0, 0, 0, 5), "1970-01-01T00:00:00.000005"),
]


@pytest.mark.parametrize(("value", "plain", "cell"), CASES, ids=[repr(case[0]) for case in CASES])
def test_a_value_is_written_as_the_plain_one(
    text: Callable[..., str],
    back: Callable[..., list[object]],
    value: object,
    plain: object,
    cell: str | None,
) -> None:
    record, expected = {"id": 1, "value": value}, {"id": 1, "value": plain}
    assert text("x.jsonl", record) == text("x.jsonl", expected)
    assert text("x.json", record) == text("x.json", expected)
    assert text("x.csv", record) == text("x.csv", expected)
    assert cell is None or text("x.csv", record) == f"id,value\n1,{cell}\n"
    assert back("x.parquet", dict, record) == [expected]


def test_arrays_and_series_of_times_hold_plain_ones(
    text: Callable[..., str], back: Callable[..., list[object]]
) -> None:
    day = datetime.datetime(2026, 1, 2)
    series = pandas.Series(pandas.to_datetime(["2026-01-02", None]))
    record = {"array": np.array([["2026-01-02", "NaT"]], "M8[ns]"), "series": series}
    plain = {"array": [[day, None]], "series": [day, None]}
    assert text("x.jsonl", record) == text("x.jsonl", plain)
    assert back("x.parquet", dict, record) == [plain]


def test_a_timestamp_keeps_its_zone_and_its_fold(text: Callable[..., str]) -> None:
    late = pandas.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin")
    assert text("x.jsonl", late) == '"2026-10-25T02:30:00+01:00"\n'


def test_an_offset_with_seconds_is_rounded_in_text(
    text: Callable[..., str], back: Callable[..., list[object]], written: Callable[..., bytes]
) -> None:
    offset = datetime.timezone(datetime.timedelta(minutes=53, seconds=28))
    at = {"at": datetime.datetime(1890, 1, 1, tzinfo=offset)}
    assert text("x.jsonl", at) == '{"at":"1890-01-01T00:00:00+00:53"}\n'
    assert text("x.csv", at) == "at\n1890-01-01T00:00:00+00:53\n"
    with pytest.raises(RecordValueError, match="'at'"):
        written("x.parquet", at)
    named = {"at": datetime.datetime(1890, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))}
    assert back("x.parquet", dict, named) == [named]
