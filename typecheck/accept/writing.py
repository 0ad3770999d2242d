"""What a body with `on=` is and uses: `flow.task.write`, `.write_all`, `.path`, `.progress` and `.track`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypedDict, TypeVar, assert_type, overload

from asflow import Output, Progress, flow
from typing_extensions import override

T = TypeVar("T")


class Snippet(TypedDict):
    text: str


@dataclass
class Row:
    text: str
    at: datetime


@flow.task(on="data/{day}.jsonl")
async def download(day: str) -> None:
    flow.task.write("raw text\n")  # OK
    flow.task.write(b"raw bytes\n")  # OK
    flow.task.write({"text": day})  # OK
    flow.task.write(Snippet(text=day))  # OK
    flow.task.write(Row(day, datetime.now(UTC)))  # OK
    flow.task.write([1, "two", None])  # OK
    assert_type(flow.task.write(1), None)


@flow.task
def counted(pages: list[str]) -> None:
    with flow.task.progress("pages", total=len(pages)) as progress:
        assert_type(progress, Progress)
        for _ in pages:
            progress.advance()  # OK
            progress.advance(0.5)  # OK
        progress.update(completed=3, total=12.5, description="done")  # OK
        progress.update(total=None)  # OK
        assert_type(progress.completed, float)
        assert_type(progress.total, float | None)
    with flow.task.progress():
        pass
    with flow.task.progress(total=3.5):
        pass
    with flow.task.progress("upload", total=3.5, unit="B") as upload:
        assert_type(upload.unit, str | None)


@flow.task
def tracked(pages: list[str]) -> None:
    assert_type(flow.task.track(pages), Iterator[str])
    for page in flow.task.track(pages, "pages", total=3):
        assert_type(page, str)
    for page in flow.task.track(pages, unit="pages"):
        assert_type(page, str)
    for number, page in flow.task.track(enumerate(pages), total=None):
        assert_type(number, int)
        assert_type(page, str)
    assert_type(list(flow.task.track(range(3), description="numbers")), list[int])


# It returns None, and the task has its type: a coroutine for `async def`, whatever is skipped or suppressed.
def name_of(day: str, page: int = 1) -> str:
    return f"{day}-{page}"


class DownloadError(Exception): ...


@flow.task(on="data/{day}.csv", skip=DownloadError, suppress=(OSError,), retry=3)
async def quiet(day: str, page: int = 1) -> None:
    flow.task.write_all([{"day": day, "page": page}])  # OK
    assert_type(flow.task.path(), Path)
    flow.task.write_all({"day": day, "page": number} for number in range(page))  # OK
    assert_type(flow.task.write_all(iter("ab")), None)


@flow.task(on="data/{day}.txt")
def quiet_sync(day: str, *, page: int = 1) -> None:
    flow.task.write(day * page)


@flow.task(on="keyed/*.csv", key=name_of, skip=DownloadError)
async def keyed(day: str, page: int = 1) -> None: ...


@flow.task(on="keyed/*.txt", key=name_of)
def keyed_sync(day: str, page: int = 1) -> None: ...


@flow.task(on="opaque/{day}.txt")
def opaque(day: str) -> Any: ...


@flow.task(on="opaque/*.txt", key=name_of)
def opaque_keyed(day: str, page: int = 1) -> Any: ...


@flow.task(on="never/{day}.txt", skip=DownloadError)
async def never(day: str) -> NoReturn:
    raise DownloadError(day)


@flow.task(on="future/{day}.txt")
def coroutine(day: str) -> Coroutine[Any, Any, None]:
    return quiet(day)


class Client:
    @flow.task(on="data/{day}.client")
    async def fetch(self, day: str, *, page: int = 1) -> None: ...

    @staticmethod
    @flow.task(on="data/{day}.static")
    async def static_outer(day: str) -> None: ...

    @flow.task(on="data/{day}.inner", skip=OSError)
    @classmethod
    def class_inner(cls, day: str) -> None: ...


class Fetches(Protocol):
    async def fetch(self, day: str, *, page: int = ...) -> None: ...


class Special(Client):
    @override
    async def fetch(self, day: str, *, page: int = 1) -> None: ...


@overload
async def _both(day: str) -> None: ...
@overload
async def _both(day: int, page: int) -> None: ...
async def _both(day: str | int, page: int = 1) -> None:
    flow.task.write(f"{day} {page}")


both = flow.task(on="data/{day}.both", suppress=OSError)(_both)


@flow.task(on="data/*.generic")
async def generic(item: T, transform: Callable[[T], object]) -> None:
    flow.task.write(transform(item))


async def calls(client: Client) -> None:
    assert_type(await quiet("a", page=2), None)
    assert_type(quiet_sync("a", page=2), None)
    assert_type(await keyed("a", page=2), None)
    assert_type(keyed_sync(day="a"), None)
    assert_type(opaque("a"), Any)
    assert_type(opaque_keyed("a", page=3), Any)
    assert_type(await coroutine("a"), None)
    assert_type(quiet.__name__, str)
    assert_type(await client.fetch("a", page=2), None)
    assert_type(await Client.static_outer(day="a"), None)
    assert_type(Client.class_inner("a"), None)
    fetches: Fetches = client  # OK
    await fetches.fetch("a")
    await both("a")  # OK
    await both(1, page=2)  # OK
    await generic("a", len)  # OK
    assert_type(await flow.task.map(quiet, ["a"]), list[None])
    assert_type(await flow.task.make(quiet, "a", page=2), Output[None])
    assert_type(flow.task.make(quiet_sync, "a", page=2), Output[None])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(quiet("a"))
    assert_type(running.result(), None)
