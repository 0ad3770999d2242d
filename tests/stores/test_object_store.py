"""The object store's own bookkeeping, on obstore's store in memory, without a service."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import asflow
from asflow.errors import OutputClosedError
from asflow.stores import ObjectStore
from asflow.stores._objects.claims import ObjectClaim
from asflow.stores._spool import Spool

obstore: Any = pytest.importorskip("obstore")


def claimed(store: ObjectStore, name: str, *, replace: bool = False) -> ObjectClaim:
    claim = store.claim(name, "x.err", replace=replace)
    assert isinstance(claim, ObjectClaim), claim
    return claim


def publish(store: ObjectStore, name: str) -> None:
    claimed(store, name).publish()


def refuse(*args: object, **named: object) -> None:
    raise obstore.exceptions.GenericError("out of order")


@pytest.mark.parametrize("broken", ["delete", "put"])
def test_a_replacement_that_raises_has_published_nothing(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Neither if the old failure can't be deleted, nor if the upload is refused."""
    store = ObjectStore("memory:///")
    claimed(store, "x.txt").fail(b"report")
    claim = claimed(store, "x.txt", replace=True)
    claim.write(b"new")
    with monkeypatch.context() as patch:
        patch.setattr(obstore, broken, refuse)
        with pytest.raises(OSError, match="out of order"):
            claim.publish()
    assert store.info("x.txt") is None
    with pytest.raises(OutputClosedError, match="was not published before"):
        claim.publish()
    claim.abort()
    again = claimed(store, "x.txt", replace=True)
    again.write(b"new")
    again.publish()
    assert list(store.list("")) == ["x.txt"]


@pytest.mark.parametrize("overlaps", [True, False])
def test_a_deletion_is_known_at_once_to_a_listing_under_way(
    monkeypatch: pytest.MonkeyPatch, overlaps: bool
) -> None:
    """Even if that listing began before the deletion, and is remembered after it."""
    store = ObjectStore("memory:///", listing_seconds=60)
    for name in ("a/x.txt", "a/y.txt"):
        publish(store, name)
    listed, go = threading.Event(), threading.Event()
    remember = store._listings._list

    def slowly(folder: str) -> Any:
        names = list(remember(folder))
        listed.set()
        assert go.wait(20)
        return names

    monkeypatch.setattr(store._listings, "_list", slowly)
    look = threading.Thread(target=store.status, args=("a/x.txt", "x.err"))
    look.start()
    assert listed.wait(20)
    if overlaps:
        # Only after the object is gone does the deletion wait for the listing.
        delete, gone = obstore.delete, threading.Event()

        def noted(*args: Any) -> None:
            delete(*args)
            gone.set()

        monkeypatch.setattr(obstore, "delete", noted)
        deletion = threading.Thread(target=store.delete, args=("a/x.txt",))
        deletion.start()
        assert gone.wait(20)
        go.set()
        deletion.join(20)
    else:
        go.set()
        look.join(20)
        assert store.delete("a/x.txt")
    look.join(20)
    assert store.status("a/x.txt", "x.err") == "absent"
    assert store.status("a/y.txt", "x.err") == "complete"
    assert not store.delete("a/x.txt")


def test_a_deletion_whose_response_was_lost_is_not_remembered_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call raises; the next look sends a request."""
    store = ObjectStore("memory:///", listing_seconds=60)
    publish(store, "a/x.txt")
    assert store.status("a/x.txt", "x.err") == "complete"
    delete = obstore.delete

    def lost(*args: Any) -> None:
        delete(*args)
        refuse()

    monkeypatch.setattr(obstore, "delete", lost)
    with pytest.raises(OSError, match="out of order"):
        store.delete("a/x.txt")
    assert store.status("a/x.txt", "x.err") == "absent"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("name", ["x.txt", "y.txt"], ids=["claimed by the parent", "free"])
def test_a_claim_in_a_forked_child_is_refused_before_its_body_runs(
    tmp_path: Path, name: str, replace: bool
) -> None:
    """And is not "busy", for which it would wait for ever: the parent's claim never ends in the child."""
    script = f"""
        import os
        from asflow.errors import DeadlockError
        from asflow.stores import ObjectStore

        store = ObjectStore("memory:///")
        claim = store.claim("x.txt", "x.err")
        pid = os.fork()
        if pid == 0:
            try:
                found = store.claim({name!r}, "z.err", replace={replace})
            except DeadlockError:
                os._exit(7)
            print(found, flush=True)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        claim.publish()
        os._exit(0)
    """
    process = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr


LARGE = bytes(range(256)) * (9 << 12)
"""Nine MiB: more than what is kept in memory."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_that_ends_writes_nothing_into_the_parents_bytes(tmp_path: Path) -> None:
    """Beyond 8 MiB they are in a file, whose position the child shares: a buffer would be written twice."""
    script = """
        import os, sys
        from asflow.stores import ObjectStore

        claim = ObjectStore("file://" + os.getcwd()).claim("x.bin", "x.err")
        claim.write(bytes(range(256)) * (9 << 12))
        claim.write(b"and ")
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        claim.write(b"the end")
        claim.publish()
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert (tmp_path / "x.bin").read_bytes() == LARGE + b"and the end"


class Stingy(io.BytesIO):
    """Takes three bytes at a time, and none after *room*."""

    room = 1000

    def fileno(self) -> int:
        return 99  # only looked at

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")[: min(3, self.room)]
        self.room -= len(view)
        return super().write(view)


def test_a_temporary_folder_that_takes_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is written, a part at a time; when no more is taken it is an error, and nothing is published."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Stingy())
    spool = Spool(8)
    spool.write(b"12345678")
    spool.write(memoryview(b"9abcdefg").cast("I"))
    assert spool.rewound().read() == b"123456789abcdefg"
    store = ObjectStore("memory:///")
    claim = claimed(store, "x.bin")
    with pytest.raises(OSError, match="the disk takes no bytes") as caught:
        claim.write(LARGE)
    assert caught.value.errno == errno.EIO
    with pytest.raises(OSError, match="the output would be cut"):
        claim.publish()
    claim.abort()
    assert list(store.list("")) == []


def test_bytes_that_can_not_be_moved_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file that was made for them is closed, and the claim can be aborted at once."""
    file = Stingy()
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: file)
    store = ObjectStore("memory:///")
    claim = claimed(store, "x.bin")
    claim.write(LARGE[: 1 << 20])
    with pytest.raises(OSError, match="the disk takes no bytes") as caught:
        claim.write(LARGE)
    claim.abort()  # while the error's traceback is alive
    assert caught.value.errno == errno.EIO
    assert file.closed
    claimed(store, "x.bin").abort()
