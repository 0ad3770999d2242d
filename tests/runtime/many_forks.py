"""A hundred forks at random moments of four busy threads: `python many_forks.py FOLDER`.

A process of its own, since a fork copies the tables of all that pytest and the tests have in memory.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from asflow import Flow, Limit
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable


def in_child(work: Callable[[], bool]) -> bool:
    """Fork, call *work* in the child, and return whether it returned True within 20 seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            signal.alarm(20)
            status = 0 if work() else 2
        os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def main(folder: Path) -> bool:
    """Fork while threads are in flows, with outputs, shared limits and async tasks; whether all went well."""
    flow = Flow(folder, sink=NullSink())
    limit = Limit(2, rate="100000/s")
    stopped = threading.Event()
    wrong: list[BaseException] = []

    @flow.task(limit=limit)
    def plain(n: int) -> int:
        return n

    @flow.task(limit=limit)
    async def awaited(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @flow.task(on="{n}.txt", limit=2)
    def stored(n: int) -> None:
        flow.task.write("x")

    @flow
    async def pipeline(n: int) -> int:
        return sum(await asyncio.gather(*(awaited(n) for _ in range(5)))) + plain(n)

    def busy(first: int) -> None:
        n = first
        while not stopped.is_set():
            n += 4
            try:
                stored(n)
                assert asyncio.run(pipeline(1)) == 6
            except BaseException as error:
                wrong.append(error)
                raise

    def work() -> bool:
        stored(-os.getpid())
        return plain(3) == 3 and asyncio.run(pipeline(1)) == 6

    work()  # what a thread is importing at a fork is never imported in the child: Python's own limit
    threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        return all(in_child(work) for _ in range(100)) and not wrong
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1])) else "a child failed")
