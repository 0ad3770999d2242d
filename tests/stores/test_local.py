"""The local store: what may be in the way, whose file it is, and what a dead writer leaves."""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.descriptors import open_below

from asflow import Flow
from asflow.errors import (
    ClaimLostError,
    DefinitionTypeError,
    DefinitionValueError,
    OutputClosedError,
    OutputNameError,
    OutputPlaceError,
)
from asflow.sinks import NullSink
from asflow.stores import LocalStore, _posix
from asflow.stores._local_claim import LocalClaim

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.stores._local_claim import Durability


class Place:
    """One output's place in a folder of its own."""

    def __init__(self, folder: Path, suffix: str = ".txt") -> None:
        self.folder = folder
        self.path = folder / f"x{suffix}"
        self.part = folder / f"x{suffix}.part"
        self.failure = folder / "x.err"
        self.names = (str(self.path), str(self.failure))

    def claim(self, store: LocalStore | None = None, *, replace: bool = False) -> LocalClaim:
        claim = (store or LocalStore()).claim(*self.names, replace=replace)
        assert isinstance(claim, LocalClaim), claim
        return claim

    def make(self, data: bytes = b"whole", *, replace: bool = False) -> None:
        claim = self.claim(replace=replace)
        claim.write(data)
        claim.publish()

    def left(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def zst(tmp_path: Path) -> Place:
    return Place(tmp_path, ".jsonl.zst")


# Options


@pytest.mark.parametrize("value", ["", "fsync", "DATA", "x" * 1000])
def test_a_bad_durability_is_refused(value: str) -> None:
    """The message lists what is possible, and stays short."""
    with pytest.raises(DefinitionValueError, match="'data', 'full' or 'atomic'") as caught:
        LocalStore(durability=value)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, 1, b"data", ["data"]])
def test_a_durability_of_another_type_is_refused(value: object) -> None:
    """So is anything that is not a string."""
    with pytest.raises(DefinitionTypeError, match=re.escape(f"not {value!r}; ")):
        LocalStore(durability=value)  # type: ignore[arg-type]


def test_repr_and_path() -> None:
    """What a user sees of a store."""
    store = LocalStore(durability="full")
    assert repr(store) == "LocalStore(durability='full')"
    assert store.durability == "full"
    assert not store.blocking
    assert store.path("data/x.txt") == Path("data/x.txt")


# What is in the place


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    # A socket's address is short: bind relative to its folder.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def _dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def _circle(path: Path) -> None:
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


THINGS = pytest.mark.parametrize(
    ("put", "kind", "code"),
    [
        (Path.mkdir, "a folder", errno.EISDIR),
        (_fifo, "a FIFO", errno.EEXIST),
        (_socket, "a socket", errno.EEXIST),
        (_device, "a device", errno.EEXIST),
        (_dangling, "leads nowhere", errno.ENOENT),
        (_circle, "leads nowhere", errno.ELOOP),
    ],
)


@THINGS
@pytest.mark.parametrize("replace", [False, True])
def test_something_else_in_the_outputs_place(
    place: Place, put: Callable[[Path], None], kind: str, code: int, replace: bool
) -> None:
    """The error has its name and errno; it stays, and nothing else is left."""
    put(place.path)
    store = LocalStore()
    for act in (
        lambda: store.status(*place.names),
        lambda: store.info(place.names[0]),
        lambda: store.claim(*place.names, replace=replace),
    ):
        with pytest.raises(OutputPlaceError, match=kind) as caught:
            act()
        assert caught.value.errno == code
        assert caught.value.filename == str(place.path)
        assert "move it" in str(caught.value)
    assert place.left() == [place.path.name]
    assert list(store.list(f"{place.folder}/")) == []


@THINGS
def test_something_else_in_the_failures_place(
    place: Place, put: Callable[[Path], None], kind: str, code: int
) -> None:
    """The same holds for the recorded failure."""
    put(place.failure)
    with pytest.raises(OutputPlaceError, match=kind) as caught:
        LocalStore().claim(*place.names)
    assert (caught.value.errno, caught.value.filename) == (code, str(place.failure))
    assert place.left() == [place.failure.name]


