"""The service, with tasks for methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Protocol, Self

from asflow import Flow, Limit, Retry

from weather.records import City, Key, Reading
from weather.sink import Summary
from weather.store import Counted

summary = Summary()
store = Counted()
flow = Flow("data", store=store, sink=summary)
api = Limit(4, rate="1000/s")


class NotFoundError(Exception):
    """The service has no such day."""


class Source(Protocol):
    """What the pipeline asks for days; `Service` is one."""

    async def fetch(self, city: City, date: str) -> Iterable[Reading] | None: ...

    def describe(self, city: City, /) -> str: ...


class Service:
    """A made-up weather service."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    @classmethod
    @flow.task
    async def connect(cls, url: str, *, offset: float = 0.0) -> Self:
        """Open the connection."""
        await asyncio.sleep(0)
        print(f"connected to {url}")
        return cls(offset)

    @flow.task(
        save="readings/{city}/{date}.jsonl.zst",
        retry=Retry(2, backoff_factor=0.01, exceptions=ConnectionError),
        suppress=NotFoundError,
        limit=api,
        timeout=10,
    )
    async def fetch(self, city: City, date: str) -> AsyncIterator[Reading]:
        """Download one day, an hour at a time."""
        with flow.task.progress("hours", total=24) as progress:
            async for reading in self._hours(city, date):
                yield reading
                progress.advance()

    @flow.task
    def describe(self, city: City, /) -> str:
        """Name a city in a sentence."""
        return f"{city}, {self.offset:+.1f} degrees"

    @staticmethod
    @flow.task(retry=1)
    def parse(line: str) -> Key:
        """Read `Paris 2024-01-31`."""
        match line.split():
            case ["Paris" | "Seattle" as city, date]:
                return Key(city, date)
            case _:
                raise ValueError(f"not a city and a date: {line!r}")

    async def _hours(self, city: City, date: str) -> AsyncIterator[Reading]:
        if date.endswith("-00"):
            raise NotFoundError(f"{city} on {date}")
        for hour in range(24):
            await asyncio.sleep(0)
            yield Reading(city=city, hour=hour, celsius=self.offset + 12 - abs(12 - hour))


source: Source = Service()
