"""Which commits the loop ends itself: small ones, of asflow's own formats, in a store of local files."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, LocalStore
from asflow._runtime.committing import is_small
from asflow.sinks import NullSink
from asflow.stores import ClaimWrapper, StoreWrapper

if TYPE_CHECKING:
    from pathlib import Path

    from asflow.protocols import ByteStream, Claim

DISK, POOL = "asflow-disk", "asflow_"


@pytest.mark.parametrize(
    "value",
    [None, 1, 1.5, True, "text", b"bytes", [], {"a": [1, {"b": (2, None)}]}, ["x" * 100] * 200, "x" * 60_000],
)
def test_small_values(value: object) -> None:
    assert is_small(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 70_000, ["x" * 1000] * 200, [0] * 300, [[0] * 20] * 20, {1, 2}, object(), iter([1]), [object()]],
)
def test_values_that_may_take_long(value: object) -> None:
    assert not is_small(value)


def test_a_value_that_contains_itself() -> None:
    value: list[object] = []
    value.append(value)
    assert not is_small(value)


class Noting(ClaimWrapper):
    """Notes the thread in which the claim was written to last, and published."""

    threads: list[str] = []  # noqa: RUF012 - shared by all

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        self.threads.append(threading.current_thread().name)
        return super().write(data)


class Wrapped(StoreWrapper):
    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        return Noting(claim)


class Plain:
    """A user's own writer, which notes the thread of its commit."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def write(self, record: str, /) -> None:
        self._stream.write(record.encode())

    def commit(self) -> None:
        Noting.threads.append(threading.current_thread().name)

    def abort(self) -> None:
        pass


def test_what_may_take_long_stays_in_the_pool(tmp_path: Path) -> None:
    """A user's own writer, and a store that wraps another one."""
    Noting.threads.clear()
    flow = Flow(tmp_path, sink=NullSink())
    wrapped = Flow(tmp_path, store=Wrapped(LocalStore()), sink=NullSink())

    @flow.task(on="{n}.txt", writer=Plain)
    async def own(n: int) -> None:
        flow.task.write(str(n))

    @wrapped.task(on="{n}.jsonl")
    async def kept(n: int) -> None:
        wrapped.task.write({"n": n})

    async def all_of() -> None:
        await asyncio.gather(*(own(n) for n in range(4)), *(kept(n) for n in range(4)))

    asyncio.run(all_of())
    assert len(Noting.threads) == 8
    assert {name[:7] for name in Noting.threads} == {POOL}


def test_small_outputs_of_all_formats_and_values_only_wait_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, links, fsync, link = set[str](), set[str](), os.fsync, os.link

    def noting_sync(descriptor: int) -> None:
        synced.add(threading.current_thread().name)
        fsync(descriptor)

    def noting_link(*args: Any, **options: Any) -> None:
        links.add(threading.current_thread().name)
        link(*args, **options)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "link", noting_link)
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{n}.jsonl.zst")
    async def rows(n: int) -> None:
        flow.task.write({"n": n})

    @flow.task(save="{n}.json")
    async def kept(n: int) -> dict[str, int]:
        return {"n": n}

    async def all_of() -> list[dict[str, int]]:
        await asyncio.gather(*map(rows, range(20)))
        return await asyncio.gather(*map(kept, range(20)))

    assert asyncio.run(all_of()) == [{"n": n} for n in range(20)]
    assert (synced, links) == ({DISK}, {threading.current_thread().name})
    assert [list(flow.task.output(rows, n).records(dict[str, int])) for n in range(20)] == [
        [{"n": n}] for n in range(20)
    ]
