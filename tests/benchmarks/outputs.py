"""Rows about publishing many small outputs."""

from __future__ import annotations

import asyncio
import os
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from asflow import Flow, LocalStore
from asflow.sinks import NullSink
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import peer, where_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asflow.stores._local_claim import Durability

__all__ = ["by_asflow", "by_asflow_in_flight", "rows", "synced_in_flight"]

_TEXT = random.Random(2).randbytes(1024).hex()
_BYTES = _TEXT.encode()


def _write(path: str, flags: int = 0, times: int = 1) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | flags, 0o666)
    os.write(descriptor, _BYTES * times)
    return descriptor


def in_place(count: int) -> Contender:
    """Write under the final name: a kill leaves half a file."""

    def run(folder: Path) -> None:
        base = str(folder)
        for index in range(count):
            os.close(_write(f"{base}/{index}.txt"))

    return Contender("in place, by hand", run, count)


def _publish(path: str, sync_folder: int | None, times: int = 1, *, sync: bool = True) -> None:
    part = path + ".part"
    descriptor = _write(part, os.O_EXCL, times)
    if sync:
        os.fsync(descriptor)
    os.close(descriptor)
    os.rename(part, path)
    if sync_folder is not None:
        os.fsync(sync_folder)


def synced(count: int, *, folder_too: bool = False) -> Contender:
    """Write, fsync, rename, by hand."""

    def run(folder: Path) -> None:
        base, descriptor = str(folder), os.open(folder, os.O_RDONLY)
        for index in range(count):
            _publish(f"{base}/{index}.txt", descriptor if folder_too else None)
        os.close(descriptor)

    return Contender(f"write, fsync, rename{', fsync the folder' * folder_too}, by hand", run, count)


def synced_in_flight(count: int, flight: int, durability: Durability = "data", times: int = 1) -> Contender:
    """Do the same in *flight* threads."""

    async def run(folder: Path) -> None:
        base, loop = str(folder), asyncio.get_running_loop()
        numbers = iter(range(count))
        above = os.open(folder, os.O_RDONLY)
        one = partial(_publish, sync=durability != "atomic", times=times)
        with ThreadPoolExecutor(flight) as pool:

            async def work() -> None:
                for index in numbers:
                    path = f"{base}/{index}.txt"
                    await loop.run_in_executor(pool, one, path, above if durability == "full" else None)

            async with asyncio.TaskGroup() as group:
                for _ in range(flight):
                    group.create_task(work())
        os.close(above)

    return Contender(f"by hand, in {flight} threads", run, count)


def _script(count: int, flight: int) -> Contender:
    """Do it as a careful asyncio script does."""

    async def run(folder: Path) -> None:
        semaphore = asyncio.Semaphore(flight)

        async def save(index: int) -> None:
            async with semaphore:
                await asyncio.to_thread(_publish, f"{folder}/{index}.txt", None)

        await asyncio.gather(*map(save, range(count)))

    return Contender("asyncio script, by hand", run, count)


def by_asflow(durability: Durability, count: int) -> Contender:
    """Call a sync task for each output."""

    def run(folder: Path) -> None:
        flow = Flow(folder, store=LocalStore(durability=durability), sink=NullSink())

        @flow.task(on="{index}.txt")
        def save(index: int) -> None:
            flow.task.write(_TEXT)

        for index in range(count):
            save(index)

    return Contender(ASFLOW, run, count)


def by_asflow_in_flight(durability: Durability, count: int, flight: int, times: int = 1) -> Contender:
    """Map an async task over the outputs."""
    text = _TEXT * times

    async def run(folder: Path) -> None:
        flow = Flow(folder, store=LocalStore(durability=durability), sink=NullSink())

        @flow.task(on="{index}.txt", limit=flight)
        async def save(index: int) -> None:
            flow.task.write(text)

        async for _ in flow.task.map(save, range(count)):
            pass

    return Contender(ASFLOW, run, count)


