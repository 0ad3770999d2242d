"""Every kind of parameter passes through `@flow.task`, with its name, default and kind."""

from __future__ import annotations

from typing import TypedDict, assert_type

from asflow import Output, flow
from typing_extensions import Unpack


class Options(TypedDict, total=False):
    lang: str
    limit: int


@flow.task
async def positional_only(a: int, b: str = "", /) -> int:
    return a + len(b)


@flow.task
async def keyword_only(*, a: int, b: str = "") -> int:
    return a + len(b)


@flow.task
def mixed(a: int, /, b: str, *, c: float = 0.0) -> int:
    return a + len(b) + int(c)


@flow.task
def many(*numbers: int, **names: str) -> int:
    return sum(numbers) + len(names)


@flow.task(save="data/*.json", skip=ValueError)
async def many_stored(first: str, *numbers: int, **names: str) -> int:
    return len(first) + sum(numbers) + len(names)


@flow.task(save="data/*.json")
def mixed_stored(a: int, /, b: str, *, c: float = 0.0) -> int:
    return a + len(b) + int(c)


@flow.task(skip=(ValueError,))
async def unpacked(url: str, **options: Unpack[Options]) -> int:
    return len(url) + len(options)


@flow.task(save="data/one.json")
async def no_parameters() -> int:
    return 1


@flow.task
def named_like_ours(func: str, task: str, self: int, flow: int, on: str = "") -> int:
    return len(func + task + on) + self + flow


async def calls() -> None:
    assert_type(await positional_only(1), int)
    assert_type(await positional_only(1, "b"), int)
    assert_type(await keyword_only(a=1), int)
    assert_type(await keyword_only(b="b", a=1), int)
    assert_type(mixed(1, "b", c=2.0), int)
    assert_type(mixed(1, b="b"), int)
    assert_type(many(), int)
    assert_type(many(1, 2, three="3"), int)
    assert_type(await many_stored("a", 1, 2, b="c"), int | None)
    assert_type(await many_stored(first="a", b="c"), int | None)
    assert_type(mixed_stored(1, b="b", c=2.0), int)
    assert_type(await unpacked("a", lang="en", limit=3), int | None)
    assert_type(await no_parameters(), int)
    assert_type(named_like_ours(func="a", task="b", self=1, flow=2), int)


def handles() -> None:
    assert_type(flow.task.output(many_stored, "a", 1, 2, b="c"), Output[int | None])
    assert_type(flow.task.output(mixed_stored, 1, b="b"), Output[int])
    assert_type(flow.task.output(no_parameters), Output[int])
