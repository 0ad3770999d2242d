"""Overrides and Protocols that a task doesn't fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from asflow import flow
from typing_extensions import override


class Source(ABC):
    @abstractmethod
    @flow.task
    async def fetch(self, day: str) -> list[str]: ...

    @flow.task
    def count(self, day: str) -> int:
        return len(day)


class MayGiveNone(Source):
    @override
    @flow.task(save="data/{day}.json", skip=OSError)
    async def fetch(self, day: str) -> list[str]:  # E
        return [day]


class OtherParameter(Source):
    @override
    @flow.task
    async def fetch(self, day: int) -> list[str]:  # E
        return [str(day)]


class OtherResult(Source):
    @override
    @flow.task
    def count(self, day: str) -> str:  # E
        return day


class OverridesNothing(Source):
    @override
    @flow.task
    async def fetch(self, day: str) -> list[str]:
        return [day]

    @override
    @flow.task
    def counts(self, day: str) -> int:  # E
        return len(day)


class Abstract(Source): ...


Abstract()  # E


class Fetches(Protocol):
    async def fetch(self, day: str) -> list[str]: ...


class Stored:
    @flow.task(save="data/{day}.json", skip=OSError)
    async def fetch(self, day: str) -> list[str]:
        return [day]


class Sync:
    @flow.task
    def fetch(self, day: str) -> list[str]:
        return [day]


class Narrow:
    @flow.task
    async def fetch(self, day: str, page: int) -> list[str]:
        return [day] * page


stored: Fetches = Stored()  # E
sync: Fetches = Sync()  # E
narrow: Fetches = Narrow()  # E
