# mypy: disable-error-code="unused-awaitable"
"""`flow.task.map`: the type of each result, and of the list of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import partial
from typing import Any, TypedDict, assert_type

import asflow
from asflow import Completed, Failed, SyncTaskMap, TaskMap, flow


class Page(TypedDict):
    url: str


@flow.task
async def fetch(url: str, *, retries: int = 0) -> Page:
    return {"url": url * retries}


@flow.task(save="data/{url}.json", skip=OSError)
async def download(url: str) -> Page:
    return {"url": url}


@flow.task(save="data/saved/{url}.json", retry=3)
async def saved(url: str, *, retries: int = 0) -> Page:
    return {"url": url * retries}


@flow.task(save="data/text/{url}.txt")
def saved_sync(url: str) -> str:
    return url


@flow.task
def parse(page: Page) -> int:
    return len(page["url"])


@flow.task(skip=(ValueError,))
def parse_or_none(page: Page, start: int = 0) -> int:
    return len(page["url"]) + start


@flow.task(on="data/{url}.txt")
async def nothing(url: str) -> None: ...


@flow.task
async def measure(item: object) -> int:
    return len(str(item))


def urls() -> Iterator[str]:
    yield "a"


async def async_urls() -> AsyncIterator[str]:
    yield "a"


async def lists() -> None:
    assert_type(await flow.task.map(fetch, ["a", "b"]), list[Page])
    assert_type(await flow.task.map(fetch, urls()), list[Page])
    assert_type(await flow.task.map(fetch, async_urls()), list[Page])
    assert_type(await flow.task.map(fetch, {"a", "b"}, ordered=False), list[Page])
    assert_type(await flow.task.map(download, ("a", "b")), list[Page | None])
    assert_type(await flow.task.map(saved, ("a", "b")), list[Page])
    assert_type(await flow.task.map(saved_sync, async_urls()), list[str])
    assert_type(await flow.task.map(parse, [Page(url="a")]), list[int])
    assert_type(await flow.task.map(parse_or_none, [Page(url="a")]), list[int | None])
    assert_type(await flow.task.map(nothing, urls(), on_error="raise"), list[None])
    assert_type(await flow.task.map(measure, [1, "a"]), list[int])
    assert_type(await flow.task.map(measure, range(3)), list[int])


async def loops() -> None:
    async for page in flow.task.map(fetch, urls()):
        assert_type(page, Page)
    async for page_or_none in flow.task.map(download, async_urls(), ordered=False):
        assert_type(page_or_none, Page | None)
    async for saved_page in flow.task.map(saved, urls()):
        assert_type(saved_page["url"], str)
    async for number in flow.task.map(parse, [Page(url="a")]):
        assert_type(number, int)
    assert_type([page async for page in flow.task.map(fetch, urls())], list[Page])


async def collected() -> None:
    async for outcome in flow.task.map(fetch, urls(), on_error="collect"):
        assert_type(outcome, Completed[str, Page] | Failed[str])
        match outcome:
            case Completed(item, value):
                assert_type(item, str)
                assert_type(value, Page)
            case Failed(item, error):
                assert_type(item, str)
                assert_type(error, Exception)
    saved_outcomes = await flow.task.map(saved, urls(), on_error="collect")
    assert_type(saved_outcomes, list[Completed[str, Page] | Failed[str]])
    outcomes = await flow.task.map(parse_or_none, [Page(url="a")], on_error="collect", ordered=False)
    assert_type(outcomes, list[Completed[Page, int | None] | Failed[Page]])
    assert_type([o.value for o in outcomes if isinstance(o, Completed)], list[int | None])
    assert_type([o.error for o in outcomes if isinstance(o, Failed)], list[Exception])


def in_sync_code() -> None:
    for number in flow.task.map(parse, [Page(url="a")]):
        assert_type(number, int)
    assert_type(list(flow.task.map(parse_or_none, [Page(url="a")], ordered=False)), list[int | None])
    for outcome in flow.task.map(parse, [Page(url="a")], on_error="collect"):
        assert_type(outcome, Completed[Page, int] | Failed[Page])


def as_coroutines() -> None:
    assert_type(asyncio.run(flow.task.map(fetch, urls())), list[Page])
    assert_type(asyncio.run(flow.task.map(parse, [Page(url="a")])), list[int])
    assert_type(asflow.run(flow.task.map(fetch, urls())), list[Page])
    assert_type(flow.task.map(fetch, urls()), TaskMap[Page])
    assert_type(flow.task.map(parse, [Page(url="a")]), SyncTaskMap[int])
    coroutine: Coroutine[Any, Any, list[Page]] = flow.task.map(fetch, urls())  # OK
    wider: TaskMap[object] = flow.task.map(parse, [Page(url="a")])  # OK
    print(coroutine, wider)


async def as_tasks() -> None:
    assert_type(await asyncio.create_task(flow.task.map(fetch, urls())), list[Page])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(flow.task.map(parse, [Page(url="a")]))
    assert_type(task.result(), list[int])
    assert_type(
        await asyncio.gather(flow.task.map(fetch, urls()), flow.task.map(parse, [Page(url="a")])),
        tuple[list[Page], list[int]],
    )


async def partials() -> None:
    assert_type(await flow.task.map(partial(fetch, retries=2), ["a"]), list[Page])
    assert_type(await flow.task.map(partial(parse_or_none, start=2), [Page(url="a")]), list[int | None])
