"""`check_store` refuses a store that breaks one promise, and names the promise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asflow import LocalStore, MemoryStore
from asflow.stores._common import Info
from asflow.testing import check_store


class SureOfAll(MemoryStore):
    def is_complete(self, name: str, /) -> bool:
        return True


class SureOfWhatIsHeld(MemoryStore):
    def is_complete(self, name: str, /) -> bool:
        return name in self._files or name in self._claims


class SureOfWhatWasThere(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def is_complete(self, name: str, /) -> bool:
        if name in self._files:
            self.seen.add(name)
        return name in self.seen


class RaisesForAbsent(MemoryStore):
    def is_complete(self, name: str, /) -> bool:
        return bool(self._files[name]) or True


class AnswersInWords(MemoryStore):
    def is_complete(self, name: str, /) -> Any:
        return self.status(name, f"{name}.err")


class OfTheEpoch(MemoryStore):
    def info(self, name: str, /) -> Info | None:
        found = super().info(name)
        return None if found is None else Info(found.size, 1.0)


class InMilliseconds(MemoryStore):
    def info(self, name: str, /) -> Info | None:
        found = super().info(name)
        return None if found is None else Info(found.size, found.modified * 1000)


class Monotonic(MemoryStore):
    def info(self, name: str, /) -> Info | None:
        found = super().info(name)
        return None if found is None else Info(found.size, time.monotonic())


class FailuresOfTheEpoch(OfTheEpoch):
    def info(self, name: str, /) -> Info | None:
        return super().info(name) if name.endswith(".err") else MemoryStore.info(self, name)


class KnowsNoFailure(MemoryStore):
    def info(self, name: str, /) -> Info | None:
        return None if name.endswith(".err") else super().info(name)


class KeepsFailures(MemoryStore):
    def delete(self, name: str, /) -> bool:
        return False if name.endswith(".err") else super().delete(name)


class SaysItKeepsNoFailure(MemoryStore):
    def delete(self, name: str, /) -> bool:
        return True if name.endswith(".err") else super().delete(name)


class SaysItDeletesFailures(MemoryStore):
    def delete(self, name: str, /) -> bool:
        return name in self._files if name.endswith(".err") else super().delete(name)


class ListsNothingAtAll(MemoryStore):
    def list(self, prefix: str, /) -> Iterator[str]:
        return super().list(prefix) if prefix else iter(())


class ListsTheTopOnly(MemoryStore):
    def list(self, prefix: str, /) -> Iterator[str]:
        return (name for name in super().list(prefix) if prefix or name.count("/") < 2)


class TouchesTheAbsent(MemoryStore):
    def set_modified(self, name: str, seconds: float | None, /) -> None:
        if name in self._files:
            super().set_modified(name, seconds)


class ForgetsTimes(MemoryStore):
    def set_modified(self, name: str, seconds: float | None, /) -> None:
        super().set_modified(name, None)


class KnowsNoPresent(MemoryStore):
    def set_modified(self, name: str, seconds: float | None, /) -> None:
        super().set_modified(name, 5.0 if seconds is None else seconds)


class Wrapped:
    """A claim without a time."""

    def __init__(self, claim: Any) -> None:
        self.write, self.publish, self.abort, self.fail = claim.write, claim.publish, claim.abort, claim.fail


class ForgetfulClaim(Wrapped):
    def set_modified(self, seconds: float | None, /) -> float:
        return time.time() if seconds is None else seconds


class RoundingClaim(ForgetfulClaim):
    def set_modified(self, seconds: float | None, /) -> float:
        return super().set_modified(seconds) + 0.5


def with_claims(kind: Callable[[Any], Any]) -> type[MemoryStore]:
    class Wrapping(MemoryStore):
        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            claim = super().claim(name, failure, replace=replace)
            return claim if isinstance(claim, str) else kind(claim)

    return Wrapping


NOT_POSIX = r"; return POSIX seconds, as time\.time\(\) does"
LACKS = r"list\(''\) lacks 'list_all/a.*\.txt'; yield every output and failure with the prefix"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (TouchesTheAbsent, r"set_modified\(\) of an absent name raised nothing; raise FileNotFoundError"),
        (
            ForgetsTimes,
            r"info\(\)\.modified of an output after set_modified\(\) is .*, not 999913600.0; set it",
        ),
        (KnowsNoPresent, r"set_modified\(name, None\) does not set the present time; use the clock .*"),
        (with_claims(Wrapped), r"claims have no set_modified\(\); add it, since the store has one"),
        (with_claims(ForgetfulClaim), r"info\(\)\.modified of an output whose claim has set it is .*"),
        (with_claims(RoundingClaim), r"info\(\)\.modified of an output whose claim has set it is .*"),
        (SureOfAll, r"is_complete\(\) before anything is made returned True; return False"),
        (SureOfWhatIsHeld, r"is_complete\(\) while a claim is open returned True; return False"),
        (SureOfWhatWasThere, r"is_complete\(\) after delete\(\) returned True; return False"),
        (RaisesForAbsent, r"is_complete\(\) before anything is made raised KeyError.*; return False if .*"),
        (AnswersInWords, r"is_complete\(\) .* returned 'absent'; return True or False"),
        (OfTheEpoch, rf"info\(\)\.modified of an output is 1\.0{NOT_POSIX}"),
        (InMilliseconds, rf"info\(\)\.modified of an output is \d+\.\d+{NOT_POSIX}"),
        (Monotonic, rf"info\(\)\.modified of an output is \d+\.\d+{NOT_POSIX}"),
        (FailuresOfTheEpoch, rf"info\(\)\.modified of a failure is 1\.0{NOT_POSIX}"),
        (KnowsNoFailure, r"info\(\) of a failure returned None; return its size and time"),
        (KeepsFailures, r"delete\(\) of a failure returned False; return True"),
        (SaysItKeepsNoFailure, r"delete\(\) of an absent name returned True; return False"),
        (
            SaysItDeletesFailures,
            r"status\(\) after delete\(\) of the failure returned 'suppressed'; return 'absent'",
        ),
        (ListsNothingAtAll, LACKS),
        (ListsTheTopOnly, LACKS),
    ],
)
def test_what_a_store_returns(broken: Callable[[], MemoryStore], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message}$"):
        check_store(broken)


def test_a_short_cut_that_is_never_sure_passes() -> None:
    class NeverSure(MemoryStore):
        def is_complete(self, name: str, /) -> bool:
            return False

    class Without(MemoryStore):
        is_complete = None

    check_store(NeverSure)
    check_store(Without)


def test_the_clock_of_a_store_may_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = SimpleNamespace(time=lambda: time.time() - 3600)
    monkeypatch.setattr("asflow.stores._memory.time", behind)
    check_store(MemoryStore)


def test_other_files_in_the_store_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.txt").write_text("theirs")
    (tmp_path / "kit-of-theirs").mkdir()
    (tmp_path / "kit-of-theirs" / "a.txt").write_text("theirs")
    check_store(LocalStore, base="kit/")


class Claim:
    """A correct claim; subclasses add a fault."""

    def __init__(self, store: Store, name: str, failure: str) -> None:
        self.store, self.name, self.failure = store, name, failure
        self.data, self.ended = b"", False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise ValueError("ended")
        self.data += data

    def end(self, target: str | None = None, data: bytes = b"", gone: str | None = None) -> None:
        with self.store.lock:
            if self.ended:
                return
            self.ended = True
            self.free()
            if gone is not None:
                self.store.files.delete(gone)
            if target is not None:
                self.store.put(target, data)

    def free(self) -> None:
        self.store.held.discard(self.name)

    def publish(self) -> None:
        self.end(self.name, self.data, self.failure)

    def abort(self) -> None:
        self.end()

    def fail(self, report: bytes, /) -> None:
        self.end(self.failure, report)


class Store:
    """A correct store with claims of a given class."""

    blocking = False

    def __init__(self, claims: type[Claim] = Claim) -> None:
        self.claims = claims
        self.files = MemoryStore()
        self.held: set[str] = set()
        self.lock = threading.RLock()
        self.status, self.info = self.files.status, self.files.info
        self.open, self.list, self.delete = self.files.open, self.files.list, self.files.delete

    def put(self, name: str, data: bytes) -> None:
        claim: Any = self.files.claim(name, f"{name}?", replace=True)
        claim.write(data)
        claim.publish()

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
        with self.lock:
            if name in self.held:
                return "busy"
            found = self.status(name, failure)
            if found != "absent" and not replace:
                return found
            self.held.add(name)
        return self.claims(self, name, failure)


class CutsLongChunks(Claim):
    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        super().write(bytes(data)[:262_144])


class FreesTwiceByAbort(Claim):
    def abort(self) -> None:
        self.free()
        super().abort()


class FreesTwiceByFail(Claim):
    def fail(self, report: bytes, /) -> None:
        self.free()
        super().fail(report)


class FreesTwiceByPublish(Claim):
    def publish(self) -> None:
        self.free()
        super().publish()


class RaisesOSErrorLate(Claim):
    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise OSError("closed")
        super().write(data)


class RaisesKeyErrorLate(Claim):
    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise KeyError("closed")
        super().write(data)


class WritesLate(Claim):
    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self.data += data


class EndsOnce(Claim):
    def abort(self) -> None:
        if self.ended:
            raise RuntimeError("ended")
        super().abort()


def test_a_store_of_ones_own_passes() -> None:
    check_store(Store)


NO_EFFECT = "let a claim that has ended do nothing"
LATE_WRITE = "; raise OutputClosedError or ValueError"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            CutsLongChunks,
            "an output of 1500000 bytes, written 1500000 at a time, reads back as 262144 other bytes; "
            "store all bytes of every chunk",
        ),
        (FreesTwiceByAbort, rf"a late abort\(\) after publish\(\) frees the next owner's claim; {NO_EFFECT}"),
        (FreesTwiceByFail, rf"a late fail\(\) after publish\(\) frees the next owner's claim; {NO_EFFECT}"),
        (
            FreesTwiceByPublish,
            rf"a late publish\(\) after publish\(\) frees the next owner's claim; {NO_EFFECT}",
        ),
        (RaisesOSErrorLate, rf"write\(\) after publish\(\) raised OSError\('closed'\){LATE_WRITE}"),
        (RaisesKeyErrorLate, rf"write\(\) after publish\(\) raised KeyError\('closed'\){LATE_WRITE}"),
        (WritesLate, rf"write\(\) after publish\(\) raised nothing{LATE_WRITE}"),
        (EndsOnce, rf"abort\(\) after publish\(\) raised RuntimeError\('ended'\); {NO_EFFECT}"),
    ],
)
def test_what_a_claim_does(broken: type[Claim], message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^check_store\(\): {message}$"):
        check_store(lambda: Store(broken))


def test_two_threads_that_replace_at_once() -> None:
    class Races(Store):
        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Any:
            if not replace or name in self.held:
                return super().claim(name, failure, replace=replace)
            time.sleep(0.005)
            self.held.add(name)
            return self.claims(self, name, failure)

    with pytest.raises(
        AssertionError, match=r"of 8 threads that claim one output at once, \d get it; make claim\(\) atomic$"
    ):
        check_store(Races)
