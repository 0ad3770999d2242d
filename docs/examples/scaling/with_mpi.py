"""The same function under MPI: one process is this script, the others are workers.

Run it with `mpiexec -n 3 python -m mpi4py.futures docs/examples/scaling/with_mpi.py`.
"""

from __future__ import annotations

import sys

from asflow import Flow

flow = Flow(sys.argv[1] if len(sys.argv) > 1 else "data")


def primes(start: int) -> list[int]:
    """Return the primes from *start* on; a plain function that knows nothing about MPI."""
    return [n for n in range(start, start + 1000) if n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))]


@flow
async def main() -> None:
    """Make the task where the executor is known."""
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as executor:
        task = flow.task(save="primes/{start}.jsonl.zst", limit=16, executor=executor)(primes)
        before = len(list(flow.task.outputs(task)))
        found = await flow.task.map(task, range(0, 20_000, 1000))
    print(f"{len(found) - before} of {len(found)} made now")
    print(sum(map(len, found)), "primes")


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
