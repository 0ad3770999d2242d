"""The shortcuts of `LocalStore`: one look for a skip, and one for reading a small output.

Neither ever disagrees with `status` or `open`, to which they leave all that is not certain.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from asflow import Flow, LocalStore, MemoryStore
from asflow.errors import OutputPlaceError
from asflow.sinks import NullSink
from asflow.stores._common import MARKED
from asflow.stores._local import read_small

if TYPE_CHECKING:
    from pathlib import Path

    from asflow.protocols import OutputStatus


@pytest.mark.parametrize("name", ["x.txt", "x.jsonl.zst", "x.csv.gz", "x.parquet"])
@pytest.mark.parametrize("content", [b"", b"data"])
def test_agrees_with_status_on_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    store = LocalStore()
    assert not store.is_complete(str(path))
    path.write_bytes(content)
    assert store.is_complete(str(path)) == (store.status(str(path), f"{path}.err") == "complete")


def test_leaves_everything_else_to_status(tmp_path: Path) -> None:
    store = LocalStore()
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("folder", "fifo", "link", "dangling", "file/below"):
        assert not store.is_complete(str(tmp_path / name)), name
    assert store.status(str(tmp_path / "link"), str(tmp_path / "link.err")) == "complete"


def test_a_second_name_is_swept_by_the_next_skip(tmp_path: Path) -> None:
    """A writer killed between link and unlink leaves `.part` as a second name: `status` removes it."""
    flow = Flow(tmp_path, verbose=False)

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        flow.task.write(name)

    make("x")
    os.link(tmp_path / "x.txt", tmp_path / "x.txt.part")
    assert not LocalStore().is_complete(str(tmp_path / "x.txt"))
    make("x")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_store_without_it_uses_status(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(MemoryStore):
        def status(self, name: str, failure: str, /) -> OutputStatus:
            asked.append(name)
            return super().status(name, failure)

    flow = Flow(store=Counting(), verbose=False)

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        flow.task.write(name)

    make("x")
    asked.clear()
    make("x")
    assert asked == ["x.txt"]
    assert not hasattr(flow.store, "is_complete")


@pytest.mark.parametrize("name", ["x.txt", "x.jsonl.zst", "x.csv.gz", "x.parquet"])
@pytest.mark.parametrize("content", [b"", b"data", b"x" * 300_000])
def test_what_is_small_and_whole_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    with pytest.raises(FileNotFoundError):
        read_small(str(path), 300_000)
    path.write_bytes(content)
    is_whole = LocalStore().status(str(path), f"{path}.err") == "complete"
    assert read_small(str(path), 300_000) == (content if is_whole else None)


def test_what_is_large_marked_or_no_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("folder", "fifo", "file/below"):
        assert read_small(str(tmp_path / name), 100) is None, name
    with pytest.raises(FileNotFoundError):
        read_small(str(tmp_path / "dangling"), 100)
    assert read_small(str(tmp_path / "link"), 100) == b"text"
    assert read_small(str(file), 4) == b"text"
    assert read_small(str(file), 3) is None
    os.utime(file, (MARKED, MARKED))
    assert read_small(str(file), 100) is None


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """A quick look may take it for nothing; the claim doesn't."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{n}.txt")
    def written(n: int) -> None:
        raise AssertionError("called")

    @flow.task(save="{n}.json")
    def kept(n: int) -> str:
        raise AssertionError("called")

    for name in ("1.txt", "1.json"):
        (tmp_path / name).symlink_to("nothing")
    for make in (written, kept):
        with pytest.raises(OutputPlaceError):
            make(1)
