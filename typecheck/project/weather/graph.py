"""The same as an implicit graph."""

from __future__ import annotations

import asyncio

from asflow.dag import later, scope, task

from weather.records import City, Day


@task
async def fetch(city: City, date: str) -> list[float]:
    """Pretend to download one day."""
    await asyncio.sleep(0)
    return [float(len(city) + len(date)), 0.0]


@task
def reduce(city: City, date: str, temperatures: list[float]) -> Day:
    """Reduce a day, in a thread."""
    return Day(city, date, max(temperatures), min(temperatures))


@task
async def warmer(left: Day, right: Day, *, by: float = 0.0) -> Day:
    """Choose the warmer day."""
    return left if left.highest > right.highest + by else right


@task(raw=True)
async def describe(day: asyncio.Task[Day]) -> str:
    """Say which, or what went wrong."""
    if (error := day.exception()) is not None:
        return f"no day: {error}"
    return f"{day.result().city} was warmer"


async def main() -> str:
    """Run the graph."""
    async with scope() as pipeline:
        date: asyncio.Task[str] = asyncio.create_task(asyncio.sleep(0, "2024-01-31"))
        paris = reduce("Paris", date, fetch("Paris", date))
        seattle = reduce("Seattle", "2024-01-31", fetch("Seattle", "2024-01-31"))
        # With a keyword, all that is pending goes through later().
        warmest = warmer(later(paris), later(seattle), by=later(asyncio.sleep(0, 0.5)))
        text = describe(warmest)
    print(pipeline.graph().to_mermaid())
    return await text


if __name__ == "__main__":
    print(asyncio.run(main()))
