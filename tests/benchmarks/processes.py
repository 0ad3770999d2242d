"""Rows that need fresh processes: the display on a terminal, memory, import time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.child import run_child
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import where_installed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rows"]


def child(name: str, function: str, *arguments: object) -> Contender:
    """Make a contender whose value a child process prints."""
    return Contender(name, lambda _: run_child(function, *arguments), 1)


def _shown(name: str, function: str, *arguments: object) -> Contender:
    """Make one that shows a display, on a terminal."""
    return Contender(
        name, lambda _: run_child(function, *arguments, pty=True, module="benchmarks.display"), 1
    )


def _imported(name: str, function: str, *arguments: object) -> Contender:
    """Make one whose value is the least of four processes.

    A time of its own, unlike a ratio, has in it what other programs do to the speed of the machine, and
    that only adds: the same import takes 11 ms to 20 when two other processes run.
    """
    return Contender(name, lambda _: min(run_child(function, *arguments) for _ in range(4)), 1)


def rows(short: bool) -> Iterator[Row]:
    """Yield the rows about the display, memory and import."""
    tasks, pairs = (5_000, 2) if short else (50_000, 15)
    yield Row(
        "display",
        f"the live display, added to each of {tasks:,} tasks on a terminal, CPU",
        (
            _shown(ASFLOW, "displayed", "asflow", tasks, pairs),
            _shown("rich, one bar, advanced by hand", "displayed", "rich", tasks, pairs),
            *where_installed(
                "tqdm",
                lambda: _shown("tqdm, one bar, advanced by hand", "displayed", "tqdm", tasks, pairs),
            ),
        ),
        unit="us a task",
        judge="value",
        compare="itself",
        bound=0.5,
        rounds=2,
        cost="a few frames a second of 0.8 ms each, for any number of tasks; a task only updates a count. "
        "The thread that draws takes 2 ms of a run, 0.04 us a task: the rest is what two runs differ by.",
        floor="none: each number is the median of pairs of runs in one process, with the display and "
        "without; one pair differs from the next by 1 us. The libraries: the same flow with their own bar.",
    )
    yield Row(
        "display-flows",
        "CPU of one flow with a display, among the last ten of 200 in one process",
        (
            _shown("of 20", "displayed_flows", 20),
            _shown(ASFLOW, "displayed_flows", 50 if short else 200),
        ),
        unit="ms a flow",
        judge="value",
        compare="ratio",
        cost="a flow that has ended leaves nothing behind.",
        floor="the last ten of 20 flows: flat if the ratio is 1.",
    )
    pending = 5_000 if short else 50_000
    yield Row(
        "pending",
        f"memory of one of {pending:,} pending tasks",
        (
            child("coroutine + Semaphore", "pending_semaphore", pending),
            child(ASFLOW, "pending_asflow", pending),
        ),
        unit="bytes",
        judge="value",
        bound=1.05,
        rounds=1,
        cost="asyncio's own task, one coroutine's frame, its arguments, a future and its place in the queue; "
        "the call's run is made once it has its slot.",
        floor="a coroutine in `async with semaphore`.",
    )
    yield Row(
        "finished-tasks",
        f"growth of a flow's memory from a tenth to all of {10_000 if short else 100_000:,} finished tasks",
        (child(ASFLOW, "finished_tasks", 10_000 if short else 100_000),),
        unit="KiB",
        judge="value",
        compare="itself",
        bound=16,
        rounds=1,
        cost="counts.",
        floor="nothing.",
    )
    failed = 100 if short else 1_000
    yield Row(
        "failed-tasks",
        f"memory that a flow keeps for each of {failed:,} failed tasks, whose frames hold 1 MB",
        (child(ASFLOW, "failed_tasks", failed),),
        unit="KiB",
        judge="value",
        compare="itself",
        bound=1,
        rounds=1,
        cost="a line for the report, of the first 1,000; no error and no frame.",
        floor="nothing.",
    )
    yield Row(
        "finished-flows",
        f"growth of a process's memory from a tenth to all of {200 if short else 1000:,} flows",
        (child(ASFLOW, "finished_flows", 1000 if not short else 200),),
        unit="KiB",
        judge="value",
        compare="itself",
        bound=64,
        rounds=1,
        cost="a flow that has ended leaves nothing behind.",
        floor="nothing.",
    )
    peers = ("joblib", "diskcache", "tenacity", "stamina", "pipefunc", "aiodag", "prefect")
    yield Row(
        "import",
        "`import asflow`, over `import asyncio`, CPU",
        (
            _imported(ASFLOW, "importing", "asflow"),
            *(
                contender
                for name in peers[: 2 if short else None]
                for contender in where_installed(name, partial(_imported, name, "importing", name))
            ),
        ),
        unit="ms",
        judge="value",
        compare="itself",
        bound=12,
        rounds=3,
        cost="our own modules, at some 0.1 ms each, and the classes in them. What a task without outputs "
        "does not need is imported on first use, as are rich, zstandard and msgspec.",
        floor="an interpreter that has imported asyncio. Each number is the least of four processes, as what "
        "other programs do only adds to it.",
    )
    yield Row(
        "import-output",
        "the same, and the first task with an output decorated",
        (_imported(ASFLOW, "decorating"),),
        unit="ms",
        judge="value",
        compare="itself",
        rounds=3,
        cost="as above, and what names outputs, keeps them and decides about them; the writers come with the "
        "first record.",
        floor="as above.",
    )
