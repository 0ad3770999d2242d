"""Wrong calls of what joblib's `Memory` caches, under a task."""

from __future__ import annotations

from asflow import flow
from joblib import Memory

memory = Memory(".cache", verbose=0)


@flow.task
@memory.cache
def transform(path: str, *, limit: int = 10) -> list[int]:
    return [len(path)] * limit


@flow.task(save="data/{url}.bin", skip=OSError)
@memory.cache
async def fetch(url: str) -> bytes:
    return url.encode()


@flow.task
@memory.cache(ignore=["limit"])
def with_options(path: str, limit: int = 10) -> str:
    return path * limit


async def calls() -> None:
    transform(1)  # E
    transform("a", 10)  # E
    transform("a", limits=3)  # E
    await fetch(1)  # E
    data: bytes = await fetch("a")  # E
    text: str = transform("a")  # E
    with_options(1)  # E
    await transform("a")  # E
    flow.task.output(fetch, 1)  # E
    transform.no_such_method()  # E
    print(data, text)


Memory(".cache", verbosity=0)  # E
memory.cache(transform, ignore="limit")  # E
