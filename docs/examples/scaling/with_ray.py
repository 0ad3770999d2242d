"""The same function on Ray: a local one here; `ray.init(address=...)` or RAY_ADDRESS names another.

Workers need asflow, too (`pip install 'asflow[ray]'`). Run it with
`python docs/examples/scaling/with_ray.py`.
"""

from __future__ import annotations

import asyncio
import sys

from asflow import Flow, Retry
from asflow.executors.ray import RayExecutor

flow = Flow(sys.argv[1] if len(sys.argv) > 1 else "data")


def primes(start: int) -> list[int]:
    """Return the primes from *start* on; a plain function that knows nothing about Ray."""
    return [n for n in range(start, start + 1000) if n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))]


async def main() -> None:
    """Make the task here. The limit is the cluster's, not this machine's."""
    with RayExecutor(num_cpus=1) as executor:
        task = flow.task(save="primes/{start}.jsonl.zst", limit=16, retry=Retry(2), executor=executor)(primes)
        before = len(list(flow.task.outputs(task)))
        found = await flow.task.map(task, range(0, 20_000, 1000))
    print(f"{len(found) - before} of {len(found)} made now")
    print(sum(map(len, found)), "primes")


if __name__ == "__main__":
    asyncio.run(main())
