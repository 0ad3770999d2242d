"""The row about values that `save=` has kept, read back instead of made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asflow import Flow, LocalStore
from asflow.sinks import NullSink
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import peer, where_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["decoded", "recalled", "rows"]

_SMALL: dict[str, object] = {"id": 7, "title": "a small document", "score": 0.5, "tags": ["a", "b", "c"]}


def decoded(count: int) -> Contender:
    """Read and decode small JSON files, by hand."""

    def setup(folder: Path) -> None:
        for index in range(count):
            (folder / f"{index}.json").write_bytes(msgspec.json.encode(_SMALL))

    def run(folder: Path) -> None:
        base, decode = str(folder), msgspec.json.Decoder(dict[str, object]).decode
        for index in range(count):
            with open(f"{base}/{index}.json", "rb") as file:
                decode(file.read())

    return Contender("open, read and decode, by hand", run, count, setup)


def recalled(count: int) -> Contender:
    """Call a task with `save=` whose values are there."""
    tasks: dict[Path, Callable[[int], object]] = {}

    def setup(folder: Path) -> None:
        flow = Flow(folder, store=LocalStore(durability="atomic"), sink=NullSink())

        @flow.task(save="{index}.json")
        def make(index: int) -> dict[str, object]:
            return _SMALL

        for index in range(count):
            make(index)
        tasks[folder] = make

    def run(folder: Path) -> None:
        make = tasks.pop(folder)
        for index in range(count):
            make(index)

    return Contender(ASFLOW, run, count, setup)


def _small(index: int) -> dict[str, object]:
    """The function whose value is cached."""
    return _SMALL


def _in_joblib(folder: Path) -> Callable[[int], object]:
    cached: Callable[[int], object] = peer("joblib").Memory(folder, verbose=0).cache(_small)
    return cached


def _in_diskcache(folder: Path) -> Callable[[int], object]:
    cached: Callable[[int], object] = peer("diskcache").Cache(str(folder)).memoize()(_small)
    return cached


def _in_pipefunc(folder: Path) -> Callable[[int], object]:
    library = peer("pipefunc")
    options = {"cache_dir": folder, "with_lru_cache": False}
    step = library.pipefunc(output_name="y", cache=True)(_small)
    pipeline = library.Pipeline([step], cache_type="disk", cache_kwargs=options)
    return lambda index: pipeline("y", index=index)


def _cached(name: str, cache_in: Callable[[Path], Callable[[int], object]], count: int) -> Contender:
    """Call a library's cached function whose values are there."""
    made: dict[Path, Callable[[int], object]] = {}

    def setup(folder: Path) -> None:
        cached = made[folder] = cache_in(folder)
        for index in range(count):
            cached(index)

    def run(folder: Path) -> None:
        cached = made.pop(folder)
        for index in range(count):
            cached(index)

    return Contender(name, run, count, setup)


def rows(short: bool) -> Iterator[Row]:
    """Yield the row."""
    count = 200 if short else 2_000
    yield Row(
        "save-cached",
        f"{count:,} calls of a task with `save=` whose small JSON exists, one by one",
        (
            decoded(count),
            recalled(count),
            *where_installed("joblib", lambda: _cached("joblib", _in_joblib, count // 10)),
            *where_installed("diskcache", lambda: _cached("diskcache", _in_diskcache, count // 10)),
            *where_installed("pipefunc", lambda: _cached("pipefunc", _in_pipefunc, count // 10)),
        ),
        bound=2.0,
        cost="the name, the file opened and looked at, its bytes read and decoded as the annotation says.",
        floor="open, read and msgspec's decoder of that type, by hand. The libraries read pickles from their "
        "caches on disk, a tenth as many; pipefunc without its cache in memory.",
    )
