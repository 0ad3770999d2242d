"""Our stores keep the Protocol's promises, and the kit notices a store that does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from asflow.stores import LocalStore, MemoryStore
from asflow.testing import check_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asflow.protocols import ClaimRefusal, Store
    from asflow.stores._local_claim import Durability


@pytest.mark.parametrize("durability", ["data", "full", "atomic"])
def test_local_store_conforms(tmp_path: Path, durability: Durability) -> None:
    """The kit passes at each durability level, and leaves no work in progress."""
    store: Store = LocalStore(durability=durability)  # typed: it fits the Protocol
    check_store(lambda: store, base=f"{tmp_path}/")
    assert not list(tmp_path.rglob("*.part*"))


def test_local_store_conforms_with_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names relative to the current directory work alike."""
    monkeypatch.chdir(tmp_path)
    check_store(LocalStore, base="here/")


def test_local_store_conforms_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that refuses hard links (exFAT, some network and FUSE ones) it renames."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    check_store(LocalStore, base=f"{tmp_path}/")
    assert not list(tmp_path.rglob("*.part*"))


def test_memory_store_conforms() -> None:
    """The kit passes, and the store fits the Protocol for a type checker."""
    store: Store = MemoryStore()
    check_store(lambda: store)
    check_store(MemoryStore)


class _Overwrites(MemoryStore):
    def claim(self, name: str, failure: str, /, *, replace: bool = False):  # type: ignore[no-untyped-def]
        return super().claim(name, failure, replace=True)


class _NeverBusy(MemoryStore):
    def claim(self, name: str, failure: str, /, *, replace: bool = False):  # type: ignore[no-untyped-def]
        self._claims.clear()
        return super().claim(name, failure, replace=replace)


class _FailureWins(MemoryStore):
    def status(self, name: str, failure: str, /):  # type: ignore[no-untyped-def]
        return "suppressed" if failure in self._files else super().status(name, failure)


class _Unsorted(MemoryStore):
    def list(self, prefix: str, /) -> Iterator[str]:
        return iter(sorted(super().list(prefix), reverse=True))


class _ListsSiblings(MemoryStore):
    def list(self, prefix: str, /) -> Iterator[str]:
        return super().list(prefix.rpartition("/")[0])


class _Forgets(MemoryStore):
    def info(self, name: str, /) -> None:
        return None


class _DeleteSaysYes(MemoryStore):
    def delete(self, name: str, /) -> bool:
        super().delete(name)
        return True


class _FoldsCase(MemoryStore):
    def claim(self, name: str, failure: str, /, *, replace: bool = False):  # type: ignore[no-untyped-def]
        return super().claim(name.lower(), failure.lower(), replace=replace)


BROKEN: list[Callable[[], MemoryStore]] = [
    _Overwrites,
    _NeverBusy,
    _FailureWins,
    _Unsorted,
    _ListsSiblings,
    _Forgets,
    _DeleteSaysYes,
    _FoldsCase,
]


@pytest.mark.parametrize("factory", BROKEN)
def test_the_kit_names_the_broken_promise(factory: Callable[[], Store]) -> None:
    """A store with one fault fails the kit with a sentence about it."""
    with pytest.raises(AssertionError, match="breaks a promise: "):
        check_store(factory)


def test_the_kit_names_what_was_refused() -> None:
    """A store that never returns a claim is reported as such."""

    class Refuses(MemoryStore):
        def claim(self, name: str, failure: str, /, *, replace: bool = False) -> ClaimRefusal:
            return "busy"

    with pytest.raises(AssertionError, match="free output can be claimed, not 'busy'"):
        check_store(Refuses)
