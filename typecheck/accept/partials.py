"""`functools.partial`, callable objects and classes as tasks, and partials of tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import assert_type

from asflow import Output, flow


async def fetch(url: str, *, timeout: float = 1.0) -> bytes:
    return url.encode()[: int(timeout)]


def count(text: str, start: int = 0) -> int:
    return len(text) + start


# A partial of a function, made a task.
fetch_slowly = flow.task(partial(fetch, timeout=10.0))
count_from = flow.task(retry=1)(partial(count, start=3))
stored_count = flow.task(save="data/{text}.json")(partial(count, start=3))


# A partial of a task.
@flow.task(save="data/{url}.bin")
async def download(url: str, *, timeout: float = 1.0) -> bytes:
    return url.encode()[: int(timeout)]


@flow.task
def plain(text: str, start: int) -> int:
    return len(text) + start


download_slowly = partial(download, timeout=10.0)
plain_of_a = partial(plain, "a")


async def calls() -> None:
    assert_type(await fetch_slowly("a"), bytes)
    assert_type(count_from("a"), int)
    assert_type(stored_count("a"), int)
    assert_type(await download_slowly("a"), bytes)
    assert_type(plain_of_a(3), int)
    assert_type(plain_of_a(start=3), int)


# An object with `__call__`.
@dataclass
class Fetcher:
    base: str

    async def __call__(self, path: str) -> bytes:
        return (self.base + path).encode()


fetcher = flow.task(Fetcher("a"))
fetcher_stored = flow.task(save="data/{path}.bin")(Fetcher("a"))


async def objects() -> None:
    assert_type(await fetcher("b"), bytes)
    assert_type(fetcher.base, str)
    assert_type(await fetcher_stored("b"), bytes)
    assert_type(flow.task.output(fetcher_stored, "b"), Output[bytes])


# A class, called for an instance.
make_fetcher = flow.task(Fetcher)
assert_type(make_fetcher("a"), Fetcher)
assert_type(flow.task(skip=(OSError,))(Fetcher)(base="a"), Fetcher | None)


# Under the caches of functools.
@flow.task
@cache
def cached(text: str) -> int:
    return len(text)


@lru_cache(maxsize=3)
@flow.task
def cached_outside(text: str) -> int:
    return len(text)


assert_type(cached("a"), int)
assert_type(cached_outside("a"), int)
cached.cache_clear()  # OK

by_name: dict[str, Callable[[str], int]] = {"plain": count_from, "cached": cached}
assert_type(by_name["plain"]("a"), int)
