"""Stores around other stores, and the optional members of a store."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, assert_type

from asflow import Flow, LocalStore, MemoryStore, Store
from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus
from asflow.stores import ClaimWrapper, StoreWrapper
from asflow.testing import check_store


class Upper(ClaimWrapper):
    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        return super().write(bytes(data).upper())


class Shouting(StoreWrapper):
    opened: int = 0

    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        return Upper(claim)

    def open(self, name: str, /) -> BinaryIO:
        self.opened += 1
        return super().open(name)


class Quiet(StoreWrapper):
    path: None = None  # the files are not what the outputs hold


class WithOptions(StoreWrapper):
    def close(self) -> None: ...

    def is_complete(self, name: str, /) -> bool:
        return False

    def path(self, name: str, /) -> Path:
        return Path(name)

    def url(self, name: str, /) -> str:
        return f"mine:{name}"

    def owner(self, name: str, /) -> str | None:
        return None

    def set_modified(self, name: str, seconds: float | None, /) -> None: ...


store: Store = Shouting(LocalStore())  # OK
stores: list[Store] = [Quiet(MemoryStore()), WithOptions(Shouting(MemoryStore()))]  # OK
claim: type[Claim] = ClaimWrapper  # OK
assert_type(Flow("data", store=Shouting(LocalStore())), Flow)
check_store(lambda: Shouting(MemoryStore()))  # OK


def used(wrapper: Shouting, claimed: Upper) -> None:
    assert_type(wrapper.store, Store)
    assert_type(wrapper.opened, int)
    assert_type(wrapper.status("a", "b"), OutputStatus)
    assert_type(wrapper.info("a"), OutputInfo | None)
    assert_type(wrapper.claim("a", "b"), Claim | ClaimRefusal)
    assert_type(claimed.claim, Claim)
    assert_type(claimed.publish(), int | None)