def _text(_index: int) -> str:
    """The function that joblib and diskcache cache."""
    return _TEXT


def _joblib(count: int) -> Contender:
    def run(folder: Path) -> None:
        cached: Callable[[int], object] = peer("joblib").Memory(folder, verbose=0).cache(_text)
        for index in range(count):
            cached(index)

    return Contender("joblib", run, count)


def _diskcache(count: int) -> Contender:
    def run(folder: Path) -> None:
        cached: Callable[[int], object] = peer("diskcache").Cache(str(folder)).memoize()(_text)
        for index in range(count):
            cached(index)

    return Contender("diskcache", run, count)


def rows(short: bool) -> Iterator[Row]:
    """Yield the rows about small outputs."""
    count = 200 if short else 2_000
    cost = (
        "a locked `NAME.part` (open, flock, fstat, lstat), the write, the link that publishes it, unlinking "
        "the `.part`; two looks before, one at the claim, one under its lock: thirteen system calls, "
        "half of the time. The engine's steps are a fifteenth."
    )
    yield Row(
        "outputs-atomic",
        f'{count:,} outputs of 2 KB, `durability="atomic"`, one by one',
        (
            in_place(count),
            by_asflow("atomic", count),
            *where_installed("joblib", lambda: _joblib(count // 10)),
            *where_installed("diskcache", lambda: _diskcache(count // 10)),
        ),
        bound=5,
        judge="wall",
        cost=cost,
        floor="open, write, close under the final name: after a kill, half a file counts as done.",
    )
    yield Row(
        "outputs-data",
        f'{count:,} outputs of 2 KB, `durability="data"`, one by one',
        (synced(count), by_asflow("data", count)),
        bound=1.3,
        judge="wall",
        cost=cost + " Three quarters is waiting for fsync.",
        floor="write, fsync and rename by hand: whole or absent, but without a claim.",
    )
    yield Row(
        "outputs-full",
        f'{count:,} outputs of 2 KB, `durability="full"`, one by one',
        (synced(count, folder_too=True), by_asflow("full", count)),
        judge="wall",
        cost=cost + " The folder is synced after the link.",
        floor="the same, and fsync of the folder, by hand.",
    )
    yield from _in_flight(count)


def _in_flight(count: int) -> Iterator[Row]:
    cost = (
        "the claim and the end of each output, thirteen system calls on the loop's thread; a sync in one of "
        "sixteen threads that do nothing else, begun and ended with those of other outputs."
    )
    floor = "write, fsync and rename by hand, in as many threads; with `full`, fsync of the folder, too."
    settings: tuple[tuple[Durability, int, float], ...] = (
        ("data", 16, 1.3),
        ("data", 64, 1.3),
        ("full", 16, 1.3),
        ("atomic", 16, 1.25),
    )
    for durability, flight, bound in settings:
        yield Row(
            f"outputs-flight-{durability}-{flight}",
            f'{count:,} outputs of 2 KB, `durability="{durability}"`, {flight} in flight',
            (synced_in_flight(count, flight, durability), by_asflow_in_flight(durability, count, flight)),
            bound=bound,
            judge="wall",
            cost=cost,
            floor="write and rename by hand, in as many threads." if durability == "atomic" else floor,
        )
    few = count // 5
    yield Row(
        "outputs-flight-large",
        f'{few:,} outputs of 200 KB, `durability="data"`, 16 in flight',
        (synced_in_flight(few, 16, times=100), by_asflow_in_flight("data", few, 16, times=100)),
        bound=1.5,
        judge="wall",
        cost=cost,
        floor=floor,
    )
    for flight in (16, 64):
        yield Row(
            f"outputs-script-{flight}",
            f'{count:,} outputs of 2 KB, `durability="data"`, {flight} in flight, against a script',
            (_script(count, flight), by_asflow_in_flight("data", count, flight)),
            bound=0.9,
            judge="wall",
            cost=cost,
            floor="gather, a semaphore, and write, fsync and rename in the loop's thread pool, by hand.",
        )