@THINGS
def test_something_else_in_the_place_of_the_work(
    place: Place, put: Callable[[Path], None], kind: str, code: int
) -> None:
    """The same holds for `NAME.part`; a link there is never followed."""
    put(place.part)
    with pytest.raises(OutputPlaceError, match=kind) as caught:
        LocalStore().claim(*place.names)
    assert (caught.value.errno, caught.value.filename) == (code, str(place.part))
    assert place.left() == [place.part.name]
    assert open_below(place.folder) == []


def test_a_link_in_the_place_of_the_work_is_not_written_through(place: Place, tmp_path: Path) -> None:
    """`NAME.part` as a link to another file is an error, and that file stays as it was."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place.part.symlink_to(victim)
    with pytest.raises(OutputPlaceError, match="a file is expected here, not a symbolic link;") as caught:
        LocalStore().claim(*place.names)
    assert caught.value.filename == str(place.part)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("put", [Path.mkdir, _fifo, _dangling])
@pytest.mark.parametrize("replace", [False, True])
def test_something_else_comes_into_the_place_during_the_task(
    place: Place, put: Callable[[Path], None], replace: bool
) -> None:
    """Publishing raises, and abort cleans up."""
    claim = place.claim(replace=replace)
    claim.write(b"x")
    put(place.path)
    with pytest.raises(OutputPlaceError):
        claim.publish()
    claim.abort()
    claim.abort()
    assert place.left() == [place.path.name]


BELOW = pytest.mark.parametrize("below", ["x.txt", "a/x.txt", "a/b/c/x.txt"])
"""How far above the output the thing is that should be a folder."""


@pytest.mark.parametrize("method", ["status", "claim"])
@pytest.mark.parametrize("linked", [False, True])
@BELOW
def test_a_file_in_a_folders_place(tmp_path: Path, method: str, below: str, linked: bool) -> None:
    """The error names the file that is in the way, at any level of the path, or the link to it."""
    blocker = tmp_path / "base"
    if linked:
        (tmp_path / "file").write_text("a file")
        blocker.symlink_to("file")
    else:
        blocker.write_text("a file")
    deep = blocker / below
    with pytest.raises(NotADirectoryError, match="needs a folder here, not a file;") as caught:
        getattr(LocalStore(), method)(str(deep), str(deep.with_suffix(".err")))
    assert caught.value.errno == errno.ENOTDIR
    assert caught.value.filename == str(blocker)
    assert not list(LocalStore().list(f"{deep}"))


@BELOW
def test_a_dangling_link_in_a_folders_place(tmp_path: Path, below: str) -> None:
    """A folder that is a link to nowhere is reported as such."""
    (tmp_path / "base").symlink_to(tmp_path / "nowhere")
    name = str(tmp_path / "base" / below)
    assert LocalStore().status(name, name + ".err") == "absent"
    with pytest.raises(OutputPlaceError, match=r"a folder is expected here, not .* leads nowhere;") as caught:
        LocalStore().claim(name, name + ".err")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "base"))
    assert "change base" in str(caught.value)
    assert os.listdir(tmp_path) == ["base"]


@pytest.mark.parametrize("method", ["status", "claim"])
@BELOW
def test_a_link_to_itself_in_a_folders_place(tmp_path: Path, method: str, below: str) -> None:
    """So is one that leads in a circle."""
    _circle(tmp_path / "base")
    name = str(tmp_path / "base" / below)
    with pytest.raises(OutputPlaceError, match=r"a folder is expected here, not .* leads nowhere;") as caught:
        getattr(LocalStore(), method)(name, name + ".err")
    assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, str(tmp_path / "base"))


@BELOW
def test_something_in_the_place_of_the_failures_folder(tmp_path: Path, below: str) -> None:
    """The same errors for a failure in a folder of its own; the claim can be aborted."""
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    _circle(tmp_path / "circle")
    (tmp_path / "file").touch()
    for base, kind in (
        ("dangling", OutputPlaceError),
        ("circle", OutputPlaceError),
        ("file", NotADirectoryError),
    ):
        name, part = str(tmp_path / "out" / "x.txt"), tmp_path / "out" / "x.txt.part"
        # Put in its place after the claim was made: the claim itself looks at the failure.
        claim = LocalStore().claim(name, name + ".err")
        assert isinstance(claim, LocalClaim)
        claim._failure = str(tmp_path / base / below)
        with pytest.raises(kind) as caught:
            claim.fail(b"report")
        assert isinstance(caught.value, OSError)
        assert caught.value.filename == str(tmp_path / base)
        assert part.exists()
        claim.abort()
        assert not part.exists()


def test_an_error_of_making_folders_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing is in the way, the operating system's own error is raised."""

    def refuse(path: str, mode: int = 0o777) -> None:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "mkdir", refuse)
    for code in (errno.EACCES, errno.ENOSPC, errno.EROFS, errno.ENOENT):
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            LocalStore().claim(str(tmp_path / "a" / "x.txt"), str(tmp_path / "a" / "x.err"))
        assert caught.value.errno == code
        assert not isinstance(caught.value, OutputPlaceError)


