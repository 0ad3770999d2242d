"""A call cancelled at every single place where it waits: nothing half, nothing held, nothing lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.stepping import cancelled_at
from support.tasks import slots_of

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._runtime import owners
from asflow.testing import FaultyStore, RecordingSink, fake_clock


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("script", ["returns", "retries", "suppresses", "fails"])
@pytest.mark.parametrize("option", ["on", "save"])
async def test_cancelling_at_each_await(blocking: bool, script: str, option: str) -> None:
    """Look, slot, rate, claim, body, commit, abort, backoff: wherever the call stands, it goes cleanly."""
    places = 0
    while await _cancelled(places, script, option, blocking=blocking):
        places += 1
        assert places < 100
    assert places >= (4 if blocking else 1)


async def nobody_owns() -> None:
    """Return when all claims are given up: those of a slow store are aborted in a thread."""
    while owners._owners:  # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)


async def _cancelled(number: int, script: str, option: str, *, blocking: bool) -> bool:
    """Cancel a fresh call at its *number*-th wait; False where it came to its end before."""
    inner, sink, limit = MemoryStore(), RecordingSink(), Limit(1, rate="1000/s")
    flow = Flow(store=FaultyStore(inner, blocking=blocking), sink=sink)
    calls = 0

    async def play() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if script == "retries" and calls == 1:
            raise OSError
        if script == "suppresses":
            raise LookupError
        if script == "fails":
            raise ArithmeticError

    async def writes() -> None:
        flow.task.write("first ")
        await play()
        flow.task.write("second")

    async def returns() -> str:
        await play()
        return "first second"

    decorate: Any = flow.task
    work = decorate(
        **{option: "x.txt"}, limit=limit, retry=Retry(1, exceptions=OSError), suppress=LookupError
    )(writes if option == "on" else returns)
    reached, cancelled = True, False
    with fake_clock():
        call: Any = work()
        try:
            reached, _ = await cancelled_at(call, number)
        except asyncio.CancelledError:
            cancelled = True
        except ArithmeticError:
            reached = False
    assert reached == cancelled
    await nobody_owns()
    assert len(slots_of(work).free) == 1
    if cancelled:
        assert sink.outcomes() == ["cancelled"]
        # A publish in a thread can't be stopped once it has begun: then the output is there, and whole.
        for name in inner.list(""):
            assert name == "x.err" or inner.open(name).read() == b"first second"
    if script == "returns":
        with fake_clock():
            assert await work() == ("first second" if option == "save" else None)
        assert inner.open("x.txt").read() == b"first second"
    return cancelled


@pytest.mark.parametrize("blocking", [False, True])
async def test_cancelling_at_each_await_behind_an_owner_and_for_a_slot(blocking: bool) -> None:
    """The call waits for its slot, or for another one that makes its output; cancelled, others go on."""
    for number in range(30):
        inner = MemoryStore()
        flow = Flow(store=FaultyStore(inner, blocking=blocking), sink=RecordingSink())
        go, entered = asyncio.Event(), asyncio.Event()

        @flow.task(save="{name}.txt", limit=2)
        async def work(name: str, go: asyncio.Event = go, entered: asyncio.Event = entered) -> str:
            entered.set()
            await go.wait()
            return name

        def call(name: str, work: Any = work) -> Any:
            # Defaults are arguments: leave them out of the name by position.
            return work(name)

        first = asyncio.create_task(call("x"))
        await entered.wait()
        second = asyncio.ensure_future(cancelled_at(call("x"), number))
        for _ in range(20):
            await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert results[0] == "x"
        assert await call("x") == "x"
        await nobody_owns()
        slots = slots_of(work)
        assert len(slots.free) == 2
        if not isinstance(results[1], asyncio.CancelledError):
            assert results[1] == (False, "x")
            assert number > 0
            return
    raise AssertionError("the waiting call never ended by itself")


async def test_cancelling_twice_does_not_let_a_commit_outlive_its_task() -> None:
    """Cancelled again while it waits for the end of what can't be stopped: it goes on waiting."""
    inner = MemoryStore()
    flow = Flow(store=FaultyStore(inner, blocking=True), sink=RecordingSink())

    @flow.task(on="x.txt")
    async def work() -> None:
        flow.task.write("whole")

    for turns in range(12):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(task, return_exceptions=True)
        await nobody_owns()
        before = list(inner.list(""))
        assert before in ([], ["x.txt"])
        inner.delete("x.txt")
