"""Forks within forks: whose a claim is, and whose an open file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import asflow

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and fork")


def run(script: str, folder: Path) -> None:
    """Run *script* in a process without threads (a fork is safe there), in *folder*."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PREAMBLE) + textwrap.dedent(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""


PREAMBLE = """
    import os, sys
    from asflow.errors import OutputClosedError
    from asflow.stores import LocalStore, MemoryStore

    def forked(act):
        pid = os.fork()
        if pid == 0:
            try:
                act()
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_childs_claim_is_not_its_own_childs(tmp_path: Path) -> None:
    run(
        """
        def child():
            claim = LocalStore().claim("x.txt", "x.err")
            claim.write(b"child")

            def grandchild():
                for act in (lambda: claim.write(b"more"), claim.publish, lambda: claim.fail(b"no")):
                    try:
                        act()
                    except OutputClosedError:
                        continue
                    raise AssertionError("it acted")
                claim.abort()

            forked(grandchild)
            claim.publish()

        forked(child)
        """,
        tmp_path,
    )
    assert (tmp_path / "x.txt").read_bytes() == b"child"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_fork_closes_no_file_that_took_an_ended_claims_number(tmp_path: Path) -> None:
    run(
        """
        claim = LocalStore().claim("x.txt", "x.err")
        number = claim._descriptor
        claim.publish()
        other = os.open("other", os.O_CREAT | os.O_RDWR)
        assert other == number
        forked(lambda: os.write(other, b"open"))
        """,
        tmp_path,
    )
    assert (tmp_path / "other").read_bytes() == b"open"


def test_a_second_fork_closes_no_file_that_took_the_number_after_the_first(tmp_path: Path) -> None:
    """The child has closed its copy of the claim at once, so another file may get the number there."""
    run(
        """
        claim = LocalStore().claim("x.txt", "x.err")

        def child():
            other = os.open("other", os.O_CREAT | os.O_RDWR)
            assert other == claim._descriptor
            forked(lambda: os.write(other, b"open"))

        forked(child)
        claim.publish()
        """,
        tmp_path,
    )
    assert (tmp_path / "other").read_bytes() == b"open"


def test_a_child_has_its_own_memory_and_none_of_its_parents_claims(tmp_path: Path) -> None:
    """What the parent is making is free in the child, whose copy of the claim refuses everything."""
    run(
        """
        store = MemoryStore()
        store.claim("old.txt", "old.err").publish()
        claim = store.claim("x.txt", "x.err")
        claim.write(b"parent")

        def child():
            assert store.status("old.txt", "old.err") == "complete"
            for act in (lambda: claim.write(b"more"), claim.publish, lambda: claim.fail(b"no")):
                try:
                    act()
                except OutputClosedError as error:
                    assert "parent of this process" in str(error), error
                    continue
                raise AssertionError("it acted")
            own = store.claim("x.txt", "x.err")
            assert own != "busy"
            claim.abort()
            assert store.claim("x.txt", "x.err") == "busy"
            own.write(b"child")
            own.publish()
            assert store.open("x.txt").read() == b"child"

        forked(child)
        assert store.claim("x.txt", "x.err") == "busy"
        claim.publish()
        assert store.open("x.txt").read() == b"parent"
        """,
        tmp_path,
    )


def test_a_fork_while_another_thread_is_in_the_memory_store(tmp_path: Path) -> None:
    """The thread that holds its lock is not in the child."""
    run(
        """
        store = MemoryStore()

        def child():
            store.claim("x.txt", "x.err").publish()
            assert list(store.list("")) == ["x.txt"]

        with store._lock:    # as if by another thread, in the middle of its work
            forked(child)
        assert list(store.list("")) == []
        """,
        tmp_path,
    )