def test_a_folder_that_another_process_makes_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error does not matter: the folder exists."""
    makedirs = os.makedirs

    def late(path: str, *, exist_ok: bool) -> None:
        makedirs(path, exist_ok=exist_ok)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    monkeypatch.setattr(os, "makedirs", late)
    place = Place(tmp_path / "a" / "b")
    place.make()
    assert place.left() == ["x.txt"]


@THINGS
def test_reading_never_waits(place: Place, put: Callable[[Path], None], kind: str, code: int) -> None:
    """`open` of something that is not a file is an error at once: a FIFO would wait for a writer."""
    put(place.path)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the class differs, the errno is what counts
        LocalStore().open(str(place.path))
    assert caught.value.errno == code
    assert open_below(place.folder) == []


def test_a_link_to_a_file_is_an_output(place: Place, tmp_path: Path) -> None:
    """Data may be moved elsewhere and linked; replacing replaces the link, deleting deletes it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"linked")
    place.path.symlink_to(elsewhere)
    store = LocalStore()
    assert store.status(*place.names) == "complete"
    assert store.claim(*place.names) == "complete"
    with store.open(place.names[0]) as file:
        assert file.read() == b"linked"
    place.make(b"new", replace=True)
    assert not place.path.is_symlink()
    assert elsewhere.read_bytes() == b"linked"


# What is not a whole file


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".csv.gz", ".parquet"])
def test_an_empty_compressed_file_is_not_done(tmp_path: Path, suffix: str) -> None:
    """It counts as absent everywhere, and is replaced by the next run."""
    place = Place(tmp_path, suffix)
    place.path.touch()
    store = LocalStore()
    assert store.status(*place.names) == "absent"
    assert store.info(place.names[0]) is None
    assert list(store.list(f"{tmp_path}/")) == []
    with pytest.raises(FileNotFoundError, match="empty"):
        store.open(place.names[0])
    place.make(b"frame")
    assert place.path.read_bytes() == b"frame"
    assert place.left() == [place.path.name]


def test_an_empty_compressed_file_yields_to_a_recorded_failure(zst: Place) -> None:
    """If both exist, the failure counts."""
    zst.path.touch()
    zst.failure.write_text("report")
    assert LocalStore().status(*zst.names) == "suppressed"


def test_an_empty_plain_file_is_done(place: Place) -> None:
    """An output without a record is a result."""
    place.claim().publish()
    assert LocalStore().status(*place.names) == "complete"
    assert place.path.stat().st_size == 0


# Which output stays


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("end", ["publish", "fail"])
def test_a_file_that_appeared_is_never_taken_for_the_output(
    place: Place, monkeypatch: pytest.MonkeyPatch, links: bool, replace: bool, end: str
) -> None:
    """The body's own library made it, or another program: an error, and it stays as it is."""
    if not links:
        monkeypatch.setattr(os, "link", _refuse_links)
    claim = place.claim(replace=replace)
    claim.write(b"ours")
    place.path.write_bytes(b"theirs")
    with pytest.raises(OutputPlaceError, match="a file appeared under the output's name") as caught:
        claim.publish() if end == "publish" else claim.fail(b"report")
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(place.path))
    claim.abort()
    assert place.path.read_bytes() == b"theirs"
    assert place.left() == [place.path.name]


