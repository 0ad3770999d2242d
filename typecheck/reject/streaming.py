"""Wrong use of tasks with `save=` whose body yields, and of their `Records`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Protocol, TypedDict

from asflow import Records, flow


class Row(TypedDict):
    day: str


@flow.task(save="rows/{day}.jsonl")
async def rows(day: str, *, pages: int = 1) -> AsyncIterator[Row]:
    for _ in range(pages):
        yield {"day": day}


@flow.task(save="rows/{day}.csv")
def rows_sync(day: str) -> Iterator[Row]:
    yield {"day": day}


@flow.task(save="rows/skip/{day}.jsonl", skip=OSError)
async def skipped(day: str) -> AsyncIterator[Row]:
    yield {"day": day}


def name_of(day: str) -> str:
    return day


@flow.task(save="rows/*.jsonl", key=name_of)
async def keyed(day: str) -> AsyncIterator[Row]:
    yield {"day": day}


class Service:
    @flow.task(save="rows/{day}.jsonl")
    async def rows(self, day: str) -> AsyncIterator[Row]:
        yield {"day": day}


class HasRows(Protocol):
    def rows(self, day: str) -> AsyncIterator[Row]: ...


async def calls(service: Service) -> None:
    rows("a")  # E: await
    keyed("a")  # E: await
    service.rows("a")  # E: await
    await rows()  # E
    await rows("a", pages="2")  # E
    rows_sync(1)  # E
    await rows_sync("a")  # E
    async for row in rows("a"):  # E
        pass
    async for row in await rows("a"):  # E
        pass
    for row in rows("a"):  # E
        pass
    for row in await skipped("a"):  # E
        pass
    has_rows: HasRows = service  # E
    print(has_rows)


async def records() -> None:
    found = await rows("a")
    len(found)  # E
    found[0]  # E
    next(found)  # E
    found.append({"day": "b"})  # E
    listed: list[Row] = found  # E
    numbers: Records[int] = found  # E
    iterator: Iterator[Row] = rows_sync("a")  # E
    for row in found:
        row["days"]  # E
    rows_sync("a").send(None)  # E
    print(listed, numbers, iterator)


async def handles() -> None:
    number: int = flow.task.output(rows, "a").value()  # E
    async for row in flow.task.output(rows, "a").value():  # E
        pass
    flow.task.make(rows_sync, 1)  # E
    flow.task.make(rows, "a")  # E: await
    lists: list[list[Row]] = await flow.task.map(rows, ["a"])  # E
    print(number, lists)


class Derived(Records[Row]): ...  # E


@flow.task(save="rows/*.jsonl", key=name_of)  # E
async def key_of_another(url: str) -> AsyncIterator[Row]:
    yield {"day": url}
