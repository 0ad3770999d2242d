"""Every system call of a claim fails, or is the last one: the error is raised and nothing looks done.

The calls are made to fail with `strace -e inject`, as if by the kernel; the tests are skipped if strace is
missing or may not trace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path

import pytest

import asflow
from asflow.stores import LocalStore
from asflow.stores._local_claim import LocalClaim

ROOT = str(Path(asflow.__file__).parents[1])

# Only the store is imported, not all of asflow: under strace that would take ten times as long.
ALONE = """
import os, sys, types
package = sys.modules["asflow"] = types.ModuleType("asflow")
package.__path__ = [os.path.join(sys.argv[1], "asflow")]
"""

SCENARIO = """
from asflow.stores._local import LocalStore
name, failure, durability, replace, end = sys.argv[2:]
try:
    claim = LocalStore(durability=durability).claim(name, failure, replace=replace == "replace")
    assert not isinstance(claim, str), claim
    try:
        claim.write(b"new " * 500)
        claim.write(b"output")
        claim.fail(b"new report") if end == "fail" else claim.publish()
    finally:
        claim.abort()
except OSError as error:
    print("error", error.errno, error.filename)
else:
    print("done")
"""
NEW = b"new " * 500 + b"output"

# The names of a system call on different machines, and an error that a disk may cause.
CALLS = {
    "openat": ("?openat,?open", "EMFILE", 24),
    "flock": ("flock", "ENOLCK", 37),
    "stat": ("?newfstatat,?fstat,?lstat,?stat,?statx,?newfstat", "EIO", 5),
    "mkdir": ("?mkdir,?mkdirat", "EDQUOT", 122),
    "ftruncate": ("ftruncate", "EIO", 5),
    "lseek": ("?lseek,?_llseek", "EIO", 5),
    "write": ("write", "ENOSPC", 28),
    "utimensat": ("?utimensat,?utimensat_time64", "EIO", 5),
    "fsync": ("fsync", "EIO", 5),
    "linkat": ("?linkat,?link", "ENOSPC", 28),
    "rename": ("?rename,?renameat,?renameat2", "ENOSPC", 28),
    "unlink": ("?unlink,?unlinkat", "EACCES", 13),
    "close": ("close", "EIO", 5),
}


@cache
def why_no_strace() -> str | None:
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not on PATH"
    probe = [strace, "-o", os.devnull, "-e", "inject=getcwd:error=EIO:when=1", "true"]
    return (
        None
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0
        else "strace may not trace"
    )


class Situation:
    """An output's place with a past, and what may be found there after a run that failed."""

    def __init__(self, folder: Path, past: str) -> None:
        self.folder = folder / "out"
        self.name = str(self.folder / "x.zst")
        self.failure = str(self.folder / "x.err")
        self.past = past
        if past != "no folder":
            self.folder.mkdir()
        old = {"output": "x.zst", "failure": "x.err", "dead writer": "x.zst.part", "void": "x.zst"}.get(past)
        if old is not None:
            (self.folder / old).write_bytes(b"" if past == "void" else b"old " * 1000)

    def run(self, durability: str, end: str, fault: str, call: str) -> tuple[list[str], bool, int]:
        """Run the scenario under strace: what it printed, whether the fault came about, the exit code."""
        calls = CALLS[call][0]
        process, log = self._strace(durability, end, "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}")
        return process.stdout.split(), "INJECTED" in log or "killed by SIGKILL" in log, process.returncode

    def trace(self, durability: str, end: str, calls: str) -> list[str]:
        """Run the scenario undisturbed; return strace's lines about *calls* on our paths."""
        process, log = self._strace(durability, end, "-y", "-e", f"trace={calls}")
        assert process.stdout == "done\n"
        return log.splitlines()

    def _strace(
        self, durability: str, end: str, *options: str
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        log = self.folder.parent / "strace"
        paths = [self.name, self.name + ".part", self.name + ".part.part", self.failure, str(self.folder)]
        watched = [argument for path in [*paths, str(self.folder.parent)] for argument in ("-P", path)]
        replace = "replace" if self.past in {"output", "failure"} else "new"
        command = ["strace", "-f", "-qq", "-o", str(log), *watched, *options]
        command += [sys.executable, "-I", "-S", "-c", ALONE + SCENARIO]
        command += [ROOT, self.name, self.failure, durability, replace, end]
        process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return process, log.read_text()

    def check(self, end: str, *, done: bool | None) -> None:
        """Check that what is visible is whole, and old or new as it must be (*done* None: either)."""
        output, failure = Path(self.name), Path(self.failure)
        old = {"output": b"old " * 1000, "void": b""}.get(self.past)
        seen = output.read_bytes() if output.exists() else None
        if end == "publish":
            assert seen in ([NEW] if done else [old] if done is False else [old, NEW])
        else:
            assert seen == old
        old_report = b"old " * 1000 if self.past == "failure" else None
        report = failure.read_bytes() if failure.exists() else None
        if end == "fail":
            new = b"new report"
            assert report in ([new] if done else [old_report] if done is False else [old_report, new])
        else:
            # Publishing over a failure deletes it just before the rename, so a fault there may cost it.
            assert report in ([None] if done else [None, old_report])

    def left(self) -> set[str]:
        return set(os.listdir(self.folder)) - {"x.zst", "x.err"} if self.folder.exists() else set()

    def recover(self) -> None:
        """The next run succeeds and leaves the output, whole, and nothing else."""
        store = LocalStore()
        state = store.status(self.name, self.failure)
        if state == "absent" or self.past in {"output", "failure"}:
            claim = store.claim(self.name, self.failure, replace=True)
            assert isinstance(claim, LocalClaim), claim
            claim.write(NEW)
            claim.publish()
            state = store.status(self.name, self.failure)
            assert Path(self.name).read_bytes() == NEW
        assert state in {"complete", "suppressed"}
        assert self.left() == set()


SITUATIONS = [
    ("no folder", "publish", "full"),
    ("dead writer", "publish", "data"),
    ("output", "publish", "full"),
    ("failure", "publish", "atomic"),
    ("nothing", "fail", "data"),
    ("void", "publish", "data"),
]


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("past", "end", "durability"), SITUATIONS)
def test_a_system_call_fails(tmp_path: Path, past: str, end: str, durability: str) -> None:
    """Each call in turn, until a run is clean, and each kind of call from the first on."""
    if why_no_strace():
        pytest.skip(str(why_no_strace()))
    met: set[str] = set()
    for call, (_, code, number) in CALLS.items():
        for when in ("1+", *map(str, range(1, 30))):
            folder = tmp_path / f"{call}-{when}"
            folder.mkdir()
            situation = Situation(folder, past)
            printed, faulted, exit_code = situation.run(durability, end, f"error={code}:when={when}", call)
            assert exit_code == 0, (call, when, printed)
            done = printed == ["done"]
            if not done:
                assert faulted
                assert printed[:2] == ["error", str(number)], (call, when, printed)
                assert printed[2].startswith(str(folder)), "the error names the file"
            # Replacing can't be undone when only the folder's own sync fails: the new output stays, whole.
            late = past == "output" and durability == "full" and call in {"openat", "fsync", "stat"}
            situation.check(end, done=None if late and not done else done)
            # What can't be unlinked, or can't be recognised as ours, stays for the next run; so does a dead
            # writer's file that this one never locked.
            kept = call in {"unlink", "stat"} or when == "1+" or (past == "dead writer" and not done)
            assert situation.left() <= ({"x.zst.part", "x.zst.part.part"} if kept else set()), (call, when)
            situation.recover()
            if faulted:
                met.add(call)
            elif when != "1+":
                break
        else:
            pytest.fail(f"{call} never ran clean")
    assert {"openat", "flock", "stat", "write", "linkat", "unlink", "close"} <= met


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize(("past", "end", "durability"), SITUATIONS)
def test_a_kill_at_each_system_call(tmp_path: Path, past: str, end: str, durability: str) -> None:
    """What is visible is whole, old or new; the next run is not disturbed and leaves nothing else."""
    if why_no_strace():
        pytest.skip(str(why_no_strace()))
    kills = 0
    for call in CALLS:
        for when in range(1, 30):
            folder = tmp_path / f"{call}-{when}"
            folder.mkdir()
            situation = Situation(folder, past)
            printed, killed, _ = situation.run(durability, end, f"signal=KILL:when={when}", call)
            if not killed:
                assert printed == ["done"]
                break
            kills += 1
            situation.check(end, done=None)
            situation.recover()
        else:
            pytest.fail(f"{call} never ran clean")
    assert kills >= 14


