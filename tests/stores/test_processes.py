"""Claims across processes: a forked child, an executed program, a killed owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import asflow
from asflow.stores import LocalStore
from asflow.stores._local_claim import LocalClaim

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and fork")


def run(script: str, folder: Path, *, code: int = 0) -> str:
    """Run *script* in a process without threads (a fork is safe there), in *folder*."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == code, process.stderr
    assert process.stderr == ""
    return process.stdout


def status(folder: Path) -> str:
    return LocalStore().status(str(folder / "x.txt"), str(folder / "x.err"))


def test_a_forked_child_does_not_own_the_claim(tmp_path: Path) -> None:
    """It can neither write, publish nor fail, its end removes nothing, and the parent goes on."""
    out = run(
        """
        import os, pathlib, sys
        from asflow.errors import OutputClosedError
        from asflow.stores import LocalStore
        claim = LocalStore().claim("x.txt", "x.err")
        claim.write(b"parent ")
        pid = os.fork()
        if pid == 0:
            for act in (lambda: claim.write(b"child"), claim.publish, lambda: claim.fail(b"child")):
                try:
                    act()
                except OutputClosedError as error:
                    assert "parent" in str(error)
                else:
                    os._exit(1)
            claim.abort()
            claim.__del__()
            assert os.path.exists("x.txt.part")
            assert LocalStore().claim("x.txt", "x.err") == "busy"
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        claim.write(b"only")
        claim.publish()
        print(pathlib.Path("x.txt").read_text(), os.listdir("."))
        """,
        tmp_path,
    )
    assert out == "parent only ['x.txt']\n"


def test_a_lock_does_not_outlive_its_owner_in_a_child(tmp_path: Path) -> None:
    """The owner is killed and its forked child lives on: the output can be claimed at once."""
    out = run(
        """
        import os, pathlib, signal
        from asflow.stores import LocalStore
        dead, alive = os.pipe()
        claimed, claims = os.pipe()
        owner = os.fork()
        if owner == 0:
            claim = LocalStore().claim("x.txt", "x.err")
            claim.write(b"half")
            if os.fork() == 0:
                os.write(claims, b"!")
                os.close(alive)
                os.read(dead, 1)      # until the test lets go
                os._exit(0)
            signal.pause()
        assert os.read(claimed, 1) == b"!"
        os.kill(owner, signal.SIGKILL)
        os.waitpid(owner, 0)
        claim = LocalStore().claim("x.txt", "x.err")
        assert not isinstance(claim, str), claim
        claim.write(b"whole")
        claim.publish()
        print(pathlib.Path("x.txt").read_text(), os.listdir("."))
        """,
        tmp_path,
    )
    assert out == "whole ['x.txt']\n"


def test_a_child_can_claim_for_itself(tmp_path: Path) -> None:
    """What a child claims is its own, and so is what a grandchild does not inherit."""
    run(
        """
        import os
        from asflow.stores import LocalStore
        held = LocalStore().claim("a.txt", "a.err")
        pid = os.fork()
        if pid == 0:
            claim = LocalStore().claim("x.txt", "x.err")
            grandchild = os.fork()
            if grandchild == 0:
                assert LocalStore().claim("x.txt", "x.err") == "busy"
                os._exit(0)
            assert os.waitpid(grandchild, 0)[1] == 0
            claim.publish()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        held.abort()
        """,
        tmp_path,
    )
    assert os.listdir(tmp_path) == ["x.txt"]


