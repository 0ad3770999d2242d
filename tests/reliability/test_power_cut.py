"""The power goes: a real ext4 on a loop device that is shut down without writing its journal.

`EXT4_IOC_SHUTDOWN` (linux/fs/ext4/ioctl.c) with EXT4_GOING_FLAGS_NOLOGFLUSH drops everything that is
not on the disk yet, as a power cut does. Needs root and loop devices; skipped where that is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from reliability.pipeline import Pipeline
from reliability.processes import everything, root_tool, run, stable, unmount, until_begun

from asflow import Flow
from asflow.sinks import NullSink
from asflow.stores import LocalStore
from asflow.stores._local_claim import Durability

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="ext4 is Linux's"),
]

CUTS = int(os.environ.get("ASFLOW_KILLS", "16"))
EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


class Disk:
    """A file system of its own, which can be cut off and brought back."""

    def __init__(self, image: Path, place: Path) -> None:
        self.image, self.place = image, place

    def mount(self) -> None:
        # commit=300: the journal is written when somebody syncs, not by chance in the middle of a test.
        done = subprocess.run(
            [root_tool("mount"), "-o", "loop,commit=300", str(self.image), str(self.place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"no loop mount here: {done.stderr.strip()}")

    def cut(self) -> None:
        """Take the power away: what is not on the disk is gone."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        unmount(self.place)
        self.mount()


@contextlib.contextmanager
def disk(folder: Path) -> Generator[Disk]:
    mkfs = shutil.which("mkfs.ext4") or "/sbin/mkfs.ext4"
    if not os.path.exists(mkfs):
        pytest.skip("needs mkfs.ext4")
    image, place = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run([mkfs, "-q", "-F", str(image)], check=True, capture_output=True)
    place.mkdir()
    made = Disk(image, place)
    made.mount()
    try:
        yield made
    finally:
        with contextlib.suppress(FileNotFoundError):
            unmount(place)


PUBLISH = """
    import sys
    from asflow import Flow
    from asflow.sinks import NullSink
    from asflow.stores import LocalStore
    flow = Flow(sys.argv[1], store=LocalStore(durability=sys.argv[2]), sink=NullSink())
    @flow.task(on="out/{index}.jsonl")
    def make(index: int) -> None:
        for number in range(200):
            flow.task.write({"index": index, "number": number, "text": "x" * 30})
    for index in range(20):
        make(index)
    """


@pytest.mark.parametrize("metadata_synced", [True, False])
@pytest.mark.parametrize("durability", get_args(Durability))
def test_the_power_goes_after_a_run(tmp_path: Path, durability: Durability, metadata_synced: bool) -> None:
    """The run has returned. What is there then: all of it, whole or nothing, or (atomic) empty files.

    With *metadata_synced* somebody else has synced the file system's journal before the cut, which puts
    names on the disk, but no bytes: the state in which unsynced outputs turn into empty files.
    """
    with disk(tmp_path) as made:
        base = made.place / "base"
        base.mkdir()
        sync(made.place)
        run(PUBLISH, tmp_path, str(base), durability)
        if metadata_synced:
            sync(made.place)
        made.cut()
        made.restart()
        found = {path.name: path.read_bytes() for path in sorted(base.glob("out/*.jsonl"))}
        broken = [name for name, data in found.items() if data.count(b"\n") != 200]
        whole = [name for name in found if name not in broken]
        if durability == "atomic":
            # What "atomic" does not promise, or else this test could not fail for the others.
            assert whole == []
            assert len(broken) == (20 if metadata_synced else 0)
            return
        assert broken == []
        if durability == "full" or metadata_synced:
            assert len(whole) == 20
        # Anyhow the next run makes what is missing, and clears away what was in progress.
        run(PUBLISH, tmp_path, str(base), durability)
        assert everything(base) == {f"out/{index}.jsonl" for index in range(20)}
        assert all(path.read_bytes().count(b"\n") == 200 for path in base.glob("out/*.jsonl"))


def sync(folder: Path) -> None:
    """Write the journal, as anybody's fsync of anything does."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("durability", ["data", "full"])
def test_the_power_goes_during_a_run(tmp_path: Path, durability: Durability) -> None:
    """Flows with two loops each, cut off again and again; what is there is whole, and in the end all is."""
    draw = random.Random(durability)
    count = CUTS * 8
    with disk(tmp_path) as made:
        base, local = made.place / "base", tmp_path / "local"
        local.mkdir()
        base.mkdir()
        # Outputs on the disk that is cut, notes on one that is not.
        (local / "out").symlink_to(base)
        pipeline = Pipeline(str(local))
        sync(made.place)
        with stable(local) as server:
            cuts = 0
            for cut in range(CUTS):
                # The moment is the random input of this test; whatever it is, there is work left.
                if len(everything(base)) > count:
                    count += CUTS * 4
                child = server.start("all", durability, count, cut, 2)
                until_begun(local, 1 + draw.randrange(count // 2))
                returned = settled(local, count) if durability == "full" else set[str]()
                made.cut()
                # The run meets EIO at once, and tells it; or it was done before.
                cuts += server.wait(child) == 1
                made.restart()
                present = everything(base)
                assert returned <= present
                for index in range(count):
                    pipeline.whole(index)
            assert server.run("all", durability, count, 999, 2) == 0
        assert everything(base) == pipeline.expected(count)
        assert sum(map(pipeline.whole, range(count))) == len(pipeline.expected(count))
        assert cuts >= CUTS / 4
    # Bodies of outputs that a cut took away run again, so that "done before" holds for what survived.
    assert [name for name in os.listdir(local / "violations") if "two-bodies" in name] == []


def settled(local: Path, count: int) -> set[str]:
    """What certainly was returned: `convert` is called when `download` has returned."""
    begun = set(os.listdir(local / "bodies"))
    return {f"raw/{index}.jsonl.zst" for index in range(count) if f"text-{index}" in begun}


def test_an_empty_file_of_a_compressed_format_is_made_anew(tmp_path: Path) -> None:
    """Even "atomic" outputs that a power cut has emptied are made again where the format can tell."""
    with disk(tmp_path) as made:
        base = made.place / "base"
        base.mkdir()
        sync(made.place)
        flow = Flow(base, store=LocalStore(durability="atomic"), sink=NullSink())

        @flow.task(on="{index}.jsonl.zst")
        def make(index: int) -> None:
            flow.task.write({"index": index})

        for index in range(10):
            make(index)
        sync(made.place)
        made.cut()
        made.restart()
        assert [(base / f"{index}.jsonl.zst").stat().st_size for index in range(10)] == [0] * 10
        for index in range(10):
            assert flow.task.output(make, index).status == "absent"
            make(index)
            assert list(flow.task.output(make, index).records(dict[str, int])) == [{"index": index}]
        assert everything(base) == {f"{index}.jsonl.zst" for index in range(10)}
