"""The output: the table, the page of the docs, the plot."""

# ruff: noqa: E501 - prose and SVG

from __future__ import annotations

import inspect
import os
import platform
from datetime import UTC, datetime
from html import escape
from math import log10
from typing import TYPE_CHECKING

from benchmarks import outputs
from benchmarks.measuring import ASFLOW
from benchmarks.peers import versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measuring import Result

__all__ = ["Growth", "line", "machine", "page", "plot"]

Growth = dict[str, list[tuple[int, float]]]
"""For each row: sizes, and the cost of a unit at each."""


def machine() -> str:
    """Describe the machine and its Python."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(
                (row.partition(":")[2].strip() for row in file if row.startswith("model name")), model
            )
    except OSError:
        pass
    return f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {os.cpu_count()} x {model}"


def _compared(result: Result, name: str) -> str:
    row, value = result.row, result.compared(name)
    if row.compare == "ratio":
        return f"{value:.2f}x"
    return f"{value:+.2f} {row.unit}" if row.compare == "difference" else f"{value:.1f} {row.unit}"


def _verdict(result: Result) -> str:
    return {None: "-", True: "held", False: "**missed**"}[result.holds]


def _bound(result: Result) -> str:
    row = result.row
    if row.bound is None:
        return "-"
    return f"<= {row.bound:g}{'x' if row.compare == 'ratio' else f' {row.unit}'}"


def line(result: Result) -> str:
    """Return one measured row as text for the terminal."""
    row = result.row
    parts = [f"{row.key:18} {_bound(result):>14}  {_verdict(result).strip('*'):6}"]
    for name, taken in result.measured.items():
        if taken.error:
            parts.append(f"{name}: left out")
            continue
        wall = f", wall {result.compared(name, 'wall'):.2f}x" if row.judge == "cpu" else ""
        parts.append(f"{name}: {result.number(name):.3f} {row.unit} ({_compared(result, name)}{wall})")
    return "\n    ".join(parts)


def page(results: Sequence[Result], growth: Growth, rounds: int, missing: Mapping[str, str]) -> str:
    """Return docs/benchmarks.md."""
    held = sum(result.holds is True for result in results)
    bounded = sum(result.holds is not None for result in results)
    names = ", ".join(f"{name} {version}" for name, version in versions().items() if name not in missing)
    parts = [
        "# Benchmarks",
        "",
        "`make bench` writes this page; don't edit it by hand. No test asserts a time: the numbers are for reading.",
        "",
        f"{machine()}; {names}{_left_out(missing)}. Measured {datetime.now(UTC):%Y-%m-%d}.",
        "",
        f"Every row runs beside its floor and its peers in one process: interleaved, in rotating order, {rounds} "
        "rounds (fewer if it starts processes). A ratio is the median over the rounds of *this round's* number over "
        "*this round's* floor. Rows of plain computation compare process CPU time, as machines are shared; rows "
        "that wait for a disk compare wall time. Peers do what they are made for, which is not always the same: the "
        "table shows what a line of yours costs, not which library is better.",
        "",
        f"**{held} of {bounded} bounds held in this run.**",
        "",
        "| work | floor | asflow | against the floor | bound | | nearest peer |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        row, floor = result.row, result.row.contenders[0].name
        peer = result.best_peer()
        floor_text = "" if floor == ASFLOW else f"{floor}: {result.number(floor):.3g} {row.unit}"
        parts.append(
            f"| {row.title} | {floor_text} | {result.number(ASFLOW):.3g} {row.unit} | {_compared(result, ASFLOW)} | "
            f"{_bound(result)} | {_verdict(result)} | "
            + (
                ""
                if peer is None
                else f"{peer}: {result.number(peer):.3g} {row.unit}, {_compared(result, peer)}"
            )
            + " |"
        )
    parts += [
        "",
        "## How it grows",
        "",
        "The cost of one unit at three sizes, each ten times the one before.",
        "",
    ]
    parts += [
        "![cost per unit at three sizes](benchmarks.svg)",
        "",
        "| work | " + " | | ".join(["size"] * 3) + " | |",
    ]
    parts.append("|---|" + "---|" * 6)
    for name, points in growth.items():
        parts.append(f"| {name} | " + " | ".join(f"{size:,} | {cost:.2f} us" for size, cost in points) + " |")
    parts += ["", "## What each row consists of", ""]
    for result in results:
        row = result.row
        parts += [f"### {row.title}", "", f"Cost: {row.cost}", "", f"Floor: {row.floor}", ""]
        others = [
            f"- {name}: {'left out, ' + taken.error if taken.error else f'{result.number(name):.3g} {row.unit}'}"
            for name, taken in result.measured.items()
        ]
        parts += [*others, ""]
    parts += [*_scripts(), _TRIED]
    return "\n".join(parts).rstrip() + "\n"


def _scripts() -> list[str]:
    """Return the by-hand scripts that small outputs in flight are compared with, in full."""
    functions = (outputs._write, outputs._publish, outputs.synced_in_flight, outputs._script)
    source = "\n\n".join(inspect.getsource(function) for function in functions)
    text = "What small outputs in flight are compared with; `_BYTES` are 2 KB, `times` is 100 for those of 200 KB."
    return [
        "## The scripts by hand",
        "",
        text,
        "",
        "<!-- skip: a part of the benchmarks -->",
        "```python",
        source.rstrip(),
        "```",
        "",
    ]


_TRIED = """\
## Tried, and left out

