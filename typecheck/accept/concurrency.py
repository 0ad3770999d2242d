# mypy: disable-error-code="unused-awaitable"
"""Tasks under `create_task`, `gather`, `TaskGroup`, `to_thread`, `run`, `wait_for` and executors."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import assert_type

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


@flow.task(save="data/{word}.txt")
def blocking_stored(word: str) -> str:
    return word


async def create_task() -> None:
    assert_type(asyncio.create_task(extract("a")), asyncio.Task[dict[str, int]])
    assert_type(asyncio.create_task(download("a"), name="a"), asyncio.Task[int | None])
    assert_type(asyncio.ensure_future(extract("a")), asyncio.Task[dict[str, int]])
    assert_type(asyncio.get_running_loop().create_task(download("a")), asyncio.Task[int | None])


async def gather() -> None:
    assert_type(await asyncio.gather(extract("a"), download("b")), tuple[dict[str, int], int | None])
    assert_type(await asyncio.gather(*[extract(word) for word in "ab"]), list[dict[str, int]])
    assert_type(await asyncio.gather(*(download(word) for word in "ab")), list[int | None])
    results = await asyncio.gather(extract("a"), download("b"), return_exceptions=True)
    assert_type(results, tuple[dict[str, int] | BaseException, int | BaseException | None])


async def task_group() -> None:
    async with asyncio.TaskGroup() as group:
        extracted = group.create_task(extract("a"))
        downloads = [group.create_task(download(word)) for word in "ab"]
    assert_type(extracted.result(), dict[str, int])
    assert_type([task.result() for task in downloads], list[int | None])


async def threads() -> None:
    assert_type(await asyncio.to_thread(blocking, "a", times=2), str)
    assert_type(await asyncio.to_thread(blocking_stored, "a"), str)
    assert_type(await flow.task.to_thread(blocking, "a", times=2), str)
    assert_type(await flow.task.to_thread(blocking_stored, "a"), str)
    loop = asyncio.get_running_loop()
    assert_type(await loop.run_in_executor(None, blocking, "a"), str)
    with ThreadPoolExecutor() as pool:
        assert_type(pool.submit(blocking_stored, "a"), Future[str])
        assert_type(list(pool.map(blocking, ["a"], [2])), list[str])


async def waiting() -> None:
    assert_type(await asyncio.wait_for(extract("a"), 3), dict[str, int])
    assert_type(await asyncio.wait_for(download("a"), 3), int | None)
    assert_type(await asyncio.shield(download("a")), int | None)
    for done in asyncio.as_completed([extract("a"), extract("b")]):
        assert_type(await done, dict[str, int])


assert_type(asyncio.run(extract("a")), dict[str, int])
assert_type(asyncio.run(download("a")), int | None)
with asyncio.Runner() as runner:
    assert_type(runner.run(download("a")), int | None)
assert_type(list(map(blocking, ["a"])), list[str])
