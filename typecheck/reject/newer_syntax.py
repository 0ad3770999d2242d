# Python 3.12
"""Wrong calls of tasks in the syntax of Python 3.12."""

from collections.abc import Sequence

from asflow import flow


@flow.task(skip=OSError)
async def first_or_none[T](items: Sequence[T]) -> T:
    return items[0]


@flow.task
def longest[S: Sequence[object]](left: S, right: S) -> S:
    return left if len(left) > len(right) else right


class Box[T]:
    def __init__(self, item: T) -> None:
        self.item = item

    @flow.task
    async def put(self, item: T) -> None:
        self.item = item


async def calls(numbers: list[int], box: Box[int]) -> None:
    number: int = await first_or_none(numbers)  # E
    await first_or_none(3)  # E
    longest(3, 4)  # E
    await box.put("a")  # E
    print(number)
