"""Wrong use of `flow.task.write`, `.progress` and `.track` in a body, and bodies with `on=` that return."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, overload

from asflow import flow


@flow.task(on="data/{day}.jsonl")
async def download(day: str) -> None:
    flow.task.write()  # E
    flow.task.write("a", "b")  # E
    flow.task.write(data=day)  # E
    await flow.task.write(day)  # E
    written: int = flow.task.write(day)  # E
    flow.write(day)  # E
    flow.task.write_all(3)  # E
    flow.task.path(day)  # E
    flow.task.path().write(day)  # E
    flow.task.write_all([day], [day])  # E
    print(written)


@flow.task
def counted(pages: list[str]) -> None:
    with flow.task.progress("pages", 12) as progress:  # E
        progress.advance("1")  # E
        progress.update(3)  # E
        progress.update(done=3)  # E
        progress.finish()  # E
    with flow.task.progress(3):  # E
        pass
    with flow.task.progress(total="12"):  # E
        pass
    with flow.task.progress(unit=1):  # E
        pass
    for _ in flow.task.track(pages, "pages", 3):  # E
        pass
    for _ in flow.task.track(3):  # E
        pass
    for page in flow.task.track(pages):
        page.append("a")  # E


# `on=` keeps what a body writes: one that returns something wants `save=`.
def name_of(day: str) -> str:
    return day


@flow.task(on="data/{day}.txt")  # E
def returns_text(day: str) -> str:
    return day


@flow.task(on="data/{day}.json", skip=OSError)  # E
async def returns_number(day: str) -> int:
    return len(day)


@flow.task(on="data/{day}.json", suppress=OSError, retry=3)  # E
async def returns_optional(day: str) -> int | None:
    return len(day) or None


@flow.task(on="data/*.json", key=name_of)  # E
async def returns_with_key(day: str) -> list[str]:
    return [day]


@flow.task(on="data/*.json", key=name_of, skip=OSError)  # E
def returns_with_key_sync(day: str) -> list[str]:
    return [day]


@flow.task(on="data/{day}.json")  # E
def returns_coroutine(day: str) -> Coroutine[Any, Any, int]:
    return later(day)


@flow.task(on="data/{day}.jsonl")  # E
def yields(day: str) -> Iterator[str]:
    yield day


@flow.task(on="data/{day}.jsonl")  # E
async def yields_async(day: str) -> AsyncIterator[str]:
    yield day


@flow.task(on="data/*.json", key=name_of)  # E
def key_of_another(url: str) -> None: ...


async def later(day: str) -> int:
    return len(day)


@overload
def _some(day: str) -> str: ...
@overload
def _some(day: int) -> int: ...
def _some(day: str | int) -> str | int:
    return day


flow.task(on="data/{day}.txt")(later)  # E
flow.task(on="data/{day}.txt")(len)  # E
flow.task(on="data/{day}.txt")(_some)  # E
flow.task(on="data/{day}.txt", skip=OSError)("download")  # E


class Client:
    @flow.task(on="data/{day}.txt")  # E
    async def fetch(self, day: str) -> bytes:
        return day.encode()

    @flow.task(on="data/{day}.txt")  # E
    @staticmethod
    def static(day: str) -> bytes:
        return day.encode()

    @flow.task(on="data/{day}.csv")
    async def store(self, day: str) -> None: ...


@flow.task(on="data/{day}.csv", skip=OSError)
async def quiet(day: str) -> None: ...


@flow.task(on="keyed/*.csv", key=name_of)
async def keyed(day: str) -> None: ...


async def calls(client: Client) -> None:
    quiet("a")  # E: await
    keyed("a")  # E: await
    client.store("a")  # E: await
    flow.task.make(quiet, "a")  # E: await
    await quiet(1)  # E
    await keyed(days="a")  # E
    (await quiet("a")).append(1)  # E
    await client.store("a", 1)  # E
    rows: list[str] = await quiet("a")  # E
    print(rows)
