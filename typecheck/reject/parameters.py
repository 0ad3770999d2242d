"""Arguments that don't fit the kind, name or type of a task's parameters."""

from __future__ import annotations

from typing import TypedDict

from asflow import flow
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


@flow.task(save="data/*.json")
def mixed(a: int, /, b: str, *, c: float = 0.0) -> int:
    return a + len(b) + int(c)


@flow.task(save="data/*.json", skip=OSError)
def many(*numbers: int, **names: str) -> int:
    return sum(numbers) + len(names)


@flow.task(skip=ValueError)
def unpacked(url: str, **options: Unpack[Options]) -> int:
    return len(url) + len(options)


async def calls() -> None:
    await positional_only(a=1)  # E
    await positional_only(1, b="b")  # E
    await keyword_only(1)  # E
    await keyword_only(b="b")  # E
    await keyword_only(a=1, c=2)  # E
    mixed(a=1, b="b")  # E
    mixed(1, "b", 2.0)  # E
    mixed(1)  # E
    mixed(1, "b", c="2")  # E
    many("1")  # E
    many(1, name=2)  # E
    many([1, 2])  # E
    unpacked("a", languages="en")  # E
    unpacked("a", limit="3")  # E
    flow.task.output(mixed, a=1, b="b")  # E
    flow.task.output(mixed, 1)  # E
    flow.task.output(many, "1")  # E
    flow.task.output(many, 1, name=2)  # E
