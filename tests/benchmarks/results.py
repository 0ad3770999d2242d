"""A run's results as they are kept: a file for each Python, and the page is made from all of them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.measuring import ASFLOW, Compare, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RESULTS", "Growth", "Line", "Number", "Point", "Run", "keep", "kept", "line_of", "machine"]

RESULTS = Path(__file__).parent / "results"
"""Where runs are kept."""


@dataclass(frozen=True, slots=True)
class Number:
    """One contender: its median over the rounds, that compared with the floor; or why it was left out."""

    value: float = 0.0
    compared: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row that was measured; *numbers* has the floor first."""

    key: str
    title: str
    cost: str
    floor: str
    unit: str
    compare: Compare
    bound: float | None
    rounds: int
    numbers: dict[str, Number]

    @property
    def holds(self) -> bool | None:
        """Whether the bound holds; None without a bound."""
        return None if self.bound is None else self.numbers[ASFLOW].compared <= self.bound

    @property
    def floor_name(self) -> str:
        """The contender that the others are compared with."""
        return next(iter(self.numbers))

    def best_peer(self) -> str | None:
        """Return the name of the peer nearest to the floor; None without peers."""
        own = (self.floor_name, ASFLOW)
        peers = [name for name, number in self.numbers.items() if name not in own and not number.error]
        return min(peers, key=lambda name: self.numbers[name].value) if peers else None


@dataclass(frozen=True, slots=True)
class Point:
    """The cost of a unit at one size; *ratio* compares it with a floor, if the kind has one."""

    size: int
    cost: float
    ratio: float | None = None


Growth = dict[str, list[Point]]


@dataclass(frozen=True, slots=True)
class Run:
    """All that a run on one Python has measured. *measured* is a date; no row took more than *rounds*."""

    python: str
    machine: str
    measured: str
    rounds: int
    versions: dict[str, str]
    lines: list[Line]
    growth: Growth = field(default_factory=Growth)

    @property
    def missing(self) -> list[str]:
        """The peers that were not installed."""
        return [name for name, version in self.versions.items() if version == "not installed"]

    def bounds(self) -> str:
        """Return how many bounds held, of how many."""
        judged = [line.holds for line in self.lines if line.holds is not None]
        return f"{sum(judged)} of {len(judged)} bounds held"


def machine() -> str:
    """Describe the machine."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(
                (row.partition(":")[2].strip() for row in file if row.startswith("model name")), model
            )
    except OSError:
        pass
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} x {model}"


def line_of(result: Result) -> Line:
    """Return what is kept of *result*: numbers of four digits."""
    row = result.row
    numbers = {
        name: Number(error=taken.error)
        if taken.error
        else Number(_short(result.number(name)), _short(result.compared(name)))
        for name, taken in result.measured.items()
    }
    rounds = max(len(taken.wall) for taken in result.measured.values())
    return Line(
        row.key, row.title, row.cost, row.floor, row.unit, row.compare, row.bound, rounds, numbers
    )  # fmt: skip


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def keep(run: Run, folder: Path = RESULTS) -> None:
    """Write *run* to the file of its Python, as `3.13.json`; an earlier run of it is replaced."""
    folder.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(run), indent=1)
    (folder / f"{_minor(run.python)}.json").write_bytes(text + b"\n")


def kept(folder: Path = RESULTS) -> list[Run]:
    """Return the runs that are kept, the oldest Python first."""
    runs: Iterable[Run] = (msgspec.json.decode(path.read_bytes(), type=Run) for path in folder.glob("*.json"))
    return sorted(runs, key=lambda run: [int(part) for part in _minor(run.python).split(".")])


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
