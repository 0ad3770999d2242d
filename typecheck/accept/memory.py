"""joblib's `Memory` under a task; the types are those of `stubs/joblib`."""

from __future__ import annotations

from typing import assert_type

from asflow import Output, flow
from joblib import Memory, expires_after
from joblib.memory import AsyncMemorizedFunc, MemorizedFunc

memory = Memory(".cache", verbose=0)


@flow.task
@memory.cache
def transform(path: str, *, limit: int = 10) -> list[int]:
    return [len(path)] * limit


@flow.task
@memory.cache
async def fetch(url: str) -> bytes:
    return url.encode()


@flow.task(save="data/{path}.json")
@memory.cache
def stored(path: str) -> list[int]:
    return [len(path)]


@flow.task(skip=(OSError,))
@memory.cache(ignore=["limit"], verbose=0)
def with_options(path: str, limit: int = 10) -> str:
    return path * limit


@flow.task(save="data/{url}.txt", skip=OSError, retry=3)
@memory.cache(cache_validation_callback=expires_after(days=1))
async def fetch_stored(url: str) -> str:
    return url


async def calls() -> None:
    assert_type(transform("a"), list[int])
    assert_type(transform(path="a", limit=3), list[int])
    assert_type(await fetch("a"), bytes)
    assert_type(stored("a"), list[int])
    assert_type(with_options("a", limit=3), str | None)
    assert_type(await fetch_stored("a"), str | None)
    assert_type(flow.task.output(stored, "a"), Output[list[int]])
    assert_type(await flow.task.map(fetch, ["a"]), list[bytes])
    assert_type(await flow.task.map(transform, ["a"]), list[list[int]])


# What joblib adds is there, on a task that keeps its type.
def count(path: str) -> int:
    return len(path)


cached = memory.cache(count)
assert_type(flow.task(cached)("a"), int)
assert_type(flow.task(cached).check_call_in_cache("a"), bool)
assert_type(cached.call_and_shelve("a").get(), int)
shared: MemorizedFunc[..., int] = cached  # OK


async def fetch_raw(url: str) -> bytes:
    return url.encode()


cached_async = memory.cache(fetch_raw)
shared_async: AsyncMemorizedFunc[..., bytes] = cached_async  # OK
