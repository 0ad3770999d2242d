"""Tasks as members of class hierarchies: `override`, abstract methods, Protocols with task methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, ClassVar, Protocol, assert_type, final

from asflow import flow
from typing_extensions import override


class Source(ABC):
    name: ClassVar[str]

    @abstractmethod
    async def fetch(self, day: str) -> list[str]: ...

    @abstractmethod
    @flow.task
    async def decorated(self, day: str) -> list[str]: ...

    @flow.task(save="data/{day}.json", skip=OSError)
    @abstractmethod
    async def stored(self, day: str) -> int: ...

    @flow.task
    def count(self, day: str) -> int:
        return len(day)


class Web(Source):
    name = "web"

    @override
    @flow.task
    async def fetch(self, day: str) -> list[str]:
        return [day]

    @override
    @flow.task(retry=3)
    async def decorated(self, day: str, page: int = 1) -> list[str]:
        return [day] * page

    @override
    @flow.task(save="data/web/{day}.json", suppress=OSError)
    async def stored(self, day: str) -> int:
        return len(day)

    @flow.task
    @override
    def count(self, day: str) -> int:
        return super().count(day) + 1


@final
class Plain(Source):
    name = "plain"

    # A plain method may stand for a task. (Not for one that may give None: mypy takes an `async def` for a
    # Coroutine, where a task, as pyright's `async def`, gives a CoroutineType.)
    @override
    async def fetch(self, day: str) -> list[str]:
        return [day]

    @override
    async def decorated(self, day: str) -> list[str]:
        return [day]

    @override
    @flow.task(suppress=OSError)
    async def stored(self, day: str) -> int:
        return 1


class Fetches(Protocol):
    async def fetch(self, day: str) -> list[str]: ...


class FetchesWider(Protocol):
    def fetch(self, day: str) -> Coroutine[Any, Any, list[str]]: ...


class StoresOptional(Protocol):
    async def stored(self, day: str) -> int | None: ...


class Counts(Protocol):
    def count(self, day: str, /) -> int: ...


class HasTask(Protocol):
    """A Protocol may have a task of its own, with a body."""

    @flow.task
    async def both(self, day: str) -> str:
        return day


class Inherits(HasTask): ...


web: Web = Web()
as_source: Source = web
as_fetches: Fetches = web  # OK
as_fetches_wider: FetchesWider = web  # OK
as_stores: StoresOptional = web  # OK
as_counts: Counts = web  # OK
plain_fetches: Fetches = Plain()  # OK


async def calls(source: Source, stores: StoresOptional) -> None:
    assert_type(await source.fetch("a"), list[str])
    assert_type(await source.decorated("a"), list[str])
    assert_type(await source.stored("a"), int | None)
    assert_type(await stores.stored("a"), int | None)
    assert_type(await web.decorated("a", page=2), list[str])
    assert_type(web.count("a"), int)
    assert_type(await Inherits().both("a"), str)
    assert_type(await as_fetches.fetch("a"), list[str])
