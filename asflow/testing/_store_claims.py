"""The checks of a store's claims: which call gets one, and how it ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from asflow._labels import short
from asflow.testing._store_steps import (
    ENDS,
    expect,
    expect_absent,
    expect_content,
    expect_returned,
    expect_status,
    finish,
    names_in,
    publish,
    read,
    store_failure,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Claim, ClaimRefusal, Store
    from asflow.testing._store_steps import End

_THREADS = 8
_NO_EFFECT = "let a claim that has ended do nothing"


def _abort(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    claim.write(b"never seen")
    claim.abort()
    expect_absent(store, name, failure, "after abort()")
    publish(store, name, failure, b"new")
    expect_content(store, name, b"new", "an output made after abort()", "start each claim without bytes")


def _fail(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    claim.write(b"a longer text than the report")
    claim.fail(b"report")
    expect_status(store, name, failure, "suppressed", "after fail()")
    expect_returned("info() of the output after fail()", store.info(name), None)
    expect_content(store, failure, b"report", "a failure", "record the report alone")
    expect_returned("claim() after fail()", store.claim(name, failure), "suppressed")
    take(store, name, failure, replace=True).abort()
    expect_status(store, name, failure, "suppressed", "after abort() of a claim with replace")
    take(store, name, failure, replace=True).fail(b"newer")
    expect_content(store, failure, b"newer", "a failure after a second fail()", "replace the older report")
    publish(store, name, failure, b"whole", replace=True)
    expect_status(store, name, failure, "complete", "after publish() over a failure")
    store.delete(name)
    expect_absent(store, name, failure, "after delete() of an output that replaced a failure")


def _replace(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    old, stays = b"old, and longer", "leave the old output alone until publish()"
    publish(store, name, failure, old)
    claim = take(store, name, failure, replace=True)
    claim.write(b"new")
    expect_content(store, name, old, "an output that is being replaced", stays)
    refusal = store.claim(name, failure, replace=True)
    expect_returned("claim() of an output that is being replaced", refusal, "busy")
    claim.abort()
    expect_content(store, name, old, "an output after abort() of its replacement", stays)
    reader = store.open(name)
    publish(store, name, failure, b"new", replace=True)
    with reader:
        found = reader.read()
    seen = f"a file opened before publish() reads as {short(found)}"
    expect(found in {old, b"new"}, seen, "let a reader see the old output or the new one, not a mixture")
    expect_content(store, name, b"new", "a replaced output", "replace it whole in publish()")
    take(store, name, failure, replace=True).fail(b"report")
    expect_returned("status() of an output with a failure", store.status(name, failure), "complete")
    expect_content(
        store, name, b"new", "an output after fail() of its replacement", "leave it alone in fail()"
    )


def _busy(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    for end in ENDS:
        claim = take(store, name, failure, replace=True)
        expect_returned("claim() of a claimed output", store.claim(name, failure), "busy")
        with ThreadPoolExecutor(1) as pool:
            refusal = pool.submit(store.claim, name, failure, replace=True).result()
        expect_returned("claim() of a claimed output in another thread", refusal, "busy")
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
        late_calls = f"status() after late calls of a claim that ended in {end}()"
        expect_returned(late_calls, store.status(name, failure), before)
        if end == "publish":
            expect_content(store, name, b"x", "an output after late calls of its claim", _NO_EFFECT)
        elif end == "fail":
            expect_content(store, failure, b"report", "a failure after late calls of its claim", _NO_EFFECT)


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
            second = f"a late {late}() after {end}()"
            held = store.claim(name, failure, replace=True) == "busy"
            expect(held, f"{second} frees the next owner's claim", _NO_EFFECT)
            claim.publish()
            kept = store.status(name, failure) == "complete" and read(store, name) == b"new"
            expect(kept, f"{second} changes the next owner's output", _NO_EFFECT)


def _expect_no_write(claim: Claim, end: End) -> None:
    remedy = "raise OutputClosedError or ValueError"
    try:
        claim.write(b"late")
    except (RuntimeError, ValueError):
        return
    except Exception as error:
        raise store_failure(f"write() after {end}() raised {error!r}", remedy) from error
    raise store_failure(f"write() after {end}() raised nothing", remedy)


def _finish_late(claim: Claim, end: End, late: End) -> None:
    try:
        finish(claim, late, b"late")
    except Exception as error:
        raise store_failure(f"{late}() after {end}() raised {error!r}", _NO_EFFECT) from error


def _threads(store: Store, folder: str) -> None:
    for turn in range(24):
        name, failure = names_in(folder, str(turn))
        won = _race(partial(store.claim, name, failure, replace=turn % 4 == 3))
        claims = [claim for claim in won if not isinstance(claim, str)]
        expect(
            len(claims) == 1,
            f"of {_THREADS} threads that claim one output at once, {len(claims)} get it",
            "make claim() atomic",
        )
        for refusal in won:
            if isinstance(refusal, str):
                expect_returned("claim() of a claimed output in another thread", refusal, "busy")
        claims[0].write(name.encode())
        claims[0].publish()
    listed = len(list(store.list(folder)))
    expect(listed == 24, f"list() yields {listed} names for 24 outputs", "publish each once")


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
"""Each takes a store and the prefix of the names that it may use."""
