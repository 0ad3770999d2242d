"""What comes out of asyncio is what the task gives, and what goes in is what it takes."""

from __future__ import annotations

import asyncio

from asflow import flow


@flow.task
async def extract(word: str) -> dict[str, int]:
    return {word: 1}


@flow.task(save="data/{word}.json.zst", skip=OSError, limit=4)
async def download(word: str) -> int:
    return len(word)


@flow.task
def blocking(word: str, times: int = 1) -> str:
    return word * times


async def calls() -> None:
    task: asyncio.Task[int] = asyncio.create_task(download("a"))  # E
    asyncio.create_task(extract)  # E
    asyncio.create_task(blocking("a"))  # E
    words: list[str] = await asyncio.gather(*[extract(word) for word in "ab"])  # E
    numbers: list[int] = await asyncio.gather(*[download(word) for word in "ab"])  # E
    first, second = await asyncio.gather(extract("a"), download("b"))
    first.append(second)  # E
    text: str = first  # E
    number: int = second  # E
    print(task, words, numbers, text, number)


async def groups() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(extract(1))  # E
        group.create_task(blocking("a"))  # E
        task = group.create_task(download("a"))
    number: int = task.result()  # E
    print(number)


async def threads() -> None:
    await asyncio.to_thread(blocking, 1)  # E
    await asyncio.to_thread(blocking, "a", time=2)  # E
    number: int = await asyncio.to_thread(blocking, "a")  # E
    await flow.task.to_thread(blocking, 1)  # E
    await flow.task.to_thread(blocking, "a", time=2)  # E
    other: int = await flow.task.to_thread(blocking, "a")  # E
    print(number, other)


asyncio.run(blocking("a"))  # E
asyncio.run(extract(1))  # E
result: str = asyncio.run(download("a"))  # E
