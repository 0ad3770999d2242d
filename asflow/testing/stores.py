"""A kit that checks stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asflow.protocols import Claim, ClaimRefusal, Store

__all__ = ["check_store"]

_THREADS = 8


def check_store(factory: Callable[[], Store], /, *, base: str = "") -> None:
    """Check that a store keeps the promises of `asflow.protocols.Store`.

    Each check asks *factory* for a store and uses names of its own, so the place may be shared with other
    things. What is left there afterwards is small. Crashes, other processes and full disks are beyond it.

    Args:
        factory: returns a store; may return the same one each time.
        base: what every name that the kit uses starts with, e.g. an empty folder and a `/`.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        def test_my_store(tmp_path: Path) -> None:
            check_store(MyStore, base=f"{tmp_path}/")
        ```
    """
    for check in _STORE_CHECKS:
        name = check.__name__.removeprefix("_store_")
        check(factory(), f"{base}{name}/")


def _expect(kept: bool, promise: str) -> None:
    if not kept:
        raise AssertionError(f"the store breaks a promise: {promise}")


def _names(folder: str, stem: str = "output") -> tuple[str, str]:
    return f"{folder}{stem}.txt", f"{folder}{stem}.err"


def _claim(store: Store, name: str, failure: str, *, replace: bool = False) -> Claim:
    claim = store.claim(name, failure, replace=replace)
    if isinstance(claim, str):
        raise AssertionError(f"the store breaks a promise: a free output can be claimed, not {claim!r}")
    return claim


def _publish(store: Store, name: str, failure: str, data: bytes, *, replace: bool = False) -> None:
    claim = _claim(store, name, failure, replace=replace)
    claim.write(data)
    claim.publish()


def _read(store: Store, name: str) -> bytes:
    with store.open(name) as file:
        return file.read()


def _expect_absent(store: Store, name: str, failure: str, when: str) -> None:
    _expect(store.status(name, failure) == "absent", f"the status is 'absent' {when}")
    for each in (name, failure):
        _expect(store.info(each) is None, f"info() is None {when}")
        _expect(list(store.list(each)) == [], f"list() tells nothing {when}")
        try:
            store.open(each).close()
        except FileNotFoundError:
            continue
        raise AssertionError(f"the store breaks a promise: open() raises FileNotFoundError {when}")


def _store_absent(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    _expect_absent(store, name, failure, "before anything was made")
    _expect(store.delete(name) is False, "delete() returns False where there is nothing")
    _expect(store.blocking in {True, False}, "blocking is True or False")


def _store_publish(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    claim = _claim(store, name, failure)
    buffer = bytearray(b"first ")
    claim.write(buffer)
    buffer[:] = b"reused"
    claim.write(memoryview(b"second "))
    claim.write(b"third")
    _expect_absent(store, name, failure, "while the output is made")
    claim.publish()
    _expect(store.status(name, failure) == "complete", "the status is 'complete' after publish()")
    _expect(_read(store, name) == b"first second third", "all bytes written are published, as they were then")
    info = store.info(name)
    _expect(info is not None and info.size == 18, "info() tells the size")
    _expect(info is not None and info.modified > 0, "info() tells the time of publishing")
    _expect(store.claim(name, failure) == "complete", "a whole output can't be claimed")
    _expect(store.delete(name) is True, "delete() returns True")
    _expect_absent(store, name, failure, "after delete()")
    _publish(store, name, failure, b"again")
    _expect(_read(store, name) == b"again", "a deleted output can be made again")


def _store_sizes(store: Store, folder: str) -> None:
    for size in (0, 1, 70_000, 1_500_000):
        name, failure = _names(folder, str(size))
        data = bytes(index * 31 % 251 for index in range(1000)) * (size // 1000 + 1)
        claim = _claim(store, name, failure)
        for start in range(0, size, 65_536):
            claim.write(data[start : min(start + 65_536, size)])
        claim.publish()
        _expect(store.status(name, failure) == "complete", f"an output of {size} bytes is an output")
        _expect(_read(store, name) == data[:size], f"an output of {size} bytes comes back as it was")


def _store_abort(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    claim = _claim(store, name, failure)
    claim.write(b"never seen")
    claim.abort()
    _expect_absent(store, name, failure, "after abort()")
    _publish(store, name, failure, b"new")
    _expect(_read(store, name) == b"new", "nothing of an aborted attempt gets into the next one")


def _store_fail(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    claim = _claim(store, name, failure)
    claim.write(b"a longer text than the report")
    claim.fail(b"report")
    _expect(store.status(name, failure) == "suppressed", "the status is 'suppressed' after fail()")
    _expect(store.info(name) is None, "fail() publishes no output")
    _expect(_read(store, failure) == b"report", "fail() records the report, and nothing else")
    _expect(
        store.claim(name, failure) == "suppressed", "an output whose failure is recorded can't be claimed"
    )
    _claim(store, name, failure, replace=True).abort()
    _expect(store.status(name, failure) == "suppressed", "abort() leaves an older failure alone")
    _claim(store, name, failure, replace=True).fail(b"newer")
    _expect(_read(store, failure) == b"newer", "a newer failure replaces an older one")
    _publish(store, name, failure, b"whole", replace=True)
    _expect(store.status(name, failure) == "complete", "with replace, publish() overrules a failure")
    store.delete(name)
    _expect_absent(store, name, failure, "once the output that overruled a failure is deleted")


def _store_replace(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    _publish(store, name, failure, b"old, and longer")
    claim = _claim(store, name, failure, replace=True)
    claim.write(b"new")
    _expect(_read(store, name) == b"old, and longer", "the old output stays until publish()")
    _expect(store.claim(name, failure, replace=True) == "busy", "replacing is claimed like making")
    claim.abort()
    _expect(_read(store, name) == b"old, and longer", "abort() leaves the old output alone")
    reader = store.open(name)
    _publish(store, name, failure, b"new", replace=True)
    with reader:
        _expect(
            reader.read() in {b"old, and longer", b"new"}, "an open reader sees one output, not a mixture"
        )
    _expect(_read(store, name) == b"new", "with replace, publish() replaces the output")
    _claim(store, name, failure, replace=True).fail(b"report")
    _expect(store.status(name, failure) == "complete", "an output wins over a failure")
    _expect(_read(store, name) == b"new", "fail() leaves the old output alone")


def _store_busy(store: Store, folder: str) -> None:
    name, failure = _names(folder)
    for end in ("publish", "abort", "fail"):
        claim = _claim(store, name, failure, replace=True)
        _expect(store.claim(name, failure) == "busy", "an output that is being made can't be claimed")
        with ThreadPoolExecutor(1) as pool:
            refusal = pool.submit(store.claim, name, failure, replace=True).result()
        _expect(refusal == "busy", "another thread can't claim it either")
        _claim(store, *_names(folder, "other")).abort()
        claim.fail(b"report") if end == "fail" else getattr(claim, end)()
        _claim(store, name, failure, replace=True).abort()


def _store_ended(store: Store, folder: str) -> None:
    for end in ("publish", "abort", "fail"):
        name, failure = _names(folder, end)
        claim = _claim(store, name, failure)
        claim.write(b"x")
        claim.fail(b"report") if end == "fail" else getattr(claim, end)()
        before = store.status(name, failure)
        try:
            claim.write(b"late")
        except (RuntimeError, ValueError):
            pass
        else:
            raise AssertionError(f"the store breaks a promise: write() raises after {end}()")
        claim.publish()
        claim.fail(b"late")
        claim.abort()
        _expect(store.status(name, failure) == before, f"nothing happens to an output after {end}()")
        _expect(end != "publish" or _read(store, name) == b"x", "nothing is written after publish()")
        _expect(end != "fail" or _read(store, failure) == b"report", "nothing is written after fail()")


def _store_list(store: Store, folder: str) -> None:
    stems = ["b", "a", "a-b", "a.b/c", "a/b", "a/c/d", "ab", "Z"]
    for stem in stems:
        _publish(store, *_names(folder, stem), b"")
    _claim(store, *_names(folder, "a/failed")).fail(b"report")
    unfinished = _claim(store, *_names(folder, "a/unfinished"))
    names = sorted([f"{folder}{stem}.txt" for stem in stems] + [f"{folder}a/failed.err"])
    _expect(
        list(store.list(folder)) == names, "list() tells every output and failure, sorted, and nothing else"
    )
    for prefix in ("a", "a/", "a/c", "a/c/d.txt", "a.", "b", "Z.t", "absent", "absent/"):
        wanted = [name for name in names if name.startswith(folder + prefix)]
        _expect(list(store.list(folder + prefix)) == wanted, f"list({prefix!r}) tells what starts with that")
    unfinished.abort()


def _store_odd_names(store: Store, folder: str) -> None:
    stems = ["a b", "%2F%00", "ü", "日本語", "x" * 190, "a'b", "~", "-", "#", "a+b&c=d", "..x", "X", "x"]
    for stem in stems:
        _publish(store, *_names(folder, stem), stem.encode())
    for stem in stems:
        _expect(_read(store, _names(folder, stem)[0]) == stem.encode(), f"{stem!r} is a name like any other")
    _expect(len(list(store.list(folder))) == len(stems), "different names are different outputs")


def _store_threads(store: Store, folder: str) -> None:
    for turn in range(20):
        name, failure = _names(folder, str(turn))
        won = _race(partial(store.claim, name, failure))
        claims = [claim for claim in won if not isinstance(claim, str)]
        _expect(len(claims) == 1, f"of {_THREADS} threads that claim one output at once, one gets it: {won}")
        _expect(won.count("busy") == _THREADS - 1, "the others are told 'busy'")
        claims[0].write(name.encode())
        claims[0].publish()
    _expect(len(list(store.list(folder))) == 20, "each output is published once")


def _race(action: Callable[[], Claim | ClaimRefusal]) -> list[Claim | ClaimRefusal]:
    start = threading.Barrier(_THREADS)

    def run(_: int) -> Claim | ClaimRefusal:
        start.wait(30)
        return action()

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(run, range(_THREADS)))


_STORE_CHECKS: Iterable[Callable[[Store, str], None]] = (
    _store_absent,
    _store_publish,
    _store_sizes,
    _store_abort,
    _store_fail,
    _store_replace,
    _store_busy,
    _store_ended,
    _store_list,
    _store_odd_names,
    _store_threads,
)
