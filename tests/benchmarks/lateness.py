"""Rows about how late the event loop is while outputs are made."""

from __future__ import annotations

import asyncio
import itertools
import time
from statistics import quantiles
from typing import TYPE_CHECKING

import msgspec

from asflow import Flow
from asflow.sinks import NullSink
from benchmarks import outputs
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.writes import BYTES_A_RECORD, compressor, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["rows"]


async def _lateness(work: Callable[[], object]) -> float:
    """Run *work*; return how late, in ms at the 99th percentile, the loop was for timers of 1 ms."""
    late: list[float] = []
    over = False

    async def tick() -> None:
        while not over:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - due)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    late.clear()
    await work()  # type: ignore[misc]
    over = True
    await ticker
    return quantiles(late, n=100)[98] * 1e3 if len(late) > 1 else 0.0


def _late_asflow(count: int) -> Contender:
    async def run(folder: Path) -> float:
        flow = Flow(folder, sink=NullSink())

        @flow.task(on="{name}.jsonl.zst")
        async def save(name: str) -> None:
            rows = records(count)
            while page := list(itertools.islice(rows, 1000)):
                for record in page:
                    flow.task.write(record)
                await asyncio.sleep(0)

        return await _lateness(lambda: save("out"))

    return Contender(ASFLOW, run, count)


def _late_by_hand(count: int) -> Contender:
    async def run(folder: Path) -> float:
        async def save() -> None:
            compress, flush = compressor(".zst")
            encode, buffer = msgspec.json.Encoder().encode_into, bytearray()
            rows = records(count)
            with open(folder / "out", "wb", buffering=0) as file:  # noqa: ASYNC230 - inline on purpose
                while page := list(itertools.islice(rows, 1000)):
                    for record in page:
                        encode(record, buffer, -1)
                        buffer += b"\n"
                        if len(buffer) >= 65536:
                            file.write(compress(buffer))
                            buffer.clear()
                    await asyncio.sleep(0)
                file.write(compress(buffer) + flush())

        return await _lateness(save)

    return Contender("by hand, inline", run, count)


def _while(contender: Contender) -> Contender:
    """Measure how late the loop is while *contender* runs."""

    async def run(folder: Path) -> float:
        return await _lateness(lambda: contender.run(folder))

    return Contender(contender.name, run, 1)


def rows(short: bool) -> Iterator[Row]:
    """Yield the rows about lateness."""
    much = 300_000_000 // BYTES_A_RECORD // (50 if short else 1)
    yield Row(
        "lateness",
        "lateness of the loop, p99, while a task writes 300 MB in pages of 1,000 records",
        (_late_by_hand(much), _late_asflow(much)),
        unit="ms",
        judge="value",
        compare="itself",
        bound=5,
        cost="one page of records: encoding, and compressing every 64 KiB. The end "
        "(the rest, sync, publish) is done in a thread.",
        floor="the same work inline, by hand: the cost of a page.",
    )
    count = 200 if short else 2_000
    yield Row(
        "lateness-commits",
        f"lateness of the loop, p99, while {count:,} outputs of 2 KB are committed, 16 in flight",
        (_while(outputs.synced_in_flight(count, 16)), _while(outputs.by_asflow_in_flight("data", count, 16))),
        unit="ms",
        judge="value",
        compare="itself",
        bound=10,
        cost="the claims of the outputs that begin, and a wake-up for those that end. Threads sync.",
        floor="write, fsync and rename by hand, in as many threads.",
    )
