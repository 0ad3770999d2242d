"""Converts dates, times, durations and decimals of other classes, mostly pandas' and numpy's, to Python's."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

BASES = (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal)
"""The classes (datetime is a date) whose subclasses `plain_base` converts."""

_DIGITS = {"ns": 9, "ps": 12, "fs": 15, "as": 18}


def plain_base(value: Any) -> object:
    """Convert *value*, of a subclass of one of `BASES`, to that base class.

    A value with nanoseconds, which only pandas has, becomes ISO 8601 text; pandas' NaT becomes None.
    """
    if isinstance(value, decimal.Decimal):
        return decimal.Decimal(value)
    if value != value:
        return None
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return datetime.timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.date(value.year, value.month, value.day)
    clock = (value.hour, value.minute, value.second, value.microsecond)
    if isinstance(value, datetime.time):
        return datetime.time(*clock, tzinfo=value.tzinfo, fold=value.fold)
    return datetime.datetime(value.year, value.month, value.day, *clock, value.tzinfo, fold=value.fold)


def is_numpy_time(value: Any) -> bool:
    """Whether *value* is one of numpy's datetime64 or timedelta64, or an array or column of them."""
    return getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m") and hasattr(value, "tolist")


def plain_numpy_time(value: Any) -> object:
    """Convert a datetime64 or timedelta64 to Python's class, an array of them to a list.

    A value that Python's class can't hold (nanoseconds, the year 10,000) becomes ISO 8601 text. A
    timedelta64 of years, of months or without a unit has no fixed length and stays a number.
    """
    if value.shape:
        return list(value)
    plain = value.tolist()
    if not isinstance(plain, int):
        return plain
    import numpy

    unit, step = numpy.datetime_data(value.dtype)
    if value.dtype.kind == "m" and unit not in _DIGITS:
        return plain
    rough = value.astype(f"{value.dtype.kind}8[us]")
    if rough == value and not isinstance(rough.tolist(), int):
        return rough.tolist()
    return str(value[()]) if value.dtype.kind == "M" else _duration(plain * step, _DIGITS[unit])


def _duration(count: int, digits: int) -> str:
    sign = "-" if count < 0 else ""
    return f"{sign}PT{decimal.Decimal(abs(count)).scaleb(-digits):f}S"