@pytest.mark.parametrize("existed", [False, True])
def test_a_file_that_appeared_during_a_task_that_failed_is_logged(
    place: Place, caplog: pytest.LogCaptureFixture, existed: bool
) -> None:
    """An abort never raises; but the next call will take that file for done."""
    if existed:
        place.make(b"old")
    claim = place.claim(replace=existed)
    place.path.write_bytes(b"theirs")
    claim.abort()
    assert place.path.read_bytes() == b"theirs"
    assert [str(place.path) in record.getMessage() for record in caplog.records] == [True][existed:]


def test_a_failure_that_appeared_is_replaced(place: Place) -> None:
    claim = place.claim()
    place.failure.write_bytes(b"older")
    claim.fail(b"report")
    assert place.failure.read_bytes() == b"report"
    assert place.left() == [place.failure.name]


def test_what_replace_finds_at_the_claim_is_replaced_however_it_changes(place: Place) -> None:
    place.make(b"old")
    claim = place.claim(replace=True)
    claim.write(b"new")
    place.path.write_bytes(b"changed")
    claim.publish()
    assert place.path.read_bytes() == b"new"
    assert place.left() == [place.path.name]


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("replace", [False, True])
def test_an_unlinked_work_is_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch, links: bool, replace: bool
) -> None:
    """If another program removes `NAME.part`, nothing is published, and abort is quiet."""
    if not links:
        monkeypatch.setattr(os, "link", _refuse_links)
    claim = place.claim(replace=replace)
    claim.write(b"x")
    place.part.unlink()
    with pytest.raises(ClaimLostError, match=r"x\.txt\.part"):
        claim.publish()
    with pytest.raises(OutputClosedError, match="new one"):
        claim.publish()
    claim.abort()
    assert place.left() == []


def _refuse_links(*args: object, **kwargs: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("end", ["publish", "fail", "abort"])
def test_a_stolen_place_stays_the_new_owners(
    place: Place, monkeypatch: pytest.MonkeyPatch, links: bool, replace: bool, end: str
) -> None:
    """A removes nothing of B's and never publishes B's unfinished bytes, whichever way A ends."""
    if not links:
        monkeypatch.setattr(os, "link", _refuse_links)
    first = place.claim(replace=replace)
    first.write(b"first")
    place.part.unlink()
    second = place.claim(replace=replace)
    second.write(b"sec")
    if end == "abort":
        first.abort()
    else:
        with pytest.raises(ClaimLostError):
            first.publish() if end == "publish" else first.fail(b"report")
        first.abort()
    assert place.left() == [place.part.name]
    second.write(b"ond")
    second.publish()
    assert place.path.read_bytes() == b"second"
    assert place.left() == [place.path.name]


@pytest.mark.parametrize("replace", [False, True])
def test_the_folder_vanishes(tmp_path: Path, replace: bool) -> None:
    """Removing the whole folder during a task loses the claim; every end copes."""
    place = Place(tmp_path / "gone")
    claim = place.claim(replace=replace)
    place.part.unlink()
    place.folder.rmdir()
    claim.write(b"x")
    with pytest.raises(ClaimLostError):
        claim.publish()
    claim.abort()
    claim.abort()
    other = place.claim()
    place.part.unlink()
    place.folder.rmdir()
    other.abort()
    assert not place.folder.exists()


def test_the_way_to_a_folder_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With "full" the first output of a folder syncs all folders above it, the next one just its own."""
    synced: list[str] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    store = LocalStore(durability="full")
    for name in ("1", "2"):
        claim = store.claim(str(tmp_path / "a" / "b" / name), str(tmp_path / f"{name}.err"))
        assert isinstance(claim, LocalClaim)
        claim.publish()
        synced.append("|")
    assert synced[:4] == ["1.part", "b", "a", tmp_path.name]
    assert synced[-5:] == ["", "|", "2.part", "b", "|"]
    assert store.delete(str(tmp_path / "a" / "b" / "1"))
    assert synced[-1] == "b"


def test_a_folder_that_is_made_again_is_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With "full": it may have the inode of the one that was removed, whose way is on the disk."""
    synced: list[str] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def reused(found: os.stat_result) -> _posix.Mark:
        return (found.st_dev, 0 if stat.S_ISDIR(found.st_mode) else found.st_ino)

    monkeypatch.setattr(_posix, "mark_of", reused)  # as if each new folder got the inode of an old one
    monkeypatch.setattr(os, "fsync", spy)
    store = LocalStore(durability="full")
    place = Place(tmp_path / "a" / "b")
    place.claim(store).publish()
    shutil.rmtree(tmp_path / "a")
    synced.clear()
    place.claim(store).publish()
    assert {str(place.folder), str(tmp_path / "a"), str(tmp_path)} <= set(synced)
    synced.clear()
    other = store.claim(str(place.folder / "y.txt"), str(place.folder / "y.err"))
    assert isinstance(other, LocalClaim)
    other.publish()
    assert [path for path in synced if os.path.isdir(path)] == [str(place.folder)]


def test_a_folder_that_is_moved_away_takes_no_output_along(tmp_path: Path) -> None:
    """If the folder is renamed and replaced, nothing is published into either."""
    place = Place(tmp_path / "data")
    claim = place.claim()
    claim.write(b"x")
    place.folder.rename(tmp_path / "old")
    with pytest.raises(ClaimLostError):
        claim.publish()
    claim.abort()
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "x.txt.part"]


