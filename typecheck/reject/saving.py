"""Wrong use of tasks with `save=`, and of what they return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol, TypedDict

from asflow import Output, Writer, flow
from asflow.protocols import ByteStream


class Weather(TypedDict):
    day: str
    celsius: float


@dataclass
class Reading:
    celsius: float


def name_of(day: str) -> str:
    return day


def open_lines(stream: ByteStream) -> Writer[str]:
    raise NotImplementedError(stream)


@flow.task(save="data/{day}.json", retry=3)
async def weather(day: str, *, unit: str = "C") -> Weather:
    return {"day": day + unit, "celsius": 1.5}


@flow.task(save="rows/{day}.csv")
def readings(day: str) -> list[Reading]:
    return [Reading(len(day))]


@flow.task(save="data/skip/{day}.json", skip=OSError)
async def skipped(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/suppress/{day}.json", suppress=OSError)
def suppressed(day: str) -> list[Reading]:
    return readings(day)


@flow.task(save="data/*.json", key=name_of)
async def keyed(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/optional/{day}.json")
def optional(day: str) -> int | None:
    return len(day) or None


class Service:
    @flow.task(save="data/{day}.json")
    async def fetch(self, day: str) -> Weather:
        return await weather(day)

    @flow.task(save="data/skip/{day}.json", skip=OSError)
    async def try_fetch(self, day: str) -> Weather:
        return await weather(day)


class Fetches(Protocol):
    async def fetch(self, day: str) -> Weather: ...


class Tries(Protocol):
    async def try_fetch(self, day: str) -> Weather: ...


# Arguments.
async def arguments(service: Service) -> None:
    await weather()  # E
    await weather(1)  # E
    await weather("a", "F")  # E
    await weather("a", units="F")  # E
    readings(day=3)  # E
    await skipped("a", 1)  # E
    suppressed()  # E
    await keyed(b"a")  # E
    await service.fetch()  # E
    await service.try_fetch(1)  # E
    await Service.fetch("a")  # E
    await readings("a")  # E


# A coroutine that is not awaited does nothing, and is not a value.
async def unawaited(service: Service) -> None:
    weather("a")  # E: await
    skipped("a")  # E: await
    keyed("a")  # E: await
    service.fetch("a")  # E: await
    service.try_fetch("a")  # E: await
    flow.task.make(weather, "a")  # E: await
    weather("a")["celsius"]  # E
    found: Weather = weather("a")  # E
    output: Output[Weather] = flow.task.make(weather, "a")  # E
    print(found, output)


# Values.
async def values(service: Service) -> None:
    number: int = await weather("a")  # E
    (await weather("a"))["kelvin"]  # E
    readings("a")["celsius"]  # E
    print(readings("a")[0].kelvin)  # E
    (await skipped("a"))["celsius"]  # E
    found: Weather = await skipped("a")  # E
    for reading in suppressed("a"):  # E
        print(reading)
    print(optional("a") + 1)  # E
    both: tuple[Weather, Weather] = await asyncio.gather(weather("a"), skipped("b"))  # E
    by_day: Callable[[str], Coroutine[object, None, Weather]] = skipped  # E
    fetches: Fetches = service
    tries: Tries = service  # E
    print(number, found, both, by_day, fetches, tries)


# Handles.
async def handles(service: Service) -> None:
    number: int = flow.task.output(weather, "a").value()  # E
    flow.task.output(weather, 1).value()  # E
    flow.task.output(weather, "a", unit=1)  # E
    flow.task.output(weather("a"))  # E
    await flow.task.output(weather, "a").value()  # E
    flow.task.output(skipped, "a").value()["celsius"]  # E
    other: Output[Reading] = flow.task.output(weather, "a")  # E
    flow.task.output(service.fetch, 1)  # E
    await flow.task.make(weather)  # E
    await flow.task.make(weather, 1)  # E
    await flow.task.make(readings, "a")  # E
    flow.task.make(readings, "a", "b")  # E
    flow.task.make(readings, "a").append(Reading(1.5))  # E
    made: Output[list[Weather]] = flow.task.make(readings, "a")  # E
    results: list[Weather] = await flow.task.map(skipped, ["a"])  # E
    print(number, other, made, results)


# Options.
@flow.task(save=3)  # E
async def save_number(day: str) -> Weather:
    return await weather(day)


@flow.task(save=b"data/{day}.json")  # E
async def save_bytes(day: str) -> Weather:
    return await weather(day)


@flow.task(save=True)  # E
async def save_true(day: str) -> Weather:
    return await weather(day)


@flow.task(saves="data/{day}.json")  # E
async def misspelt(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", skips=OSError)  # E
async def misspelt_skip(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", on="data/{day}.jsonl")  # E
async def saved_and_written(day: str) -> Weather:
    return await weather(day)


@flow.task(on="data/{day}.jsonl", save="data/{day}.json", skip=OSError)  # E
def written_and_saved(day: str) -> None: ...


@flow.task(save="data/{day}.lines", writer=open_lines)  # E
async def with_writer(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", skip=(int,))  # E
async def skip_int(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", suppress="OSError")  # E
async def suppress_text(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", retry="3")  # E
async def retry_text(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json.gz", level="9")  # E
async def level_text(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/*.json", key=name_of)  # E
async def key_of_fewer(day: str, unit: str) -> Weather:
    return await weather(day, unit=unit)


@flow.task(save="data/*.json", key=name_of, skip=OSError)  # E
def key_of_another(number: int) -> list[Weather]:
    return [{"day": "a", "celsius": number}]


@flow.task(save="data/*.json", key="day")  # E
async def key_text(day: str) -> Weather:
    return await weather(day)
