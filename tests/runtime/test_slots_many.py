"""Slots under a crowd: four loops, a thousand contenders, and cancelling at random."""

from __future__ import annotations

import asyncio
import random
import threading

from asflow._runtime.slots import Slots

LOOPS, CONTENDERS, TURNS, TOTAL = 4, 250, 100, 7


def test_no_slot_is_lost_over_a_hundred_thousand_acquisitions() -> None:
    """1,000 contenders on four loops ask 100,000 times, and cancel a third of their waits."""
    slots = Slots(TOTAL)
    held, most, granted = 0, 0, 0
    counting = threading.Lock()

    async def contend(draw: random.Random) -> None:
        nonlocal held, most, granted
        for _ in range(TURNS):
            waiting = asyncio.ensure_future(slots.acquire())
            if draw.random() < 0.33:
                await asyncio.sleep(0)
                waiting.cancel()
            try:
                slot = await waiting
            except asyncio.CancelledError:
                continue
            with counting:
                held, granted = held + 1, granted + 1
                most = max(most, held)
            if draw.random() < 0.5:
                await asyncio.sleep(0)
            with counting:
                held -= 1
            slots.release(slot)
            del slot

    async def crowd(seed: int) -> None:
        await asyncio.gather(*(contend(random.Random(seed * 1000 + n)) for n in range(CONTENDERS)))

    threads = [threading.Thread(target=lambda seed=seed: asyncio.run(crowd(seed))) for seed in range(LOOPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held == 0
    assert 1 < most <= TOTAL
    assert granted > LOOPS * CONTENDERS * TURNS / 3
    assert len(slots.free) == TOTAL
    assert slots.waiting == 0
