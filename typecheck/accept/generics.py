"""Generic functions and generic classes under `@flow.task`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, AnyStr, Generic, Self, TypeVar, assert_type

from asflow import flow

T = TypeVar("T")
U = TypeVar("U")
N = TypeVar("N", int, str)
S = TypeVar("S", bound=Sequence[Any])


@flow.task
async def first(items: Iterable[T]) -> T:
    return next(iter(items))


@flow.task
def pair(left: T, right: U) -> tuple[T, U]:
    return left, right


@flow.task(retry=1, limit=2)
async def same(item: S) -> S:
    return item


@flow.task
def joined(left: AnyStr, right: AnyStr) -> AnyStr:
    return left + right


@flow.task
def constrained(item: N) -> N:
    return item


@flow.task
async def applied(function: Callable[[T], U], item: T) -> U:
    return function(item)


@flow.task(skip=OSError)
async def first_or_none(items: Sequence[T]) -> T:
    return items[0]


@flow.task(skip=(ValueError,))
def pair_or_none(left: T, right: U) -> tuple[T, U]:
    return left, right


# A sync function that returns a bare type variable says the None itself: see "What the checkers can't see".


@flow.task(skip=ValueError)
def first_sync(items: Iterable[T]) -> T | None:
    return next(iter(items))


@flow.task(skip=OSError)
def same_sync(item: T) -> T | None:
    return item


@flow.task(suppress=ValueError)
def applied_sync(function: Callable[[T], U], item: T) -> U | None:
    return function(item)


def calls_sync(number: int, word: str) -> None:
    assert_type(first_sync([word]), str | None)
    assert_type(first_sync(items=[number]), int | None)
    assert_type(same_sync(word), str | None)
    assert_type(same_sync(number), int | None)
    assert_type(applied_sync(len, word), int | None)


async def calls(number: int, word: str) -> None:
    assert_type(await first([number]), int)
    assert_type(await first(items=[word]), str)
    assert_type(pair(number, word), tuple[int, str])
    assert_type(await same(word), str)
    assert_type(await same([number]), list[int])
    assert_type(joined(word, word), str)
    assert_type(joined(b"a", b"b"), bytes)
    assert_type(constrained(number), int)
    assert_type(await applied(len, word), int)
    assert_type(await first_or_none([number]), int | None)
    assert_type(await first_or_none([word]), str | None)
    assert_type(pair_or_none(number, word), tuple[int, str] | None)


@dataclass
class Box(Generic[T]):
    item: T

    @flow.task
    async def get(self) -> T:
        return self.item

    @flow.task
    def put(self, item: T) -> Self:
        self.item = item
        return self

    @flow.task(suppress=OSError)
    async def get_stored(self) -> T:
        return self.item

    @flow.task(skip=(ValueError,))
    def mapped(self, function: Callable[[T], U]) -> Box[U]:
        return Box(function(self.item))

    @flow.task(skip=OSError)
    def pick(self, items: Sequence[U]) -> U | None:
        return items[0]

    @classmethod
    @flow.task
    async def make(cls, item: T) -> Self:
        return cls(item)


class IntBox(Box[int]): ...


async def boxes(box: Box[str], ints: IntBox) -> None:
    assert_type(await box.get(), str)
    assert_type(await ints.get(), int)
    assert_type(box.put("a"), Box[str])
    assert_type(ints.put(1), IntBox)
    assert_type(await box.get_stored(), str | None)
    assert_type(await ints.get_stored(), int | None)
    assert_type(box.mapped(len), Box[int] | None)
    assert_type(box.pick([1]), int | None)
    assert_type(await IntBox.make(1), IntBox)
