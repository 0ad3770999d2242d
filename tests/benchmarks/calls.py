"""Rows about the cost of a call whose body does nothing."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from asflow import Flow, Limit
from asflow.sinks import NullSink
from benchmarks.measuring import ASFLOW, Contender, Row
from benchmarks.peers import peer, where_installed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from asflow.events import Event

__all__ = ["awaiting", "calling", "rows", "sync_task", "task"]

_flow = Flow(sink=NullSink())


async def body(x: int) -> int:
    """Do nothing, asynchronously."""
    return x


def sync_body(x: int) -> int:
    """Do nothing."""
    return x


task = _flow.task(body)
sync_task = _flow.task(sync_body)


class _Listening:
    """Receives every event and does nothing."""

    def emit(self, event: Event, /) -> None: ...


_listening = Flow(sink=_Listening())
_told = _listening.task(body)
_with_options = _flow.task(retry=3, skip=OSError)(body)
_sync_with_options = _flow.task(retry=3, skip=OSError)(sync_body)


def awaiting(name: str, function: Callable[[int], Awaitable[object]], units: int) -> Contender:
    """Await *function* in a loop."""

    async def run(_folder: Path) -> None:
        for index in range(units):
            await function(index)

    return Contender(name, run, units)


def calling(name: str, function: Callable[[int], object], units: int) -> Contender:
    """Call *function* in a loop."""

    def run(_folder: Path) -> None:
        for index in range(units):
            function(index)

    return Contender(name, run, units)


def _in_flow(function: Callable[[int], Awaitable[object]], units: int, flow: Flow = _flow) -> Contender:
    inner = awaiting(ASFLOW, function, units).run

    @flow
    async def in_a_flow(folder: Path) -> object:
        return await inner(folder)  # type: ignore[misc]

    return Contender(ASFLOW, in_a_flow, units)


def _sync_in_flow(function: Callable[[int], object], units: int) -> Contender:
    return Contender(ASFLOW, _flow(calling(ASFLOW, function, units).run), units)


def _decorators() -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "stamina", lambda: peer("stamina").retry(on=OSError, attempts=4)
    yield "tenacity", lambda: peer("tenacity").retry(stop=peer("tenacity").stop_after_attempt(4))


def _async_peers(units: int) -> Iterator[Contender]:
    few = max(units // 10, 100)
    for name, decorator in (*_decorators(), ("aiodag", lambda: peer("aiodag").task())):
        yield from where_installed(name, partial(_async_peer, name, decorator, few))


def _async_peer(name: str, decorator: Callable[[], Any], units: int) -> Contender:
    return awaiting(name, decorator()(body), units)


def _sync_peers(units: int) -> Iterator[Contender]:
    few = max(units // 10, 100)
    for name, decorator in (*_decorators(), ("pipefunc", lambda: peer("pipefunc").pipefunc(output_name="y"))):
        yield from where_installed(name, partial(_sync_peer, name, decorator, few))


def _sync_peer(name: str, decorator: Callable[[], Any], units: int) -> Contender:
    return calling(name, decorator()(sync_body), units)


def rows(short: bool) -> Iterator[Row]:
    """Yield the rows about calls."""
    units = 2_000 if short else 50_000
    bare, sync_bare = awaiting("bare await", body, units), calling("bare call", sync_body, units)
    floor = "The bare function in the same loop; both numbers include the loop."
    yield Row(
        "call-async",
        "call of a task without options, async",
        (bare, awaiting(ASFLOW, task, units), *_async_peers(units)),
        bound=10,
        cost="a coroutine of our own (a third), reads of the context and the limit's queue, a token taken "
        "and given back, the object that `flow.task.run` returns, and setting and resetting its context "
        "variable. No clock is read.",
        floor=floor,
    )
    yield Row(
        "call-sync",
        "the same, sync",
        (sync_bare, calling(ASFLOW, sync_task, units), *_sync_peers(units)),
        bound=25 if sys.version_info >= (3, 13) else 20,
        cost="the same steps without the coroutine; the ratio is large because a bare call is so cheap.",
        floor=floor,
    )
    yield Row(
        "call-async-flow",
        "async call inside a flow, counted for the display",
        (bare, _in_flow(task, units)),
        bound=16,
        cost="the call above, four counts of the flow's tally, two clock reads, and an entry among the "
        "running calls, which the display reads a few times a second.",
        floor=floor,
    )
    yield Row(
        "call-sync-flow",
        "sync call inside a flow",
        (sync_bare, _sync_in_flow(sync_task, units)),
        bound=36,
        cost="as above.",
        floor=floor,
    )
    yield from _with_policies(units, bare, sync_bare, floor)
    yield _row_of_a_sink(units // 5)
    yield from _by_limit(units // 5, floor)


def _with_policies(units: int, bare: Contender, sync_bare: Contender, floor: str) -> Iterator[Row]:
    options = "the same steps: the engine decides once, at decoration, that a return ends the call."
    yield Row(
        "call-async-options",
        "async call with `retry=3, skip=OSError` that returns",
        (bare, awaiting(ASFLOW, _with_options, units)),
        bound=10,
        cost=options,
        floor=floor,
    )
    yield Row(
        "call-async-options-flow",
        "the same inside a flow",
        (bare, _in_flow(_with_options, units)),
        bound=16,
        cost=options,
        floor=floor,
    )
    yield Row(
        "call-sync-options",
        "sync call with `retry=3, skip=OSError` that returns",
        (sync_bare, calling(ASFLOW, _sync_with_options, units)),
        cost=options,
        floor=floor,
    )
    yield Row(
        "call-sync-options-flow",
        "the same inside a flow",
        (sync_bare, _sync_in_flow(_sync_with_options, units)),
        cost=options,
        floor=floor,
    )


def _row_of_a_sink(units: int) -> Row:
    without = Contender("no sink", _in_flow(task, units).run, units)
    return Row(
        "call-async-sink",
        "a sink that wants all events and does nothing, added to an async call inside a flow",
        (without, _in_flow(_told, units, _listening)),
        bound=4,
        compare="difference",
        cost="three events with all their fields but label and arguments, which are made when they are read, "
        "and six clock reads.",
        floor="The same call without a sink.",
    )


def _by_limit(units: int, floor: str) -> Iterator[Row]:
    bare = awaiting("bare await", body, units)
    limits: dict[str, tuple[int | Limit, str]] = {
        "none": (0, "no slot is taken."),
        "object": (Limit(4), "which loop holds the slot is noted, as sync tasks may share the limit."),
        "rate": (Limit(4, rate="1000000/s"), "the driver, and a start that is noted under a lock."),
        "per": (
            Limit(4, per=lambda x: x % 100),
            "the driver, the function, and a copy of the task.",
        ),
        "shared": (
            Limit(4, shared="asflow-benchmark"),
            "the driver, and a file that is locked and looked at.",
        ),
    }
    for key, (limit, cost) in limits.items():
        limited = _flow.task(limit=limit)(body)
        few = units if key in ("none", "object") else units // 5
        yield Row(
            f"call-limit-{key}",
            f"async call inside a flow, `limit={limit if isinstance(limit, int) else _shown(limit)}`",
            (bare, _in_flow(limited, few)),
            cost=cost,
            floor=floor,
        )


def _shown(limit: Limit) -> str:
    return re.sub(r"per=[^,)]+", "per=function", repr(limit))
