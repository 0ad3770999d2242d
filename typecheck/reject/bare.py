"""Calls of tasks without options, and what they give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asflow import flow


@flow.task
async def extract(word: str, *, count: int = 1) -> dict[str, int]:
    return {word: count}


@flow.task
def get_urls(base: str = "") -> list[str]:
    return [base]


@flow.task(retry=3, limit=4)
async def retried(word: str) -> int:
    return len(word)


async def calls() -> None:
    await extract()  # E
    await extract(1)  # E
    await extract("a", 2)  # E
    await extract("a", count="2")  # E
    await extract("a", counts=2)  # E
    await extract(words="a")  # E
    get_urls("a", "b")  # E
    get_urls(None)  # E
    await retried()  # E
    await retried(b"a")  # E
    await get_urls()  # E


async def results() -> None:
    number: int = await extract("a")  # E
    text: str = get_urls()  # E
    words: list[int] = get_urls()  # E
    missing: dict[str, int] = extract("a")  # E
    (await retried("a")).append(1)  # E
    get_urls().items()  # E
    extract.no_such_attribute  # E
    print(number, text, words, missing)


flow.task(3)  # E
flow.task("extract")  # E
flow.task(None)(get_urls)  # E
flow.task(get_urls, get_urls)  # E
flow.tasks  # E


# Generator functions can't be refused here: a function that returns an iterator looks the same.
@flow.task
def numbers() -> Iterator[int]:
    yield 1


@flow.task
async def async_numbers() -> AsyncIterator[int]:
    yield 1