@pytest.mark.slow
@pytest.mark.parametrize("code", ["EPERM", "ENOENT", "EXDEV", "EOPNOTSUPP"])
def test_where_links_are_refused(tmp_path: Path, code: str) -> None:
    """These mean a file system without hard links, or no /proc: renaming publishes."""
    if why_no_strace():
        pytest.skip(str(why_no_strace()))
    for past in ("nothing", "output", "failure", "void"):
        folder = tmp_path / past
        folder.mkdir()
        situation = Situation(folder, past)
        printed, faulted, _ = situation.run("data", "publish", f"error={code}:when=1+", "linkat")
        assert faulted
        assert printed == ["done"]
        situation.check("publish", done=True)
        assert situation.left() == set()


LATE = """
import threading, time
from asflow.errors import OutputClosedError
from asflow.stores._local import LocalStore
claim = LocalStore().claim(sys.argv[2], sys.argv[2] + ".err")
claim.write(b"first ")
near = threading.Event()
def late():
    near.set()
    try:
        claim.write(b"second")
    except OutputClosedError:
        print("too slow a machine: the write was refused instead")
thread = threading.Thread(target=late)
thread.start()
near.wait()
time.sleep(0.1)  # strace holds the write up for longer; were it not under way yet, that would do no harm
claim.publish()
published = open(sys.argv[2], "rb").read()
thread.join()
assert published == open(sys.argv[2], "rb").read() in {b"first second", b"first "}, published
print("done")
"""


