"""A `match` over what became of an item that misses a case, and fields that aren't there."""

from __future__ import annotations

from typing import Literal, assert_never

from asflow import Completed, Failed

Result = Completed[str, int] | Failed[str]


def misses_failed(result: Result) -> int:  # E
    match result:
        case Completed(_, value):
            return value


def misses_by_guard(result: Result) -> str:  # E
    match result:
        case Completed(item, value) if value > 3:
            return item
        case Failed(item):
            return item


def some_left(result: Result) -> int:
    if isinstance(result, Completed):
        return result.value
    assert_never(result)  # E


def fields(completed: Completed[str, int], failed: Failed[str]) -> None:
    completed.error  # E
    failed.value  # E
    completed.value = 3  # E
    text: str = completed.value  # E
    other: Completed[int, int] = completed  # E
    Failed("a", "error")  # E
    Failed("a", KeyboardInterrupt())  # E
    Completed("a")  # E
    Completed("a", 1, "failed")  # E
    failed.outcome  # E
    outcome: Literal["completed", "failed"] = completed.outcome  # E
    print(text, other, outcome)
