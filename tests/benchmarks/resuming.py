"""The row about a finished job that is run again, beside libraries that remember finished steps."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.child import run_child
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import where_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["rows"]

_PEERS = {
    "joblib": ("joblib", 1_000),
    "diskcache": ("diskcache", 1_000),
    "pipefunc": ("pipefunc, `resume=True`", 1_000),
    "dbos": ("DBOS, steps of a recovered workflow", 500),
    "datachain": ("DataChain, files of one dataset", 2_000),
    "prefect": ("prefect, tasks with persisted results, without its server", 50),
}
"""By module: the work in words, and a number of items that is feasible."""


def _again(name: str, library: str, count: int, folder: Path) -> Contender:
    """Run a job in *folder* again, in a fresh process; the first round does it before."""
    run = partial(run_child, library, folder, count, module="benchmarks.second_run")

    def setup(_folder: Path) -> None:
        if not (folder / "finished").exists():
            run()

    return Contender(name, lambda _: run(), 1, setup)


def rows(short: bool, new: Callable[[], Path]) -> Iterator[Row]:
    """Yield the row; *new* makes folders that last until the end."""
    less = 20 if short else 1
    yield Row(
        "resume",
        "a finished job run again in a fresh process: each of 10,000 items",
        (
            _again("os.stat", "by_hand", 10_000 // less, new()),
            _again(ASFLOW, "asflow", 10_000 // less, new()),
            *(
                contender
                for library, (words, count) in _PEERS.items()
                for contender in where_installed(
                    library, partial(_again, f"{words} ({count // less:,})", library, count // less, new())
                )
            ),
        ),
        judge="value",
        rounds=1 if short else 2,
        cost="the name, the system call, and the decision; the imports of the first call.",
        floor="`os.stat` of ready-made names. Libraries that take longer have fewer items (in brackets), as "
        "each of theirs costs the same; but DataChain looks up the dataset once, however many files it has. "
        "No number has imports, or the start of a library, in it.",
    )
