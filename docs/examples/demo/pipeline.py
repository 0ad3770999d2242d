"""Download a year of hourly temperatures, one page per day, and make a table of its months.

    python docs/examples/demo/pipeline.py                  a loopback API with real data (api.py)
    python docs/examples/demo/pipeline.py --url https://archive-api.open-meteo.com --year 2023

Stop it with Ctrl-C, and run it again: the next run downloads what is missing, and the one after that nothing.
Delete a file under `data/` to download it again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import date, timedelta
from http import HTTPStatus

import httpx
import polars as pl
from api import serve

from asflow import Retry, flow

SEATTLE = {"latitude": "47.6062", "longitude": "-122.3321", "temperature_unit": "fahrenheit"}


class NoSuchDayError(Exception):
    """The service has no data for that day and never will."""


class ServerBusyError(Exception):
    """The service asks to retry after `seconds`; None: it doesn't say when."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("503, ask again later" if seconds is None else f"503, ask again in {seconds:g} s")
        self.seconds = seconds


def retry_after(error: Exception, retry: int) -> float | None:
    """Wait as long as the service asks for; None means the usual backoff."""
    return error.seconds if isinstance(error, ServerBusyError) else None


def check(response: httpx.Response) -> httpx.Response:
    """Raise an exception for each response that needs a decision."""
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise NoSuchDayError("404, no such day")
    if response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        seconds = response.headers.get("Retry-After", "")
        raise ServerBusyError(float(seconds) if seconds.isdecimal() else None)
    return response.raise_for_status()


class Archive:
    """A weather archive behind an HTTP client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @flow.task(
        on="data/temperatures/{day}.jsonl.zst",
        limit=8,
        retry=Retry(total=3, exceptions=(ServerBusyError,), delay=retry_after),
        skip=(httpx.TransportError,),  # the connection broke: the next run tries again
        suppress=(NoSuchDayError,),  # permanent: recorded in an .err file, never requested again
    )
    async def download(self, day: date) -> None:
        """Keep one day's page on disk, one record per hour."""
        query = {"start_date": f"{day}", "end_date": f"{day}", "hourly": "temperature_2m", **SEATTLE}
        hourly = check(await self.client.get("/v1/archive", params=query)).json()["hourly"]
        for hour, temperature in zip(hourly["time"], hourly["temperature_2m"], strict=True):
            flow.task.write({"time": hour, "temperature": temperature})


@flow.task
def monthly(year: int) -> pl.DataFrame:
    """Read every page on disk and make the table."""
    hours = pl.scan_ndjson("data/temperatures/*.jsonl.zst").with_columns(pl.col("time").str.to_datetime())
    return (
        hours.filter(pl.col("time").dt.year() == year)
        .group_by(pl.col("time").dt.strftime("%m %B").alias("month"))
        .agg(
            pl.col("time").dt.date().n_unique().alias("days"),
            pl.col("temperature").mean().round(1).alias("mean °F"),
            pl.col("temperature").min().alias("min"),
            pl.col("temperature").max().alias("max"),
        )
        .sort("month")
        .collect()
    )


@flow
async def temperatures(year: int, url: str) -> pl.DataFrame:
    """Download the days of *year* that are missing, then transform."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await flow.task.map(Archive(client).download, days_of(year), ordered=False)
    return await asyncio.to_thread(monthly, year)


def days_of(year: int) -> list[date]:
    """Return all days of *year*."""
    first = date(year, 1, 1)
    return [first + timedelta(n) for n in range((date(year + 1, 1, 1) - first).days)]


def on_disk(days: list[date]) -> Counter[str]:
    """Count the days by the status of their outputs: complete, suppressed or absent."""
    archive = Archive(httpx.AsyncClient())
    return Counter(flow.task.output(archive.download, day).status for day in days)


def main() -> None:
    """Read the options, run the flow, report what it did."""
    parser = argparse.ArgumentParser(description="A year of hourly temperatures, by month.")
    parser.add_argument("--url", help="a compatible service; default: a loopback API with data of 2010")
    parser.add_argument("--year", type=int, default=2010)
    parser.add_argument("--base", default=".", help="the folder for data/ (default: the current one)")
    options = parser.parse_args()

    os.makedirs(options.base, exist_ok=True)
    os.chdir(options.base)
    days = days_of(options.year)

    with ExitStack() as stack:
        api = None if options.url else stack.enter_context(serve())
        url: str = api.url if api else options.url
        before, start = on_disk(days), time.perf_counter()
        table = asyncio.run(temperatures(options.year, url))
        seconds, after = time.perf_counter() - start, on_disk(days)
    with pl.Config(tbl_rows=12, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(table)
    print(
        f"{len(days)} days: {after['complete'] - before['complete']} downloaded, "
        f"{before['complete']} on disk already, {after['suppressed']} not available "
        f"({before['suppressed']} known before), {after['absent']} left."
    )
    asked = f" and {api.requests} requests" if api else ""
    print(f"It took {seconds:.2f} s{asked}.")
    if before["absent"] == 0:
        print("Everything was on disk already.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
