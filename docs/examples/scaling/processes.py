"""CPU-bound bodies on all cores: the standard library's process pool as a task's executor.

Run it with `python docs/examples/scaling/processes.py`; a second run has nothing left to do.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from asflow import Flow

flow = Flow(sys.argv[1] if len(sys.argv) > 1 else "data")
pool = ProcessPoolExecutor(mp_context=get_context("spawn"))  # starts no process before its first use


@flow.task(save="primes/{start}.jsonl.zst", executor=pool)
def primes(start: int) -> list[int]:
    """Run in a worker, which encodes the result; the calling process publishes it."""
    return [n for n in range(start, start + 1000) if n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))]


@flow
async def main() -> list[list[int]]:
    """Run as many calls at once as the task's limit allows: the number of CPUs."""
    return await flow.task.map(primes, range(0, 20_000, 1000))


if __name__ == "__main__":
    before = len(list(flow.task.outputs(primes)))
    found = asyncio.run(main())
    pool.shutdown()
    print(f"{len(found) - before} of {len(found)} made now")
    print(sum(map(len, found)), "primes")
