"""What checkers must refuse where nodes are called: each line marked `# E`, and no other."""

# mypy: disable-error-code="unused-awaitable"

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow.dag import GraphNode, later, scope, task

if TYPE_CHECKING:
    import asyncio


@task
async def fetch(url: str, retries: int = 1) -> bytes:
    return b""


@task
async def join(first: bytes, second: bytes) -> bytes:
    return first + second


@task
async def count(number: int) -> int:
    return number


@task(raw=True)
async def look(page: asyncio.Task[bytes]) -> str:
    return ""


class Service:
    @task
    async def load(self, key: str) -> list[int]:
        return []


async def wrong_arguments() -> None:
    fetch(1)  # E
    fetch()  # E
    fetch("a", 1, 2)  # E
    fetch("a", retry=1)  # E
    fetch("a", retries="2")  # E
    join(b"")  # E


async def wrong_awaitables() -> None:
    fetch(count(1))  # E
    join(fetch("a"), count(1))  # E
    join(fetch("a"))  # E
    count(later(fetch("a")))  # E
    look(count(1))  # E
    # An awaitable by keyword can't be told to a checker: later() is for that.
    fetch("a", retries=count(1))  # E
    later("a")  # E


async def wrong_results() -> None:
    number: int = fetch("a")  # E
    text: str = await fetch("a")  # E
    print(number, text)


async def wrong_methods(service: Service) -> None:
    service.load(1)  # E
    service.load(count(1))  # E


async def wrong_definitions() -> None:
    task(None)  # E
    task("fetch")  # E
    task(fetch, "a1")  # E
    task(raw=1)  # E


async def wrong_scopes(node: GraphNode) -> None:
    with scope():  # E
        pass
    node.seconds = 1.0  # E
