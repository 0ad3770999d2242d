"""The same work at three sizes, each ten times the one before: the cost of a unit must not grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import cached, calls, fanout, outputs, skips, writes
from benchmarks.measuring import ASFLOW, Row, measure
from benchmarks.results import Growth, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measuring import Contender, Scratch

    Make = Callable[[int], tuple[Contender, ...]]

__all__ = ["grow"]


def _kinds(scratch: Scratch) -> Iterator[tuple[str, int, Make]]:
    """Yield each name, its smallest size, and a function from a size to a contender, or its floor and it."""
    yield "call, async", 10_000, lambda size: (calls.awaiting(ASFLOW, calls.task, size),)
    yield "call, sync", 10_000, lambda size: (calls.calling(ASFLOW, calls.sync_task, size),)
    yield "TaskGroup, limit=100", 1_000, lambda size: (fanout.grouped(ASFLOW, fanout.limited, size),)
    yield "map, limit=4", 10_000, lambda size: (fanout.mapped(fanout.waits, 4, size),)

    def resumed(size: int) -> tuple[Contender, Contender]:
        there = skips.OutputSet(scratch.new(), skips.video_ids(size))
        return there.stats(), there.through_map()

    def resumed_reading(size: int) -> tuple[Contender, Contender]:
        there = skips.OutputSet(scratch.new(), skips.video_ids(size))
        return there.stats_of_both(), there.one_by_one_reading()

    yield "resume: outputs that exist, through map in a flow", 10_000, resumed
    yield "resume with `reads=`, one by one", 1_000, resumed_reading
    yield "cached `save=`, one by one", 200, lambda size: (cached.decoded(size), cached.recalled(size))
    yield "write to .jsonl.zst", 10_000, lambda size: (writes.by_asflow(".zst", size),)
    yield "2 KB outputs, atomic", 200, lambda size: (outputs.by_asflow("atomic", size),)
    yield "2 KB outputs, data", 200, lambda size: (outputs.by_asflow("data", size),)
    yield "2 KB outputs, full", 200, lambda size: (outputs.by_asflow("full", size),)
    yield (
        "2 KB outputs, data, 16 in flight",
        200,
        lambda size: (outputs.by_asflow_in_flight("data", size, 16),),
    )


def grow(scratch: Scratch, *, short: bool) -> Growth:
    """Measure each kind at three sizes: CPU microseconds per unit (wall time if it waits for a disk)."""
    growth: Growth = {}
    for name, smallest, make in _kinds(scratch):
        growth[name] = []
        for times, rounds in ((1, 3), (10, 3), (100, 1)):  # the largest takes longest, and has enough units
            size = smallest * times // (100 if short else 1)
            growth[name].append(_point(name, size, make(size), scratch, rounds))
        print(f"growth  {name}: {', '.join(map(_shown, growth[name]))}", flush=True)
    return growth


def _point(name: str, size: int, contenders: tuple[Contender, ...], scratch: Scratch, rounds: int) -> Point:
    """Measure one size."""
    row = Row("growth", name, contenders, "", "", judge="wall" if "2 KB" in name else "cpu")
    result = measure(row, rounds, scratch)
    cost = float(f"{result.number(ASFLOW):.4g}")
    return Point(size, cost, float(f"{result.compared(ASFLOW):.4g}") if len(contenders) > 1 else None)


def _shown(point: Point) -> str:
    ratio = "" if point.ratio is None else f" ({point.ratio:.2f}x)"
    return f"{point.size:,}: {point.cost:.2f} us{ratio}"