@pytest.mark.slow
def test_a_write_that_hangs_is_waited_for(tmp_path: Path) -> None:
    """A thread whose write hangs in the system while the claim ends writes into no published file."""
    if why_no_strace():
        pytest.skip(str(why_no_strace()))
    name = str(tmp_path / "x.txt")
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-P", f"{name}.part", "-e", "trace=write"]
    command += [
        "-e",
        "inject=write:delay_enter=400000",
        sys.executable,
        "-I",
        "-S",
        "-c",
        ALONE + LATE,
        ROOT,
        name,
    ]
    process = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert process.stdout.splitlines()[-1:] == ["done"]
    assert process.stderr == ""


# A letter for each call of a publish: s = sync of the file, S = of its folder, P = of the folder above,
# l = link, r = rename, u = unlink.
ORDERS = [
    ("nothing", "atomic", "publish", "lu"),
    ("nothing", "data", "publish", "slu"),
    ("no folder", "full", "publish", "sluSP"),
    ("dead writer", "data", "publish", "uuslu"),
    ("output", "data", "publish", "sluru"),
    ("failure", "data", "publish", "sulu"),
    ("nothing", "data", "fail", "slu"),
    ("failure", "data", "fail", "slru"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("past", "durability", "end", "order"), ORDERS)
def test_what_is_synced_before_what(tmp_path: Path, past: str, durability: str, end: str, order: str) -> None:
    """A name is given only to bytes that are on the disk; without a power cut no other test sees that."""
    if why_no_strace():
        pytest.skip(str(why_no_strace()))
    situation = Situation(tmp_path, past)
    watched = "fsync,?linkat,?link,?rename,?renameat,?renameat2,?unlink,?unlinkat"
    lines = situation.trace(durability, end, watched)
    seen = ""
    for line in lines:
        call = line.split("(")[0].split()[-1]
        if call == "fsync":
            path = line.split("<")[1].split(">")[0]
            seen += "S" if path == str(situation.folder) else "P" if path == str(tmp_path) else "s"
        else:
            seen += call[0]
    assert seen == order


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one: a tmpfs of 64 KiB, mounted if that is allowed."""
    mount = tmp_path / "disk"
    mount.mkdir()
    tool = shutil.which("mount")
    if tool is None:
        pytest.skip("there is no mount command")
    mounted = subprocess.run(
        [tool, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs can't be mounted here: {mounted.stderr.strip()}")
    try:
        name, failure = str(mount / "x.txt"), str(mount / "x.err")
        claim = LocalStore().claim(name, failure)
        assert isinstance(claim, LocalClaim)
        with pytest.raises(OSError, match="No space left") as caught:
            claim.write(b"x" * 100_000)
        assert caught.value.errno == 28
        with pytest.raises(OSError, match="cut"):
            claim.publish()
        claim.fail(b"the report fits, since the bytes were discarded")
        assert os.listdir(mount) == ["x.err"]
        again = LocalStore().claim(name, failure, replace=True)
        assert isinstance(again, LocalClaim)
        again.write(b"x" * 50_000)
        again.publish()
        assert os.listdir(mount) == ["x.txt"]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """EACCES, with the name; root needs another user for that."""
    script = textwrap.dedent(
        """
        import errno
        from asflow.stores._local import LocalStore
        for name in ("x.txt", "new/x.txt"):
            try:
                LocalStore().claim(f"{sys.argv[2]}/{name}", f"{sys.argv[2]}/x.err")
            except PermissionError as error:
                assert error.errno == errno.EACCES
                print(error.filename)
        """
    )
    command = [sys.executable, "-I", "-S", "-c", ALONE + script, ROOT]
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        os.chmod(folder, 0o555)
        if os.geteuid() == 0:
            tool = shutil.which("setpriv")
            if tool is None:
                pytest.skip("root may write everywhere, and there is no setpriv to become another user")
            command = [tool, "--reuid=65534", "--regid=65534", "--clear-groups", *command]
            if (
                subprocess.run(
                    [*command[:4], sys.executable, "-I", "-c", f"open({asflow.__file__!r})"],
                    capture_output=True,
                    check=False,
                ).returncode
                != 0
            ):
                pytest.skip("another user may not read this Python, or this package")
        process = subprocess.run([*command, folder], capture_output=True, text=True, timeout=30, check=False)
        assert process.stdout.split() == [f"{folder}/x.txt.part", f"{folder}/new"], process.stderr
        assert os.listdir(folder) == []
