"""Classes that are no Store."""

from __future__ import annotations

from asflow import Flow, LocalStore, MemoryStore, Store
from asflow.protocols import Claim, ClaimRefusal, OutputStatus
from asflow.testing import check_store


class NoDelete:
    def __init__(self) -> None:
        self._inner = MemoryStore()
        self.blocking = False
        self.status = self._inner.status
        self.info = self._inner.info
        self.claim = self._inner.claim
        self.open = self._inner.open
        self.list = self._inner.list


class BlockingText(MemoryStore):
    blocking = "no"  # E


class OtherStatus(MemoryStore):
    def status(self, name: str, failure: str, /) -> str:  # E
        return "complete"


class OtherDelete(MemoryStore):
    def delete(self, name: str, missing_ok: bool, /) -> bool:  # E
        return missing_ok


class HalfClaim:
    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        return len(data)

    def publish(self) -> None: ...

    def abort(self) -> None: ...


class AsyncClaim(HalfClaim):
    async def publish(self) -> None: ...  # E

    async def fail(self, report: bytes, /) -> None: ...


class TextClaim(HalfClaim):
    def write(self, data: str, /) -> int:  # E
        return len(data)

    def fail(self, report: bytes, /) -> None: ...


class Explicit(Store):
    @property
    def blocking(self) -> bool:
        return False

    def status(self, name: str, failure: str, /) -> OutputStatus:
        return "absent"


class AsyncStatus:
    blocking = False

    async def status(self, name: str, failure: str, /) -> OutputStatus:
        return "absent"

    def __getattr__(self, name: str) -> object:
        return getattr(MemoryStore(), name)


process: int | None = LocalStore().owner("a")  # E
Flow(store=NoDelete())  # E
Flow(store=AsyncStatus())  # E
Flow(store=MemoryStore)  # E
Flow(store={})  # E
half: Claim = HalfClaim()  # E
text: Claim = TextClaim()  # E
later: Claim = AsyncClaim()  # E
Explicit()  # E
check_store(NoDelete)  # E
check_store(MemoryStore())  # E


def use(store: Store) -> None:
    claim = store.claim("a", "b")
    claim.write(b"")  # E
    refusal: ClaimRefusal = claim  # E
    store.status("a")  # E
    store.claim("a", "b", True)  # E
    store.info("a").size  # E
    store.open("a", "wb")  # E
    store.put("a", b"")  # E
    print(refusal)
    if not isinstance(claim, str):
        claim.write("text")  # E
        claim.fail("text")  # E
