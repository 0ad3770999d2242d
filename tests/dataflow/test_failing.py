"""Failing, cancelling and running for ever."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

from asflow.dataflow import DataFlow


class BoomError(Exception):
    """A user's own."""


class Waiter:
    """A member that waits until it is cancelled, and records that."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_failure_cancels_the_neighbours_and_passes_unchanged() -> None:
    error = BoomError("mine")
    waiters = [Waiter(), Waiter()]

    async def fails() -> None:
        for one in waiters:
            await one.started.wait()
        raise error

    with pytest.raises(BoomError) as caught:
        await DataFlow(((waiters[0], fails, (waiters[1],)),))()
    assert caught.value is error
    assert (error.__cause__, error.__context__, error.__notes__) == (None, None, ["asflow task: fails()"])
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0  # or a later asyncio.timeout would not work
    assert all(one.cancelled for one in waiters)


async def test_a_failure_in_a_nested_group_stops_everything_around_it() -> None:
    error = BoomError("deep")
    waiters = [Waiter(), Waiter()]

    async def fails() -> None:
        for one in waiters:
            await one.started.wait()
        raise error

    with pytest.raises(BoomError) as caught:
        await DataFlow(((waiters[0], ((fails, waiters[1]), waiters[0])),))()
    assert caught.value is error
    assert all(one.cancelled for one in waiters)


async def test_a_failure_in_a_thread_passes_unchanged() -> None:
    error = BoomError("thread")
    waiter = Waiter()

    def fails() -> None:
        raise error

    with pytest.raises(BoomError) as caught:
        await DataFlow(((waiter, fails),))()
    assert caught.value is error
    assert waiter.cancelled


async def test_a_members_own_exception_group_is_not_unwrapped() -> None:
    group = ExceptionGroup("mine", [BoomError("1"), ValueError("2")])

    async def fails() -> None:
        raise group

    with pytest.raises(ExceptionGroup) as caught:
        await DataFlow(((fails, Waiter()),))()
    assert caught.value is group


async def test_of_several_failures_the_first_passes_and_notes_the_others() -> None:
    started = asyncio.Event()
    first = BoomError("first")

    async def fails() -> None:
        await started.wait()
        raise first

    async def fails_while_stopping() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("could not clean up")

    with pytest.raises(BoomError) as caught:
        await DataFlow(((fails, fails_while_stopping),))()
    assert caught.value is first
    assert first.__notes__ == [
        "asflow task: fails()",
        "asflow: a neighbour failed too: ValueError: could not clean up",
    ]


async def test_a_failure_that_takes_no_notes_passes_all_the_same() -> None:
    @dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    first = FrozenError(1)

    async def fails() -> None:
        raise first

    async def fails_too() -> None:
        raise ValueError("second")

    with pytest.raises(FrozenError) as caught:
        await DataFlow(((fails, fails_too),))()
    assert caught.value is first


async def test_nothing_runs_after_a_failed_stage() -> None:
    ran: list[str] = []

    async def fails() -> None:
        raise BoomError

    async def later() -> None:
        ran.append("later")

    with pytest.raises(BoomError):
        await DataFlow((fails, later))()
    assert ran == []


async def test_cancelling_the_call_cancels_every_member() -> None:
    waiters = [Waiter(), Waiter()]
    call = asyncio.ensure_future(DataFlow(((waiters[0], (waiters[1],)),))())
    for one in waiters:
        await one.started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert all(one.cancelled for one in waiters)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_call_cancelled_twice_still_waits_for_its_members() -> None:
    """A member may need a while to clean up; nothing of it runs after the call has ended."""
    started, cleaning, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def careful() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                ended.append("hurried")

    waiter = Waiter()
    call = asyncio.ensure_future(DataFlow(((careful, waiter),))())
    await started.wait()
    call.cancel()
    await cleaning.wait()
    assert not call.done()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended == ["hurried"]
    assert waiter.cancelled


async def test_a_member_that_awaits_something_cancelled_fails() -> None:
    """Its CancelledError is not a cancel of the member: a TaskGroup would ignore it."""
    waiter = Waiter()

    async def awaits_a_dead_future() -> None:
        await waiter.started.wait()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(asyncio.CancelledError):
        await DataFlow(((awaits_a_dead_future, waiter),))()
    assert waiter.cancelled
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancelled_call_does_not_wait_for_its_threads() -> None:
    """A thread can't be interrupted; its result is dropped."""
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def holds() -> dict[str, int]:
        started.set()
        release.wait(timeout=30)
        ended.set()
        return {"x": 1}

    call = asyncio.ensure_future(DataFlow((holds,))())
    await asyncio.to_thread(started.wait, 30)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not ended.is_set()
    release.set()
    assert await asyncio.to_thread(ended.wait, 30)


