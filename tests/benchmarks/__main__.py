"""`python -m benchmarks`: measure and print the table; `--page` writes docs/benchmarks.md and its plot."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import calls, fanout, outputs, processes, skips, writes
from benchmarks.growth import grow
from benchmarks.measuring import Scratch, measure
from benchmarks.page import line, machine, page, plot
from benchmarks.peers import PEERS, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measuring import Result, Row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", help="only rows whose keys start with these, as in: call skip write-zst"
    )
    parser.add_argument(
        "--short", action="store_true", help="small sizes and 3 rounds, to check that everything runs"
    )
    parser.add_argument("--rounds", type=int, help="rounds per row (default 9, short 3)")
    parser.add_argument("--folder", type=Path, help="folder for scratch files (default: the system's)")
    parser.add_argument(
        "--page", type=Path, metavar="DOCS", help="write benchmarks.md and .svg into this folder"
    )
    parser.add_argument("--no-growth", action="store_true", help="leave out the runs at three sizes")
    return parser.parse_args()


def _rows(short: bool, scratch: Scratch) -> Iterator[Row]:
    yield from calls.rows(short)
    yield from fanout.rows(short)
    yield from skips.rows(short, scratch.new)
    yield from writes.rows(short)
    yield from outputs.rows(short)
    yield from processes.rows(short)


def main() -> None:
    """Measure the selected rows."""
    arguments = _arguments()
    rounds = arguments.rounds or (3 if arguments.short else 9)
    missing = {name: "not installed" for name in PEERS if versions()[name] == "not installed"}
    print(machine(), "; ".join(f"{name} {version}" for name, version in versions().items()), sep="\n")
    print(
        f"load {os.getloadavg()[0]:.1f}; {rounds} rounds; CPU time unless a row says otherwise\n", flush=True
    )
    scratch = Scratch(arguments.folder)
    results: list[Result] = []
    try:
        for row in _rows(arguments.short, scratch):
            if arguments.rows and not row.key.startswith(tuple(arguments.rows)):
                continue
            results.append(measure(row, rounds, scratch))
            print(line(results[-1]), flush=True)
        everything = not (arguments.rows or arguments.no_growth)
        growth = grow(scratch, short=arguments.short) if everything else {}
        if arguments.page is not None:
            text = page(results, growth, rounds, missing)
            (arguments.page / "benchmarks.md").write_text(text, encoding="utf-8")
            (arguments.page / "benchmarks.svg").write_text(plot(growth), encoding="utf-8")
        _sum_up(results)
    finally:
        scratch.close()  # slow: up to a million files


def _sum_up(results: list[Result]) -> None:
    missed = [result.row.key for result in results if result.holds is False]
    bounded = sum(result.holds is not None for result in results)
    print(
        f"\n{bounded - len(missed)} of {bounded} bounds held; missed: {', '.join(missed) or 'none'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
