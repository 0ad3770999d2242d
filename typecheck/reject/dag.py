"""What checkers must refuse: each line that must fail says so, and an ignore that is not needed fails."""

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
    fetch(1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    fetch()  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    fetch("a", 1, 2)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    fetch("a", retry=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    fetch("a", retries="2")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    join(b"")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def wrong_awaitables() -> None:
    fetch(count(1))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    join(fetch("a"), count(1))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    join(fetch("a"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    count(later(fetch("a")))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    look(count(1))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    # An awaitable by keyword can't be told to a checker: later() is for that.
    fetch("a", retries=count(1))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    later("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def wrong_results() -> None:
    number: int = fetch("a")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    text: str = await fetch("a")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(number, text)


async def wrong_methods(service: Service) -> None:
    service.load(1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    service.load(count(1))  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def wrong_definitions() -> None:
    task(None)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    task("fetch")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    task(fetch, "a1")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    task(raw=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def wrong_scopes(node: GraphNode) -> None:
    with scope():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
    node.seconds = 1.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
