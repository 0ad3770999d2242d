"""`python -m benchmarks`: measure and print the rows; `--page` keeps them and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import cached, calls, fanout, lateness, outputs, processes, resuming, skips, writes
from benchmarks.growth import grow
from benchmarks.measuring import Scratch, measure
from benchmarks.page import page, shown
from benchmarks.peers import versions
from benchmarks.plot import plot
from benchmarks.results import Run, keep, kept, line_of, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measuring import Row
    from benchmarks.results import Line


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", help="only rows whose keys start with these, as in: call skip write-zst"
    )
    parser.add_argument(
        "--short", action="store_true", help="small sizes and 3 rounds, to check that everything runs"
    )
    parser.add_argument("--rounds", type=int, help="rounds of a row (default 9, short 3)")
    parser.add_argument(
        "--seconds", type=float, default=6, help="after this long and 3 rounds a row is done (default 6)"
    )
    parser.add_argument("--folder", type=Path, help="folder for scratch files (default: the system's)")
    parser.add_argument(
        "--page",
        type=Path,
        metavar="DOCS",
        help="write benchmarks.md and .svg into this folder, from this and earlier runs; a short run, or one "
        "of some rows, is not kept and writes nothing",
    )
    parser.add_argument("--as-kept", action="store_true", help="measure nothing: the page, from earlier runs")
    parser.add_argument("--no-growth", action="store_true", help="leave out the runs at three sizes")
    arguments = parser.parse_args()
    if arguments.as_kept and arguments.page is None:
        parser.error("--as-kept writes the page of --page, which is missing")
    return arguments


def _rows(short: bool, scratch: Scratch) -> Iterator[Row]:
    yield from calls.rows(short)
    yield from fanout.rows(short)
    yield from skips.rows(short, scratch.new)
    yield from resuming.rows(short, scratch.new)
    yield from writes.rows(short)
    yield from lateness.rows(short)
    yield from outputs.rows(short)
    yield from cached.rows(short)
    yield from processes.rows(short)


def main() -> None:
    """Measure the selected rows."""
    arguments = _arguments()
    if arguments.as_kept:
        _write(arguments.page)
        return
    scratch = Scratch(arguments.folder)
    try:
        run = _measured(arguments, scratch)
        print(f"\n{run.bounds()}; missed: {', '.join(_missed(run.lines)) or 'none'}", flush=True)
        if arguments.page is not None and not (arguments.short or arguments.rows):
            keep(run)
            _write(arguments.page)
    finally:
        scratch.close()  # slow: up to a million files


def _write(docs: Path) -> None:
    """Write the page and the plot, from the runs that are kept."""
    runs = kept()
    if not runs:
        raise SystemExit("no run is kept yet; run make bench without --as-kept")
    (docs / "benchmarks.md").write_text(page(runs), encoding="utf-8")
    (docs / "benchmarks.svg").write_text(plot(runs[0].growth), encoding="utf-8")


def _measured(arguments: argparse.Namespace, scratch: Scratch) -> Run:
    rounds = arguments.rounds or (3 if arguments.short else 9)
    python, found = platform.python_version(), versions()
    print(f"Python {python}, {machine()}", "; ".join(map(" ".join, found.items())), sep="\n")
    print(f"load {os.getloadavg()[0]:.1f}; up to {rounds} rounds; CPU time unless a row says otherwise\n")
    lines: list[Line] = []
    for row in _rows(arguments.short, scratch):
        if arguments.rows and not row.key.startswith(tuple(arguments.rows)):
            continue
        result = measure(row, rounds, scratch, arguments.seconds)
        lines.append(line_of(result))
        print(shown(result, lines[-1]), flush=True)
    everything = not (arguments.rows or arguments.no_growth)
    growth = grow(scratch, short=arguments.short) if everything else {}
    return Run(python, machine(), f"{datetime.now(UTC):%Y-%m-%d}", rounds, found, lines, growth)


def _missed(lines: list[Line]) -> Iterator[str]:
    return (line.key for line in lines if line.holds is False)


if __name__ == "__main__":
    main()
