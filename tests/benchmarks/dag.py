"""The cost of a node beside a bare `asyncio.create_task` and aiodag, at two sizes to show that it is linear.

    python tests/benchmarks/dag.py [--nodes 100000] [--rounds 5]

Each round runs every contender once, in turn, so that a slow phase of the machine affects all of them; the
table shows medians over the rounds. Without aiodag its rows are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import importlib.metadata
import platform
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from asflow.dag import scope, task

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Builder = Callable[[int], Coroutine[Any, Any, None]]


async def body(value: int, other: int = 0) -> int:
    return value + other


async def bare(value: Any) -> int:
    """Await one dependency, by hand."""
    return await body(await value)


async def bare_two(first: Any, second: Any) -> int:
    return await body(await first, await second)


async def value_of(number: int) -> int:
    return number


def by_hand() -> dict[str, Builder]:
    async def wide(size: int) -> None:
        for running in [asyncio.create_task(body(i)) for i in range(size)]:
            await running

    async def chain(size: int) -> None:
        last = asyncio.create_task(body(0))
        for _ in range(size):
            last = asyncio.create_task(bare(last))
        await last

    async def tree(size: int) -> None:
        level = [asyncio.create_task(body(i)) for i in range(size // 2)]
        while len(level) > 1:
            level = [
                asyncio.create_task(bare_two(*pair)) for pair in zip(level[::2], level[1::2], strict=False)
            ]
        await level[0]

    return {"independent": wide, "chain": chain, "binary tree": tree}


def with_nodes(node: Callable[..., Any]) -> dict[str, Builder]:
    async def wide(size: int) -> None:
        for running in [node(i) for i in range(size)]:
            await running

    async def chain(size: int) -> None:
        last = node(0)
        for _ in range(size):
            last = node(last)
        await last

    async def tree(size: int) -> None:
        level = [node(i) for i in range(size // 2)]
        while len(level) > 1:
            level = [node(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
        await level[0]

    return {"independent": wide, "chain": chain, "binary tree": tree}


def in_scope(builders: dict[str, Builder]) -> dict[str, Builder]:
    def inside(build: Builder) -> Builder:
        async def run(size: int) -> None:
            async with scope():
                await build(size)

        return run

    return {shape: inside(build) for shape, build in builders.items()}


def contenders() -> dict[str, dict[str, Builder]]:
    found = {"create_task": by_hand(), "asflow": with_nodes(task(body))}
    found["asflow in a scope"] = in_scope(found["asflow"])
    try:
        aiodag: Any = importlib.import_module("aiodag")  # untyped
    except ImportError:
        return found
    return found | {"aiodag": with_nodes(aiodag.task(body))}


def seconds(build: Builder, size: int) -> float:
    gc.collect()
    began = time.perf_counter()
    asyncio.run(build(size))
    return time.perf_counter() - began


def measure(shape: str, size: int, rounds: int) -> None:
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, builders in contenders().items():
            taken.setdefault(name, []).append(seconds(builders[shape], size))
    floor = statistics.median(taken["create_task"])
    for name, values in taken.items():
        middle = statistics.median(values)
        print(f"{shape:<12} {size:>8,}  {name:<18} {middle / size * 1e6:8.2f} us  {middle / floor:6.2f}x")


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=100_000, help="nodes of the large graphs")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that the medians are taken over")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {platform.system()}, aiodag {version('aiodag')}")
    for shape in ("independent", "chain", "binary tree"):
        for size in (options.nodes // 10, options.nodes):
            measure(shape, size, options.rounds)


if __name__ == "__main__":
    main()
