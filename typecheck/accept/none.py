"""`R | None` exactly where a call may return None: with `skip` or `suppress`, `save` or not."""

from __future__ import annotations

from typing import NamedTuple, TypedDict, assert_type

from asflow import flow


class Page(TypedDict):
    url: str


class Pair(NamedTuple):
    left: int
    right: str


@flow.task(save="data/{word}.json", skip=OSError)
async def with_save(word: str) -> int:
    return len(word)


@flow.task(save="data/page/{word}.json", suppress=OSError)
def with_save_sync(word: str) -> Page:
    return {"url": word}


@flow.task(skip=(ValueError,))
async def with_skip(word: str) -> Pair:
    return Pair(1, word)


@flow.task(skip=ValueError, limit=3, retry=1)
def with_skip_sync(word: str) -> list[int]:
    return [len(word)]


@flow.task(suppress=(ValueError,), timeout=3)
async def with_suppress(word: str) -> tuple[int, ...]:
    return (len(word),)


@flow.task(suppress=ValueError)
def with_suppress_sync(word: str) -> bytes:
    return word.encode()


@flow.task(on="data/{word}.csv", skip=(), suppress=(), retry=3)
async def never_value(word: str) -> None: ...


@flow.task(on="data/{word}.tsv")
def never_value_sync(word: str) -> None: ...


@flow.task(save="data/{word}.json.gz", skip=OSError)
async def optional_already(word: str) -> int | None:
    return len(word) or None


@flow.task(save="data/{word}.json.zst", skip=OSError)
def union_value(word: str) -> int | str:
    return len(word) or word


@flow.task(retry=3, limit=2)
async def without(word: str) -> int:
    return len(word)


async def calls() -> None:
    assert_type(await with_save("a"), int | None)
    assert_type(with_save_sync("a"), Page | None)
    assert_type(await with_skip("a"), Pair | None)
    assert_type(with_skip_sync("a"), list[int] | None)
    assert_type(await with_suppress("a"), tuple[int, ...] | None)
    assert_type(with_suppress_sync("a"), bytes | None)
    assert_type(await never_value("a"), None)
    assert_type(never_value_sync("a"), None)
    assert_type(await optional_already("a"), int | None)
    assert_type(union_value("a"), int | str | None)
    assert_type(await without("a"), int)


async def narrowing() -> None:
    length = await with_save("a")
    if length is not None:
        assert_type(length, int)
    page = with_save_sync("a")
    assert_type(page["url"] if page else "", str)
    match await with_skip("a"):
        case Pair(left, right):
            assert_type(left, int)
            assert_type(right, str)
        case None:
            pass
