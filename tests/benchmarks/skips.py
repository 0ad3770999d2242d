"""Rows about outputs that already exist."""

from __future__ import annotations

import asyncio
import os
import random
import string
from typing import TYPE_CHECKING

from asflow import Flow
from asflow.sinks import NullSink
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import peer, where_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["OutputSet", "rows", "video_ids"]


def video_ids(count: int) -> list[str]:
    """Return realistic arguments: eleven letters, digits, `-` and `_`, like YouTube's."""
    draw = random.Random(count)
    return ["".join(draw.choices(_ALPHABET, k=11)) for _ in range(count)]


_ALPHABET = string.ascii_letters + string.digits + "-_"


class OutputSet:
    """Outputs in one folder that are made once, then only checked for."""

    def __init__(
        self, folder: Path, ids: Sequence[str | int], *, star: bool = False, suffix: str = ".jsonl"
    ) -> None:
        self.flow = Flow(folder, sink=NullSink())
        self.ids = ids
        pattern = ("d/*" if star else "d/{video}") + suffix

        async def download(video: str | int) -> None:
            raise AssertionError(f"{video} exists")

        def download_sync(video: str | int) -> None:
            raise AssertionError(f"{video} exists")

        self.task = self.flow.task(on=pattern, limit=100)(download)
        # Of another flow: in one, each output belongs to one task.
        self.sync_flow = Flow(folder, sink=NullSink())
        self.sync_task = self.sync_flow.task(on=pattern, limit=100)(download_sync)

        def read(video: str | int) -> None:
            raise AssertionError(f"{video} is up to date")

        # Each reads what it is; the time of an input that is not newer is all that is looked at.
        self.reading = self.flow.task(on="d/{video}.json", reads="d/{video}.jsonl")(read)
        self.paths: list[str] = []
        self._folder = folder

    def _make(self, _folder: Path) -> None:
        """Make the outputs, once. Not by tasks: a million claims take long."""
        if self.paths:
            return
        (self._folder / "d").mkdir()
        self.paths = [str(self._folder / self.flow.task.output(self.task, video).name) for video in self.ids]
        for path in self.paths:
            _touch(path)

    def _make_both(self, folder: Path) -> None:
        """Make the outputs that read these, too."""
        self._make(folder)
        if not os.path.exists(self.paths[0].removesuffix("l")):
            for path in self.paths:
                _touch(path.removesuffix("l"))

    def stats(self) -> Contender:
        """Call `os.stat` for each."""

        def run(_folder: Path) -> None:
            stat = os.stat
            for path in self.paths:
                stat(path)

        return Contender("os.stat", run, len(self.ids), self._make)

    def stats_of_both(self) -> Contender:
        """Call `os.stat` for each output and its input, and compare their times."""
        pairs: list[tuple[str, str]] = []

        def setup(folder: Path) -> None:
            self._make_both(folder)
            pairs[:] = [(path.removesuffix("l"), path) for path in self.paths]

        def run(_folder: Path) -> None:
            stat = os.stat
            for output, read in pairs:
                assert stat(output).st_mtime >= stat(read).st_mtime

        return Contender("os.stat twice", run, len(self.ids), setup)

    def one_by_one_reading(self) -> Contender:
        """Call the task that reads another's output, for each."""

        def run(_folder: Path) -> None:
            task = self.reading
            for video in self.ids:
                task(video)

        return Contender(ASFLOW, run, len(self.ids), self._make_both)

    def one_by_one(self) -> Contender:
        """Await the task for each."""

        async def run(_folder: Path) -> None:
            task = self.task
            for video in self.ids:
                await task(video)

        return Contender(ASFLOW, run, len(self.ids), self._make)

    def one_by_one_sync(self) -> Contender:
        """Call the sync task for each."""

        def run(_folder: Path) -> None:
            task = self.sync_task
            for video in self.ids:
                task(video)

        return Contender(ASFLOW, run, len(self.ids), self._make)

    def in_group(self) -> Contender:
        """Start all of them in a task group."""

        async def run(_folder: Path) -> None:
            async with asyncio.TaskGroup() as group:
                for video in self.ids:
                    group.create_task(self.task(video))

        return Contender(ASFLOW, run, len(self.ids), self._make)

    def stats_in_group(self) -> Contender:
        """Check each in its own asyncio task, by hand."""

        async def exists(path: str) -> bool:
            return os.path.isfile(path)  # noqa: ASYNC240 - as in hand-written code

        async def run(_folder: Path) -> None:
            async with asyncio.TaskGroup() as group:
                for path in self.paths:
                    group.create_task(exists(path))

        return Contender("os.stat in a TaskGroup", run, len(self.ids), self._make)

    def through_map(self) -> Contender:
        """Map the task over them, in a flow."""

        @self.flow
        async def run(_folder: Path) -> None:
            async for _ in self.flow.task.map(self.task, self.ids):
                pass

        return Contender(ASFLOW, run, len(self.ids), self._make)

    def through_sync_map(self) -> Contender:
        """Map the sync task over them, in a sync flow."""

        @self.sync_flow
        def run(_folder: Path) -> None:
            for _ in self.sync_flow.task.map(self.sync_task, self.ids):
                pass

        return Contender(ASFLOW, run, len(self.ids), self._make)


