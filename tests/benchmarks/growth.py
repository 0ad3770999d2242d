"""The same work at three sizes, each ten times the one before: the cost of a unit must not grow."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks import calls, fanout, outputs, skips, writes
from benchmarks.measuring import Row, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measuring import Contender, Scratch
    from benchmarks.page import Growth

__all__ = ["grow"]


def _kinds(scratch: Scratch) -> Iterator[tuple[str, int, Callable[[int], Contender]]]:
    """Yield each name, its smallest size, and a function from a size to a contender."""
    yield "call, async", 10_000, lambda size: calls.awaiting("asflow", calls.task, size)
    yield "call, sync", 10_000, lambda size: calls.calling("asflow", calls.sync_task, size)
    yield "TaskGroup, limit=100", 1_000, lambda size: fanout.grouped("asflow", fanout.limited, size)
    yield "map, limit=4", 10_000, lambda size: fanout.mapped(fanout.waits, 4, size)
    yield (
        "skip through map",
        10_000,
        lambda size: skips.OutputSet(scratch.new(), skips.video_ids(size)).through_map(),
    )
    yield "write to .jsonl.zst", 10_000, lambda size: writes.by_asflow(".zst", size)
    yield "2 KB outputs, atomic", 200, lambda size: outputs.by_asflow("atomic", size)
    yield "2 KB outputs, data", 200, lambda size: outputs.by_asflow("data", size)
    yield "2 KB outputs, full", 200, lambda size: outputs.by_asflow("full", size)
    yield "2 KB outputs, data, 16 in flight", 200, lambda size: outputs.by_asflow_in_flight("data", size, 16)


def grow(scratch: Scratch, *, short: bool) -> Growth:
    """Measure each kind at three sizes: CPU microseconds per unit (wall time if it waits for a disk)."""
    growth: Growth = {}
    for name, smallest, make in _kinds(scratch):
        points: list[tuple[int, float]] = []
        for size in (smallest, smallest * 10, smallest * 100):
            size = size // 100 if short else size
            contender = make(size)
            row = Row("growth", name, (contender,), "", "", judge="wall" if "outputs" in name else "cpu")
            taken = measure(row, 3, scratch).measured[contender.name]
            points.append((size, median(taken.of(row.judge))))
        growth[name] = points
        print(
            f"growth  {name}: " + ", ".join(f"{size:,}: {cost:.2f} us" for size, cost in points), flush=True
        )

    return growth
