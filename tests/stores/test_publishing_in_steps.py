"""Outputs of local files whose publishing is taken in steps, many at once: each as it would be alone."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from asflow.errors import ClaimLostError, OutputClosedError, OutputPlaceError
from asflow.stores import LocalStore
from asflow.stores._local_claim import LocalClaim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from asflow.stores._disk_wait import DiskWait
    from asflow.stores._local_claim import Durability

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")

DURABILITIES: list[Durability] = ["data", "full", "atomic"]


def publish_each(claims: Sequence[LocalClaim]) -> list[BaseException | None]:
    """Publish all of *claims* in turns, a step each; return what each has raised.

    Of waits with the same key that are asked for in a turn, one is run.
    """
    errors: list[BaseException | None] = [None] * len(claims)
    left = {number: claim.publishing() for number, claim in enumerate(claims)}
    while left:
        waits = {number: wait for number in left if (wait := next_wait(left, number, errors)) is not None}
        left = {number: left[number] for number in waits}
        first: dict[object, DiskWait] = {}
        for number, wait in waits.items():
            chosen = first.setdefault(wait.key or number, wait)
            chosen.run() if chosen is wait else wait.take(chosen)
    return errors


def next_wait(
    steps: dict[int, Iterator[DiskWait]], number: int, errors: list[BaseException | None]
) -> DiskWait | None:
    try:
        return next(steps[number], None)
    except Exception as error:
        errors[number] = error
        return None


def claims_of(folder: Path, count: int, durability: Durability = "data") -> list[LocalClaim]:
    store = LocalStore(durability=durability)
    claims: list[LocalClaim] = []
    for index in range(count):
        claim = store.claim(f"{folder}/{index}.txt", f"{folder}/{index}.err")
        assert isinstance(claim, LocalClaim)
        claim.write(str(index).encode())
        claims.append(claim)
    return claims


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_all_are_published(tmp_path: Path, durability: Durability, count: int) -> None:
    claims = claims_of(tmp_path, count, durability)
    assert publish_each(claims) == [None] * count
    assert contents(tmp_path) == {f"{index}.txt": str(index) for index in range(count)}
    assert publish_each(claims) == [None] * count, "the end of a claim that has ended is nothing"


@pytest.mark.parametrize("durability", DURABILITIES)
def test_each_fails_alone(tmp_path: Path, durability: Durability) -> None:
    claims = claims_of(tmp_path, 6, durability)
    (tmp_path / "1.txt.part").unlink()
    (tmp_path / "2.txt").mkdir()
    (tmp_path / "3.txt").write_text("a stranger's")
    with pytest.raises(TypeError):
        claims[4].write("text")  # type: ignore[arg-type]  # refused, and spoils nothing
    claims[5].abort()
    errors = publish_each(claims)
    assert [type(error) for error in errors] == [
        type(None), ClaimLostError, OutputPlaceError, OutputPlaceError, type(None), type(None),
    ]  # fmt: skip
    for claim, error in zip(claims, errors, strict=True):
        if error is not None:
            assert isinstance(publish_each([claim])[0], OutputClosedError), "it is not tried again"
            claim.abort()
    (tmp_path / "2.txt").rmdir()
    assert contents(tmp_path) == {"0.txt": "0", "3.txt": "a stranger's", "4.txt": "4"}


@pytest.mark.parametrize("durability", ["data", "full"])
def test_a_disk_that_fails_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    claims = claims_of(tmp_path, 5, durability)
    bad, fsync = os.stat(tmp_path / "3.txt.part").st_ino, os.fsync

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    errors = publish_each(claims)
    claims[3].abort()
    assert [type(error) for error in errors] == [type(None)] * 3 + [OSError, type(None)]
    assert isinstance(errors[3], OSError)
    assert (errors[3].errno, errors[3].filename) == (errno.EIO, str(tmp_path / "3.txt"))
    assert contents(tmp_path) == {f"{index}.txt": str(index) for index in (0, 1, 2, 4)}


def test_a_folder_is_synced_once_for_all_after_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = claims_of(tmp_path / "a", 3, "full") + claims_of(tmp_path / "b", 3, "full")
    publish_each(claims_of(tmp_path / "a" / "first", 1, "full"))  # from here on the way to it is known
    inode, fsync = os.stat(tmp_path / "a").st_ino, os.fsync
    found: list[set[str]] = []

    def noting(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == inode:
            found.append(set(os.listdir(tmp_path / "a")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    assert publish_each(claims) == [None] * 6
    assert found == [{"first", "0.txt", "1.txt", "2.txt"}]


def test_a_folder_that_can_not_be_synced_fails_all_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = claims_of(tmp_path / "a", 3, "full") + claims_of(tmp_path / "b", 2, "full")
    bad, fsync = os.stat(tmp_path / "a").st_ino, os.fsync

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == bad:
            monkeypatch.setattr(os, "fsync", fsync)  # the system reports it once
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    errors = publish_each(claims)
    assert [type(error) for error in errors] == [OSError] * 3 + [type(None)] * 2
    for claim in claims[:3]:
        claim.abort()
    assert contents(tmp_path / "a") == {}
    assert contents(tmp_path / "b") == {"0.txt": "0", "1.txt": "1"}


def test_a_claim_that_is_dropped_between_steps_is_free_again(tmp_path: Path) -> None:
    claims = claims_of(tmp_path, 2)
    steps = claims[0].publishing()
    next(steps)
    with pytest.raises(OutputClosedError):
        claims[0].write(b"more")
    del steps
    claims[0].abort()
    del claims
    assert contents(tmp_path) == {}
    assert publish_each(claims_of(tmp_path, 2)) == [None, None]
