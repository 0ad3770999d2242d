"""Measure what many outputs cost on this machine: the figures of docs/scaling.md.

Run it with `python docs/examples/scaling/measure.py FOLDER [COUNT]`; it fills an empty folder with COUNT
outputs (default: 10,000), twice: in one folder, and sharded into 256.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

from asflow import Flow, LocalStore
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(folder: str, pattern: str, count: int) -> None:
    """Make, resume and list *count* outputs named by *pattern*, and print the time of each step."""
    flow = Flow(folder, store=LocalStore(durability="atomic"), sink=NullSink())

    @flow.task(on=pattern)
    def make(shard: str, number: int) -> None:
        flow.task.write({"number": number})

    def call_all() -> None:
        for number in range(count):
            make(f"{number % 256:02x}", number)

    show("make", count, call_all)
    show("resume", count, call_all)
    show("list", count, lambda: print(end=f"{sum(1 for _ in flow.task.outputs(make)):9} found "))


def show(what: str, count: int, action: Callable[[], object]) -> None:
    """Time *action* and print it."""
    began = time.perf_counter()
    action()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{what:8}{count:9} outputs {seconds:8.2f} s {seconds / count * 1e6:7.1f} us each, peak {peak} MiB")


if __name__ == "__main__":
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    print("one folder")
    measure(sys.argv[1] + "/flat", "{shard}-{number}.jsonl", many)
    print("256 folders")
    measure(sys.argv[1] + "/sharded", "{shard}/{number}.jsonl", many)
