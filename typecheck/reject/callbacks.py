"""Tasks passed where another function is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypeVar

from asflow import flow

P = ParamSpec("P")
R = TypeVar("R")


@flow.task
async def extract(word: str, *, count: int = 1) -> dict[str, int]:
    return {word: count}


@flow.task(save="data/{word}.json", skip=OSError)
async def download(word: str) -> int:
    return len(word)


@flow.task(skip=(ValueError,))
def parse_or_none(text: str) -> list[str]:
    return text.split()


class Downloader(Protocol):
    async def __call__(self, word: str) -> int: ...


class Parser(Protocol):
    def __call__(self, text: str) -> list[str]: ...


class ByUrl(Protocol):
    def __call__(self, *, url: str) -> Awaitable[object]: ...


def run(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
    return function(*args, **kwargs)


as_int: Callable[[str], Awaitable[int]] = download  # E
as_downloader: Downloader = download  # E
as_parser: Parser = parse_or_none  # E
as_by_url: ByUrl = extract  # E
as_other: Callable[[int], Awaitable[dict[str, int]]] = extract  # E
as_sync: Callable[[str], dict[str, int]] = extract  # E
without_arguments: Callable[[], object] = extract  # E
numbers = sorted([1], key=parse_or_none)  # E


async def calls() -> None:
    await run(extract, 1)  # E
    await run(extract, "a", counts=1)  # E
    await run(parse_or_none, "a")  # E
    number: int = await run(download, "a")  # E
    print(number)
