"""A task without options, or with options that never make a call give None, keeps its type."""

from __future__ import annotations

from typing import assert_type

from asflow import Flow, Limit, Retry, flow

api = Limit(4, rate="10/s")
other = Flow("data", verbose=False)


@flow.task
async def extract(word: str, *, count: int = 1) -> dict[str, int]:
    return {word: count}


@flow.task
def get_urls(base: str = "") -> list[str]:
    return [base]


@flow.task()
async def empty(word: str) -> int:
    return len(word)


@flow.task()
def empty_sync(word: str) -> int:
    return len(word)


@flow.task(retry=3, retry_exceptions=(OSError,), limit=4, timeout=2.5)
async def retried(word: str) -> int:
    return len(word)


@flow.task(retry=Retry(total=2, exceptions=TimeoutError), retry_exceptions=None, limit=api)
def retried_sync(word: str) -> int:
    return len(word)


@flow.task(limit=0)
async def unbounded(word: str) -> None:
    print(word)


@flow.task(limit=None)
def default_limit(word: str) -> None:
    print(word)


@other.task
async def on_another_flow(word: str) -> int:
    return len(word)


async def calls() -> None:
    assert_type(await extract("a"), dict[str, int])
    assert_type(await extract(word="a", count=2), dict[str, int])
    assert_type(get_urls(), list[str])
    assert_type(get_urls("a"), list[str])
    assert_type(await empty("a"), int)
    assert_type(empty_sync("a"), int)
    assert_type(await retried("a"), int)
    assert_type(retried_sync(word="a"), int)
    assert_type(await on_another_flow("a"), int)
    await unbounded("a")  # OK
    default_limit("a")  # OK


# A function that is decorated by a call, not in its definition.
def plain(word: str) -> int:
    return len(word)


assert_type(flow.task(plain)("a"), int)
assert_type(flow.task(retry=1)(plain)("a"), int)
assert_type(flow.task(len)(plain.__name__), int)


# Attributes of a function stay.
assert_type(extract.__name__, str)
assert_type(extract.__qualname__, str)
assert_type(extract.__doc__, str | None)