Measured separately, on two cores with Python 3.11; not part of this run.

- *isal for gzip*: 0.25 us a record instead of 3.0, files 6 % larger. But then the bytes of a `.gz` would depend on
  which other packages are installed, and `.zst` costs 0.9 us.
- *A map over outputs that exist, below 0.65 of `os.stat`*: with a look for each file it ends at 1.5. Reading the folder alone costs
  0.3 to 0.45, the name 0.1, the look into a large set and the way to the consumer 0.25. Checks of whole batches in C, and a
  scan without bounds or steps before the first item (0.78), gained nothing or little. `dir_fd` saves nothing.
- *Syncing a batch of sixteen files*, against sixteen threads by hand: `fsync` one after the other takes 9.6 times as long; after
  `posix_fadvise` has started the writing 6.4; with four helping threads 1.0 to 1.5, with eight 1.0 to 1.3, with fifteen
  0.9; by libaio 1.0, which Python reaches through raw system calls only. A disk empties its cache once for all that ask at
  that moment, so fifteen threads that do nothing else it is. `syncfs` waits for what other programs have written.
- *Commits in the loop's thread pool*, as they were: each wakes the loop, and the GIL changes hands at each of a dozen calls.
- *Importing in less time*: a fourth was saved by classes that compile no methods, and patterns that are compiled when used. Left:
  eighty modules at some 0.1 ms each, two classes for each event, and twenty named tuples.
- *Events whose common fields are shared by the three of a call*: would save 0.2 us, and each first read of one would cost
  as much. What had cost most was that reading any attribute of a class with `__getattr__` takes 40 ns more.
- *Encoding into one shared buffer*: saves 20 of the 280 ns that a record costs beyond a hand-written loop, and needs a
  lock, which costs 75. The rest is two calls of Python functions.
- *A batch of `write_all` below 0.6 of the hand loop*: by instructions, msgspec's own call for a batch is 0.59 of it, and all
  of ours 0.74. One call for a JSON list into a warm buffer is a tenth quicker than lines, but has commas between records;
  batches of 16 to 4,096 records cost the same. With Zstandard, which is two thirds of the loop, that is 0.93.
- *Remembered decisions of the engine*: all seven steps of an output take 4 of its 90 us; a table would save 2.
- *`os.access` instead of the `stat` of a skip*: half the cost, but a folder or an empty `.zst` would count as done.
- *A worker of `map` that drives the body itself*, without a generator in between: 2 to 4 %, in twice the code.
- *Fewer calls for a small output*: a claim by hand (open, flock, fstat, access, write, link, unlink, close) takes 2.0
  times as long as the write in place, 21 us instead of 11, so its bound leaves 7 us for everything in Python, where one
  call of a task takes 22. Three of the sixteen calls could be dropped, which saves a tenth; not built.
"""


def _left_out(missing: Mapping[str, str]) -> str:
    return "".join(f"; {name} is not measured: {why}" for name, why in missing.items())


_COLOURS = (
    *("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2"),
    *("#b279a2", "#9d755d", "#eeca3b", "#bab0ac", "#2f4b7c"),
)


def plot(growth: Growth) -> str:
    """Return an SVG: units on the x axis, cost of one on the y axis, both logarithmic."""
    costs = [cost for points in growth.values() for _, cost in points] or [1.0]
    sizes = [size for points in growth.values() for size, _ in points] or [1]
    low, high = log10(min(costs)) - 0.2, log10(max(costs)) + 0.2
    left, right = log10(min(sizes)), max(log10(max(sizes)), log10(min(sizes)) + 1)

    def x(size: float) -> float:
        return 60 + (log10(size) - left) / (right - left) * 460

    def y(cost: float) -> float:
        return 20 + (high - log10(cost)) / (high - low) * 300

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 370" font-family="sans-serif" font-size="12">',
        '<rect width="820" height="370" fill="white"/>',
    ]
    for power in range(-2, 5):
        if low <= power <= high:
            level = y(10.0**power)
            out.append(f'<line x1="60" y1="{level:.1f}" x2="520" y2="{level:.1f}" stroke="#ddd"/>')
            out.append(f'<text x="52" y="{level + 4:.1f}" text-anchor="end">{10.0**power:g} us</text>')
    out += [
        f'<text x="{x(10**power):.1f}" y="340" text-anchor="middle">{10**power:,}</text>'
        for power in range(1, 8)
        if left <= power <= right
    ]
    out.append('<text x="290" y="362" text-anchor="middle">units of work in one run</text>')
    for index, (name, points) in enumerate(growth.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(s):.1f}" cy="{y(c):.1f}" r="3" fill="{colour}"/>' for s, c in points]
        out.append(f'<rect x="545" y="{25 + 22 * index}" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="563" y="{35 + 22 * index}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])
