"""How a row is measured: its contenders take turns, round by round, so that noise meets all of them.

A shared machine runs at a different speed each second. So contenders run interleaved and in rotating order,
each is compared with the floor *of the same round*, and the medians of all rounds count. Process CPU time is
taken beside wall time, in which it shows far more what other processes do to the machine.
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
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

__all__ = ["ASFLOW", "Contender", "Measured", "Result", "Row", "Scratch", "measure"]

ASFLOW = "asflow"

Judge = Literal["cpu", "wall", "value"]
Compare = Literal["ratio", "difference", "itself"]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way of doing a row's work.

    Attributes:
        name: as the table shows it.
        run: does `units` units of work in a folder of its own, or (in a row of values) returns the value.
        units: how many.
        setup: done before each round, in the same folder, outside the clock.
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
        unit: of the numbers: "us" a unit of work for times, else what `run` returns.
        judge: whether CPU or wall time is held against the bound, or the value that `run` returns.
        compare: the ratio to the floor, the difference from it, or the number itself.
        bound: what the comparison should not exceed; None: just shown.
        cost: what asflow's number is made of.
        floor: what the floor is, and why nothing can be below it.
        rounds: so many at the most, for rows that take long.
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
    """What one contender took, a number a round: wall and CPU microseconds a unit, or values (in both)."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    error: str = ""

    def of(self, judge: Judge) -> list[float]:
        """Return the numbers that count."""
        return self.cpu if judge == "cpu" else self.wall


@dataclass(slots=True)
class Result:
    """A row and what was measured of it."""

    row: Row
    measured: dict[str, Measured]

    def number(self, name: str, judge: Judge | None = None) -> float:
        """Return the median of one contender."""
        return median(self.measured[name].of(judge or self.row.judge))

    def compared(self, name: str, judge: Judge | None = None) -> float:
        """Return the median over the rounds of what the row compares, for one contender."""
        numbers = self.measured[name].of(judge or self.row.judge)
        if self.row.compare == "itself":
            return median(numbers)
        floor = self.measured[self.row.contenders[0].name].of(judge or self.row.judge)
        pairs = zip(numbers, floor, strict=True)
        if self.row.compare == "difference":
            return median(number - low for number, low in pairs)
        return median(number / low for number, low in pairs)

    @property
    def holds(self) -> bool | None:
        """Whether the bound holds; None where there is none."""
        return None if self.row.bound is None else self.compared(ASFLOW) <= self.row.bound

    def best_peer(self) -> str | None:
        """Name the peer that comes nearest to the floor; None without a peer."""
        own = (self.row.contenders[0].name, ASFLOW)
        peers = [name for name, taken in self.measured.items() if name not in own and not taken.error]
        return min(peers, key=self.number) if peers else None


class Scratch:
    """Fresh folders, deleted all together at the end: deleting in between makes ext4 slow."""

    def __init__(self, parent: Path | None = None) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="asflow-bench-", dir=parent))
        self._count = 0

    def new(self) -> Path:
        """Return a folder that nobody has used."""
        self._count += 1
        folder = self._root / str(self._count)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._root, ignore_errors=True)


def measure(row: Row, rounds: int, scratch: Scratch) -> Result:
    """Run the contenders of *row* in turns. A peer that raises is left out, visibly."""
    result = Result(row, {contender.name: Measured() for contender in row.contenders})
    for number in range(min(rounds, row.rounds or rounds)):
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
    """Run one contender once: wall and CPU microseconds a unit, and what it returned."""
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
