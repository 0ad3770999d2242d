"""Wrong calls of generic tasks, and of tasks of generic classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, AnyStr, Generic, TypeVar

from asflow import flow

T = TypeVar("T")
S = TypeVar("S", bound=Sequence[Any])


@flow.task
async def first(items: Sequence[T]) -> T:
    return items[0]


@flow.task
def same(item: S) -> S:
    return item


@flow.task
def joined(left: AnyStr, right: AnyStr) -> AnyStr:
    return left + right


@flow.task(skip=OSError)
async def first_or_none(items: Sequence[T]) -> T:
    return items[0]


@flow.task(skip=ValueError)
def first_sync(items: Sequence[T]) -> T | None:
    return items[0]


class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item

    @flow.task
    def put(self, item: T) -> None:
        self.item = item

    @flow.task(suppress=OSError)
    async def get(self) -> T:
        return self.item


async def calls(box: Box[str], numbers: list[int]) -> None:
    await first(1)  # E
    text: str = await first(numbers)  # E
    same(3)  # E
    joined("a", b"b")  # E
    await first_or_none(3)  # E
    number: int = await first_or_none(numbers)  # E
    first_sync(3)  # E
    first_sync()  # E
    last: int = first_sync(numbers)  # E
    box.put(3)  # E
    item: str = await box.get()  # E
    await box.get(1)  # E
    print(text, number, item, last)
