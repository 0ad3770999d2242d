"""What a display costs: `python -m benchmarks.display FUNCTION ARGUMENT...`, on a terminal; one number."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.peers import peer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@contextmanager
def _bar(how: str, total: int) -> Generator[Callable[[], object] | None]:
    """Show a library's bar and yield a function that advances it by one; None for "none" and "asflow"."""
    if how == "rich":
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as progress:
            yield partial(progress.advance, progress.add_task("task", total=total))
    elif how == "tqdm":
        with peer("tqdm").tqdm(total=total) as bar:
            yield bar.update
    else:
        yield None


def displayed(how: str, count: str, pairs: str) -> float:
    """Return the CPU microseconds that a display adds to each task of a flow of *count*.

    It is the median over *pairs* of runs, with and without it, in one process: what other programs do to
    the speed of the machine mostly lasts longer than a pair, and is in both of its numbers.
    """
    added: list[float] = []
    for pair in range(int(pairs) + 1):
        order = ("none", how) if pair % 2 else (how, "none")
        took = {shown: _displayed_once(shown, int(count)) for shown in order}
        added.append(took[how] - took["none"])
    return median(added[1:])  # the first one imports


def _displayed_once(how: str, count: int) -> float:
    """Return CPU microseconds per task of a flow of *count*: "asflow"'s display, a bar by hand, or "none"."""
    from asflow import Flow
    from asflow.sinks import NullSink

    flow = Flow() if how == "asflow" else Flow(sink=NullSink())

    async def main() -> float:
        start = time.process_time()
        with _bar(how, count) as advance:

            @flow.task
            async def task(_index: int) -> None:
                await asyncio.sleep(0)
                if advance is not None:
                    advance()

            @flow
            async def shown() -> None:
                async for _ in flow.task.map(task, range(count)):
                    pass

            await shown()
        return time.process_time() - start

    gc.collect()
    return asyncio.run(main()) / count * 1e6


def displayed_flows(count: str) -> float:
    """Return CPU milliseconds of each of the last ten of *count* flows with a display."""
    from asflow import Flow

    flow = Flow()

    @flow.task
    async def task(_index: int) -> None:
        pass

    @flow
    async def small() -> None:
        for index in range(10):
            await task(index)

    start = 0.0
    for index in range(int(count)):
        if index == int(count) - 10:
            start = time.process_time()
        asyncio.run(small())
    return (time.process_time() - start) / 10 * 1e3


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
