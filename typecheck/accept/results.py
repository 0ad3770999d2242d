"""What a task may return: Any, a coroutine of its own making, an awaitable, nothing ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, Never, NoReturn, assert_type

from asflow import flow
from typing_extensions import TypeIs


@flow.task
def opaque(word: str) -> Any:
    return word


@flow.task(skip=OSError)
def opaque_stored(word: str) -> Any:
    return word


@flow.task(skip=OSError)
async def opaque_stored_async(word: str) -> Any:
    return word


async def _length(word: str) -> int:
    return len(word)


@flow.task
def coroutine(word: str) -> Coroutine[Any, Any, int]:
    return _length(word)


@flow.task(save="data/{word}.json")
def coroutine_stored(word: str) -> Coroutine[Any, Any, int]:
    return _length(word)


@flow.task
def awaitable(word: str) -> Awaitable[int]:
    return _length(word)


@flow.task(skip=OSError)
def awaitable_stored(word: str) -> Awaitable[int]:
    return _length(word)


@flow.task
async def future(word: str) -> asyncio.Future[int]:
    return asyncio.ensure_future(_length(word))


@flow.task
def never(word: str) -> NoReturn:
    raise ValueError(word)


@flow.task
async def never_async(word: str) -> Never:
    raise ValueError(word)


@flow.task(skip=ValueError)
async def never_or_none_async(word: str) -> NoReturn:
    raise ValueError(word)


@flow.task
def is_word(word: object) -> TypeIs[str]:
    return isinstance(word, str)


@flow.task
def factory(word: str) -> Callable[[int], str]:
    return lambda number: word * number


@flow.task(save="data/literal/{word}.json")
async def literal(word: str) -> Literal["a", "b"]:
    return "a" if word else "b"


@flow.task(save="data/many/{word}.json", skip=OSError)
async def nested(word: str) -> dict[str, list[tuple[int, str | None]]]:
    return {word: [(1, None)]}


async def calls(thing: object) -> None:
    assert_type(opaque("a"), Any)
    assert_type(opaque_stored("a"), Any)
    assert_type(await opaque_stored_async("a"), Any | None)
    assert_type(await coroutine("a"), int)
    assert_type(await coroutine_stored("a"), int)
    assert_type(await awaitable("a"), int)
    assert_type(awaitable_stored("a"), Awaitable[int] | None)
    assert_type(await (await future("a")), int)
    assert_type(await never_or_none_async("a"), None)
    assert_type(factory("a")(3), str)
    assert_type(await literal("a"), Literal["a", "b"])
    assert_type(await nested("a"), dict[str, list[tuple[int, str | None]]] | None)
    if is_word(thing):
        assert_type(thing, str)


def stops(word: str | None) -> str:
    if word is None:
        never("a")
    assert_type(word, str)
    return word


async def stops_async(word: str | None) -> str:
    if word is None:
        await never_async("a")
    assert_type(word, str)
    return word
