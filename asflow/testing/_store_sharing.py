"""The checks of a store that several calls, threads, instances or processes use at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from asflow.testing._promises import expect_no_awaitable
from asflow.testing._store_steps import (
    ENDS,
    expect,
    expect_content,
    expect_returned,
    finish,
    names_in,
    publish,
    read,
    store_failure,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Store

R = TypeVar("R")

_TURNS = 6
_THREADS = 6
_AT_ONCE = "replace it in one step"
_OLD, _NEW = b"old" * 40_000, b"new" * 60_000


class Sharing:
    """What the checks here need: makes stores, remembers them, and bounds the time that a call may take."""

    def __init__(self, factory: Callable[[], Store], patience: float) -> None:
        self._factory = factory
        self.patience = patience
        self.made: list[Store] = []

    def store(self) -> Store:
        """Return a store of the factory."""
        store = self._factory()
        if not any(store is each for each in self.made):
            self.made.append(store)
        return store

    def within_patience(self, call: Callable[[], R], what: str, remedy: str) -> R:
        """Return what *call* returns, in a thread; fail if it does not return in time."""
        results: list[R] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)  # it may never return
        thread.start()
        thread.join(self.patience)
        expect(not thread.is_alive(), f"{what} takes longer than {self.patience:g} s", remedy)
        if errors:
            raise errors[0]
        return results[0]

    def close(self) -> None:
        """Close the stores, unless the factory returns the same one each time: that is its caller's."""
        for store in self.made if len(self.made) > 1 else ():
            close(store)


def close(store: Store) -> None:
    method = cast("Callable[[], object] | None", getattr(store, "close", None))
    if method is None:
        return
    try:
        expect_no_awaitable("check_store", "close", method())
    except AssertionError:
        raise
    except Exception as error:
        raise store_failure(f"close() raised {error!r}", "release what the store holds") from error


# ------------------------------------------------------------------------------------------- one store


def _blocking(kit: Sharing, folder: str) -> None:
    """The first of the checks that claim what is claimed: the others would wait for ever."""
    store = kit.store()
    name, failure = names_in(folder)
    for replace in (False, True):
        claim = take(store, name, failure, replace=replace)
        again = partial(store.claim, name, failure, replace=replace)
        refusal = kit.within_patience(again, "claim() of a claimed output", "return 'busy' at once")
        expect_returned("claim() of a claimed output", refusal, "busy")
        claim.abort()


def _any_thread(kit: Sharing, folder: str) -> None:
    """Every other call comes from a thread of its own: two that follow each other could share an identity."""
    store = kit.store()
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    _in_a_thread(partial(claim.write, b"first "))
    claim.write(b"second")
    _in_a_thread(claim.publish)
    expect_returned(
        "status() in another thread", _in_a_thread(partial(store.status, name, failure)), "complete"
    )
    found = _in_a_thread(partial(read, store, name))
    expect(
        found == b"first second",
        "an output that was made in several threads reads back as another",
        "keep it",
    )
    _in_a_thread(partial(take, store, *names_in(folder, "other"))).abort()
    _in_a_thread(partial(store.delete, name))


def _in_a_thread(call: Callable[[], R]) -> R:
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(call).result()
        except (AssertionError, FileNotFoundError):
            raise
        except Exception as error:
            remedy = "let any thread use the store and its claims"
            raise store_failure(f"a call from another thread raised {error!r}", remedy) from error


def _once(kit: Sharing, folder: str) -> None:
    """Without `replace`, one of several callers makes an output; the others find it complete."""
    store = kit.store()
    for turn in range(_TURNS):
        granted = _race_to_make(store, *names_in(folder, str(turn)), kit.patience)
        problem = f"an output is granted {granted} times without replace, and overwritten"
        expect(granted == 1, problem, "look at the status again once the claim is owned")


def _race_to_make(store: Store, name: str, failure: str, patience: float) -> int:
    """Let several threads try until the output is complete; return how many of them made it."""
    granted: list[int] = []
    start = threading.Barrier(_THREADS)
    deadline = time.monotonic() + patience

    def make(number: int) -> None:
        start.wait(patience)
        while (claim := store.claim(name, failure)) != "complete":
            if not isinstance(claim, str):
                granted.append(number)
                claim.write(f"{number}".encode())
                claim.publish()
            expect(time.monotonic() < deadline, "claim() stays 'busy'", "end a claim with its publish()")
            time.sleep(0.002)  # as an owner elsewhere is waited for

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(make, range(_THREADS)))
    return len(granted)


def _half_visible(kit: Sharing, folder: str) -> None:
    """While an output is published, it is absent or whole."""
    store = kit.store()
    for turn in range(_TURNS):
        name, failure = names_in(folder, str(turn))
        claim = take(store, name, failure)
        for start in range(0, len(_NEW), 50_000):
            claim.write(_NEW[start : start + 50_000])
        _while_looking(partial(_look_at_new, store, name, failure), claim.publish)