@pytest.mark.parametrize("durability", ["data", "full", "atomic"])
def test_publishing_over_a_failure(place: Place, durability: Durability) -> None:
    """With replace the new output takes the old failure away."""
    store = LocalStore(durability=durability)
    claim = place.claim(store)
    claim.fail(b"Traceback")
    assert place.left() == ["x.err"]
    assert place.failure.read_bytes() == b"Traceback"
    again = place.claim(store, replace=True)
    again.write(b"whole")
    again.publish()
    assert place.left() == ["x.txt"]


def test_a_failure_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """The failure's folder is made when it is needed, and only then."""
    name, failure = str(tmp_path / "a" / "x.txt"), str(tmp_path / "b" / "c" / "x.err")
    store = LocalStore(durability="full")
    claim = store.claim(name, failure)
    assert isinstance(claim, LocalClaim)
    assert not (tmp_path / "b").exists()
    claim.fail(b"report")
    assert store.status(name, failure) == "suppressed"


def test_a_write_that_failed_spoils_the_output(place: Place) -> None:
    """What is cut is never published, even by a caller that swallows the error."""
    claim = place.claim()
    claim.write(b"first")
    with pytest.raises(TypeError):
        claim.write("text")  # type: ignore[arg-type]
    os.close(claim._descriptor)  # as if the disk had failed: the next write raises EBADF
    with pytest.raises(OSError, match=r"x\.txt") as caught:
        claim.write(b"second")
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="cut") as again:
        claim.publish()
    assert again.value.errno == errno.EBADF
    claim.abort()
    assert place.left() == []


def test_a_refused_type_spoils_nothing(place: Place) -> None:
    """A TypeError comes before anything is written."""
    claim = place.claim()
    claim.write(b"a")
    with pytest.raises(TypeError):
        claim.write(None)  # type: ignore[arg-type]
    claim.write(memoryview(b"bc").cast("H"))
    claim.publish()
    assert place.path.read_bytes() == b"abc"


# What dead writers leave


@pytest.mark.parametrize("size", [0, 24])
def test_a_dead_writers_file_is_removed_and_never_written_to(place: Place, size: int) -> None:
    """It may be a published file's second name, on a file system that counts one link for each name."""
    place.part.write_bytes(b"half of something longer"[:size])
    with place.part.open("rb") as found:
        claim = place.claim()
        claim.write(b"new")
        assert found.read() == b"half of something longer"[:size]
        assert os.fstat(found.fileno()).st_nlink == 0
    claim.publish()
    assert place.path.read_bytes() == b"new"
    assert place.left() == ["x.txt"]


def test_a_dead_writers_bytes_are_discarded(place: Place) -> None:
    place.part.write_bytes(b"half of something longer")
    assert LocalStore().status(*place.names) == "absent"
    place.make(b"new")
    assert place.path.read_bytes() == b"new"
    assert place.left() == ["x.txt"]


@pytest.mark.parametrize("which", ["path", "failure"])
def test_a_second_name_is_swept(place: Place, which: str) -> None:
    """A writer killed between link and unlink leaves `.part` as a second name: looking removes it."""
    target: Path = getattr(place, which)
    target.write_bytes(b"whole")
    os.link(target, place.part)
    LocalStore().status(*place.names)
    assert place.left() == [target.name]
    assert target.read_bytes() == b"whole"


