"""A task with `save=` keeps its function's type; with `skip=` or `suppress=` a call may return None."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    assert_type,
    overload,
)
from uuid import UUID

import msgspec
import pandas as pd
import polars as pl
from asflow import Flow, Limit, Output, Retry, flow
from pydantic import BaseModel
from typing_extensions import Unpack, override

T = TypeVar("T")
other = Flow("data")


class Weather(TypedDict):
    day: str
    celsius: float


@dataclass
class Reading:
    at: datetime
    celsius: float | None


class Point(NamedTuple):
    x: int
    y: Decimal


class Kind(Enum):
    RAIN = "rain"


class Station(msgspec.Struct, frozen=True):
    id: UUID


class City(BaseModel):
    name: str


Days: TypeAlias = dict[str, list[Weather]]


# What a body may return.
@flow.task(save="data/{day}.json", retry=3)
async def weather(day: str, *, unit: Literal["C", "F"] = "C") -> Weather:
    return {"day": day + unit, "celsius": 1.5}


@flow.task(save="data/sync/{day}.json")
def weather_sync(day: str, unit: str = "C") -> Weather:
    return {"day": day + unit, "celsius": 1.5}


@flow.task(save="data/{day}.json.gz")
async def reading(day: str) -> Reading:
    return Reading(datetime.fromisoformat(day), None)


@flow.task(save="points/{day}.json")
def points(day: str) -> tuple[Point, ...]:
    return (Point(len(day), Decimal(1)),)


@flow.task(save="kinds/{day}.json")
def kinds(day: str) -> set[Kind]:
    return {Kind(day)}


@flow.task(save="stations/{day}.json")
async def station(day: str) -> Station:
    return Station(UUID(day))


@flow.task(save="cities/{day}.json")
async def city(day: str) -> City:
    return City(name=day)


@flow.task(save="optional/{day}.json")
async def optional(day: str) -> int | None:
    return len(day) or None


@flow.task(save="union/{day}.json")
def union(day: str) -> Weather | list[int]:
    return [len(day)]


@flow.task(save="literal/{day}.json")
async def literal(day: str) -> Literal["dry", "wet"]:
    return "dry" if day else "wet"


@flow.task(save="annotated/{day}.json")
def annotated(day: str) -> Annotated[int, msgspec.Meta(gt=0)]:
    return len(day)


@flow.task(save="alias/{day}.json")
async def alias(day: str) -> Days:
    return {day: []}


@flow.task(save="mapping/{day}.json")
def mapping(day: str) -> Mapping[str, Sequence[int]]:
    return {day: [1]}


@flow.task(save="rows/{day}.jsonl.zst")
async def rows(day: str) -> list[Weather]:
    return [{"day": day, "celsius": 1.5}]


@flow.task(save="rows/{day}.csv")
def rows_sync(day: str) -> list[Reading]:
    return [Reading(datetime.fromisoformat(day), 1.5)]


@flow.task(save="pages/{day}.html")
async def page(day: str) -> str:
    return day


@flow.task(save="images/{day}.png")
def image(day: str) -> bytes:
    return day.encode()


@flow.task(save="frames/{day}.parquet")
async def frame(day: str) -> pl.DataFrame:
    return pl.DataFrame({"day": [day]})


@flow.task(save="frames/pandas/{day}.parquet")
def frame_pandas(day: str) -> pd.DataFrame:
    return pd.DataFrame({"day": [day]})


@flow.task(save="opaque/{day}.json")
def opaque(day: str) -> Any:
    return day


@flow.task(save="coroutine/{day}.json")
def coroutine(day: str) -> Coroutine[Any, Any, Weather]:
    return weather(day)


async def values() -> None:
    assert_type(await weather("a"), Weather)
    assert_type(await weather(day="a", unit="F"), Weather)
    assert_type((await weather("a"))["celsius"], float)
    assert_type(weather_sync("a", "F"), Weather)
    assert_type(await reading("a"), Reading)
    assert_type(points("a"), tuple[Point, ...])
    assert_type(kinds("a"), set[Kind])
    assert_type(await station("a"), Station)
    assert_type(await city("a"), City)
    assert_type(await optional("a"), int | None)
    assert_type(union("a"), Weather | list[int])
    assert_type(await literal("a"), Literal["dry", "wet"])
    assert_type(annotated("a"), int)
    assert_type(await alias("a"), dict[str, list[Weather]])
    assert_type(mapping("a"), Mapping[str, Sequence[int]])
    assert_type(await rows("a"), list[Weather])
    assert_type(rows_sync("a"), list[Reading])
    assert_type(await page("a"), str)
    assert_type(image("a"), bytes)
    assert_type(await frame("a"), pl.DataFrame)
    assert_type(frame_pandas("a"), pd.DataFrame)
    assert_type(opaque("a"), Any)
    assert_type(await coroutine("a"), Weather)


# It is the function's own type, attributes and all.
assert_type(weather.__name__, str)
assert_type(weather_sync.__doc__, str | None)
by_day: Callable[[str], Coroutine[Any, Any, Weather]] = weather  # OK


# The options beside it.
@other.task(
    save=Path("data") / "{day}.json.zst",
    retry=Retry(2, exceptions=OSError),
    limit=Limit(4),
    timeout=10,
    refresh=timedelta(days=1),
    level=19,
)
async def with_options(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/{day}.json", executor=ThreadPoolExecutor(2), retry=3, refresh=60)
def on_executor(day: str) -> Weather:
    return weather_sync(day)


async def options() -> None:
    assert_type(await with_options("a"), Weather)
    assert_type(on_executor("a"), Weather)


# Or None.
@flow.task(save="data/skip/{day}.json", skip=(OSError, ValueError))
async def skipped(day: str) -> Weather:
    return await weather(day)


@flow.task(save="data/suppress/{day}.json", suppress=OSError, level=3)
def suppressed(day: str) -> list[Weather]:
    return [weather_sync(day)]


@flow.task(save="data/both/{day}.json", skip=TimeoutError, suppress=(OSError,), retry=3, limit=2)
async def skipped_and_suppressed(day: str) -> int | None:
    return len(day)


@flow.task(save="data/opaque/{day}.json", skip=OSError)
async def opaque_or_none(day: str) -> Any:
    return day


@flow.task(save="data/{day}.parquet", skip=OSError)
def frame_or_none(day: str) -> pd.DataFrame:
    return frame_pandas(day)


@flow.task(save="data/{day}.txt", suppress=OSError)
def text_or_none(day: str) -> str:
    return day


async def or_none() -> None:
    assert_type(await skipped("a"), Weather | None)
    assert_type(suppressed(day="a"), list[Weather] | None)
    assert_type(await skipped_and_suppressed("a"), int | None)
    assert_type(await opaque_or_none("a"), Any | None)
    assert_type(frame_or_none("a"), pd.DataFrame | None)
    assert_type(text_or_none("a"), str | None)
    found = await skipped("a")
    assert_type("" if found is None else found["day"], str)
    assert_type(await asyncio.gather(weather("a"), skipped("a")), tuple[Weather, Weather | None])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(skipped("a"))
    assert_type(running.result(), Weather | None)


# Named by a key, with the task's own parameters.
def name_of(day: str, unit: str = "C") -> str:
    return f"{day}-{unit}"


@flow.task(save="data/*.json", key=name_of, retry=3)
async def keyed(day: str, unit: str = "C") -> Weather:
    return await weather(day + unit)


@flow.task(save="data/sync/*.json", key=name_of, refresh=60)
def keyed_sync(day: str, unit: str = "C") -> list[Weather]:
    return [weather_sync(day, unit)]


@flow.task(save="data/skip/*.json", key=name_of, skip=OSError)
async def keyed_or_none(day: str, unit: str = "C") -> Weather:
    return await weather(day + unit)


@flow.task(save="data/suppress/*.json", key=name_of, suppress=OSError)
def keyed_or_none_sync(day: str, unit: str = "C") -> str:
    return day + unit


@flow.task(save="data/opaque/*.json", key=name_of, skip=OSError)
def keyed_opaque(day: str, unit: str = "C") -> Any:
    return day + unit


async def by_key() -> None:
    assert_type(await keyed("a", unit="F"), Weather)
    assert_type(keyed_sync(day="a"), list[Weather])
    assert_type(await keyed_or_none("a", "F"), Weather | None)
    assert_type(keyed_or_none_sync("a"), str | None)
    assert_type(keyed_opaque("a"), Any)


# Methods.
class Service:
    def __init__(self, base: str) -> None:
        self.base = base

    @flow.task(save="data/{day}.json", retry=3)
    async def fetch(self, day: str, *, unit: str = "C") -> Weather:
        return await weather(self.base + day + unit)

    @flow.task(save="data/skip/{day}.json", skip=OSError)
    async def try_fetch(self, day: str) -> Weather:
        return await weather(self.base + day)

    @flow.task(save="data/{day}.txt")
    def text(self, day: str) -> str:
        return self.base + day

    @staticmethod
    @flow.task(save="data/static/{day}.json")
    async def static_outer(day: str) -> Weather:
        return await weather(day)

    @flow.task(save="data/static/{day}.txt")
    @staticmethod
    def static_inner(day: str) -> str:
        return day

    @classmethod
    @flow.task(save="data/class/{day}.json")
    async def class_outer(cls, day: str) -> list[Weather]:
        return [await weather(day)]

    @flow.task(save="data/class/{day}.txt")
    @classmethod
    def class_inner(cls, day: str) -> str:
        return cls.__name__ + day


class Special(Service):
    @override
    @flow.task(save="data/special/{day}.json")
    async def fetch(self, day: str, *, unit: str = "K") -> Weather:
        return await super().fetch(day, unit=unit)


class Fetches(Protocol):
    async def fetch(self, day: str, *, unit: str = ...) -> Weather: ...
    async def try_fetch(self, day: str) -> Weather | None: ...
    def text(self, day: str, /) -> str: ...


async def methods(service: Service) -> None:
    assert_type(await service.fetch("a", unit="F"), Weather)
    assert_type(await Service.fetch(service, "a"), Weather)
    assert_type(await service.try_fetch("a"), Weather | None)
    assert_type(service.text(day="a"), str)
    assert_type(await Service.static_outer("a"), Weather)
    assert_type(service.static_inner("a"), str)
    assert_type(await Service.class_outer("a"), list[Weather])
    assert_type(Service.class_inner("a"), str)
    assert_type(await Special("a").fetch("a", unit="F"), Weather)
    fetches: Fetches = service  # OK
    assert_type(await fetches.fetch("a"), Weather)
    assert_type(await flow.task.map(service.fetch, ["a"]), list[Weather])


# Generic, overloaded and other functions.
@flow.task(save="data/*.json")
async def reversed_(items: Sequence[T]) -> list[T]:
    return [*items][::-1]


@flow.task(save="data/many/*.json")
def paired(item: T, *items: T, **more: T) -> dict[str, T]:
    return {"item": item, **more}


class Box(Generic[T]):
    @flow.task(save="data/box/*.json")
    async def all(self, item: T) -> list[T]:
        return [item]


class Filter(TypedDict, total=False):
    lang: str


@flow.task(save="data/unpacked/*.json")
async def unpacked(url: str, **options: Unpack[Filter]) -> dict[str, str]:
    return {url: options.get("lang", "")}


@overload
async def _load(key: int) -> str: ...
@overload
async def _load(key: str) -> list[int]: ...
async def _load(key: int | str) -> str | list[int]:
    return str(key) if isinstance(key, int) else [len(key)]


load = flow.task(save="data/load/{key}.json")(_load)


async def functions(number: int, box: Box[int]) -> None:
    assert_type(await reversed_([number]), list[int])
    assert_type(paired(number, 3, more=number), dict[str, int])
    assert_type(await box.all(number), list[int])
    assert_type(await unpacked("a", lang="en"), dict[str, str])
    assert_type(await load(1), str)
    assert_type(await load("a"), list[int])


# What its output holds.
async def outputs(service: Service) -> None:
    assert_type(flow.task.output(weather, "a", unit="F").value(), Weather)
    assert_type(flow.task.output(weather_sync, "a"), Output[Weather])
    assert_type(flow.task.output(optional, "a").value(), int | None)
    assert_type(flow.task.output(skipped, "a").value(), Weather | None)
    assert_type(flow.task.output(keyed, "a", "F").value(), Weather)
    assert_type(flow.task.output(service.fetch, "a").value(), Weather)
    assert_type(flow.task.output(Service.static_outer, "a").value(), Weather)
    assert_type(flow.task.output(frame, "a").value(), pl.DataFrame)
    assert_type(flow.task.output(opaque, "a").value(), Any)
    assert_type([each.value() for each in flow.task.outputs(weather)], list[Weather])


# Made, and not read.
async def made(service: Service) -> None:
    assert_type(await flow.task.make(weather, "a", unit="F"), Output[Weather])
    assert_type(flow.task.make(weather_sync, "a"), Output[Weather])
    assert_type(await flow.task.make(service.try_fetch, "a"), Output[Weather | None])
    assert_type((await flow.task.make(rows, day="a")).value(), list[Weather])
    assert_type(asyncio.create_task(flow.task.make(weather, "a")).done(), bool)
    both = await asyncio.gather(flow.task.make(weather, "a"), flow.task.make(page, "b"))
    assert_type(both, tuple[Output[Weather], Output[str]])