def _look_at_new(store: Store, name: str, failure: str) -> None:
    """Check what is seen of an output with the bytes `_NEW` while it is published."""
    whole = "let an output appear whole, at once"
    seen = store.status(name, failure)
    expect(seen != "suppressed", "status() during publish() returned 'suppressed'", whole)
    info = store.info(name)
    same_size = info is None or info.size == len(_NEW)
    expect(same_size, "info() shows a part of an output during publish()", whole)
    listed = name in store.list(name)
    found = _read_or_none(store, name)
    expect(found in {None, _NEW}, "open() reads a part of an output during publish()", whole)
    for method, visible in ("status", seen == "complete"), ("info", info is not None), ("list", listed):
        there = f"{method}() shows an output during publish() that open() does not"
        expect(not visible or found is not None, there, whole)


def _gap(kit: Sharing, folder: str) -> None:
    """While an output is replaced, it is the old one or the new one."""
    store = kit.store()
    name, failure = names_in(folder)
    publish(store, name, failure, _OLD)
    for old, new in [(_OLD, _NEW), (_NEW, _OLD)] * (_TURNS // 2):
        claim = take(store, name, failure, replace=True)
        claim.write(new)
        seen: list[bytes] = []
        _while_looking(partial(_look_at_replaced, store, name, failure, {old, new}, seen), claim.publish)
        back = old in seen and old in seen[seen.index(new) :]
        expect(not back, "open() reads the old output after the new one", _AT_ONCE)
        expect_content(store, name, new, "a replaced output", _AT_ONCE)


def _look_at_replaced(store: Store, name: str, failure: str, either: set[bytes], seen: list[bytes]) -> None:
    """Check what is seen of an output while it is replaced."""
    for method, there in (
        ("status", store.status(name, failure) == "complete"),
        ("info", store.info(name) is not None),
        ("list", name in store.list(name)),
    ):
        expect(there, f"{method}() does not show an output while it is replaced", _AT_ONCE)
    found = _read_or_none(store, name)
    if found is None:
        raise store_failure("open() finds no output while it is replaced", _AT_ONCE)
    expect(found in either, "open() reads a mixture while an output is replaced", _AT_ONCE)
    seen.append(found)


def _read_or_none(store: Store, name: str) -> bytes | None:
    try:
        return read(store, name)
    except FileNotFoundError:
        return None


def _while_looking(look: Callable[[], None], act: Callable[[], object]) -> None:
    """Call *act* while another thread keeps calling *look*, before, meanwhile and after."""
    begun, done = threading.Event(), threading.Event()

    def keep_looking() -> None:
        look()
        begun.set()
        while not done.is_set():
            look()
        look()

    with ThreadPoolExecutor(1) as pool:
        watcher = pool.submit(keep_looking)
        watcher.add_done_callback(lambda _: begun.set())
        begun.wait()
        try:
            act()
        finally:
            done.set()
        watcher.result()


# --------------------------------------------------------------------------------------- two instances


def _instances(kit: Sharing, folder: str) -> None:
    """Two stores of one place are one store. Those of two places have nothing to do with each other."""
    one, other = kit.store(), kit.store()
    name, failure = names_in(folder)
    publish(one, name, failure, b"of one")
    if one is other or other.status(name, failure) != "complete":
        return
    shared = "share the claims of a place, also between instances"
    expect_content(other, name, b"of one", "an output of another instance", "read what is published")
    for end in ENDS:
        name, failure = names_in(folder, end)
        claim = take(one, name, failure)
        refusal = kit.within_patience(
            partial(other.claim, name, failure), "claim() of what another instance claimed", "return 'busy'"
        )
        seen = "claim() of what another instance has claimed returned "
        expect(refusal == "busy", seen + (repr(refusal) if isinstance(refusal, str) else "a claim"), shared)
        claim.write(b"of one")
        finish(claim, end)
        second = take(other, name, failure, replace=True)
        claim.abort()
        still = one.claim(name, failure, replace=True) == "busy"
        expect(still, f"a late abort() after {end}() frees the claim of another instance", shared)
        second.write(b"of other")
        second.publish()
        expect_content(one, name, b"of other", "an output of another instance", "read what is published")


def _closed(kit: Sharing, folder: str) -> None:
    """A store that is closed leaves its outputs to others."""
    one, other = kit.store(), kit.store()
    name, failure = names_in(folder)
    publish(one, name, failure, b"kept")
    is_shared = other.status(name, failure) == "complete"
    if one is other:
        return
    close(one)
    kit.made = [each for each in kit.made if each is not one]
    if is_shared:
        expect_returned("status() after close() of another instance", other.status(name, failure), "complete")
        try:
            take(other, *names_in(folder, "next")).abort()
        except OSError as error:
            problem = f"claim() after close() of another instance raised {error!r}"
            raise store_failure(problem, "close only what belongs to one instance") from error


FIRST_CHECKS: tuple[Callable[[Sharing, str], None], ...] = (_blocking, _any_thread)
"""Come before all checks that claim what is claimed, or use threads. Each takes what those below take."""

SHARING_CHECKS: tuple[Callable[[Sharing, str], None], ...] = (
    _once,
    _half_visible,
    _gap,
    _instances,
    _closed,
)
"""Each takes the kit and the prefix of the names that it may use."""
