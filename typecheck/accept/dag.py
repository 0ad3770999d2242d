"""What checkers must take, and what they must see, where nodes are called."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, assert_type

from asflow.dag import Graph, GraphNode, Node, NodeState, RawNode, Scope, later, scope, task

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class Page:
    """A type of the user's."""


@task
async def fetch(url: str, retries: int = 1) -> Page:
    return Page()


@task
async def join(first: Page, second: Page) -> bytes:
    return b""


@task()
def in_thread(data: bytes, *, level: int = 3) -> float:
    return 1.0


@task
async def total(*numbers: int) -> int:
    return sum(numbers)


@task
async def optional(value: int | None = None, other: str | bytes = "x") -> str | None:
    return None


@task
async def loose(rows: dict[str, Any]) -> list[Any]:
    return []


@task
async def anything(value: Any) -> int:
    return 1


@task
def returns_any(value: int) -> Any:
    return value


@task
async def nothing() -> None: ...


@task
async def same(value: T) -> T:
    return value


@task
async def first_of(values: list[T], default: T) -> T:
    return default


@task(raw=True)
async def look(page: asyncio.Task[Page], count: asyncio.Task[int]) -> str:
    assert_type(page.result(), Page)
    return ""


async def undecorated(data: bytes) -> int:
    return 1


def undecorated_sync(data: bytes) -> list[str]:
    return []


class Service:
    def __init__(self, name: str) -> None:
        self.name = name

    @task
    async def load(self, key: str, limit: int = 3) -> list[int]:
        return []

    @task
    def load_in_thread(self, key: str) -> list[int]:
        return []

    @staticmethod
    @task
    async def helper(number: int) -> str:
        return ""

    @classmethod
    async def build(cls, name: str) -> Service:
        return cls(name)

    @task(raw=True)
    async def inspect(self, page: asyncio.Task[Page]) -> bool:
        return page.done()

    @classmethod
    @task
    async def open(cls, name: str) -> Service:
        return cls(name)

    @task
    @classmethod
    async def reopen(cls, name: str) -> Service:
        return cls(name)

    @staticmethod
    @task
    async def loosely(value: object, number: int) -> str:
        return ""


async def plain_values(number: int) -> None:
    assert_type(fetch("a"), asyncio.Task[Page])
    assert_type(fetch("a", retries=2), asyncio.Task[Page])
    assert_type(fetch(url="a"), asyncio.Task[Page])
    assert_type(await fetch("a", 2), Page)
    assert_type(in_thread(b"", level=1), asyncio.Task[float])
    assert_type(total(1, 2, 3), asyncio.Task[int])
    assert_type(total(), asyncio.Task[int])
    assert_type(optional(), asyncio.Task[str | None])
    assert_type(optional(None, b""), asyncio.Task[str | None])
    assert_type(nothing(), asyncio.Task[None])
    assert_type(same(number), asyncio.Task[int])
    assert_type(first_of([1], 2), asyncio.Task[int])


async def awaitables(number: Awaitable[int], future: asyncio.Future[str], page: Page) -> None:
    first, second = fetch("a"), fetch("b")
    assert_type(join(first, second), asyncio.Task[bytes])
    assert_type(join(first, page), asyncio.Task[bytes])
    assert_type(join(fetch.func("a"), first), asyncio.Task[bytes])
    assert_type(fetch(future, number), asyncio.Task[Page])
    assert_type(fetch(future), asyncio.Task[Page])
    assert_type(in_thread(join(fetch("a"), fetch(future))), asyncio.Task[float])
    assert_type(total(number, 1, total(2)), asyncio.Task[int])
    assert_type(total(*[total(1), total(2)]), asyncio.Task[int])
    assert_type(optional(number, future), asyncio.Task[str | None])
    assert_type(optional(number, "x"), asyncio.Task[str | None])
    assert_type(fetch(later(future), retries=later(number)), asyncio.Task[Page])
    assert_type(same(later(number)), asyncio.Task[int])
    assert_type(later(first), Page)
    gathered = asyncio.gather(*[total(1), total(2)])
    assert_type(first_of(later(gathered), 3), asyncio.Task[int])


async def any_inside(rows: dict[str, Any], unknown: Any) -> None:
    """An Any somewhere in the function, or in an argument, doesn't blur the rest."""
    assert_type(loose(rows), asyncio.Task[list[Any]])
    assert_type(loose(later(same(rows))), asyncio.Task[list[Any]])
    assert_type(loose(unknown), asyncio.Task[list[Any]])
    assert_type(anything(fetch("a")), asyncio.Task[int])
    assert_type(anything(rows), asyncio.Task[int])
    assert_type(returns_any(total(1)), asyncio.Task[Any])


