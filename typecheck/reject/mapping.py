"""Wrong calls of `flow.task.map`, and of what it gives."""

from __future__ import annotations

import asyncio
from functools import partial

from asflow import Completed, flow


@flow.task
async def fetch(url: str) -> bytes:
    return url.encode()


@flow.task(save="data/{url}.json", skip=OSError)
async def download(url: str) -> int:
    return len(url)


@flow.task
def parse(page: bytes) -> int:
    return len(page)


@flow.task
async def two(left: str, right: str) -> str:
    return left + right


@flow.task
async def by_keyword(*, url: str) -> str:
    return url


@flow.task
async def none() -> str:
    return ""


async def calls() -> None:
    await flow.task.map(fetch, [1, 2])  # E
    await flow.task.map(fetch, "a", "b")  # E
    await flow.task.map(fetch)  # E
    await flow.task.map(fetch, 3)  # E
    await flow.task.map(parse, ["a"])  # E
    await flow.task.map(two, ["a"])  # E
    await flow.task.map(by_keyword, ["a"])  # E
    await flow.task.map(none, ["a"])  # E
    await flow.task.map("fetch", ["a"])  # E
    await flow.task.map(fetch, ["a"], ordered="no")  # E
    await flow.task.map(fetch, ["a"], on_error="ignore")  # E
    await flow.task.map(fetch, ["a"], limit=3)  # E
    await flow.task.map(fetch("a"), ["a"])  # E
    await flow.task.map(partial(fetch, page=1), ["a"])  # E


async def results() -> None:
    pages: list[str] = await flow.task.map(fetch, ["a"])  # E
    numbers: list[int] = await flow.task.map(download, ["a"])  # E
    for _ in flow.task.map(fetch, ["a"]):  # E
        pass
    list(flow.task.map(fetch, ["a"]))  # E
    asyncio.create_task(flow.task.map(fetch, ["a"])).result()[0] + 1  # E
    async for number in flow.task.map(download, ["a"]):
        print(number + 1)  # E
    async for outcome in flow.task.map(fetch, ["a"], on_error="collect"):
        print(outcome.value)  # E
        if isinstance(outcome, Completed):
            print(outcome.error)  # E
    len(flow.task.map(fetch, ["a"]))  # E
    print(pages, numbers)
