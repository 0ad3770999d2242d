"""The checks of a store's claims: who gets them, and how they end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from asflow.testing._promises import broken
from asflow.testing._store_steps import (
    ENDS,
    expect,
    expect_absent,
    expect_status,
    finish,
    names_in,
    publish,
    read,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Claim, ClaimRefusal, Store
    from asflow.testing._store_steps import End

__all__ = ["CLAIM_CHECKS"]

_THREADS = 8


def _abort(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    claim.write(b"never seen")
    claim.abort()
    expect_absent(store, name, failure, "after abort()")
    publish(store, name, failure, b"new")
    expect(read(store, name) == b"new", "nothing of an aborted attempt gets into the next one")


def _fail(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    claim.write(b"a longer text than the report")
    claim.fail(b"report")
    expect_status(store, name, failure, "suppressed", "after fail()")
    expect(store.info(name) is None, "fail() publishes no output")
    expect(read(store, failure) == b"report", "fail() records the report, and nothing else")
    expect(store.claim(name, failure) == "suppressed", "an output whose failure is recorded can't be claimed")
    take(store, name, failure, replace=True).abort()
    expect_status(store, name, failure, "suppressed", "after an abort(), which leaves an older failure alone")
    take(store, name, failure, replace=True).fail(b"newer")
    expect(read(store, failure) == b"newer", "a newer failure replaces an older one")
    publish(store, name, failure, b"whole", replace=True)
    expect_status(store, name, failure, "complete", "after publish() with replace, which overrules a failure")
    store.delete(name)
    expect_absent(store, name, failure, "once the output that overruled a failure is deleted")


def _replace(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    publish(store, name, failure, b"old, and longer")
    claim = take(store, name, failure, replace=True)
    claim.write(b"new")
    expect(read(store, name) == b"old, and longer", "the old output stays until publish()")
    expect(store.claim(name, failure, replace=True) == "busy", "replacing is claimed like making")
    claim.abort()
    expect(read(store, name) == b"old, and longer", "abort() leaves the old output alone")
    reader = store.open(name)
    publish(store, name, failure, b"new", replace=True)
    with reader:
        expect(reader.read() in {b"old, and longer", b"new"}, "an open reader sees one output, not a mixture")
    expect(read(store, name) == b"new", "with replace, publish() replaces the output")
    take(store, name, failure, replace=True).fail(b"report")
    expect(store.status(name, failure) == "complete", "an output wins over a failure")
    expect(read(store, name) == b"new", "fail() leaves the old output alone")


def _busy(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    for end in ENDS:
        claim = take(store, name, failure, replace=True)
        expect(store.claim(name, failure) == "busy", "an output that is being made can't be claimed")
        with ThreadPoolExecutor(1) as pool:
            refusal = pool.submit(store.claim, name, failure, replace=True).result()
        expect(refusal == "busy", "another thread can't claim it either")
        take(store, *names_in(folder, "other")).abort()
        finish(claim, end)
        take(store, name, failure, replace=True).abort()


def _ended(store: Store, folder: str) -> None:
    for end in ENDS:
        name, failure = names_in(folder, end)
        claim = take(store, name, failure)
        claim.write(b"x")
        finish(claim, end)
        before = store.status(name, failure)
        _expect_no_write(claim, end)
        for late in ("publish", "fail", "abort"):
            _finish_late(claim, end, late)
        expect(store.status(name, failure) == before, f"nothing happens to an output after {end}()")
        expect(end != "publish" or read(store, name) == b"x", "nothing is written after publish()")
        expect(end != "fail" or read(store, failure) == b"report", "nothing is written after fail()")


def _next_owner(store: Store, folder: str) -> None:
    for end in ENDS:
        for late in ENDS:
            name, failure = names_in(folder, f"{end}-{late}")
            ended = take(store, name, failure)
            ended.write(b"of the first owner")
            finish(ended, end)
            claim = take(store, name, failure, replace=True)
            claim.write(b"new")
            _finish_late(ended, end, late)
            promise = f"a late {late}() after {end}() leaves the next owner's claim alone"
            expect(store.claim(name, failure, replace=True) == "busy", promise)
            claim.publish()
            expect(store.status(name, failure) == "complete" and read(store, name) == b"new", promise)


def _expect_no_write(claim: Claim, end: End) -> None:
    wanted = f"write() raises OutputClosedError or ValueError after {end}()"
    try:
        claim.write(b"late")
    except (RuntimeError, ValueError):
        return
    except Exception as error:
        raise broken("store", f"{wanted}, not {error!r}") from error
    raise broken("store", wanted)


def _finish_late(claim: Claim, end: End, late: End) -> None:
    try:
        finish(claim, late, b"late")
    except Exception as error:
        raise broken("store", f"{late}() does nothing after {end}(), not {error!r}") from error


def _threads(store: Store, folder: str) -> None:
    for turn in range(24):
        name, failure = names_in(folder, str(turn))
        won = _race(partial(store.claim, name, failure, replace=turn % 4 == 3))
        claims = [claim for claim in won if not isinstance(claim, str)]
        expect(len(claims) == 1, f"of {_THREADS} threads that claim one output at once, one gets it: {won}")
        expect(won.count("busy") == _THREADS - 1, "the others are told 'busy'")
        claims[0].write(name.encode())
        claims[0].publish()
    expect(len(list(store.list(folder))) == 24, "each output is published once")


def _race(action: Callable[[], Claim | ClaimRefusal]) -> list[Claim | ClaimRefusal]:
    start = threading.Barrier(_THREADS)

    def run(_: int) -> Claim | ClaimRefusal:
        start.wait(30)
        return action()

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(run, range(_THREADS)))


CLAIM_CHECKS: tuple[Callable[[Store, str], None], ...] = (
    _abort,
    _fail,
    _replace,
    _busy,
    _ended,
    _next_owner,
    _threads,
)
"""Each takes a store and the start of the names that it may use."""
