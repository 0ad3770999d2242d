"""Methods, class methods, static methods (in both orders) and properties under `@flow.task`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Self, assert_type

from asflow import Output, flow


class Client:
    def __init__(self, base: str) -> None:
        self.base = base

    @flow.task
    async def fetch(self, path: str, *, limit: int = 10) -> bytes:
        return (self.base + path).encode()[:limit]

    @flow.task
    def urls(self) -> list[str]:
        return [self.base]

    @flow.task(save="data/{path}.json", skip=OSError, retry=3)
    async def stored(self, path: str) -> int:
        return len(path)

    @flow.task(skip=(ValueError,))
    def skipped(self, path: str, count: int = 1) -> int:
        return len(path) * count

    @flow.task
    @staticmethod
    async def static_inner(path: str) -> int:
        return len(path)

    @staticmethod
    @flow.task
    async def static_outer(path: str) -> int:
        return len(path)

    @flow.task
    @staticmethod
    def static_inner_sync(path: str) -> int:
        return len(path)

    @staticmethod
    @flow.task(save="data/static/{path}.json")
    def static_outer_stored(path: str) -> int:
        return len(path)

    @flow.task
    @classmethod
    async def class_inner(cls, path: str) -> Self:
        return cls(path)

    @classmethod
    @flow.task
    async def class_outer(cls, path: str) -> Self:
        return cls(path)

    @classmethod
    @flow.task(retry=2)
    def class_outer_sync(cls, path: str) -> Self:
        return cls(path)

    @flow.task(retry=2)
    @classmethod
    def class_inner_sync(cls, path: str) -> Self:
        return cls(path)

    @classmethod
    @flow.task(save="data/class/{path}.json")
    async def class_outer_stored(cls, path: str) -> int:
        return len(path)

    @property
    @flow.task
    def size(self) -> int:
        return len(self.base)

    @property
    @flow.task(skip=OSError)
    def skipped_size(self) -> int:
        return len(self.base)


class Special(Client):
    async def more(self) -> None:
        assert_type(await self.fetch("a"), bytes)
        assert_type(await self.stored("a"), int | None)
        assert_type(await super().fetch("a", limit=3), bytes)


async def calls(client: Client, special: Special) -> None:
    assert_type(await client.fetch("a"), bytes)
    assert_type(await client.fetch(path="a", limit=3), bytes)
    assert_type(await Client.fetch(client, "a"), bytes)
    assert_type(client.urls(), list[str])
    assert_type(await client.stored("a"), int | None)
    assert_type(await Client.stored(client, path="a"), int | None)
    assert_type(client.skipped("a", count=2), int | None)
    assert_type(await special.fetch("a"), bytes)


async def static_and_class(client: Client) -> None:
    assert_type(await Client.static_inner("a"), int)
    assert_type(await client.static_inner("a"), int)
    assert_type(await Client.static_outer("a"), int)
    assert_type(await client.static_outer("a"), int)
    assert_type(Client.static_inner_sync(path="a"), int)
    assert_type(Client.static_outer_stored("a"), int)
    assert_type(client.static_outer_stored(path="a"), int)
    assert_type(await Client.class_inner("a"), Client)
    assert_type(await Client.class_outer("a"), Client)
    assert_type(await Special.class_inner("a"), Special)
    assert_type(await Special.class_outer("a"), Special)
    assert_type(Client.class_outer_sync("a"), Client)
    assert_type(Special.class_inner_sync("a"), Special)
    assert_type(await Client.class_outer_stored("a"), int)


def properties(client: Client) -> None:
    assert_type(client.size, int)
    assert_type(client.skipped_size, int | None)


async def bound(client: Client) -> None:
    fetch = client.fetch
    assert_type(await fetch("a", limit=3), bytes)
    stored = client.stored
    assert_type(await stored("a"), int | None)
    as_callable: Callable[[str], Coroutine[Any, Any, bytes]] = client.fetch
    assert_type(await as_callable("a"), bytes)
    assert_type(flow.task.output(client.stored, "a"), Output[int | None])
    assert_type(flow.task.output(Client.stored, client, "a"), Output[int | None])
    assert_type(flow.task.output(Client.static_outer_stored, "a"), Output[int])
    assert_type(await flow.task.map(client.fetch, ["a", "b"]), list[bytes])
    assert_type(await flow.task.map(client.stored, ["a", "b"]), list[int | None])
