"""File systems that do without flock, hard links, link counts or stable inodes."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stores.test_kill import kill_writers

import asflow
from asflow import LocalStore
from asflow.stores._local_claim import LocalClaim
from asflow.testing._store_claims import CLAIM_CHECKS
from asflow.testing._stores import _STORE_CHECKS, _odd_names

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts by FUSE, and strace")

SFTP = "/usr/lib/openssh/sftp-server"


class Mounts:
    """Mounts file systems, and unmounts them at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.closing = contextlib.ExitStack()

    def mount(self, kind: str, place: Path) -> None:
        place.mkdir()
        parts = {name: self.folder / name for name in ("lower", "upper", "work")}
        for part in parts.values():
            part.mkdir()
        if kind == "bindfs":
            self._run("bindfs", str(parts["lower"]), str(place))
        elif kind == "sshfs":
            if not os.path.exists(SFTP):
                pytest.skip(f"needs {SFTP}")
            ssh = (
                self.folder / "ssh"
            )  # in the place of ssh: the server of this machine, on its stdin and stdout
            ssh.write_text(f"#!/bin/sh\nexec {SFTP}\n")
            ssh.chmod(0o700)
            self._run("sshfs", "-o", f"ssh_command={ssh}", f"localhost:{parts['lower']}", str(place))
        elif kind == "overlay":
            layers = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
            self._run("fuse-overlayfs", "-o", layers, str(place))
        else:
            image = self.folder / "image"
            with image.open("wb") as file:
                file.truncate(256 << 20)
            self._run("mkfs.exfat", str(image))
            device = self._run("losetup", "-f", "--show", str(image)).strip()
            self.closing.callback(self._run, "losetup", "-d", device)
            self._run("mount.exfat-fuse", device, str(place))
        self.closing.callback(self._run, "umount", str(place))

    @staticmethod
    def _run(tool: str, *arguments: str) -> str:
        found = shutil.which(tool)
        if found is None or os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            pytest.skip(f"needs root, /dev/fuse and {tool}")
        done = subprocess.run([found, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no {tool} here: {done.stderr.strip()}")
        return done.stdout


@pytest.fixture(params=["bindfs", "sshfs", "overlay", "exfat"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder whose `out` is a mounted file system."""
    (tmp_path / "parts").mkdir()
    mounts = Mounts(tmp_path / "parts")
    with mounts.closing:
        (tmp_path / "kind").write_text(request.param)
        mounts.mount(request.param, tmp_path / "out")
        yield tmp_path


@pytest.mark.parametrize("durability", ["data", "full", "atomic"])
def test_the_store_conforms(base: Path, durability: str) -> None:
    store = LocalStore(durability=durability)  # type: ignore[arg-type]
    for check in (*_STORE_CHECKS, *CLAIM_CHECKS):
        if check is _odd_names and (base / "kind").read_text() == "exfat":
            continue  # there, `x` and `X` are one name: a limit that the docs state
        check(store, f"{base}/out/{check.__name__}/")
    assert not list((base / "out").rglob("*.part*"))


def test_a_published_file_is_never_emptied(base: Path) -> None:
    """A killed writer has left its second name, which not every file system counts as one."""
    out = base / "out"
    names = str(out / "x.txt"), str(out / "x.err")
    store = LocalStore()
    claim = store.claim(*names)
    assert isinstance(claim, LocalClaim)
    claim.write(b"x" * 9890)
    claim.publish()
    with contextlib.suppress(PermissionError):  # exFAT has no links
        os.link(names[0], names[0] + ".part")
    for end in ("abort", "publish"):
        claim = store.claim(*names, replace=True)
        assert isinstance(claim, LocalClaim)
        claim.write(b"new")
        assert (out / "x.txt").stat().st_size == 9890
        claim.abort() if end == "abort" else claim.publish()
    assert (out / "x.txt").read_bytes() == b"new"
    assert os.listdir(out) == ["x.txt"]


def test_an_owner_is_known_to_other_processes_and_its_death_too(base: Path) -> None:
    names = str(base / "out" / "x.txt"), str(base / "out" / "x.err")
    script = f"""
        import sys
        from asflow import LocalStore
        claim = LocalStore().claim({names[0]!r}, {names[1]!r})
        claim.write(b"half")
        print("claimed", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    env = {**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"claimed\n"
        assert LocalStore().claim(*names) == "busy"
        owner.kill()
    claim = LocalStore().claim(*names)
    assert isinstance(claim, LocalClaim)
    claim.write(b"whole")
    claim.publish()
    assert Path(names[0]).read_bytes() == b"whole"
    assert os.listdir(base / "out") == ["x.txt"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_writers_leave_whole_files_only(base: Path) -> None:
    # sshfs counts one link for each name, so a second name stays until the next claim, or `asflow clean`.
    kill_writers(base, 4, "data", leaves_parts=(base / "kind").read_text() == "sshfs")


# Without flock


WITHOUT_FLOCK = """
import os, pathlib, subprocess, sys
from asflow import LocalStore
from asflow.errors import OutputPlaceError

CLAIM = "from asflow import LocalStore; print(LocalStore().claim('x.txt', 'x.err'))"
try:
    claim = LocalStore().claim("x.txt", "x.err")
except OutputPlaceError as error:
    print("refused", error.errno, error.filename.endswith("x.txt.part"), os.listdir("."))
    print(error.strerror)
    sys.exit()
claim.write(b"half")
print(LocalStore().claim("x.txt", "x.err"))
print(subprocess.run([sys.executable, "-c", CLAIM], capture_output=True, text=True).stdout.strip())
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
print(LocalStore().claim("x.txt", "x.err"))  # the child's end did not free it
claim.publish()
print(pathlib.Path("x.txt").read_text(), os.listdir("."))
"""


def _strace(folder: Path, script: str, *faults: str) -> list[str]:
    """Run *script* with system calls that fail; return the lines that it prints."""
    tool = shutil.which("strace")
    if tool is None:
        pytest.skip("strace is not on PATH")
    command = [tool, "-f", "-o", os.devnull, *(f"--inject={fault}" for fault in faults)]
    done = subprocess.run(
        [*command, sys.executable, "-c", textwrap.dedent(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"no strace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("code", ["EOPNOTSUPP", "ENOSYS"])
def test_without_flock_another_lock_does_the_same(tmp_path: Path, code: str) -> None:
    """Linux's locks of open file descriptions: across processes and descriptors, not lost at a fork."""
    lines = _strace(tmp_path, WITHOUT_FLOCK, f"flock:error={code}")
    assert lines == ["busy", "busy", "busy", "half ['x.txt']"]


@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS"])
def test_without_any_lock_a_claim_is_refused(tmp_path: Path, code: str) -> None:
    """ENOLCK may pass, and another process may hold a flock: no other kind of lock is tried then."""
    script = WITHOUT_FLOCK if code == "ENOLCK" else "import fcntl; del fcntl.F_OFD_SETLK\n" + WITHOUT_FLOCK
    lines = _strace(tmp_path, script, f"flock:error={code}")
    assert lines[0] == f"refused {getattr(errno, code)} True []"
    assert lines[1].startswith("LocalStore(): files can't be locked here (")
    assert "; keep outputs on a local disk or in an ObjectStore, or mount" in lines[1]


def test_without_proc_and_links_outputs_are_published_and_replaced(tmp_path: Path) -> None:
    script = """
        import os, pathlib
        from asflow import LocalStore
        for text in ("one", "two"):
            claim = LocalStore().claim("x.txt", "x.err", replace=text == "two")
            claim.write(text.encode())
            claim.publish()
            print(pathlib.Path("x.txt").read_text(), os.listdir("."))
    """
    for code in ("ENOENT", "EPERM", "ENOSYS"):
        assert _strace(tmp_path, script, f"linkat,link:error={code}") == ["one ['x.txt']", "two ['x.txt']"]
        (tmp_path / "x.txt").unlink()
