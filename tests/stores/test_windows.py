"""The local store as it works on Windows, with stand-ins for what Windows does differently.

They are about order, retries and cleaning up. What they can't show needs a real one: text mode, pending
deletes, mandatory locks, lengths of paths.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import types
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, LocalStore
from asflow._descriptors import above_standard
from asflow.errors import ClaimLostError, OutputNameError, OutputPlaceError
from asflow.sinks import NullSink
from asflow.stores import _posix, _windows
from asflow.stores._local_claim import LocalClaim
from asflow.testing import check_store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for Windows")

RENAME, REPLACE, UNLINK, UTIME, OPEN = os.rename, os.replace, os.unlink, os.utime, os.open


class Windows:
    """Stands in for `_winapi` and `msvcrt`, and for the calls of `os` that do something else there.

    Attributes:
        refusals: how often each call is refused from now on, since another program has the file open.
        code: the Windows error of these refusals.
        calls: how often each call was made.
        open: handles that were not turned into descriptors.
    """

    def __init__(self) -> None:
        self.refusals: Counter[str] = Counter()
        self.code = 32
        self.calls: Counter[str] = Counter()
        self.open: set[int] = set()

    def refuse(self, call: str, path: str) -> None:
        self.calls[call] += 1
        if self.refusals[call] > 0:
            self.refusals[call] -= 1
            error: Any = PermissionError(errno.EACCES, "The process cannot access the file", path)
            error.winerror = self.code
            raise error

    def create_file(
        self, path: str, access: int, share: int, security: int, disposition: int, flags: int, template: int
    ) -> int:
        assert share == 7, "another program could not rename or delete it"
        self.refuse("CreateFile", path)
        handle = OPEN(path, os.O_RDWR | (os.O_CREAT | os.O_EXCL if disposition == 1 else 0), 0o666)
        self.open.add(handle)
        return handle

    def open_osfhandle(self, handle: int, flags: int) -> int:
        self.open.discard(handle)
        return handle

    def close_handle(self, handle: int) -> None:
        self.open.discard(handle)
        os.close(handle)

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 1 << 43, "readers would be kept out"
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    def rename(self, path: str, target: str) -> None:
        self.refuse("rename", path)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", path)
        RENAME(path, target)

    def replace(self, path: str, target: str) -> None:
        self.refuse("replace", path)
        REPLACE(path, target)

    def unlink(self, path: str, **named: Any) -> None:
        self.refuse("unlink", path)
        UNLINK(path, **named)

    def utime(self, path: object, *args: Any) -> None:
        if isinstance(path, int):
            raise TypeError("utime: path should be string, bytes or os.PathLike, not int")
        UTIME(path, *args)  # type: ignore[arg-type]

    def open_file(self, path: str, flags: int, *args: Any, **named: Any) -> int:
        if os.path.isdir(path) and not named:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return OPEN(path, flags, *args, **named)

    def link(self, *args: Any, **named: Any) -> None:
        raise NotImplementedError("link: src_dir_fd unavailable on this platform")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    made = Windows()
    winapi: Any = types.ModuleType("_winapi")
    winapi.CreateFile, winapi.CloseHandle = made.create_file, made.close_handle
    msvcrt: Any = types.ModuleType("msvcrt")
    msvcrt.LK_NBLCK, msvcrt.locking, msvcrt.open_osfhandle = 2, made.locking, made.open_osfhandle
    monkeypatch.setitem(sys.modules, "_winapi", winapi)
    monkeypatch.setitem(sys.modules, "msvcrt", msvcrt)
    monkeypatch.setattr(_posix, "WINDOWS", True)
    for name in ("rename", "replace", "unlink", "utime", "link"):
        monkeypatch.setattr(os, name, getattr(made, name))
    monkeypatch.setattr(os, "open", made.open_file)
    return made


def claim(folder: Path, name: str = "x.txt", *, replace: bool = False) -> LocalClaim:
    made = LocalStore().claim(str(folder / name), str(folder / "x.err"), replace=replace)
    assert isinstance(made, LocalClaim)
    return made


@pytest.mark.parametrize("durability", ["data", "full", "atomic"])
def test_the_store_conforms(windows: Windows, tmp_path: Path, durability: str) -> None:
    store = LocalStore(durability=durability)  # type: ignore[arg-type]
    check_store(lambda: store, base=f"{tmp_path}/")
    assert not list(tmp_path.rglob("*.part*"))
    assert windows.calls["rename"] > 0
    assert windows.calls["replace"] > 0
    assert windows.open == set()


@pytest.mark.parametrize("code", [5, 32])
@pytest.mark.parametrize("call", ["CreateFile", "rename", "replace", "unlink"])
def test_a_scanner_that_has_the_file_open_is_waited_for(
    windows: Windows, tmp_path: Path, call: str, code: int
) -> None:
    windows.code = code
    (tmp_path / "x.txt").write_text("old")
    if call == "rename":
        (tmp_path / "x.txt").rename(tmp_path / "before.txt")
    windows.calls.clear()
    windows.refusals[call] = 3
    if call == "unlink":
        assert LocalStore().delete(str(tmp_path / "x.txt"))
    else:
        made = claim(tmp_path, replace=True)
        made.write(b"new")
        made.publish()
        assert (tmp_path / "x.txt").read_bytes() == b"new"
    assert windows.calls[call] >= 4
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("call", ["CreateFile", "rename", "replace"])
def test_one_that_does_not_let_go_is_an_error_that_says_so(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(_windows, "_PATIENCE", 0.0)
    if call == "replace":
        (tmp_path / "x.txt").write_text("old")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    windows.refusals[call] = 1000

    def make() -> None:
        made = claim(tmp_path, replace=True)
        try:
            made.write(b"new")
            made.publish()
        finally:
            made.abort()

    with pytest.raises(OutputPlaceError, match="another program has the file open") as caught:
        make()
    assert caught.value.errno == errno.EACCES
    assert caught.value.filename.startswith(str(tmp_path / "x.txt"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_permission_that_is_refused_for_good_is_not_waited_for(windows: Windows, tmp_path: Path) -> None:
    windows.code = 1314  # a privilege is missing
    windows.refusals["CreateFile"] = 1000
    with pytest.raises(PermissionError, match="cannot access"):
        claim(tmp_path)
    assert windows.calls["CreateFile"] == 1


def test_another_writer_is_busy_and_a_dead_one_is_replaced(windows: Windows, tmp_path: Path) -> None:
    (tmp_path / "x.txt.part").write_bytes(b"of a killed one")
    made = claim(tmp_path)
    assert LocalStore().claim(str(tmp_path / "x.txt"), str(tmp_path / "x.err")) == "busy"
    made.write(b"a\nb")
    made.publish()
    assert (tmp_path / "x.txt").read_bytes() == b"a\nb"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_file_that_appeared_stays(windows: Windows, tmp_path: Path) -> None:
    made = claim(tmp_path)
    made.write(b"ours")
    (tmp_path / "x.txt").write_bytes(b"theirs")
    with pytest.raises(OutputPlaceError, match="appeared under the output's name"):
        made.publish()
    made.abort()
    assert (tmp_path / "x.txt").read_bytes() == b"theirs"


def test_a_lost_part_is_noticed_before_the_rename(windows: Windows, tmp_path: Path) -> None:
    made = claim(tmp_path)
    (tmp_path / "x.txt.part").unlink()
    with pytest.raises(ClaimLostError):
        made.publish()
    made.abort()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["con.txt", "a/NUL", "aux", "com1.tar.gz", "LPT9.csv", "a./x", "b /x", "x."])
def test_names_of_devices_are_refused(windows: Windows, tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputNameError, match="Windows has no files named as"):
        claim(tmp_path, name)


@pytest.mark.parametrize("name", ["console.txt", "com.txt", "com10.txt", ".con", "a/../x", "x con.txt"])
def test_names_that_only_look_like_them_are_not(windows: Windows, tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    claim(tmp_path, name).abort()


def test_a_path_that_is_too_long_is_told_from_a_folder_that_is_missing(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows says of both that there is no such file."""

    def create_file(path: str, *rest: Any) -> int:
        raise FileNotFoundError(errno.ENOENT, "The system cannot find the path specified", path)

    monkeypatch.setattr(sys.modules["_winapi"], "CreateFile", create_file)
    with pytest.raises(OutputPlaceError, match=r"too long for this system; .*LongPathsEnabled") as caught:
        claim(tmp_path, "x" * 240)
    assert caught.value.errno == errno.ENAMETOOLONG


def test_a_flow_makes_skips_suppresses_and_replaces(windows: Windows, tmp_path: Path) -> None:
    flow, bodies = Flow(tmp_path, sink=NullSink()), list[str]()

    @flow.task(on="{name}.txt", suppress=LookupError, refresh=lambda name: name == "again")
    def make(name: str) -> None:
        bodies.append(name)
        if name == "fails":
            raise LookupError(name)
        if name == "path":
            flow.task.path().write_text(name)
        else:
            flow.task.write(name)

    for name in ("once", "once", "fails", "fails", "again", "again", "path"):
        make(name)
    assert bodies == ["once", "fails", "again", "again", "path"]
    assert sorted(os.listdir(tmp_path)) == ["again.txt", "fails.err", "once.txt", "path.txt"]


def test_low_descriptors_are_lifted_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By copies, whose numbers can't be chosen: those in between are closed again."""
    numbers, closed = iter([1, 2, 3]), list[int]()
    monkeypatch.setattr("asflow._descriptors._duplicate", lambda descriptor: next(numbers))
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", closed.append)
        found = above_standard(0)
    assert (found, closed) == (3, [0, 1, 2])
