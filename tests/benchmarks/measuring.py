"""Measuring a row: its contenders take turns, round by round, so that noise affects all of them.

The speed of a shared machine changes every second. So contenders run interleaved and in rotating order,
each is compared with the floor *of the same round*, and the medians over all rounds count. Process CPU time
is measured as well as wall time, which other processes disturb far more.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

__all__ = ["ASFLOW", "Compare", "Contender", "Measured", "Result", "Row", "Scratch", "measure"]

ASFLOW = "asflow"
_LEAST_ROUNDS = 3

Judge = Literal["cpu", "wall", "value"]
Compare = Literal["ratio", "difference", "itself"]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a row's work.

    Attributes:
        name: its name in the table.
        run: does `units` units of work in a fresh folder, or (in a row of values) returns the value.
        units: the number of units.
        setup: runs before each round in the same folder, not timed.
    """

    name: str
    run: Callable[[Path], object]
    units: int
    setup: Callable[[Path], object] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        key: short name, for the command line.
        title: the work, in words.
        contenders: the floor first; `asflow` among them; peers.
        unit: unit of the numbers: "us" per unit of work for times, else that of `run`'s value.
        judge: whether the bound applies to CPU time, wall time, or the value that `run` returns.
        compare: the ratio to the floor, the difference from it, or the number itself.
        bound: largest result of the comparison; None: no bound.
        cost: what asflow's number consists of.
        floor: what the floor is, and why nothing can be below it.
        rounds: the maximum, for slow rows.
    """

    key: str
    title: str
    contenders: Sequence[Contender]
    cost: str
    floor: str
    bound: float | None = None
    unit: str = "us"
    judge: Judge = "cpu"
    compare: Compare = "ratio"
    rounds: int | None = None


@dataclass(slots=True)
class Measured:
    """One contender's numbers, one per round: wall and CPU microseconds per unit, or values (in both)."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    error: str = ""

    def of(self, judge: Judge) -> list[float]:
        """Return the numbers that *judge* selects."""
        return self.cpu if judge == "cpu" else self.wall


@dataclass(slots=True)
class Result:
    """A row and its measurements."""

    row: Row
    measured: dict[str, Measured]

    def number(self, name: str, judge: Judge | None = None) -> float:
        """Return the median of one contender."""
        return median(self.measured[name].of(judge or self.row.judge))

    def compared(self, name: str, judge: Judge | None = None) -> float:
        """Return the median over the rounds of the row's comparison, for one contender."""
        numbers = self.measured[name].of(judge or self.row.judge)
        if self.row.compare == "itself":
            return median(numbers)
        floor = self.measured[self.row.contenders[0].name].of(judge or self.row.judge)
        pairs = zip(numbers, floor, strict=True)
        if self.row.compare == "difference":
            return median(number - low for number, low in pairs)
        return median(number / low for number, low in pairs)


class Scratch:
    """Fresh folders, deleted together at the end: deleting in between makes ext4 slow."""

    def __init__(self, parent: Path | None = None) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="asflow-bench-", dir=parent))
        self._count = 0

    def new(self) -> Path:
        """Return a new folder."""
        self._count += 1
        folder = self._root / str(self._count)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._root, ignore_errors=True)


def measure(row: Row, rounds: int, scratch: Scratch, seconds: float = inf) -> Result:
    """Run the contenders of *row* in turns. A peer that raises is left out, visibly.

    After three rounds none begins when the row has taken *seconds*.
    """
    result = Result(row, {contender.name: Measured() for contender in row.contenders})
    end = time.perf_counter() + seconds
    for number in range(min(rounds, row.rounds or rounds)):
        if number >= _LEAST_ROUNDS and time.perf_counter() > end:
            break
        for contender in _rotated(row.contenders, number):
            taken = result.measured[contender.name]
            if taken.error:
                continue
            try:
                wall, cpu, value = _run(contender, scratch.new())
            except Exception as error:
                if contender is row.contenders[0] or contender.name == ASFLOW:
                    raise
                taken.error = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                print(f"  {contender.name} left out: {taken.error}", file=sys.stderr, flush=True)
                continue
            if row.judge == "value":
                wall = cpu = float(cast("float", value))
            taken.wall.append(wall)
            taken.cpu.append(cpu)
    return result


def _rotated(contenders: Sequence[Contender], by: int) -> Iterator[Contender]:
    for index in range(len(contenders)):
        yield contenders[(index + by) % len(contenders)]


def _run(contender: Contender, folder: Path) -> tuple[float, float, object]:
    """Run one contender once; return wall and CPU microseconds per unit, and its value."""
    gc.collect()
    if inspect.iscoroutinefunction(contender.run):
        return asyncio.run(_run_async(contender, folder))
    if contender.setup is not None:
        contender.setup(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    value = contender.run(folder)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return wall / contender.units * 1e6, cpu / contender.units * 1e6, value


async def _run_async(contender: Contender, folder: Path) -> tuple[float, float, object]:
    if contender.setup is not None:
        prepared = contender.setup(folder)
        if inspect.isawaitable(prepared):
            await prepared
    run = cast("Callable[[Path], Awaitable[object]]", contender.run)
    wall, cpu = time.perf_counter(), time.process_time()
    value = await run(folder)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return wall / contender.units * 1e6, cpu / contender.units * 1e6, value