def _touch(path: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"{}\n")
    os.close(descriptor)


def _made(video: str) -> None:
    """The function that joblib and diskcache cache."""


def _joblib(folder: Path, ids: Sequence[str]) -> Contender:
    return _remembered("joblib", peer("joblib").Memory(folder, verbose=0).cache(_made), ids)


def _diskcache(folder: Path, ids: Sequence[str]) -> Contender:
    return _remembered("diskcache", peer("diskcache").Cache(str(folder)).memoize()(_made), ids)


def _remembered(name: str, cached: Callable[[str], object], ids: Sequence[str]) -> Contender:
    def run(_folder: Path) -> None:
        for video in ids:
            cached(video)

    return Contender(name, run, len(ids), run)  # as setup it fills the cache, in the first round


def rows(short: bool, new: Callable[[], Path]) -> Iterator[Row]:
    """Yield the rows about outputs that exist; *new* makes folders that last until the end."""
    count = 500 if short else 10_000
    ids = video_ids(count)
    named, starred, numbered = (
        OutputSet(new(), ids),
        OutputSet(new(), ids, star=True),
        OutputSet(new(), range(count)),
    )
    floor = "`os.stat` of ready-made absolute names in a loop: one system call each."
    made_of = "the system call (two thirds), the generated function for the name, and the coroutine."
    yield Row(
        "skip",
        f"{count:,} outputs that exist, one by one",
        (
            named.stats(),
            named.one_by_one(),
            *where_installed("joblib", lambda: _joblib(new(), ids[: count // 10])),
            *where_installed("diskcache", lambda: _diskcache(new(), ids[: count // 10])),
        ),
        bound=1.4,
        cost=made_of,
        floor=floor,
    )
    yield Row(
        "skip-number",
        "the same with a number as the argument",
        (numbered.stats(), numbered.one_by_one()),
        bound=1.4,
        cost="as above; a number needs no escaping.",
        floor=floor,
    )
    yield Row(
        "skip-star",
        "the same with `*` in the pattern",
        (starred.stats(), starred.one_by_one()),
        bound=2.0,
        cost="as above, and BLAKE2b of the arguments, mostly Python's calls into it.",
        floor=floor,
    )
    yield Row(
        "skip-sync", "the same, sync", (named.stats(), named.one_by_one_sync()), cost=made_of, floor=floor
    )
    yield Row(
        "skip-reads",
        "the same, sync, of a task with one `reads=` input",
        (named.stats_of_both(), named.one_by_one_reading()),
        bound=3.0,
        cost="two names, two looks by the store that also check what is there, and the decision.",
        floor="`os.stat` of ready-made names of both, and a comparison.",
    )
    yield Row(
        "skip-group",
        "the same in a TaskGroup",
        (named.stats_in_group(), named.in_group()),
        cost="mostly asyncio's own task: use `map` instead, or an eager task factory.",
        floor="a task for each `os.path.isfile`, by hand.",
    )
    yield from _mapped_rows(short, new, floor)


def _mapped_rows(short: bool, new: Callable[[], Path], floor: str) -> Iterator[Row]:
    """Yield those in which outputs that exist are mapped over, in a flow."""
    count = 500 if short else 100_000
    named = OutputSet(new(), video_ids(count))
    compressed = OutputSet(new(), video_ids(count), suffix=".jsonl.zst")
    cost = "the system call (two thirds), the generated function for the name, and the result on its way."
    scanned = (
        "reading the folder's names (0.3x), the look into a large set, which holds the texts in these names, "
        "and the result on its way."
    )
    yield Row(
        "skip-map",
        f"{count:,} outputs that exist, through `flow.task.map` in a flow",
        (named.stats(), named.through_map()),
        bound=0.65,
        cost=scanned,
        floor=floor,
        rounds=5,
    )
    yield Row(
        "skip-map-zst",
        "the same with a compressed suffix: an empty file does not count",
        (compressed.stats(), compressed.through_map()),
        bound=2.6,
        cost=cost,
        floor=floor,
        rounds=5,
    )
    yield Row(
        "skip-map-sync",
        "the same of a sync task, by `for` in a sync flow",
        (named.stats(), named.through_sync_map()),
        cost=scanned,
        floor=floor,
        rounds=5,
    )
