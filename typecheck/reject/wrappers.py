"""Wrappers of stores and claims that don't fit."""

from __future__ import annotations

from collections.abc import Iterator

from asflow import Flow, LocalStore, MemoryStore
from asflow.protocols import Claim
from asflow.stores import ClaimWrapper, StoreWrapper


class AsyncDelete(StoreWrapper):
    async def delete(self, name: str, /) -> bool:  # E
        return True


class TextOpen(StoreWrapper):
    def open(self, name: str, /) -> str:  # E
        return name


class Numbers(StoreWrapper):
    def list(self, prefix: str, /) -> Iterator[int]:  # E
        return iter([1])


class OtherWrap(StoreWrapper):
    def wrap(self, claim: Claim, name: str, failure: str, /) -> bytes:  # E
        return b""


class TextWrite(ClaimWrapper):
    def write(self, data: str, /) -> int:  # E
        return len(data)


StoreWrapper()  # E
StoreWrapper(MemoryStore)  # E
StoreWrapper("data")  # E
ClaimWrapper(MemoryStore())  # E
Flow(store=StoreWrapper)  # E
StoreWrapper(LocalStore()).path("a")  # E
StoreWrapper(LocalStore()).clos()  # E
