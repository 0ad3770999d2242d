"""One scan of a folder instead of many looks: it never knows an output that a look would not find."""

from __future__ import annotations

import os
from inspect import signature
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow import LocalStore, MemoryStore
from asflow._naming.namer import compile_namer
from asflow._naming.patterns import Pattern
from asflow.stores._common import MARKED
from asflow.stores._local import scans_for
from asflow.stores._local_scan import Scans, texts_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that scans may know: its file system keeps the note that outputs in it are marked."""
    try:
        os.setxattr(tmp_path, "user.asflow.test", b"")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here, so nothing is scanned")
    return tmp_path


def fill(folder: Path, count: int, suffix: str = ".txt") -> list[str]:
    folder.mkdir(exist_ok=True)
    names = [str(folder / f"{number}{suffix}") for number in range(count)]
    for name in names:
        with open(name, "w"):
            pass
    return names


def scans_of(looks: int) -> Scans:
    """Return scans for which no time passes."""
    return Scans(looks, now=lambda: 0.0)


def scan(scans: Scans, names: list[str]) -> set[str]:
    """Report looks at *names*, of which the first 64 are enough, and let the scan come to its end."""
    for name in names[:64]:
        scans.found(name)
    while scans.step():
        pass
    return scans.names


def test_it_knows_regular_files_and_nothing_else(folder: Path) -> None:
    names = fill(folder, 70)
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "fifo.txt")
    (folder / "link.txt").symlink_to("1.txt")
    (folder / "dangling.txt").symlink_to("nothing")
    (folder / "2.txt.part").write_text("")
    (folder / "new.txt.part").write_text("")
    known = scan(scans_of(100), names)
    assert known == set(names) - {names[2]}
    store = LocalStore()
    assert all(store.status(name, f"{name}.err") == "complete" for name in known)


def test_a_folder_is_not_scanned_before_some_looks_have_found_outputs_there(folder: Path) -> None:
    names = fill(folder, 70)
    scans = scans_of(100)
    assert scan(scans, names[:63]) == set()
    assert scan(scans, names[63:64]) == set(names)


def test_large_folders_are_read_in_steps(folder: Path) -> None:
    names = fill(folder, 5000)
    scans = scans_of(5000)
    for name in names[:64]:
        scans.found(name)
    steps = 0
    while scans.step():
        assert not scans.names
        steps += 1
    assert steps >= 3
    assert scans.names == set(names)


def test_a_scan_is_given_up_if_it_costs_more_than_the_looks(folder: Path) -> None:
    names = fill(folder, 300)
    scans = scans_of(100)
    assert scan(scans, names) == set()
    assert scan(scans, names) == set()


def test_a_thousand_folders_take_no_more_memory_than_one(folder: Path) -> None:
    scans = scans_of(1000)
    known = 0
    for number in range(50):
        names = fill(folder / str(number), 70)
        known = max(known, len(scan(scans, names)))
    assert 1900 <= known <= 2000
    counted = scans_of(10**9)
    for number in range(5000):
        counted.found(f"/{number}/x.txt")
    assert len(counted._hits) <= 1001  # pyright: ignore[reportPrivateUsage]
    assert not counted.step()


def test_it_counts_for_a_second(folder: Path) -> None:
    now = 100.0
    scans = Scans(100, now=lambda: now)
    names = fill(folder, 70)
    assert scan(scans, names) == set(names)
    now += 0.9
    scans.step()
    assert scans.names == set(names)
    now += 0.2
    scans.step()
    assert scans.names == set()


def test_the_oldest_of_several_scans_counts(folder: Path) -> None:
    now = 100.0
    scans = Scans(1000, now=lambda: now)
    scan(scans, fill(folder / "a", 70))
    now += 0.9
    assert len(scan(scans, fill(folder / "b", 70))) == 140
    now += 0.2
    scans.step()
    assert scans.names == set()


def test_what_any_store_of_the_process_deletes_ends_it(folder: Path) -> None:
    scans = scans_of(1000)
    names = fill(folder, 70)
    scan(scans, names)
    LocalStore().delete(names[3])
    scans.step()
    assert scans.names == set()
    assert scan(scans, names) == set(names) - {names[3]}
    for name in names[:64]:
        scans.found(name)
    LocalStore().delete(names[4])  # before the scan that is due now
    scans.step()
    assert scans.names == set()


def test_a_folder_with_marks_is_not_scanned(folder: Path) -> None:
    scans = scans_of(1000)
    names = fill(folder, 70)
    scan(scans, names)
    LocalStore().set_modified(names[5], MARKED)
    scans.step()
    assert scans.names == set()
    assert scan(scans, names) == set()
    assert not LocalStore().is_complete(names[5])


def test_marks_through_a_link_are_noted_where_the_file_is(folder: Path) -> None:
    names = fill(folder / "real", 70)
    (folder / "link").symlink_to("real")
    (folder / "file.txt").symlink_to("real/7.txt")
    LocalStore().set_modified(str(folder / "file.txt"), MARKED)
    assert scan(scans_of(100), names) == set()
    assert scan(scans_of(100), [str(folder / "link" / os.path.basename(name)) for name in names]) == set()


def test_relative_names_are_left_to_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    fill(folder, 70)
    assert scan(scans_of(100), [f"./{number}.txt" for number in range(70)]) == set()


def test_a_folder_that_is_gone_is_left_to_looks(folder: Path) -> None:
    assert scan(scans_of(100), [str(folder / "gone" / f"{number}.txt") for number in range(70)]) == set()


def test_only_the_store_itself_is_known_and_formats_that_may_be_empty() -> None:
    class Other(LocalStore):
        pass

    assert scans_for(LocalStore(), ".jsonl", 5) is not None
    for store, suffix in (
        (Other(), ".jsonl"),
        (MemoryStore(), ".jsonl"),
        (LocalStore(), ".jsonl.zst"),
        (LocalStore(), ".csv.gz"),
        (LocalStore(), ".parquet"),
        (LocalStore(), ""),
    ):
        assert scans_for(store, suffix, 5) is None, (store, suffix)


def test_texts_are_known_as_they_are_in_names(folder: Path) -> None:
    names = fill(folder, 70)
    for other in ("a b", "a.b", "\u00e9", "%41", "x\ny"):
        (folder / f"{other}.txt").write_text("")
    (folder / "else.csv").write_text("")
    (folder / ".txt").write_text("")
    (folder / "3.txt.part").write_text("")
    start = f"{folder}/"
    scans = Scans(100, start, ".txt", now=lambda: 0.0)
    known = scan(scans, [os.path.basename(name) for name in names])
    assert scans.texts == {str(number) for number in range(70)} - {"3"}
    assert known == {"a b.txt", "a.b.txt", "\u00e9.txt", "%41.txt", "x\ny.txt", "else.csv", ".txt"}
    LocalStore().delete(names[0])
    scans.step()
    assert scans.texts == set()


@given(
    st.lists(st.text(st.sampled_from("aB1-_. %\n\u00e9"), max_size=4), min_size=1, unique=True),
    st.lists(st.text("a.txt\n", max_size=6)),
    st.sampled_from([".t", ".txt", "-x.jsonl", "." + "x" * 147]),
)
def test_a_text_that_is_known_is_named_so(texts: list[str], others: list[str], suffix: str) -> None:
    def make(name: str) -> None: ...

    pattern = Pattern.parse("{name}" + suffix, parameters=("name",), task="make")
    locate = compile_namer(pattern, signature(make), task="make").output
    files = [*(text + suffix for text in texts), *others]
    plain, rest = texts_in(files, suffix)
    assert sorted([*(text + suffix for text in plain), *rest]) == sorted(files)
    assert all(locate(text) == text + suffix for text in plain)


def test_many_plain_names_are_all_known_by_their_texts() -> None:
    texts = [f"aZ-_{number}" for number in range(1000)]
    assert texts_in([f"{text}.jsonl" for text in texts], ".jsonl") == (texts, [])
    assert texts_in(["x" * 146 + ".txt"], ".txt")[0]
    assert not texts_in(["x" * 147 + ".txt"], ".txt")[0]
    assert texts_in([], ".txt") == ([], [])
