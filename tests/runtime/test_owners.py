"""One output, many callers: the body runs once, and a caller that waits neither hangs nor harms others."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from support.tasks import slots_of

from asflow import Flow, LocalStore, MemoryStore, Store
from asflow._runtime import owners
from asflow.errors import DeadlockError
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink


@pytest.fixture(params=["memory", "disk", "slow"])
def store(request: pytest.FixtureRequest) -> Store:
    """In memory, on disk, and one that the async driver calls in threads."""
    if request.param == "memory":
        return MemoryStore()
    return LocalStore() if request.param == "disk" else FaultyStore(MemoryStore(), blocking=True)


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


@pytest.fixture(autouse=True)
def _no_owner_is_left() -> Any:
    yield
    assert not owners._owners  # pyright: ignore[reportPrivateUsage]


class Counted:
    """A body that counts its calls, from any thread."""

    def __init__(self) -> None:
        self.calls = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.calls += 1
            return self.calls


async def test_equal_calls_of_one_loop_run_the_body_once(flow: Flow) -> None:
    body = Counted()

    @flow.task(on="{name}.txt", limit=3)
    async def make(name: str) -> None:
        body()
        await asyncio.sleep(0)
        flow.task.write(name)

    await asyncio.gather(*(make("x") for _ in range(20)), make("y"))
    assert body.calls == 2
    assert flow.task.output(make, "x").text() == "x"


async def test_equal_calls_of_one_loop_all_get_the_value(flow: Flow) -> None:
    body = Counted()

    @flow.task(save="{name}.json", limit=3)
    async def make(name: str) -> list[str]:
        body()
        await asyncio.sleep(0)
        return [name]

    results = await asyncio.gather(*(make("x") for _ in range(20)), make("y"))
    assert results == [["x"]] * 20 + [["y"]]
    assert body.calls == 2


def test_two_threads_with_loops_of_their_own_and_sync_callers(flow: Flow) -> None:
    body, start = Counted(), threading.Barrier(4)

    @flow.task(on="{name}.txt")
    async def make(name: str) -> None:
        body()
        await asyncio.sleep(0)
        flow.task.write("whole")

    async def crowd() -> None:
        await asyncio.to_thread(start.wait, 30)
        await asyncio.gather(*(make(str(number)) for number in range(10) for _ in range(3)))

    threads = [threading.Thread(target=lambda: asyncio.run(crowd())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert body.calls == 10
    assert [output.text() for output in flow.task.outputs(make)] == ["whole"] * 10


async def test_a_sync_and_an_async_task_that_own_the_same_output(
    flow: Flow, store: Store, tmp_path: Path
) -> None:
    other = Flow(tmp_path, store=store, sink=NullSink())
    body, started, go = Counted(), asyncio.Event(), asyncio.Event()

    @flow.task(save="same.txt")
    async def slowly() -> str:
        body()
        started.set()
        await go.wait()
        return "async"

    @other.task(save="same.txt")
    def quickly() -> str:
        body()
        return "sync"

    first = asyncio.create_task(slowly())
    await started.wait()
    with pytest.raises(
        DeadlockError,
        match=r"^task .*quickly\(\): needs the output .*; .* flow\.task\.to_thread",
    ):
        quickly()
    second = asyncio.create_task(asyncio.to_thread(quickly))
    await asyncio.sleep(0)
    go.set()
    assert await first == "async"
    assert await second == "async"
    assert body.calls == 1


@pytest.mark.parametrize("end", ["fail", "cancel"])
async def test_the_next_takes_over_when_the_owner_fails_or_is_cancelled(flow: Flow, end: str) -> None:
    body, started, go = Counted(), asyncio.Event(), asyncio.Event()

    @flow.task(save="{name}.txt")
    async def make(name: str) -> str:
        number = body()
        if number == 1:
            started.set()
            await go.wait()
            raise OSError("the first one fails")
        return f"attempt {number}"

    first = asyncio.create_task(make("x"))
    await started.wait()
    others = [asyncio.create_task(make("x")) for _ in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    if end == "fail":
        go.set()
    else:
        first.cancel()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert isinstance(results[0], OSError if end == "fail" else asyncio.CancelledError)
    assert results[1:] == ["attempt 2"] * 5
    assert body.calls == 2
    assert flow.task.output(make, "x").text() == "attempt 2"


async def test_a_waiter_that_is_cancelled_harms_no_other(flow: Flow) -> None:
    body, started, go = Counted(), asyncio.Event(), asyncio.Event()

    @flow.task(save="{name}.txt", limit=2)
    async def make(name: str) -> str:
        body()
        started.set()
        await go.wait()
        return "made"

    first = asyncio.create_task(make("x"))
    await started.wait()
    others = [asyncio.create_task(make("x")) for _ in range(6)]
    for _ in range(5):
        await asyncio.sleep(0)
    for other in others[::2]:
        other.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    go.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert results[0] == "made"
    assert list(results[2::2]) == ["made"] * 3
    assert all(isinstance(result, asyncio.CancelledError) for result in results[1::2])
    assert body.calls == 1
    slots = slots_of(make)
    assert len(slots.free) == 2


async def test_a_call_that_owns_its_callers_output_is_refused(flow: Flow) -> None:
    @flow.task(on="{name}.txt")
    async def make(name: str, again: bool) -> None:
        if again:
            await make(name, False)

    with pytest.raises(
        DeadlockError,
        match=r"^task .*make\(\): needs the output '.*x\.txt' that the task which calls",
    ):
        await make("x", True)
    assert flow.task.output(make, "x", False).status == "absent"


def test_a_sync_call_that_owns_its_callers_output_is_refused(flow: Flow) -> None:
    @flow.task(on="{name}.txt")
    def make(name: str, again: bool) -> None:
        if again:
            make(name, False)

    with pytest.raises(DeadlockError, match=r"x\.txt"):
        make("x", True)
    assert flow.task.output(make, "x", False).status == "absent"


async def test_waiting_for_another_process_polls_and_takes_over(tmp_path: Path) -> None:
    """A claim that no call of this process holds, as if another process had it: the store is polled."""
    store = MemoryStore()
    flow = Flow(store=store, sink=NullSink())

    @flow.task(save="x.txt")
    async def make() -> str:
        return "made"

    claim = store.claim("x.txt", "x.err")
    assert not isinstance(claim, str)
    waiting = asyncio.create_task(make())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    claim.abort()
    assert await waiting == "made"


def test_a_loop_that_is_closed_while_a_slow_store_claims_leaves_the_output_free() -> None:
    """The thread that claims goes on after the loop is closed; it gives up the claim that it gets."""
    inner = MemoryStore()
    entered, go, left = threading.Event(), threading.Event(), threading.Event()

    class Slow(FaultyStoreLike):
        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            entered.set()
            go.wait(30)
            try:
                return inner.claim(name, failure, replace=replace)
            finally:
                left.set()

    slow: Any = Slow(inner)
    flow = Flow(store=slow, sink=RecordingSink())

    @flow.task(on="x.txt")
    async def make() -> None: ...

    loop = asyncio.new_event_loop()
    task = loop.create_task(make())
    while not entered.is_set():
        loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    loop.close()
    task.get_coro().close()
    go.set()
    assert left.wait(30)
    while owners._owners:  # pyright: ignore[reportPrivateUsage]
        pass
    claim = inner.claim("x.txt", "x.err")
    assert not isinstance(claim, str)
    claim.abort()


class FaultyStoreLike:
    """A store that passes everything on, with `blocking`."""

    blocking = True

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_two_stores_of_files_share_their_names(tmp_path: Path) -> None:
    """As in a Streamlit script, where each session makes its own: a body that waits for itself is refused."""
    first = Flow(tmp_path, store=LocalStore(durability="atomic"), sink=NullSink())
    second = Flow(tmp_path, store=LocalStore(durability="data"), sink=NullSink())

    @second.task(on="x.txt")
    async def inner() -> None: ...

    @first.task(on="x.txt")
    async def outer() -> None:
        await inner()

    with pytest.raises(DeadlockError, match="which calls it is making"):
        await outer()


async def test_a_call_keeps_the_folder_in_which_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative base is resolved at the call, not when a slot is free."""
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    flow = Flow("out", sink=NullSink())
    gate = asyncio.Event()

    @flow.task(on="{number}.txt", limit=1)
    async def make(number: int) -> None:
        await gate.wait()

    calls = [asyncio.create_task(make(number)) for number in range(2)]
    await asyncio.sleep(0)
    monkeypatch.chdir(tmp_path / "there")
    gate.set()
    await asyncio.gather(*calls)
    found = sorted(tmp_path.rglob("*.txt"))  # noqa: ASYNC240 - nothing else runs on this loop
    made = [str(path.relative_to(tmp_path)) for path in found]
    assert made == ["here/out/0.txt", "here/out/1.txt"]
