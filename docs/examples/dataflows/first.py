"""Two sources at the same time, a merge, a destination.

Prints:

    {'status': 0, 'rows': 6}
"""

import asyncio
import time

from asflow.dataflow import DataFlow


async def source_a(endpoint_a: str) -> dict[str, list[int]]:
    await asyncio.sleep(0.05)  # an async function runs on the event loop
    return {"rows_a": [1, 2, 3, 4, 5, 6]}


def source_b(endpoint_b: str) -> dict[str, list[int]]:
    time.sleep(0.05)  # any other function runs in a thread
    return {"rows_b": [1, 4, 9, 16, 25, 36]}


async def merge(rows_a: list[int], rows_b: list[int]) -> dict[str, list[tuple[int, int]]]:
    return {"data": list(zip(rows_a, rows_b, strict=True))}


async def destination(data: list[tuple[int, int]]) -> dict[str, int]:
    await asyncio.sleep(0.05)
    return {"status": 0, "rows": len(data)}


sources = source_a, source_b
transform = (merge,)
destinations = (destination,)

dataflow = DataFlow((sources, *transform, destinations))


async def main() -> None:
    params = {"endpoint_a": "A", "endpoint_b": "B"}
    print(await dataflow(params))


if __name__ == "__main__":
    asyncio.run(main())
