"""Slots: bounded, first come first served, and none is ever lost."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.drawing import examples

from asflow._runtime.slots import Slot, Slots
from asflow.errors import DeadlockError


class SlotMachine(RuleBasedStateMachine):
    """Slots against a list: callers queue, leave before and after the grant, release; the total changes."""

    @initialize(total=st.integers(1, 4), shared=st.booleans())
    def begin(self, total: int, shared: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.slots = Slots(total, shared=shared)
        self.total = total
        self.holding: list[Slot] = []
        self.queue: deque[asyncio.Task[Slot]] = deque()
        self.turn()

    @property
    def held(self) -> int:
        return len(self.holding)

    def turn(self) -> None:
        """Let every callback of the loop that is due run."""

        async def nothing() -> None:
            for _ in range(4):
                await asyncio.sleep(0)

        self.loop.run_until_complete(nothing())

    def settle(self) -> None:
        """Free slots go to the waiters, in order, and to no other caller."""
        self.turn()
        while self.queue and self.held < self.total:
            first = self.queue.popleft()
            assert first.done(), "the longest waiter has the slot"
            self.holding.append(first.result())
        assert not any(task.done() for task in self.queue), "no caller got in past the bound"

    @rule(count=st.integers(1, 30))
    def ask(self, count: int) -> None:
        self.queue.extend(self.loop.create_task(self.slots.acquire()) for _ in range(count))
        self.settle()

    @rule(count=st.integers(1, 12))
    def release(self, count: int) -> None:
        for _ in range(min(count, self.held)):
            self.loop.run_until_complete(self._release())
        self.settle()

    async def _release(self) -> None:
        self.slots.release(self.holding.pop())

    @rule(count=st.integers(1, 12))
    def drop(self, count: int) -> None:
        """A slot that is dropped, as by a thread that is interrupted, comes back as well."""
        del self.holding[:count]
        self.settle()

    @rule(chosen=st.sets(st.integers(0, 40), max_size=30))
    def give_up(self, chosen: set[int]) -> None:
        """Waiters are cancelled; none of them has been granted a slot."""
        gone = [task for index, task in enumerate(self.queue) if index in chosen]
        for task in gone:
            task.cancel()
            self.queue.remove(task)
        self.settle()
        assert all(task.cancelled() for task in gone)

    @rule()
    def give_up_while_being_granted(self) -> None:
        """The slot was granted, but its waiter is cancelled before it runs: the slot goes on to the next."""
        if not self.queue or not self.held:
            return

        async def collide() -> None:
            first = self.queue.popleft()
            self.slots.release(self.holding.pop())
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert first.cancelled()

        self.loop.run_until_complete(collide())
        self.settle()

    @rule(total=st.integers(1, 6))
    def resize(self, total: int) -> None:
        self.slots.resize(total)
        self.total = total
        self.settle()

    @invariant()
    def adds_up(self) -> None:
        if hasattr(self, "slots"):
            assert len(self.slots.free) == max(0, self.total - self.held)
            assert len(self.slots.debts) == max(0, self.held - self.total)
            assert self.slots.waiting == len(self.queue)
            assert len(self.slots.waiters) <= 2 * len(self.queue) + 130, "waiters that left are swept out"

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for task in self.queue:
                task.cancel()
            self.queue.clear()
            self.settle()
            while self.held:
                self.loop.run_until_complete(self._release())
            assert len(self.slots.free) == self.slots.total, "every slot came back"
            self.loop.close()


TestSlots = SlotMachine.TestCase
TestSlots.settings = settings(max_examples=examples(40), stateful_step_count=40, deadline=None)


def test_ten_thousand_acquisitions_by_threads_and_loops_with_random_cancelling() -> None:
    """Four loops in threads and two plain threads share three slots; a third of the waits is cancelled."""
    slots = Slots(3, shared=True)
    lock, inside, most, entered = threading.Lock(), 0, 0, 0

    def enter() -> None:
        nonlocal inside, most, entered
        with lock:
            inside += 1
            entered += 1
            most = max(most, inside)

    def leave() -> None:
        nonlocal inside
        with lock:
            inside -= 1

    async def use() -> None:
        slot = await slots.acquire()
        enter()
        try:
            await asyncio.sleep(0)
        finally:
            leave()
            slots.release(slot)
            del slot  # which a traceback would hold: a slot that is dropped then comes back late

    async def crowd(seed: int) -> None:
        drawn = random.Random(seed)
        for _ in range(25):
            tasks = [asyncio.create_task(use()) for _ in range(100)]
            for _ in range(drawn.randrange(20)):
                await asyncio.sleep(0)
            for task in drawn.sample(tasks, 33):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def plain() -> None:
        for _ in range(500):
            slot = slots.acquire_blocking("hold")
            enter()
            leave()
            slots.release(slot)
            del slot

    threads = [threading.Thread(target=asyncio.run, args=(crowd(seed),)) for seed in range(4)]
    threads += [threading.Thread(target=plain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered >= 4 * 25 * 67
    assert most <= 3
    assert len(slots.free) == 3
    assert slots.waiting == 0


async def test_a_sync_caller_that_only_its_own_loop_could_serve_is_refused_at_once() -> None:
    slots = Slots(1, shared=True)
    slot = await slots.acquire()
    with pytest.raises(
        DeadlockError, match=r"^task fetch\(\): needs a slot .*; call .* flow\.task\.to_thread"
    ):
        slots.acquire_blocking("fetch")
    slots.release(slot)
    slots.release(slots.acquire_blocking("fetch"))
    assert len(slots.free) == 1


async def test_a_sync_caller_waits_for_a_slot_that_another_thread_releases() -> None:
    """One slot is held on this loop, one by a thread: the thread's comes back without the loop."""
    slots = Slots(2, shared=True)
    mine = await slots.acquire()
    taken, go = threading.Event(), threading.Event()

    def hold() -> None:
        slot = slots.acquire_blocking("hold")
        taken.set()
        go.wait(30)
        slots.release(slot)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)

    def release_when_queued() -> None:
        while not slots.waiting:
            pass
        go.set()

    waiting = threading.Thread(target=release_when_queued)
    waiting.start()
    slots.release(slots.acquire_blocking("fetch"))  # returns once the thread has released its slot
    slots.release(mine)
    thread.join()
    waiting.join()
    assert len(slots.free) == 2


async def test_a_sync_caller_behind_a_waiter_of_its_own_loop_is_refused() -> None:
    """The slot that a thread releases would go to the coroutine, whose loop the caller blocks."""
    slots = Slots(1, shared=True)
    taken, go = threading.Event(), threading.Event()

    def hold() -> None:
        slot = slots.acquire_blocking("hold")
        taken.set()
        go.wait(30)
        slots.release(slot)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    before = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    with pytest.raises(DeadlockError):
        slots.acquire_blocking("fetch")
    go.set()
    slots.release(await before)
    thread.join()


def test_waiters_of_a_loop_that_is_closed_lose_no_slot() -> None:
    slots = Slots(1, shared=True)
    slot = slots.acquire_blocking("first")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(slots.acquire())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert slots.waiting == 1
    loop.close()
    slots.release(slot)
    # However the coroutine ends now, the slot is there for the next one.
    waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    del waiting
    gc.collect()
    again = slots.try_acquire()
    assert again is not None
    slots.release(again)
    assert len(slots.free) == 1
