"""Calls of tasks that return something unusual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from asflow import flow


async def _length(word: str) -> int:
    return len(word)


@flow.task
def opaque(word: str) -> Any:
    return word


@flow.task(save="data/{word}.json", skip=OSError)
async def opaque_async(word: str) -> Any:
    return word


@flow.task(save="data/coroutine/{word}.json", skip=OSError)
def coroutine(word: str) -> Coroutine[Any, Any, int]:
    return _length(word)


@flow.task
def awaitable(word: str) -> Awaitable[int]:
    return _length(word)


@flow.task
def factory(word: str) -> Callable[[int], str]:
    return lambda number: word * number


async def calls() -> None:
    opaque(1)  # E
    await opaque_async(1)  # E
    (await opaque_async("a")).upper()  # E
    number: int = await coroutine("a")  # E
    await coroutine(1)  # E
    text: str = await awaitable("a")  # E
    asyncio.create_task(awaitable("a"))  # E
    factory("a")("b")  # E
    print(number, text)
