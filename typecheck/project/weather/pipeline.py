"""Download, transform, and tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from asflow import Completed, Failed, Records

from weather.client import Service, flow, summary
from weather.records import Day, Key, Reading
from weather.writer import Aligned

P = ParamSpec("P")
R = TypeVar("R")


def named(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator of our own, outside a task."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        print(f"{name} is {function}")
        return function

    return decorate


def in_one_word(days: list[Day]) -> str:
    """The cities, for the name of the table."""
    return "-".join(sorted({day.city for day in days}))


@flow.task
def day_of(key: Key, readings: Iterable[Reading]) -> Day:
    """Reduce a day to what is asked for."""
    temperatures = [reading["celsius"] for reading in readings]
    return Day(key.city, key.date, max(temperatures), min(temperatures))


@named("the table")
@flow.task(on="tables/*.txt", key=in_one_word, writer=Aligned, refresh=3600)
def table(days: list[Day]) -> None:
    """Write all days as a table."""
    for day in flow.task.track(days, "days"):
        flow.task.write(day)


def highest(day: Day) -> float:
    """The highest temperature."""
    return day.highest


@flow.task(save="tables/{name}.json", refresh=3600)
async def warmest(name: str, days: list[Day]) -> Day | None:
    """Choose the warmest day."""
    return max(days, key=highest, default=None)


@flow
async def pipeline(dates: list[str], *, offset: float = 0.0) -> list[Day]:
    """Fetch the days of both cities."""
    service = await Service.connect("https://weather.example", offset=offset)
    keys = [Service.parse(f"{city} {date}") for city in ("Paris", "Seattle") for date in dates]
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(service.fetch(key.city, key.date)) for key in keys]
    found: list[Records[Reading] | None] = [call.result() for call in calls]
    print(f"{sum(len(list(readings)) for readings in found if readings)} readings")

    days: list[Day] = []
    for key, readings in zip(keys, found, strict=True):
        if readings is not None:
            days.append(day_of(key, readings))
        elif (error := flow.task.output(service.fetch, key.city, date=key.date).error()) is not None:
            print(error.splitlines()[-1])
    output = flow.task.output(table, days)
    there = output.status == "complete"
    await asyncio.to_thread(table, days)
    print("the table was there" if there else f"the table has {output.size} bytes")
    best = await warmest("warmest", days)
    print("nothing was warm" if best is None else f"{best.city} was warmest")
    return days


@flow.task
async def degrees(day: Day) -> float:
    """How far its temperatures are apart."""
    return day.highest - day.lowest


@flow(progress=False)
async def differences(days: list[Day]) -> dict[str, float]:
    """How far the temperatures of each day are apart."""
    found: dict[str, float] = {}
    async for outcome in flow.task.map(degrees, days, on_error="collect"):
        match outcome:
            case Completed(day, difference):
                found[day.date] = difference
            case Failed(day, error):
                print(f"{day.date}: {error}")
    return found


async def main() -> None:
    """Run it twice: the second time nothing is fetched."""
    dates = ["2024-01-30", "2024-01-31", "2024-02-00"]
    days: list[Day] = []
    for _ in range(2):
        days = await pipeline(dates, offset=1.5)
    print(await differences(days))
    for output in flow.task.outputs(Service.fetch):
        print(output.name, output.size)
    print(dict(summary.outcomes))


if __name__ == "__main__":
    asyncio.run(main())
