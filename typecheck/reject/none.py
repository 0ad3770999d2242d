"""A call that may return None is not an `R` before that is looked at."""

from __future__ import annotations

from asflow import flow


@flow.task(save="data/{word}.json", skip=OSError)
async def with_save(word: str) -> int:
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
    number: int = await with_save("a")  # E
    print(1 + await with_save("a"))  # E
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
    await with_save(1)  # E
    await with_save()  # E
    await with_save(words="a")  # E
    with_skip("a", "b")  # E
    await with_suppress(word=None)  # E
    await with_skip("a")  # E
