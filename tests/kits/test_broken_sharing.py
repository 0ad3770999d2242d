"""`check_store` refuses a store that fails only when several threads, instances or processes use it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kits.test_broken_stores import Claim, Store

from asflow import LocalStore, MemoryStore
from asflow.stores import StoreWrapper
from asflow.testing import check_store

AT_ONCE = "replace it in one step"
WHOLE = "let an output appear whole, at once"


def pause() -> None:
    """Let a watcher look: it needs no more than this, however slow the machine."""
    time.sleep(0.02)


class PublishesHalf(Claim):
    def publish(self) -> None:
        if not self.ended:
            self.store.put(self.name, self.data[: len(self.data) // 2])
            pause()
        super().publish()


class LeavesAGap(Claim):
    def publish(self) -> None:
        if not self.ended and self.store.files.delete(self.name):
            pause()
        super().publish()


class Mixes(Claim):
    def publish(self) -> None:
        if not self.ended and self.store.info(self.name) is not None:
            self.store.put(self.name, self.data[:5] + b"old")
            pause()
        super().publish()


class GoesBack(Claim):
    def publish(self) -> None:
        if not self.ended and self.store.info(self.name) is not None:
            with self.store.open(self.name) as file:
                old = file.read()
            self.store.put(self.name, self.data)
            pause()
            self.store.put(self.name, old)
            pause()
        super().publish()


class MindsThreads(Claim):
    """As a connection of sqlite3 does."""

    def __init__(self, store: Store, name: str, failure: str) -> None:
        super().__init__(store, name, failure)
        self.thread = threading.get_ident()

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if threading.get_ident() != self.thread:
            raise RuntimeError("made in another thread")
        super().write(data)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (PublishesHalf, rf"(info\(\) shows|open\(\) reads) a part of an output during publish\(\); {WHOLE}"),
        (LeavesAGap, rf"(\w+\(\) does not show an|open\(\) finds no) output while it is replaced; {AT_ONCE}"),
        (Mixes, rf"open\(\) reads a mixture while an output is replaced; {AT_ONCE}"),
        (GoesBack, rf"open\(\) reads the old output after the new one; {AT_ONCE}"),
        (
            MindsThreads,
            r"a call from another thread raised RuntimeError\('made in another thread'\); let any .*",
        ),
    ],
)
def test_what_others_see_of_a_claim(broken: type[Claim], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message}$"):
        check_store(lambda: Store(broken))


class Announces(Store):
    """Says "complete" a moment too early."""

    def __init__(self) -> None:
        super().__init__()
        self.announced: set[str] = set()
        self.status = self.look

    def look(self, name: str, failure: str, /) -> Any:
        return "complete" if name in self.announced else self.files.status(name, failure)

    def put(self, name: str, data: bytes) -> None:
        self.announced.add(name)
        pause()
        super().put(name, data)
        self.announced.discard(name)


class LooksTooEarly(Store):
    """Looks at the status before the claim is owned."""

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
        found = self.status(name, failure)
        pause()
        with self.lock:
            if name in self.held:
                return "busy"
            if found != "absent" and not replace:
                return found
            self.held.add(name)
        return self.claims(self, name, failure)


class Waits(Store):
    """Waits for the owner instead of returning "busy"."""

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
        until = time.monotonic() + 30  # past which no kit waits: no thread is left behind
        while (found := super().claim(name, failure, replace=replace)) == "busy" and time.monotonic() < until:
            time.sleep(0.001)
        return found


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Announces, rf"status\(\) shows an output during publish\(\) that open\(\) does not; {WHOLE}"),
        (
            LooksTooEarly,
            r"an output is granted \d times without replace, and overwritten; look at .*",
        ),
        (Waits, r"claim\(\) of a claimed output takes longer than 0\.5 s; return 'busy' at once"),
    ],
)
def test_what_a_store_does_meanwhile(broken: Callable[[], Store], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message}$"):
        check_store(broken, patience=0.5)


def test_claims_of_one_instance_only() -> None:
    """As a store whose claims are in memory and whose outputs are not."""
    first = Store()

    class OwnClaims(Store):
        def __init__(self) -> None:
            super().__init__()
            self.files = first.files
            self.status, self.info = first.files.status, first.files.info
            self.open, self.list, self.delete = first.files.open, first.files.list, first.files.delete

    with pytest.raises(
        AssertionError,
        match=r"claim\(\) of what another instance has claimed returned a claim; share the claims of a place",
    ):
        check_store(OwnClaims)


@pytest.mark.parametrize("fault", ["raises", "async", "deletes", "closes others"])
def test_a_close_that_does_harm(fault: str) -> None:
    files = MemoryStore()
    is_open = True

    class Closing(StoreWrapper):
        def close(self) -> None:
            nonlocal is_open
            if fault == "raises":
                raise RuntimeError("nothing to close")
            for name in [*self.list("")] if fault == "deletes" else []:
                self.delete(name)
            is_open = fault != "closes others"

        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            if not is_open:
                raise OSError("closed")
            return super().claim(name, failure, replace=replace)

    class ClosingLater(StoreWrapper):
        async def close(self) -> None: ...

    message = {
        "raises": r"close\(\) raised RuntimeError.*; release what the store holds",
        "async": r"close\(\) returned an awaitable; write it as a plain function",
        "deletes": r"status\(\) after close\(\) of another instance returned 'absent'; return 'complete'",
        "closes others": r"claim\(\) after close\(\) of another instance raised OSError\('closed'\); .*",
    }
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message[fault]}$"):
        check_store(lambda: (ClosingLater if fault == "async" else Closing)(files))


def test_stores_of_the_factory_are_closed_and_one_that_it_shares_is_not() -> None:
    made: list[Any] = []

    class Counting(StoreWrapper):
        closed = 0

        def __init__(self) -> None:
            super().__init__(MemoryStore())
            made.append(self)

        def close(self) -> None:
            self.closed += 1

    check_store(Counting)
    assert [each.closed for each in made] == [1] * len(made)
    one = Counting()
    check_store(lambda: one)
    assert one.closed == 0


# ------------------------------------------------------------------ processes


class InMemory(MemoryStore):
    """Nothing of it is seen elsewhere."""


class Files(StoreWrapper):
    """Files whose claims are of this process alone."""

    held: set[str] = set()  # noqa: RUF012 - of the process
    set_modified = None
    lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(LocalStore())

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
        with self.lock:
            if name in self.held:
                return "busy"
            found = self.status(name, failure)
            if found != "absent" and not replace:
                return found
            self.held.add(name)
        return FileClaim(self, name, failure)

    def free(self, name: str) -> None:
        self.held.discard(name)


class FileClaim:
    def __init__(self, store: Files, name: str, failure: str) -> None:
        self.store, self.name, self.failure = store, name, failure
        self.data, self.ended = b"", False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise ValueError("ended")
        self.data += data

    def publish(self) -> None:
        self.end(self.name, self.data, self.failure)

    def fail(self, report: bytes, /) -> None:
        self.end(self.failure, report)

    def abort(self) -> None:
        self.end()

    def end(self, target: str = "", data: bytes = b"", gone: str = "") -> None:
        if self.ended:
            return
        self.ended = True
        if target:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            part = Path(f"{target}.{id(self)}.part")
            part.write_bytes(data)
            os.replace(part, target)
        if gone:
            Path(gone).unlink(missing_ok=True)
        self.store.free(self.name)


class LockFiles(Files):
    """A lock file for each claim, which stays if its process dies."""

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
        lock = Path(f"{name}.lock.part")
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.touch(exist_ok=False)
        except FileExistsError:
            return "busy"
        found = self.status(name, failure)
        if found != "absent" and not replace:
            lock.unlink()
            return found
        return FileClaim(self, name, failure)

    def free(self, name: str) -> None:
        Path(f"{name}.lock.part").unlink()


class LosesTrack(Files):
    """Raises in another process."""

    def status(self, name: str, failure: str, /) -> Any:
        if os.getppid() == int(os.environ.get("ASFLOW_TEST_PARENT", "0")):
            raise OSError("no such place")
        return super().status(name, failure)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (InMemory, r"status\(\) in another process returned 'absent'; return 'complete'"),
        (
            Files,
            r"claim\(\) of another process's claim returned 'claim', not 'busy'; keep outputs .*",
        ),
        (
            LockFiles,
            r"the claim of a process that died is still held after 0\.5 s; let it end .*",
        ),
        (LosesTrack, r"status\(\) in another process raised RuntimeError\('OSError: no such place'\); .*"),
    ],
)
def test_two_processes(
    broken: Callable[[], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASFLOW_TEST_PARENT", str(os.getpid()))
    check_store(broken, base=f"{tmp_path}/one/")  # in one process it is fine
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message}$"):
        check_store(broken, base=f"{tmp_path}/two/", processes=True, patience=0.5)


def test_a_factory_that_can_not_be_sent() -> None:
    store = MemoryStore()
    with pytest.raises(
        AssertionError, match=r"factory can't be sent to another process \(.*\); pass a class, or"
    ):
        check_store(lambda: store, processes=True)


def test_the_local_store_passes_with_two_processes(tmp_path: Path) -> None:
    check_store(LocalStore, base=f"{tmp_path}/", processes=True)
    check_store(partial(StoreWrapper, LocalStore()), base=f"{tmp_path}/wrapped/", processes=True)
