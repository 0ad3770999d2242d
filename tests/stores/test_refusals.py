"""The local store on a faulty disk: what is raised, and what is left behind."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.descriptors import open_below

from asflow.errors import ClaimLostError, OutputClosedError
from asflow.stores import LocalStore
from asflow.stores._local_claim import Durability, LocalClaim
from asflow.stores._posix import name_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")

WHOLE = os.write


class Place:
    """One output's names in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path, self.failure = folder / "x.txt", folder / "x.err"
        self.part = folder / "x.txt.part"
        self.names = (str(self.path), str(self.failure))

    def claim(self, store: LocalStore | None = None, *, replace: bool = False) -> LocalClaim:
        claim = (store or LocalStore()).claim(*self.names, replace=replace)
        assert isinstance(claim, LocalClaim), claim
        return claim

    def left(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_disk_that_takes_a_few_bytes_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output and the report are still whole."""
    claim = place.claim()
    monkeypatch.setattr(os, "write", lambda descriptor, data: WHOLE(descriptor, bytes(data)[:3]))
    assert claim.write(b"0123456789" * 3) == 30
    claim.publish()
    assert place.path.read_bytes() == b"0123456789" * 3
    place.claim(replace=True).fail(b"a report of some length")
    assert place.failure.read_bytes() == b"a report of some length"


@pytest.mark.parametrize("end", ["write", "fail"])
def test_a_disk_that_takes_no_bytes(place: Place, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """It is an error with a code and a name, not a loop without end, and nothing is published."""
    claim = place.claim()
    answers = iter([2, 0])
    monkeypatch.setattr(os, "write", lambda descriptor, data: WHOLE(descriptor, data[: next(answers)]))
    with pytest.raises(OSError, match="the disk takes no bytes") as caught:
        claim.write(b"four") if end == "write" else claim.fail(b"four")
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == (place.names[0] if end == "write" else place.names[1])
    if end == "write":
        with pytest.raises(OSError, match="cut") as caught:
            claim.publish()
        assert caught.value.errno == errno.EIO
        assert caught.value.filename == place.names[0]
    claim.abort()
    assert place.left() == []


def test_a_write_that_is_interrupted_spoils_the_output(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a write: how much of it was written is unknown."""
    claim = place.claim()

    def interrupt(descriptor: int, data: bytes) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            claim.write(b"data")
    with pytest.raises(OSError, match="cut") as caught:
        claim.publish()
    assert caught.value.errno == errno.EINTR
    claim.abort()
    assert place.left() == []


@pytest.mark.parametrize("end", ["publish", "fail", "abort"])
def test_a_claim_that_has_ended_closes_no_other_file(place: Place, end: str) -> None:
    """Another file may get the number of its descriptor."""
    claim = place.claim()
    claim.publish() if end == "publish" else claim.fail(b"report") if end == "fail" else claim.abort()
    with open(place.folder / "other", "w+b", buffering=0) as other:
        claim.abort()
        claim.publish()
        claim.fail(b"again")
        del claim
        other.write(b"still open")
    with pytest.raises(OutputClosedError, match=r"x\.txt' takes no more bytes"):
        _ended(place).write(b"late")


def _ended(place: Place) -> LocalClaim:
    claim = place.claim(replace=True)
    claim.abort()
    return claim


def test_atomic_waits_for_no_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = place.claim(LocalStore(durability="atomic"))
    monkeypatch.setattr(os, "fsync", _refuse(errno.EIO))
    claim.write(b"whole")
    claim.publish()
    assert place.path.read_bytes() == b"whole"


@pytest.mark.parametrize("durability", ["data", "full"])
def test_the_bytes_are_on_the_disk_before_the_name(
    place: Place, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """And with "full" the name and the path to it are too, before publish returns."""
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def name(*args: Any, **named: Any) -> None:
        steps.append("name")
        link(*args, **named)

    claim = place.claim(LocalStore(durability=durability))
    claim.write(b"whole")
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", name)
    claim.publish()
    assert steps[:2] == ["file", "name"]
    assert set(steps[2:]) == ({"folder"} if durability == "full" else set())


def test_the_way_to_each_new_folder_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With "full", that one folder's path is synced says nothing about another's."""
    synced: set[int] = set()
    fsync = os.fsync

    def sync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    store = LocalStore(durability="full")
    for name in ("a", "b", "b/c"):
        synced.clear()
        folder = tmp_path / name
        folder.mkdir()
        claim = store.claim(str(folder / "x.txt"), str(folder / "x.err"))
        assert isinstance(claim, LocalClaim)
        claim.publish()
        assert {folder.stat().st_ino, folder.parent.stat().st_ino} <= synced


def test_an_empty_compressed_file_is_not_found(tmp_path: Path) -> None:
    name = str(tmp_path / "x.jsonl.gz")
    Path(name).touch()
    with pytest.raises(FileNotFoundError, match="not a whole output") as caught:
        LocalStore().open(name)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == name


@pytest.mark.parametrize("end", ["publish", "fail"])
def test_after_an_end_that_failed_nothing_more_is_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The bytes are no longer an output's: a report may have been written over them."""
    claim = place.claim()
    claim.write(b"output")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _refuse(errno.EIO))
        with pytest.raises(OSError, match="Input/output error"):
            claim.publish() if end == "publish" else claim.fail(b"report")
    with pytest.raises(OutputClosedError, match="no more bytes"):
        claim.write(b"late")
    with pytest.raises(OutputClosedError, match="was not published before"):
        claim.publish()
    assert place.left() == ["x.txt.part"]
    claim.abort()
    assert place.left() == []


def test_a_report_shorter_than_the_bytes_it_replaces(place: Place) -> None:
    """No byte of the output stays in it, under an empty report either."""
    for report in (b"short", b""):
        claim = place.claim(replace=True)
        claim.write(b"bytes of an output")
        claim.fail(report)
        assert place.failure.read_bytes() == report


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_vanishes_at_the_last_moment_is_a_lost_claim(
    place: Place, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Another program removes the file just before it is renamed."""
    place.path.write_bytes(b"old")
    replace = os.replace

    def stolen(source: str, target: str) -> None:
        os.unlink(source)
        replace(source, target)

    claim = place.claim(replace=True)
    claim.write(b"new")
    monkeypatch.setattr(os, "replace", stolen)
    if not links:
        monkeypatch.setattr(os, "link", _refuse(errno.EPERM))
    with pytest.raises(ClaimLostError, match="nothing was published"):
        claim.publish()
    claim.abort()
    assert place.path.read_bytes() == b"old"
    assert place.left() == ["x.txt"]


def test_a_folder_that_can_not_be_synced_takes_the_name_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With "full"; the error is the one of the sync, also if the name can't be removed."""
    fsync, unlink = os.fsync, os.unlink

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    def refuse_output(path: str, *, dir_fd: int | None = None) -> None:
        if path == place.names[0]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        unlink(path, dir_fd=dir_fd)  # pytest's, of the folder that it removes

    monkeypatch.setattr(os, "fsync", refuse_folders)
    store = LocalStore(durability="full")
    for stays in (False, True):
        claim = place.claim(store)
        claim.write(b"whole")
        if stays:
            monkeypatch.setattr(os, "unlink", refuse_output)
        with pytest.raises(OSError, match="Input/output error") as caught:
            claim.publish()
        assert caught.value.errno == errno.EIO
        claim.abort()
        assert place.left() == (["x.txt"] if stays else [])
    assert place.path.read_bytes() == b"whole"


def test_an_older_output_is_not_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a sync fails after the replacement, the old one can't be restored: the new one stays, whole."""
    place.path.write_bytes(b"old")
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    claim = place.claim(LocalStore(durability="full"), replace=True)
    claim.write(b"new")
    monkeypatch.setattr(os, "fsync", refuse_folders)
    with pytest.raises(OSError, match="Input/output error"):
        claim.publish()
    claim.abort()
    assert place.path.read_bytes() == b"new"
    assert place.left() == ["x.txt"]


def test_a_second_name_that_can_not_be_swept_does_no_harm(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.path.write_bytes(b"whole")
    os.link(place.path, place.part)
    for name in ("open", "unlink"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, _refuse(errno.EACCES))
            assert LocalStore().status(*place.names) == "complete"
    assert place.left() == ["x.txt", "x.txt.part"]
    assert LocalStore().status(*place.names) == "complete"
    assert place.left() == ["x.txt"]
    assert open_below(place.folder) == []


def test_a_file_that_can_not_be_deleted_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.path.write_bytes(b"whole")
    monkeypatch.setattr(os, "unlink", _refuse(errno.EACCES))
    with pytest.raises(PermissionError):
        LocalStore().delete(place.names[0])


def test_an_error_that_names_its_file_keeps_the_name() -> None:
    error = OSError(errno.EACCES, "no", "mine")
    name_file(error, "other")
    assert error.filename == "mine"
    nameless = OSError(errno.EACCES, "no")
    name_file(nameless, "other")
    assert nameless.filename == "other"
    name_file(KeyboardInterrupt(), "other")


def _refuse(code: int) -> Callable[..., None]:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse
