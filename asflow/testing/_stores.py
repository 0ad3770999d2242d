"""A kit that checks stores."""

from __future__ import annotations

import time
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from asflow.testing._promises import broken
from asflow.testing._store_claims import CLAIM_CHECKS
from asflow.testing._store_steps import (
    expect,
    expect_absent,
    expect_status,
    names_in,
    publish,
    read,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Store

__all__ = ["check_store"]

_DAY = 86_400.0


def check_store(factory: Callable[[], Store], /, *, base: str = "") -> None:
    """Check that a store keeps the promises of `asflow.protocols.Store`.

    Each check asks *factory* for a store and uses names of its own, so the place may be shared with other
    things. What is left there afterwards is small. Crashes, other processes and full disks are beyond it.

    Args:
        factory: returns a store; may return the same one each time.
        base: what every name that the kit uses starts with, e.g. an empty folder and a `/`. Unless it is an
            absolute path, everything that the store holds is listed once.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        def test_my_store(tmp_path: Path) -> None:
            check_store(MyStore, base=f"{tmp_path}/")
        ```
    """
    for check in (*_STORE_CHECKS, *CLAIM_CHECKS):
        check(factory(), f"{base}{check.__name__.removeprefix('_')}/")
    if not (PurePosixPath(base).is_absolute() or PureWindowsPath(base).drive):
        _list_all(factory(), f"{base}list_all/")


def _absent(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    expect_absent(store, name, failure, "before anything was made")
    for each in (name, failure):
        expect(store.delete(each) is False, "delete() returns False where there is nothing")
    expect(store.blocking in {True, False}, "blocking is True or False")


def _publish(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    buffer = bytearray(b"first ")
    claim.write(buffer)
    buffer[:] = b"reused"
    claim.write(memoryview(b"second "))
    claim.write(b"third")
    expect_absent(store, name, failure, "while the output is made")
    claim.publish()
    expect_status(store, name, failure, "complete", "after publish()")
    expect(read(store, name) == b"first second third", "all bytes written are published, as they were then")
    _expect_info(store, name, 18, "an output")
    expect(store.claim(name, failure) == "complete", "a whole output can't be claimed")
    expect(store.delete(name) is True, "delete() returns True")
    expect_absent(store, name, failure, "after delete()")
    publish(store, name, failure, b"again")
    expect(read(store, name) == b"again", "a deleted output can be made again")


def _failure(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    take(store, name, failure).fail(b"report")
    _expect_info(store, failure, 6, "a failure")
    expect(store.delete(failure) is True, "delete() returns True for a failure, too")
    expect_absent(store, name, failure, "after delete() of the failure")
    expect(store.delete(failure) is False, "delete() returns False for a failure that is gone")
    publish(store, name, failure, b"made")
    expect_status(store, name, failure, "complete", "once an output is made whose failure was deleted")


def _expect_info(store: Store, name: str, size: int, what: str) -> None:
    info = store.info(name)
    if info is None:
        raise broken("store", f"info() tells of {what}, and is not None")
    expect(info.size == size, f"info() tells the size of {what}")
    # The store's own clock may be off, but not by so much as another unit or another kind of clock is.
    expect(
        abs(info.modified - time.time()) < _DAY,
        f"info() tells when {what} was published in POSIX seconds, not {info.modified!r}",
    )


def _sizes(store: Store, folder: str) -> None:
    for size, chunk in ((0, 1), (1, 1), (70_000, 65_536), (1_500_000, 65_536), (1_500_000, 1_500_000)):
        name, failure = names_in(folder, f"{size}-{chunk}")
        data = (bytes(index * 31 % 251 for index in range(1000)) * (size // 1000 + 1))[:size]
        claim = take(store, name, failure)
        for start in range(0, size, chunk):
            claim.write(data[start : start + chunk])
        claim.publish()
        expect_status(store, name, failure, "complete", f"of an output of {size} bytes")
        came = f"an output of {size} bytes, written {chunk} at a time, comes back as it was"
        expect(read(store, name) == data, came)


def _list(store: Store, folder: str) -> None:
    stems = ["b", "a", "a-b", "a.b/c", "a/b", "a/c/d", "ab", "Z"]
    for stem in stems:
        publish(store, *names_in(folder, stem), b"")
    take(store, *names_in(folder, "a/failed")).fail(b"report")
    unfinished = take(store, *names_in(folder, "a/unfinished"))
    names = sorted([f"{folder}{stem}.txt" for stem in stems] + [f"{folder}a/failed.err"])
    expect(
        list(store.list(folder)) == names, "list() tells every output and failure, sorted, and nothing else"
    )
    for prefix in ("a", "a/", "a/c", "a/c/d.txt", "a.", "b", "Z.t", "absent", "absent/"):
        wanted = [name for name in names if name.startswith(folder + prefix)]
        expect(list(store.list(folder + prefix)) == wanted, f"list({prefix!r}) tells what starts with that")
    unfinished.abort()


def _list_all(store: Store, folder: str) -> None:
    names = [names_in(folder, stem)[0] for stem in ("a", "a/b", "c")]
    for stem in ("a", "a/b", "c"):
        publish(store, *names_in(folder, stem), b"")
    told = [name for name in store.list("") if name.startswith(folder)]  # the place may hold other things
    expect(told == sorted(names), f"list('') tells every output, {names}, not {told}")


def _odd_names(store: Store, folder: str) -> None:
    stems = ["a b", "%2F%00", "ü", "日本語", "x" * 190, "a'b", "~", "-", "#", "a+b&c=d", "..x", "X", "x"]
    for stem in stems:
        publish(store, *names_in(folder, stem), stem.encode())
    for stem in stems:
        expect(read(store, names_in(folder, stem)[0]) == stem.encode(), f"{stem!r} is a name like any other")
    expect(len(list(store.list(folder))) == len(stems), "different names are different outputs")


_STORE_CHECKS: tuple[Callable[[Store, str], None], ...] = (
    _absent,
    _publish,
    _failure,
    _sizes,
    _list,
    _odd_names,
)