def test_threads_that_claim_while_another_forks(tmp_path: Path) -> None:
    """No child gets hold of a lock however the fork falls: each name can be claimed after its abort."""
    run(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)   # 3.12+ warns of forks beside threads
        from asflow.stores import LocalStore
        store, stop, wrong = LocalStore(durability="atomic"), threading.Event(), []
        def work(name):
            while not stop.is_set():
                claim = store.claim(name, name + ".err")
                if isinstance(claim, str):
                    wrong.append(claim)
                    return
                claim.abort()
        threads = [threading.Thread(target=work, args=(f"{i}.txt",)) for i in range(4)]
        for thread in threads:
            thread.start()
        blocked, release = os.pipe()
        for _ in range(60):
            if os.fork() == 0:
                os.close(release)
                os.read(blocked, 1)
                os._exit(0)
        stop.set()
        for thread in threads:
            thread.join()
        os.close(release)
        for _ in range(60):
            os.wait()
        assert not wrong, wrong
        """,
        tmp_path,
    )
    assert os.listdir(tmp_path) == []


def test_an_executed_program_inherits_nothing(tmp_path: Path) -> None:
    """A program that a task starts, and that lives on, does not hold the claim."""
    name, failure = str(tmp_path / "x.txt"), str(tmp_path / "x.err")
    claim = LocalStore().claim(name, failure)
    assert isinstance(claim, LocalClaim)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as program:
        claim.abort()
        again = LocalStore().claim(name, failure)
        assert isinstance(again, LocalClaim)
        again.abort()
        assert program.poll() is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signalled_owner_loses_its_claim(tmp_path: Path, how: signal.Signals) -> None:
    """A claim ends with its process; the next claim takes the file over."""
    script = """
        import signal
        from asflow.stores import LocalStore
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        claim = LocalStore().claim("x.txt", "x.err")
        claim.write(b"half")
        print("claimed", flush=True)
        signal.pause()
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "claimed\n"
        assert LocalStore().claim(str(tmp_path / "x.txt"), str(tmp_path / "x.err")) == "busy"
        owner.send_signal(how)
        assert owner.wait(30) == -how
    assert status(tmp_path) == "absent"
    claim = LocalStore().claim(str(tmp_path / "x.txt"), str(tmp_path / "x.err"))
    assert isinstance(claim, LocalClaim)
    claim.write(b"new")
    claim.publish()
    assert (tmp_path / "x.txt").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(0)", "import os; os._exit(0)"])
def test_an_interpreter_that_ends_publishes_nothing(tmp_path: Path, end: str) -> None:
    """Neither quietly nor with noise on stderr."""
    run(
        f"""
        from asflow.stores import LocalStore
        claim = LocalStore().claim("x.txt", "x.err")
        claim.write(b"half")
        {end}
        """,
        tmp_path,
    )
    assert status(tmp_path) == "absent"
    assert set(os.listdir(tmp_path)) <= {"x.txt.part"}


def test_too_many_open_files(tmp_path: Path) -> None:
    """EMFILE reaches the caller with a hint; what was claimed before can be published."""
    out = run(
        """
        import errno, os, resource
        from asflow.stores import LocalStore
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        store, claims = LocalStore(), []
        try:
            for index in range(100):
                claims.append(store.claim(f"{index}.txt", f"{index}.err"))
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            assert "limit" in error.__notes__[0]
            assert error.filename.endswith(f"{len(claims)}.txt.part")
        else:
            raise SystemExit(1)
        assert not os.path.exists(f"{len(claims)}.txt.part")
        for claim in claims:
            claim.publish()
        store.claim("last.txt", "last.err").publish()
        print(len(claims), len(os.listdir(".")))
        """,
        tmp_path,
    )
    made, seen = map(int, out.split())
    assert made > 10
    assert seen == made + 1


def test_a_file_size_limit(tmp_path: Path) -> None:
    """RLIMIT_FSIZE cuts a write short: the error reaches the caller, and nothing is published."""
    run(
        """
        import errno, os, resource, signal
        from asflow.stores import LocalStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        claim = LocalStore().claim("x.txt", "x.err")
        claim.write(b"a" * 900)
        try:
            claim.write(b"b" * 900)
        except OSError as error:
            assert error.errno == errno.EFBIG and error.filename.endswith("x.txt"), error
        else:
            raise SystemExit("the limit was not met")
        assert os.path.getsize("x.txt.part") == 1000
        try:
            claim.publish()
        except OSError as error:
            assert error.errno == errno.EFBIG, error
        else:
            raise SystemExit("a cut output was published")
        claim.fail(b"the report fits")
        print(os.listdir("."))
        """,
        tmp_path,
    )
    assert os.listdir(tmp_path) == ["x.err"]
    assert (tmp_path / "x.err").read_bytes() == b"the report fits"
