"""Stores of the user's own: classes that fit by their methods alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, assert_type

from asflow import Flow, LocalStore, MemoryStore, Store
from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus
from asflow.testing import check_store


@dataclass(frozen=True)
class Info:
    size: int
    modified: float


class DictClaim:
    def __init__(self, outputs: dict[str, bytes], name: str, failure: str) -> None:
        self._outputs = outputs
        self._names = name, failure
        self._data = bytearray()

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self._data += data
        return len(data)

    def publish(self) -> None:
        self._outputs[self._names[0]] = bytes(self._data)

    def abort(self) -> None:
        self._data.clear()

    def fail(self, report: bytes, /) -> None:
        self._outputs[self._names[1]] = report


class DictStore:
    """Keeps outputs in a dict; imports nothing from asflow but names of types."""

    blocking = False

    def __init__(self) -> None:
        self._outputs: dict[str, bytes] = {}

    def status(self, name: str, failure: str) -> OutputStatus:
        if name in self._outputs:
            return "complete"
        return "suppressed" if failure in self._outputs else "absent"

    def info(self, name: str) -> Info | None:
        data = self._outputs.get(name)
        return None if data is None else Info(len(data), 0.0)

    def claim(self, name: str, failure: str, *, replace: bool = False) -> DictClaim | ClaimRefusal:
        status = self.status(name, failure)
        return DictClaim(self._outputs, name, failure) if replace or status == "absent" else status

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self._outputs[name])

    def list(self, prefix: str) -> Iterator[str]:
        return iter(sorted(name for name in self._outputs if name.startswith(prefix)))

    def delete(self, name: str) -> bool:
        return self._outputs.pop(name, None) is not None

    def owner(self, name: str) -> str | None:
        return None


@dataclass
class Wrapping(Store):
    """Says that it is a Store, which it need not, and passes on to another."""

    inner: Store
    looked_at: int = 0

    @property
    def blocking(self) -> bool:
        return True

    def status(self, name: str, failure: str, /) -> OutputStatus:
        self.looked_at += 1
        return self.inner.status(name, failure)

    def info(self, name: str, /) -> OutputInfo | None:
        return self.inner.info(name)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        return self.inner.claim(name, failure, replace=replace)

    def open(self, name: str, /) -> BinaryIO:
        return self.inner.open(name)

    def list(self, prefix: str, /) -> Iterator[str]:
        return self.inner.list(prefix)

    def delete(self, name: str, /) -> bool:
        return self.inner.delete(name)


class NeverThere(DictStore):
    """Overrides one method, with a narrower result."""

    def status(self, name: str, failure: str) -> Literal["absent"]:
        return "absent"


store: Store = DictStore()  # OK
claim: Claim = DictClaim({}, "a", "b")  # OK
info: OutputInfo = Info(1, 2.0)  # OK
shipped: list[Store] = [LocalStore(), MemoryStore(), DictStore(), Wrapping(MemoryStore())]  # OK
assert_type(Flow(store=DictStore()), Flow)
assert_type(Flow(store=Wrapping(LocalStore(durability="full"))), Flow)
assert_type(Flow(store=NeverThere()), Flow)
check_store(DictStore)  # OK
check_store(lambda: Wrapping(MemoryStore()), base="tests/")  # OK


# What a store is used for.
def used(store: Store) -> None:
    assert_type(store.status("a", "b"), OutputStatus)
    assert_type(store.list(""), Iterator[str])
    assert_type(store.open("a").read(), bytes)
    claimed = store.claim("a", "b", replace=True)
    assert_type(claimed, Claim | ClaimRefusal)
    if not isinstance(claimed, str):
        claimed.write(b"")  # OK
        claimed.publish()  # OK
    assert_type(LocalStore().owner("a"), str | None)
