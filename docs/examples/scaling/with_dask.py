"""The same function on a Dask cluster: a local one here; for another, pass its address to Client.

Workers need asflow, too (`pip install 'asflow[dask]'`). Run it with
`python docs/examples/scaling/with_dask.py`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, cast

from asflow import Flow, Retry

if TYPE_CHECKING:
    from concurrent.futures import Executor

flow = Flow(sys.argv[1] if len(sys.argv) > 1 else "data")


def primes(start: int) -> list[int]:
    """Return the primes from *start* on; a plain function that knows nothing about Dask."""
    return [n for n in range(start, start + 1000) if n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))]


async def main(executor: Executor) -> None:
    """Make the task here, where the executor is known. The limit is the cluster's, not this machine's."""
    task = flow.task(save="primes/{start}.jsonl.zst", limit=16, retry=Retry(2), executor=executor)(primes)
    before = len(list(flow.task.outputs(task)))
    found = await flow.task.map(task, range(0, 20_000, 1000))
    print(f"{len(found) - before} of {len(found)} made now")
    print(sum(map(len, found)), "primes")


if __name__ == "__main__":
    import distributed

    dask = cast("Any", distributed)  # it has no types
    with (
        dask.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        dask.Client(cluster) as client,
    ):
        asyncio.run(main(client.get_executor()))
