"""A call that may give None is no `R` before that is looked at."""

from __future__ import annotations

from asflow import flow


@flow.task(on="data/{word}.txt")
async def with_on(word: str) -> int:
    return len(word)


@flow.task(skip=(ValueError,))
def with_skip(word: str) -> list[int]:
    return [len(word)]


@flow.task(suppress=ValueError)
async def with_suppress(word: str) -> str:
    return word


@flow.task(on="data/{word}.csv")
async def nothing(word: str) -> None: ...


async def calls() -> None:
    number: int = await with_on("a")  # E
    print(1 + await with_on("a"))  # E
    numbers: list[int] = with_skip("a")  # E
    with_skip("a").append(1)  # E
    print(with_skip("a")[0])  # E
    for _ in with_skip("a"):  # E
        pass
    (await with_suppress("a")).upper()  # E
    len(await with_suppress("a"))  # E
    rows: list[int] = await nothing("a")  # E
    print(number, numbers, rows)


async def arguments() -> None:
    await with_on(1)  # E
    await with_on()  # E
    await with_on(words="a")  # E
    with_skip("a", "b")  # E
    await with_suppress(word=None)  # E
    await with_skip("a")  # E
