"""Wrong calls of methods, class methods and static methods that are tasks."""

from __future__ import annotations

from asflow import flow


class Client:
    @flow.task
    async def fetch(self, path: str, *, limit: int = 10) -> bytes:
        return path.encode()[:limit]

    @flow.task(save="data/{path}.json", skip=OSError)
    async def stored(self, path: str) -> int:
        return len(path)

    @flow.task(skip=(ValueError,))
    def skipped(self, path: str) -> int:
        return len(path)

    @staticmethod
    @flow.task
    async def static_outer(path: str) -> int:
        return len(path)

    @flow.task
    @staticmethod
    def static_inner(path: str) -> int:
        return len(path)

    @classmethod
    @flow.task(save="data/class/{path}.json", skip=OSError)
    def class_outer(cls, path: str) -> int:
        return len(path)

    @flow.task
    @classmethod
    def class_inner(cls, path: str) -> int:
        return len(path)

    @property
    @flow.task
    def size(self) -> int:
        return 1


async def calls(client: Client) -> None:
    await client.fetch()  # E
    await client.fetch(1)  # E
    await client.fetch("a", 10)  # E
    await client.fetch("a", limit="10")  # E
    await client.fetch(client, "a")  # E
    await Client.fetch("a")  # E
    await client.stored()  # E
    await client.stored(b"a")  # E
    await client.stored("a", 1)  # E
    await client.stored(paths="a")  # E
    client.skipped(1)  # E
    await client.skipped("a")  # E
    await Client.static_outer(1)  # E
    await client.static_outer(client, "a")  # E
    Client.static_inner(1)  # E
    client.static_inner()  # E
    Client.class_outer(1)  # E
    Client.class_outer(Client, "a")  # E
    Client.class_inner(1)  # E
    Client.class_inner()  # E
    client.size()  # E


async def results(client: Client) -> None:
    text: str = await client.fetch("a")  # E
    number: int = await client.stored("a")  # E
    other: int = client.skipped("a")  # E
    more: int = Client.class_outer("a")  # E
    size: str = client.size  # E
    flow.task.output(client.stored, 1)  # E
    flow.task.output(client.stored, client, "a")  # E
    flow.task.output(Client.stored, "a")  # E
    client.size = 3  # E
    print(text, number, other, more, size)
