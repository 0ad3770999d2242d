"""A task with `save=` whose body yields returns `Records` of what it yields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypedDict, TypeVar, assert_type

from asflow import Completed, Failed, Output, Records, TaskMap, flow

T = TypeVar("T")


class Row(TypedDict):
    day: str
    celsius: float


@dataclass
class Reading:
    celsius: float | None


@flow.task(save="rows/{day}.jsonl.zst")
async def rows(day: str, *, pages: int = 1) -> AsyncIterator[Row]:
    for _ in range(pages):
        yield {"day": day, "celsius": 1.5}


@flow.task(save="rows/{day}.csv", retry=3, limit=2, level=None)
def rows_sync(day: str, pages: int = 1) -> Iterator[Row]:
    for _ in range(pages):
        yield {"day": day, "celsius": 1.5}


@flow.task(save="rows/{day}.parquet")
async def generated(day: str) -> AsyncGenerator[Reading, None]:
    yield Reading(len(day))


@flow.task(save="rows/sync/{day}.parquet")
def generated_sync(day: str) -> Generator[Reading, None, None]:
    yield Reading(len(day))


@flow.task(save="iterable/{day}.jsonl")
async def iterable(day: str) -> AsyncIterable[int | str]:
    yield len(day)
    yield day


@flow.task(save="iterable/sync/{day}.jsonl")
def iterable_sync(day: str) -> Iterable[int]:
    yield len(day)


@flow.task(save="skip/{day}.jsonl", skip=OSError)
async def skipped(day: str) -> AsyncIterator[Row]:
    yield {"day": day, "celsius": 1.5}


@flow.task(save="suppress/{day}.jsonl", suppress=(OSError,))
def suppressed(day: str) -> Iterator[Row]:
    yield {"day": day, "celsius": 1.5}


def name_of(day: str, pages: int = 1) -> str:
    return f"{day}-{pages}"


@flow.task(save="keyed/*.jsonl", key=name_of)
async def keyed(day: str, pages: int = 1) -> AsyncIterator[Row]:
    for _ in range(pages):
        yield {"day": day, "celsius": 1.5}


@flow.task(save="keyed/skip/*.jsonl", key=name_of, skip=OSError)
def keyed_or_none(day: str, pages: int = 1) -> Iterator[Row]:
    for _ in range(pages):
        yield {"day": day, "celsius": 1.5}


async def calls() -> None:
    assert_type(await rows("a"), Records[Row])
    assert_type(await rows(day="a", pages=2), Records[Row])
    assert_type(rows_sync("a", 2), Records[Row])
    assert_type(await generated("a"), Records[Reading])
    assert_type(generated_sync("a"), Records[Reading])
    assert_type(await iterable("a"), Records[int | str])
    for number in iterable_sync("a"):
        assert_type(number, int)
    assert_type(await skipped("a"), Records[Row] | None)
    assert_type(suppressed("a"), Records[Row] | None)
    assert_type(await keyed("a", pages=3), Records[Row])
    assert_type(keyed_or_none("a", 2), Records[Row] | None)


# Records are read as often as one likes.
async def reading() -> None:
    found = await rows("a")
    assert_type(iter(found), Iterator[Row])
    assert_type(list(found), list[Row])
    assert_type([row["celsius"] for row in found], list[float])
    assert_type({row["day"]: row for row in found}, dict[str, Row])
    assert_type(found.output, Output[Records[Row]])
    assert_type(found.output.value(), Records[Row])
    assert_type([each.celsius for each in generated_sync("a")], list[float | None])
    for row in await skipped("a") or ():
        assert_type(row, Row)


def total(readings: Iterable[Reading]) -> float:
    return sum(each.celsius or 0.0 for each in readings)


def passed_on(records: Records[bool]) -> None:
    total(generated_sync("a"))  # OK
    wider: Records[int] = records  # OK
    anything: Records[object] = rows_sync("a")  # OK
    rows_or_list: Iterable[Row] = rows_sync("a")  # OK
    print(wider, anything, rows_or_list)


# Async generators are awaited as any async task.
async def concurrency() -> None:
    assert_type(await asyncio.gather(rows("a"), skipped("a")), tuple[Records[Row], Records[Row] | None])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(rows("a"))
    assert_type(running.result(), Records[Row])
    assert_type(await asyncio.to_thread(rows_sync, "a", pages=2), Records[Row])


assert_type(asyncio.run(rows("a")), Records[Row])


# Methods.
class Service:
    @flow.task(save="rows/{day}.jsonl")
    async def rows(self, day: str) -> AsyncIterator[Row]:
        yield {"day": day, "celsius": 1.5}

    @flow.task(save="rows/sync/{day}.jsonl", skip=OSError)
    def rows_sync(self, day: str) -> Iterator[Row]:
        yield {"day": day, "celsius": 1.5}

    @staticmethod
    @flow.task(save="rows/static/{day}.jsonl")
    async def static_outer(day: str) -> AsyncIterator[Row]:
        yield {"day": day, "celsius": 1.5}

    @classmethod
    @flow.task(save="rows/class/{day}.jsonl")
    def class_outer(cls, day: str) -> Iterator[Row]:
        yield {"day": day, "celsius": 1.5}


class HasRows(Protocol):
    async def rows(self, day: str) -> Iterable[Row]: ...


async def methods(service: Service) -> None:
    assert_type(await service.rows("a"), Records[Row])
    assert_type(await Service.rows(service, day="a"), Records[Row])
    assert_type(service.rows_sync("a"), Records[Row] | None)
    assert_type(await Service.static_outer("a"), Records[Row])
    assert_type(Service.class_outer("a"), Records[Row])
    has_rows: HasRows = service  # OK
    for row in await has_rows.rows("a"):
        assert_type(row, Row)


# Handles, and maps.
async def handles(service: Service) -> None:
    assert_type(flow.task.output(rows, "a", pages=2).value(), Records[Row])
    assert_type(flow.task.output(skipped, "a").value(), Records[Row] | None)
    assert_type(flow.task.output(service.rows, "a").value(), Records[Row])
    assert_type(await flow.task.make(rows, "a"), Output[Records[Row]])
    assert_type(flow.task.make(rows_sync, "a", pages=2), Output[Records[Row]])
    mapped: TaskMap[Records[Row]] = flow.task.map(rows, ["a"])  # OK
    assert_type(await mapped, list[Records[Row]])
    assert_type(await flow.task.map(rows_sync, ["a"]), list[Records[Row]])
    async for found in flow.task.map(skipped, ["a"]):
        assert_type(found, Records[Row] | None)
    outcomes = await flow.task.map(rows, ["a"], on_error="collect")
    assert_type(outcomes, list[Completed[str, Records[Row]] | Failed[str]])


# Generic functions.
@flow.task(save="many/*.jsonl")
def many(item: T, *, times: int = 1) -> Iterator[T]:
    for _ in range(times):
        yield item


def generics(number: int) -> None:
    assert_type(many(number), Records[int])
