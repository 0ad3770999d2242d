# Python 3.12
"""Tasks in the syntax of Python 3.12: type parameters, `type` statements, `typing.override`."""

from collections.abc import Callable, Sequence
from typing import assert_type, override

from asflow import flow

type Rows[T] = list[dict[str, T]]


@flow.task
async def first[T](items: Sequence[T]) -> T:
    return items[0]


@flow.task(skip=OSError)
async def first_or_none[T](items: Sequence[T]) -> T:
    return items[0]


@flow.task(skip=ValueError)
def mapped[T, U](function: Callable[[T], U], items: Sequence[T]) -> list[U]:
    return [function(item) for item in items]


@flow.task
def rows(day: str) -> Rows[int]:
    return [{day: 1}]


class Box[T]:
    def __init__(self, item: T) -> None:
        self.item = item

    @flow.task
    async def get(self) -> T:
        return self.item

    @flow.task(suppress=OSError)
    async def get_stored(self) -> T:
        return self.item


class TextBox(Box[str]):
    @override
    @flow.task
    async def get(self) -> str:
        return self.item.upper()


def logged[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    return flow.task(function)


@logged
def parse(text: str, *, times: int = 1) -> list[str]:
    return text.split() * times


async def calls(number: int, box: Box[int], text_box: TextBox) -> None:
    assert_type(await first([number]), int)
    assert_type(await first_or_none([number]), int | None)
    assert_type(mapped(str, [number]), list[str] | None)
    assert_type(rows("a"), list[dict[str, int]])
    assert_type(await box.get(), int)
    assert_type(await box.get_stored(), int | None)
    assert_type(await text_box.get_stored(), str | None)
    assert_type(parse("a", times=2), list[str])