# -- for ever


async def test_rounds_follow_one_another_until_cancelled() -> None:
    rounds = 0
    enough = asyncio.Event()

    async def counts(x: int) -> dict[str, int]:
        nonlocal rounds
        assert x == 1
        rounds += 1
        if rounds == 5:
            enough.set()
        return {"x": x + rounds}

    call = asyncio.ensure_future(DataFlow((counts,), run_forever=True)(x=1))
    await enough.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert rounds >= 5


async def test_a_round_that_never_waits_lets_the_loop_run() -> None:
    """Otherwise neither this test nor the cancel would ever run."""
    rounds = 0

    async def at_once() -> None:
        nonlocal rounds
        rounds += 1

    call = asyncio.ensure_future(DataFlow((at_once,), run_forever=True)())
    for _ in range(20):
        await asyncio.sleep(0)
    assert 5 <= rounds <= 20
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_carry_hands_values_to_the_next_round() -> None:
    seen: list[tuple[int, str]] = []

    async def page(cursor: int, url: str) -> dict[str, Any]:
        seen.append((cursor, url))
        # A round without a new cursor keeps the last one.
        return {"cursor": cursor + 1, "url": "ignored"} if cursor < 3 else {"rows": []}

    async def stop_at_last(cursor: int = -1, rows: Any = None) -> dict[str, Any]:
        if len(seen) == 6:
            raise BoomError
        return {"cursor": cursor} if rows is None else {}

    flow = DataFlow((page, stop_at_last), run_forever=True, carry=("cursor",))
    with pytest.raises(BoomError):
        await flow(cursor=0, url="u")
    assert seen == [(0, "u"), (1, "u"), (2, "u"), (3, "u"), (3, "u"), (3, "u")]


async def test_calls_that_run_for_ever_carry_their_own_values() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}

    async def count(name: str, n: int) -> dict[str, int]:
        seen[name].append(n)
        if n == 3:
            raise BoomError
        return {"n": n + 1}

    flow = DataFlow((count,), run_forever=True, carry=["n"])
    results = await asyncio.gather(flow(name="a", n=0), flow(name="b", n=2), return_exceptions=True)
    assert [type(one) for one in results] == [BoomError, BoomError]
    assert seen == {"a": [0, 1, 2, 3], "b": [2, 3]}


async def test_a_rounds_data_does_not_outlive_it() -> None:
    class Data:
        pass

    held: list[weakref.ref[Data]] = []

    async def load() -> dict[str, Data]:
        if len(held) == 3:
            gc.collect()
            assert [one() for one in held] == [None, None, None]
            raise BoomError
        data = Data()
        held.append(weakref.ref(data))
        return {"data": data}

    with pytest.raises(BoomError):
        await DataFlow((load,), run_forever=True)()


async def test_a_second_failure_does_not_interrupt_the_clean_up_of_the_others() -> None:
    log: list[str] = []
    begun = asyncio.Event()

    async def slow() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            log.append("begins")
            for _ in range(20):
                await asyncio.sleep(0)
            log.append("ends")

    async def first() -> None:
        await begun.wait()
        raise ValueError("first")

    async def second() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("while it closes")

    with pytest.raises(ValueError, match="first"):
        await DataFlow(((slow, first, second),))()
    assert log == ["begins", "ends"]