def test_a_second_name_is_never_written_to(place: Place) -> None:
    """Replacing an output whose `.part` is the same file must not empty that output."""
    place.path.write_bytes(b"whole")
    os.link(place.path, place.part)
    os.link(place.path, place.folder / "x.txt.part.part")
    claim = place.claim(replace=True)
    claim.write(b"new")
    assert place.path.read_bytes() == b"whole"
    assert place.left() == ["x.txt", "x.txt.part"]
    claim.abort()
    assert place.left() == ["x.txt"]
    assert place.path.read_bytes() == b"whole"


def test_a_leftover_of_replacing_is_no_obstacle(place: Place) -> None:
    """A `.part.part` on its own is overwritten by the next replacement."""
    place.path.write_bytes(b"old")
    (place.folder / "x.txt.part.part").write_bytes(b"from a writer that was killed")
    place.make(b"new", replace=True)
    assert place.path.read_bytes() == b"new"
    assert place.left() == ["x.txt"]


def test_sweeping_leaves_a_living_writer_alone(place: Place) -> None:
    """A `.part` that is locked, or another file, is not touched by looking."""
    place.path.write_bytes(b"whole")
    claim = place.claim(replace=True)
    os.link(place.path, place.folder / "backup")
    assert LocalStore().status(*place.names) == "complete"
    claim.write(b"new")
    claim.publish()
    assert place.path.read_bytes() == b"new"


def test_a_dropped_claim_leaves_nothing(place: Place) -> None:
    """A claim that is garbage-collected closes its file and removes it."""
    claim = place.claim()
    claim.write(b"x")
    assert LocalStore().claim(*place.names) == "busy"
    del claim
    gc.collect()
    assert place.left() == []
    assert open_below(place.folder) == []


def test_nothing_is_left_open(place: Place, tmp_path: Path) -> None:
    """Every way to end or to be refused closes its descriptors."""
    store = LocalStore(durability="full")
    for _ in range(3):
        claim = place.claim(store)
        assert store.claim(*place.names) == "busy"
        claim.publish()
        assert store.claim(*place.names) == "complete"
        place.claim(store, replace=True).fail(b"x")
        store.delete(place.names[0])
        assert store.claim(*place.names) == "suppressed"
        place.claim(store, replace=True).abort()
        store.delete(place.names[1])
    assert open_below(place.folder) == []
    assert place.left() == []


# Names and metadata


@pytest.mark.parametrize("name", ["", "x/", "x.part", "a/x.txt.part"])
def test_names_that_no_output_has(tmp_path: Path, name: str) -> None:
    """A name that would be taken for work in progress, or for a folder, is refused."""
    with pytest.raises(OutputNameError, match=repr(name)):
        LocalStore().claim(name, str(tmp_path / "x.err"))


def test_a_relative_claim_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of directory during the task does not move the output."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    claim = LocalStore(durability="full").claim("x.txt", "x.err")
    assert isinstance(claim, LocalClaim)
    monkeypatch.chdir("other")
    claim.publish()
    assert (tmp_path / "x.txt").exists()
    assert os.listdir(".") == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(place: Place, umask: int, mode: int) -> None:
    """As of a file that the user's own code opens."""
    old = os.umask(umask)
    try:
        place.make()
    finally:
        os.umask(old)
    assert stat.S_IMODE(place.path.stat().st_mode) == mode