async def at_the_call(cleanup: asyncio.Task[None]) -> None:
    data = join(fetch("a"), fetch("b"))
    assert_type(task(undecorated)(data), asyncio.Task[int])
    assert_type(task(undecorated)(b""), asyncio.Task[int])
    assert_type(task(undecorated_sync)(data), asyncio.Task[list[str]])
    assert_type(task(undecorated, cleanup, fetch("c"))(data), asyncio.Task[int])
    assert_type(task(fetch, cleanup)("a", retries=2), asyncio.Task[Page])
    assert_type(task(partial(undecorated, b""))(), asyncio.Task[int])
    assert_type(task(len)(data), asyncio.Task[int])
    assert_type(task(Service)("name"), asyncio.Task[Service])


async def raw() -> None:
    assert_type(look(fetch("a"), total(1)), asyncio.Task[str])
    assert_type(look(Page(), 1), asyncio.Task[str])
    assert_type(look(fetch("a"), 1), asyncio.Task[str])
    assert_type(task(look, nothing())(Page(), total(1)), asyncio.Task[str])

    async def inspect(page: asyncio.Task[Page]) -> int:
        return 1

    assert_type(task(inspect, raw=True)(fetch("a")), asyncio.Task[int])
    assert_type(task(inspect, nothing(), raw=True)(Page()), asyncio.Task[int])


async def methods(service: Service, key: asyncio.Task[str]) -> None:
    assert_type(service.load("a"), asyncio.Task[list[int]])
    assert_type(service.load("a", limit=2), asyncio.Task[list[int]])
    assert_type(service.load(key), asyncio.Task[list[int]])
    assert_type(service.load(key, total(1)), asyncio.Task[list[int]])
    assert_type(service.load_in_thread(key), asyncio.Task[list[int]])
    assert_type(Service.load(service, key), asyncio.Task[list[int]])
    assert_type(Service.helper(total(1)), asyncio.Task[str])
    assert_type(task(Service.build)(key), asyncio.Task[Service])
    assert_type(service.inspect(fetch("a")), asyncio.Task[bool])
    assert_type(task(service.load, key)("a"), asyncio.Task[list[int]])


# pyright follows class methods through the class, static methods through an instance and `Self` as well.
async def class_methods(service: Service, key: asyncio.Task[str]) -> None:
    assert_type(service.open(key), asyncio.Task[Service])
    assert_type(service.reopen("a"), asyncio.Task[Service])


async def static_methods() -> None:
    assert_type(Service.loosely(1, total(1)), asyncio.Task[str])


async def word(number: int) -> str:
    return ""


def spawn(number: int) -> asyncio.Task[str]:
    return asyncio.create_task(word(number))


@task
def spawned(number: int) -> asyncio.Future[str]:
    return spawn(number)


async def functions_that_return_tasks(number: asyncio.Task[int]) -> None:
    assert_type(task(spawn)(number), asyncio.Task[str])
    assert_type(spawned(number), asyncio.Task[str])
    assert_type(task(spawn, number)(1), asyncio.Task[str])


def eight(a: int, b: str, c: bytes, d: float, e: Page, f: int, g: str, h: bytes) -> Page:
    return e


async def eight_arguments(
    number: asyncio.Task[int], text: asyncio.Task[str], data: asyncio.Task[bytes]
) -> None:
    assert_type(task(eight)(number, text, data, 1.0, fetch("a"), 1, text, data), asyncio.Task[Page])


async def scopes() -> None:
    async with scope() as pipeline:
        assert_type(pipeline, Scope)
        fetch("a")
    graph = pipeline.graph()
    assert_type(graph, Graph)
    assert_type(graph.nodes, tuple[GraphNode, ...])
    assert_type(graph.edges, tuple[tuple[int, int], ...])
    assert_type(graph.critical_path[0].state, NodeState)
    assert_type(graph.to_mermaid(max_nodes=10), str)


def declared(node: Node[[str], Page], raw_node: RawNode[[asyncio.Task[Page]], str]) -> None:
    """A node can be named in an annotation."""
    assert_type(node("a"), asyncio.Task[Page])
    assert_type(raw_node(Page()), asyncio.Task[str])
