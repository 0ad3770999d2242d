"""Hourly temperatures: download what is missing, one file per day, and make tables of it.

    python -m flows.temperatures        the same in a terminal

The service is the demo's (`docs/examples/demo/api.py`), or a compatible one at $TEMPERATURES_API.
"""

from __future__ import annotations

import asyncio
import os
from calendar import monthrange
from datetime import date

import httpx
import polars as pl

from asflow import Flow, Retry
from asflow.sinks import StreamlitSink

API = os.environ.get("TEMPERATURES_API", "http://127.0.0.1:8000")
YEAR = 2010

# One for all sessions: each flow is shown on the page that called it.
sink = StreamlitSink()
flow = Flow(sink=sink)


class NoSuchDayError(Exception):
    """The service has no data for that day and never will."""


class BusyError(Exception):
    """The service asks to retry later."""


class Archive:
    """The service behind an HTTP client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @flow.task(
        on="data/temperatures/{day}.jsonl.zst",
        limit=8,
        retry=Retry(total=3, exceptions=(BusyError, httpx.TransportError)),
        suppress=(NoSuchDayError,),
    )
    async def download(self, day: date) -> None:
        """Keep one day on disk, one record per hour."""
        query = {"start_date": f"{day}", "end_date": f"{day}", "hourly": "temperature_2m"}
        response = await self.client.get("/v1/archive", params=query)
        if response.status_code == 404:
            raise NoSuchDayError(response.text)
        if response.status_code in {429, 503}:
            raise BusyError(response.headers.get("Retry-After"))
        hourly = response.raise_for_status().json()["hourly"]
        for time, temperature in zip(hourly["time"], hourly["temperature_2m"], strict=True):
            flow.task.write({"time": time, "temperature": temperature})


@flow.task
def read(month: str) -> pl.DataFrame:
    """Read a month's days from disk: columns `time` and `temperature` (degrees Fahrenheit)."""
    return (
        pl.scan_ndjson(f"data/temperatures/{month}-*.jsonl.zst")
        .with_columns(pl.col("time").str.to_datetime())
        .sort("time")
        .collect()
    )


@flow
async def monthly(month: int) -> pl.DataFrame:
    """Bring one month (1 to 12) up to date and return its hours."""
    days = [date(YEAR, month, day) for day in range(1, monthrange(YEAR, month)[1] + 1)]
    async with httpx.AsyncClient(base_url=API, timeout=30) as client, asyncio.TaskGroup() as group:
        archive = Archive(client)
        for day in days:
            group.create_task(archive.download(day))
    return await asyncio.to_thread(read, f"{YEAR}-{month:02d}")


@flow
async def yearly() -> pl.DataFrame:
    """Bring all months up to date, one after the other, and return their hours."""
    return pl.concat([await monthly(month) for month in range(1, 13)])


if __name__ == "__main__":
    print(asyncio.run(yearly()).describe())
