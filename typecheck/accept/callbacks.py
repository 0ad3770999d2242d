"""Tasks passed where functions are asked for: Callable types, callback protocols, other decorators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, assert_type

from asflow import flow
from asflow.typing import (
    Keep,
    MaybeNone,
    Saved,
    SavedKeyed,
    SavedMaybe,
    SavedMaybeKeyed,
    Writes,
    WritesKeyed,
)

P = ParamSpec("P")
R = TypeVar("R")


@flow.task
async def extract(word: str, *, count: int = 1) -> dict[str, int]:
    return {word: count}


@flow.task(save="data/{word}.json")
async def download(word: str, *, count: int = 1) -> int:
    return len(word) * count


@flow.task
def parse(text: str) -> list[str]:
    return text.split()


@flow.task(skip=(ValueError,))
def parse_or_none(text: str) -> list[str]:
    return text.split()


class Extractor(Protocol):
    async def __call__(self, word: str, *, count: int = 1) -> dict[str, int]: ...


class Downloader(Protocol):
    async def __call__(self, word: str, *, count: int = ...) -> int: ...


class ByWord(Protocol):
    def __call__(self, word: str) -> Awaitable[object]: ...


class Parser(Protocol):
    def __call__(self, text: str) -> list[str]: ...


as_callable: Callable[[str], Coroutine[Any, Any, dict[str, int]]] = extract  # OK
as_awaitable: Callable[[str], Awaitable[dict[str, int]]] = extract  # OK
as_optional: Callable[[str], Awaitable[int | None]] = download  # OK
as_int: Callable[[str], Awaitable[int]] = download  # OK
as_any: Callable[..., object] = download  # OK
as_extractor: Extractor = extract  # OK
as_downloader: Downloader = download  # OK
as_by_word: ByWord = extract  # OK
also_by_word: ByWord = download  # OK
as_parser: Parser = parse  # OK
as_function: Callable[[str], list[str]] = parse  # OK
as_function_or_none: Callable[[str], list[str] | None] = parse_or_none  # OK
tasks: list[ByWord] = [extract, download]  # OK


def run_async(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
    return function(*args, **kwargs)


def run_sync(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return function(*args, **kwargs)


def logged(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return inner


async def calls() -> None:
    assert_type(await run_async(extract, "a", count=2), dict[str, int])
    assert_type(await run_async(download, word="a"), int)
    assert_type(run_sync(parse, "a"), list[str])
    assert_type(run_sync(parse_or_none, text="a"), list[str] | None)
    assert_type(sorted(["a"], key=parse), list[str])


# Other decorators, outside and inside.
@logged
@flow.task(save="data/{word}.json", skip=OSError)
async def outside(word: str) -> int:
    return len(word)


@flow.task(save="data/inside/{word}.json")
@logged
async def inside(word: str) -> int:
    return len(word)


@flow.task
@logged
def inside_sync(word: str) -> int:
    return len(word)


# A decorator of the user's own that ends in a task.
def fetches(pattern: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return flow.task(save=pattern, retry=3)(function)

    return decorate


def tries(pattern: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        return flow.task(save=pattern, skip=OSError)(function)

    return decorate


def writes(pattern: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    def decorate(function: Callable[P, None]) -> Callable[P, None]:
        return flow.task(on=pattern)(function)

    return decorate


@fetches("data/{word}.html")
def by_own_decorator(word: str) -> str:
    return word


@tries("data/tried/{word}.html")
def tried_by_own_decorator(word: str) -> str:
    return word


@writes("data/{word}.txt")
def written_by_own_decorator(word: str) -> None:
    flow.task.write(word)


async def decorated() -> None:
    assert_type(await outside("a"), int | None)
    assert_type(await inside(word="a"), int)
    assert_type(inside_sync("a"), int)
    assert_type(await in_words("a"), list[str])
    assert_type(by_own_decorator("a"), str)
    assert_type(tried_by_own_decorator("a"), str | None)
    assert_type(written_by_own_decorator("a"), None)


# The types of the decorators, for annotations.
kept: Keep = flow.task(retry=3)  # OK
maybe: MaybeNone = flow.task(skip=OSError)  # OK
wrote: Writes = flow.task(on="data/{word}.txt", skip=OSError)  # OK
saved: Saved = flow.task(save="data/{word}.json")  # OK
saved_maybe: SavedMaybe = flow.task(save="data/{word}.json", suppress=OSError)  # OK


def name_of(word: str) -> str:
    return word


wrote_keyed: WritesKeyed[[str]] = flow.task(on="data/*.txt", key=name_of)  # OK
saved_keyed: SavedKeyed[[str]] = flow.task(save="data/*.json", key=name_of)  # OK
saved_maybe_keyed: SavedMaybeKeyed[[str]] = flow.task(save="data/*.json", key=name_of, skip=OSError)  # OK


def in_folder(folder: str) -> Saved:
    return flow.task(save=f"{folder}/{{word}}.json", retry=3)


@in_folder("words")
async def in_words(word: str) -> list[str]:
    return [word]


# Tasks of tasks.
twice = flow.task(retry=1)(extract)
stored_twice = flow.task(save="data/{word}.json")(extract)


async def nested() -> None:
    assert_type(await twice("a", count=2), dict[str, int])
    assert_type(await stored_twice("a", count=2), dict[str, int])