def test_the_time_is_that_of_publishing(place: Place) -> None:
    """Even if the file was created long before."""
    place.part.touch()
    os.utime(place.part, (1, 1))
    before = time.time()
    place.claim().publish()
    info = LocalStore().info(place.names[0])
    assert info is not None
    assert before - 1 <= info.modified <= time.time() + 1
    assert info.size == 0


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    """An error of the system's number says what to do, and nothing is left."""
    name = str(tmp_path / ("x" * 255))
    assert LocalStore().status(name, str(tmp_path / "x.err")) == "absent"
    with pytest.raises(OSError, match="too long for this system; shorten base or on") as caught:
        LocalStore().claim(name, str(tmp_path / "x.err"))
    assert caught.value.errno == errno.ENAMETOOLONG
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("end", ["publish", "fail"])
def test_a_name_that_just_fits_can_be_replaced(tmp_path: Path, end: str) -> None:
    """`NAME.part` is as long as a name may be, so `NAME.part.part` is too long."""
    path = tmp_path / ("x" * 246 + ".txt")
    failure = path.with_suffix(".err")
    store = LocalStore()
    for data in (b"old", b"new"):
        claim = store.claim(str(path), str(failure), replace=True)
        assert isinstance(claim, LocalClaim)
        if end == "publish":
            claim.write(data)
            claim.publish()
        else:
            claim.fail(data)
    assert (path if end == "publish" else failure).read_bytes() == b"new"
    assert len(os.listdir(tmp_path)) == 1


def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 pass through as Python decodes them."""
    name = str(tmp_path / os.fsdecode(b"\xff.txt"))
    claim = LocalStore().claim(name, name + ".err")
    assert isinstance(claim, LocalClaim)
    claim.publish()
    assert list(LocalStore().list(f"{tmp_path}/")) == [name]


def test_listing_follows_links_but_not_in_circles(tmp_path: Path) -> None:
    """A linked folder's outputs are listed, a link back to a folder above is not entered."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.txt").touch()
    (tmp_path / "a" / "b" / "back").symlink_to(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    names = [os.path.relpath(name, tmp_path) for name in LocalStore().list(f"{tmp_path}/")]
    assert names == ["a/b/x.txt", "link/x.txt"]


def test_listing_is_deep_and_lazy(tmp_path: Path) -> None:
    """Deeper than Python's stack would go, and the first name costs no walk through all folders."""
    names = LocalStore().list(f"{tmp_path}/")
    (tmp_path / "0.txt").touch()
    here = os.open(tmp_path, os.O_RDONLY)
    descriptors = [here]
    try:
        for _ in range(1100):
            os.mkdir("d", dir_fd=descriptors[-1])
            descriptors.append(os.open("d", os.O_RDONLY, dir_fd=descriptors[-1]))
            if len(descriptors) > 2:
                os.close(descriptors.pop(0))
        os.close(os.open("x.txt", os.O_CREAT | os.O_WRONLY, dir_fd=descriptors[-1]))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    try:
        assert next(names) == f"{tmp_path}/0.txt"
        assert next(names).endswith("/d/x.txt")
    finally:
        # Too deep for shutil.rmtree, with which pytest would clean up.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True, timeout=30)


def test_listing_of_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty prefix lists what is here, in relative names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").touch()
    (tmp_path / "b.txt").touch()
    assert list(LocalStore().list("")) == ["a/x.txt", "b.txt"]
    assert list(LocalStore().list("./a")) == ["./a/x.txt"]


def test_deleting_a_folder_is_refused(place: Place) -> None:
    """`delete` deletes outputs, not folders."""
    place.path.mkdir()
    with pytest.raises(OutputPlaceError, match="a folder"):
        LocalStore().delete(place.names[0])
    assert place.path.is_dir()


# Threads


def test_a_thread_that_lives_on_cannot_write(place: Place) -> None:
    """Bytes that a thread writes while the claim ends are all in the file, or their write was refused."""
    for _ in range(20):
        claim = place.claim()
        accepted: list[int] = []
        started = threading.Event()

        def work(claim: LocalClaim = claim, accepted: list[int] = accepted, started=started) -> None:  # type: ignore[no-untyped-def]
            while True:
                try:
                    accepted.append(claim.write(b"0123456789"))
                except OutputClosedError:
                    return
                started.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert started.wait(10)
        claim.publish()
        size = place.path.stat().st_size
        thread.join(10)
        assert place.path.stat().st_size == size == sum(accepted)
        place.path.unlink()


def test_a_task_without_suppress_takes_no_file_for_its_failure(tmp_path: Path) -> None:
    """Not even one that an editor has left beside a failure."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        flow.task.write(name)

    (tmp_path / "x.txt.err").write_text("another task's")
    (tmp_path / "x.txt.err~").write_text("an editor's")
    assert flow.task.output(make, "x").status == "absent"
    make("x")
    assert (tmp_path / "x.txt").read_text() == "x"
