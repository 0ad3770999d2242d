"""Exhaustive `match` over what became of an item of a map."""

from __future__ import annotations

from typing import Literal, assert_never, assert_type

from asflow import Completed, Failed

Result = Completed[str, int] | Failed[str]


def by_class(result: Result) -> int:
    match result:
        case Completed(item, value):
            assert_type(item, str)
            assert_type(value, int)
            return value
        case Failed(item, error):
            assert_type(item, str)
            assert_type(error, Exception)
            return -1


def by_name(result: Result) -> str:
    match result:
        case Completed(value=value):
            return str(value)
        case Failed(error=error):
            return str(error)
        case _:
            assert_never(result)


def by_isinstance(result: Result) -> int:
    if isinstance(result, Failed):
        assert_type(result, Failed[str])
        raise result.error
    assert_type(result, Completed[str, int])
    return result.value


def with_guard(result: Result) -> str:
    match result:
        case Completed(item, 0):
            return item
        case Completed(item, value) if value > 3:
            return item * value
        case Completed():
            return ""
        case Failed(error=TimeoutError()):
            return "late"
        case Failed(item):
            return item


def by_outcome(completed: Completed[str, int | None]) -> str:
    assert_type(completed.outcome, Literal["completed", "cached", "skipped", "suppressed"])
    match completed.outcome:
        case "completed" | "cached":
            return "there"
        case "skipped" | "suppressed" as other:
            return other
        case _:
            assert_never(completed.outcome)


# What is known of a narrower type is known of a wider one.
narrow: Completed[bool, str] = Completed(True, "a")
wide: Completed[int, object] = narrow  # OK
failed: Failed[object] = Failed("a", ValueError())  # OK
results: list[Result] = [Completed("a", 1), Failed("b", OSError())]  # OK


def made(item: str, value: int, error: Exception) -> None:
    assert_type(Completed(item, value), Completed[str, int])
    assert_type(Completed(item, value, "cached"), Completed[str, int])
    assert_type(Failed(item, error), Failed[str])
