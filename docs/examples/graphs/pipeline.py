"""Fetch in parallel, join in pairs, upload: the graph follows from the calls.

Prints:

    uploaded: axax axaxbxbx cxcx
    14 nodes, 14 edges
    flowchart LR, and 31 lines more for any Mermaid viewer
"""

import asyncio

from asflow.dag import scope, task

TICK = 0.02  # seconds; nothing waits longer than the 9 ticks of the longest path
LATENCY = {"a1": 1, "a2": 2, "b1": 4, "b2": 0.5, "c1": 6, "c2": 3.5}


@task
async def fetch(some_id: str) -> str:
    await asyncio.sleep(LATENCY[some_id] * TICK)
    return some_id + "x"


@task
async def concatenate(first: str, second: str) -> str:
    await asyncio.sleep(TICK)
    return first + second


async def strip_numbers(text: str) -> str:  # not decorated: made a node at the call
    await asyncio.sleep(TICK)
    return "".join(char for char in text if not char.isdigit())


@task
async def upload(a_data: str, b_data: str, c_data: str) -> None:
    await asyncio.sleep(TICK)
    print("uploaded:", a_data, b_data, c_data)


async def main() -> None:
    async with scope() as pipeline:
        ca = concatenate(fetch("a1"), fetch("a2"))
        cb = concatenate(fetch("b1"), fetch("b2"))
        cc = concatenate(fetch("c1"), fetch("c2"))
        cab = concatenate(ca, cb)  # ca is used twice

        sa = task(strip_numbers)(ca)
        sab = task(strip_numbers)(cab)
        sc = task(strip_numbers)(cc)
        _ = upload(sa, sab, sc)  # runs without being held; `_ =` only pleases a strict checker

    graph = pipeline.graph()
    print(f"{len(graph.nodes)} nodes, {len(graph.edges)} edges")
    first, *more = graph.to_mermaid().splitlines()
    print(f"{first}, and {len(more)} lines more for any Mermaid viewer")


if __name__ == "__main__":
    asyncio.run(main())
