"""A kit that checks stores."""

from __future__ import annotations

import time
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from asflow._labels import short
from asflow.testing._store_claims import CLAIM_CHECKS
from asflow.testing._store_processes import check_processes
from asflow.testing._store_sharing import FIRST_CHECKS, SHARING_CHECKS, Sharing
from asflow.testing._store_steps import (
    expect,
    expect_absent,
    expect_content,
    expect_names,
    expect_returned,
    expect_status,
    names_in,
    publish,
    read,
    store_failure,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Store

_DAY = 86_400.0
_PAST = 1_000_000_000.0  # a full, even second


def check_store(
    factory: Callable[[], Store], /, *, base: str = "", processes: bool = False, patience: float = 20.0
) -> None:
    """Check that a store keeps the promises of `asflow.protocols.Store`.

    Each check calls *factory* for a store and uses names of its own, so the store may hold other outputs
    too. Little is left in it afterwards. If two stores of the factory share their outputs, they must share
    their claims, too. Full disks are not tested: make them with a `FaultyStore` or a quota.

    Args:
        factory: returns a store. It may return the same one each time; different ones are closed at the end,
            if they have a `close`.
        base: prefix of every name that the kit uses, such as an empty folder and a `/`. Unless it is an
            absolute path, everything in the store is listed once.
        processes: whether the store is for several processes. A second one then uses a store of *factory*,
            which must be picklable, and is killed.
        patience: seconds that `claim()` may take, and the claim of a process that died may last.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        def test_my_store(tmp_path: Path) -> None:
            check_store(MyStore, base=f"{tmp_path}/")
        ```
    """
    kit = Sharing(factory, patience)
    for check in _STORE_CHECKS:
        check(kit.store(), _folder_of(check, base))
    for first in FIRST_CHECKS:
        first(kit, _folder_of(first, base))
    for check in CLAIM_CHECKS:
        check(kit.store(), _folder_of(check, base))
    for shared in SHARING_CHECKS:
        shared(kit, _folder_of(shared, base))
    if not (PurePosixPath(base).is_absolute() or PureWindowsPath(base).drive):
        _list_all(kit.store(), f"{base}list_all/")
    if processes:
        check_processes(factory, kit.store(), f"{base}processes/", patience)
    kit.close()


def _folder_of(check: Callable[..., None], base: str) -> str:
    return f"{base}{check.__name__.removeprefix('_')}/"


def _absent(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    expect_absent(store, name, failure, "before anything is made")
    for each in (name, failure):
        expect_returned("delete() of an absent name", store.delete(each), False)
    expect(store.blocking in {True, False}, f"blocking is {short(store.blocking)}", "set it to True or False")


def _publish(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    claim = take(store, name, failure)
    buffer = bytearray(b"first ")
    claim.write(buffer)
    buffer[:] = b"reused"
    claim.write(memoryview(b"second "))
    claim.write(b"third")
    expect_absent(store, name, failure, "while a claim is open")
    claim.publish()
    expect_status(store, name, failure, "complete", "after publish()")
    copied = "copy the bytes of a chunk when write() is called"
    expect_content(store, name, b"first second third", "an output of three chunks", copied)
    _expect_info(store, name, 18, "an output")
    expect_returned("claim() of a complete output", store.claim(name, failure), "complete")
    expect_returned("delete() of an output", store.delete(name), True)
    expect_absent(store, name, failure, "after delete()")
    publish(store, name, failure, b"again")
    expect_content(store, name, b"again", "an output made again after delete()", "publish the new bytes")


def _failure(store: Store, folder: str) -> None:
    name, failure = names_in(folder)
    take(store, name, failure).fail(b"report")
    _expect_info(store, failure, 6, "a failure")
    expect_returned("delete() of a failure", store.delete(failure), True)
    expect_absent(store, name, failure, "after delete() of the failure")
    expect_returned("a second delete() of a failure", store.delete(failure), False)
    publish(store, name, failure, b"made")
    expect_status(store, name, failure, "complete", "after publish(), with its failure deleted")


def _expect_info(store: Store, name: str, size: int, what: str) -> None:
    info = store.info(name)
    if info is None:
        raise store_failure(f"info() of {what} returned None", "return its size and time")
    expect(
        info.size == size, f"info().size of {what} is {short(info.size)}", f"return the {size} bytes stored"
    )
    # A store's clock may be off by hours. Other units or a monotonic clock are off by years.
    expect(
        abs(info.modified - time.time()) < _DAY,
        f"info().modified of {what} is {short(info.modified)}",
        "return POSIX seconds, as time.time() does",
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
        found = read(store, name)
        expect(
            found == data,
            f"an output of {size} bytes, written {chunk} at a time, reads back as {len(found)} other bytes",
            "store all bytes of every chunk",
        )


def _list(store: Store, folder: str) -> None:
    stems = ["b", "a", "a-b", "a.b/c", "a/b", "a/c/d", "ab", "Z"]
    for stem in stems:
        publish(store, *names_in(folder, stem), b"")
    take(store, *names_in(folder, "a/failed")).fail(b"report")
    unfinished = take(store, *names_in(folder, "a/unfinished"))
    names = sorted([f"{folder}{stem}.txt" for stem in stems] + [f"{folder}a/failed.err"])
    for prefix in ("", "a", "a/", "a/c", "a/c/d.txt", "a.", "b", "Z.t", "absent", "absent/"):
        wanted = [name for name in names if name.startswith(folder + prefix)]
        expect_names(f"list({folder + prefix!r})", list(store.list(folder + prefix)), wanted)
    unfinished.abort()


def _list_all(store: Store, folder: str) -> None:
    names = [names_in(folder, stem)[0] for stem in ("a", "a/b", "c")]
    for stem in ("a", "a/b", "c"):
        publish(store, *names_in(folder, stem), b"")
    listed = [name for name in store.list("") if name.startswith(folder)]  # the store may hold more
    expect_names("list('')", listed, sorted(names))


def _odd_names(store: Store, folder: str) -> None:
    stems = ["a b", "%2F%00", "ü", "日本語", "x" * 190, "a'b", "~", "-", "#", "a+b&c=d", "..x", "X", "x"]
    for stem in stems:
        publish(store, *names_in(folder, stem), stem.encode())
    apart = "keep outputs of different names apart"
    for stem in stems:
        expect_content(store, names_in(folder, stem)[0], stem.encode(), f"the output {stem!r}", apart)
    listed = len(list(store.list(folder)))
    expect(listed == len(stems), f"list() yields {listed} names for {len(stems)} outputs", apart)


def _times(store: Store, folder: str) -> None:
    """The optional `set_modified` of the store and of its claims."""
    name, failure = names_in(folder)
    set_of_store: Any = getattr(store, "set_modified", None)
    if set_of_store is None:
        return
    try:
        set_of_store(name, None)
    except FileNotFoundError:
        pass
    else:
        raise store_failure("set_modified() of an absent name raised nothing", "raise FileNotFoundError")
    claim = take(store, name, failure)
    set_of_claim: Any = getattr(claim, "set_modified", None)
    expect(set_of_claim is not None, "claims have no set_modified()", "add it, since the store has one")
    begun = set_of_claim(None)
    kept = set_of_claim(_PAST)
    claim.write(b"x")
    claim.publish()
    _expect_time(store, name, kept, "an output whose claim has set it", "keep the claim's time in publish()")
    expect(kept == _PAST, f"set_modified() returns {short(kept)}", "return the time as it is kept")
    set_of_store(name, _PAST - _DAY)
    _expect_time(store, name, _PAST - _DAY, "an output after set_modified()", "set it")
    set_of_store(name, None)
    info = store.info(name)
    expect(
        info is not None and abs(info.modified - begun) < _DAY,
        "set_modified(name, None) does not set the present time",
        "use the clock that dates the store's outputs",
    )


def _expect_time(store: Store, name: str, time: float, what: str, remedy: str) -> None:
    info = store.info(name)
    found = None if info is None else info.modified
    expect(found == time, f"info().modified of {what} is {short(found)}, not {time}", remedy)


_STORE_CHECKS: tuple[Callable[[Store, str], None], ...] = (
    _absent,
    _publish,
    _failure,
    _sizes,
    _list,
    _odd_names,
    _times,
)
