"""Wrong calls of partials, callable objects and classes that are tasks."""

from __future__ import annotations

from functools import partial

from asflow import flow


async def fetch(url: str, *, timeout: float = 1.0) -> bytes:
    return url.encode()[: int(timeout)]


def count(text: str, start: int = 0) -> int:
    return len(text) + start


class Fetcher:
    def __init__(self, base: str) -> None:
        self.base = base

    async def __call__(self, path: str) -> bytes:
        return (self.base + path).encode()


@flow.task(save="data/{url}.bin", skip=OSError)
async def download(url: str, *, timeout: float = 1.0) -> bytes:
    return url.encode()[: int(timeout)]


slowly = flow.task(partial(fetch, timeout=10.0))
stored_count = flow.task(save="data/{text}.json", skip=OSError)(partial(count, start=3))
download_slowly = partial(download, timeout=10.0)
fetcher = flow.task(Fetcher("a"))
fetcher_stored = flow.task(save="data/{path}.bin", skip=OSError)(Fetcher("a"))
make_fetcher = flow.task(Fetcher)


async def calls() -> None:
    await slowly(1)  # E
    await slowly()  # E
    number: int = stored_count("a")  # E
    await download_slowly(1)  # E
    data: bytes = await download_slowly("a")  # E
    await fetcher(1)  # E
    fetcher.path  # E
    await fetcher_stored()  # E
    stored: bytes = await fetcher_stored("a")  # E
    make_fetcher(1)  # E
    partial(download, 1)  # E
    partial(download, timeouts=1.0)  # E
    print(number, data, stored)
