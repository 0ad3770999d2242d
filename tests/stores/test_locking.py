"""Locking `NAME.part` when the disk, or another process, interferes."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support.descriptors import open_below

from asflow.errors import ClaimLostError
from asflow.stores import LocalStore
from asflow.stores._local_claim import LocalClaim

if sys.platform == "win32":
    pytest.skip("needs flock", allow_module_level=True)

import fcntl

OPEN, FLOCK = os.open, fcntl.flock


@pytest.fixture
def names(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "x.txt"), str(tmp_path / "x.err")


def claimed(names: tuple[str, str]) -> LocalClaim:
    claim = LocalStore().claim(*names)
    assert isinstance(claim, LocalClaim), claim
    return claim


def test_an_empty_output_in_a_dead_writers_file(names: tuple[str, str]) -> None:
    """No byte of the dead writer is left."""
    Path(names[0] + ".part").write_bytes(b"bytes of a writer that was killed")
    claimed(names).publish()
    assert Path(names[0]).read_bytes() == b""


@pytest.mark.parametrize("left", [True, False], ids=["a dead writer's file", "no file"])
def test_a_file_system_without_locks(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """The error itself is raised, with the name; another writer's file stays, a new one is removed."""
    part = Path(names[0] + ".part")
    if left:
        part.write_bytes(b"left")

    def refuse(*args: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match=r"x\.txt\.part") as caught:
        LocalStore().claim(*names)
    assert caught.value.errno == errno.ENOLCK
    assert part.exists() is left
    assert open_below(Path(names[0]).parent) == []


def test_another_process_removes_the_file_as_fast_as_it_is_made(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is an error; it is neither waited for without end nor mistaken for another writer."""

    def remove_first(descriptor: int, operation: int) -> None:
        os.unlink(names[0] + ".part")
        FLOCK(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with pytest.raises(ClaimLostError, match=r"keeps removing '.*x\.txt\.part'"):
        LocalStore().claim(*names)
    assert open_below(Path(names[0]).parent) == []


class Opening:
    """`os.open` that raises *errors* first, for `NAME.part` alone."""

    def __init__(self, part: str, *errors: int) -> None:
        self.part = part
        self.errors = list(errors)

    def __call__(self, path: str, *args: Any, **named: Any) -> int:
        if path == self.part and self.errors:
            code = self.errors.pop(0)
            raise OSError(code, os.strerror(code), path)
        return OPEN(path, *args, **named)


def test_the_file_comes_and_goes_while_it_is_opened(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exists when it is created, and is gone when it is opened: then try again."""
    monkeypatch.setattr(os, "open", Opening(names[0] + ".part", errno.EEXIST, errno.ENOENT))
    claimed(names).publish()
    assert Path(names[0]).exists()


def test_the_file_comes_and_goes_for_ever(names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", Opening(names[0] + ".part", *[errno.EEXIST, errno.ENOENT] * 200))
    with pytest.raises(ClaimLostError, match=r"keeps removing '.*x\.txt\.part' or its folder"):
        LocalStore().claim(*names)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.EDQUOT])
def test_too_many_open_files_come_with_a_remedy(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Only they do: it would not help against another error."""
    monkeypatch.setattr(os, "open", Opening(names[0] + ".part", *[code] * 200))
    with pytest.raises(OSError, match=r"x\.txt\.part") as caught:
        LocalStore().claim(*names)
    assert caught.value.errno == code
    notes = getattr(caught.value, "__notes__", [])
    assert ["lower its limit" in note for note in notes] == ([] if code == errno.EDQUOT else [True])


def test_a_file_that_exists_and_may_not_be_opened(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", Opening(names[0] + ".part", errno.EEXIST, errno.EACCES))
    with pytest.raises(PermissionError, match=r"x\.txt\.part"):
        LocalStore().claim(*names)


def test_a_file_that_can_not_be_looked_at(names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is about a descriptor and so has no name; one is added."""
    part = Path(names[0] + ".part")
    part.write_bytes(b"left")

    def refuse(descriptor: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", refuse)
        with pytest.raises(OSError, match="Input/output error") as caught:
            LocalStore().claim(*names)
    assert caught.value.filename == str(part)
    assert part.read_bytes() == b"left"
    assert open_below(Path(names[0]).parent) == []


@pytest.mark.parametrize(("which", "found"), [(0, "complete"), (1, "suppressed")])
def test_no_file_is_made_for_what_exists_already(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch, which: int, found: str
) -> None:
    """A process that is killed in between would leave it behind."""
    Path(names[which]).write_bytes(b"whole")
    monkeypatch.setattr(os, "open", Opening(names[0] + ".part", *[errno.EACCES] * 200))
    assert LocalStore().claim(*names) == found


@pytest.mark.parametrize(("which", "found"), [(0, "complete"), (1, "suppressed")])
def test_another_process_was_quicker_than_the_lock(
    names: tuple[str, str], monkeypatch: pytest.MonkeyPatch, which: int, found: str
) -> None:
    """The look under the lock finds it; the file in progress is removed, and its lock released."""

    def publish_first(descriptor: int, operation: int) -> None:
        Path(names[which]).write_bytes(b"whole")
        FLOCK(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", publish_first)
    assert LocalStore().claim(*names) == found
    assert os.listdir(Path(names[0]).parent) == [Path(names[which]).name]
    assert open_below(Path(names[0]).parent) == []
