"""What is particular to the store in memory."""

from __future__ import annotations

import gc
import time

import pytest

from asflow.errors import OutputClosedError, OutputNameError
from asflow.stores import MemoryStore
from asflow.stores._memory import MemoryClaim


def _claim(store: MemoryStore, name: str = "a.txt", *, replace: bool = False) -> MemoryClaim:
    claim = store.claim(name, "a.err", replace=replace)
    assert isinstance(claim, MemoryClaim)
    return claim


def test_a_dropped_claim_is_free_at_once() -> None:
    """A garbage-collected claim holds nothing."""
    store = MemoryStore()
    claim = _claim(store)
    assert store.claim("a.txt", "a.err") == "busy"
    del claim
    gc.collect()
    _claim(store).abort()


def test_a_late_end_does_not_end_the_next_claim() -> None:
    """Ending an old claim again leaves its successor's hold alone."""
    store = MemoryStore()
    old = _claim(store)
    old.abort()
    new = _claim(store)
    old.abort()
    old.publish()
    assert store.claim("a.txt", "a.err") == "busy"
    new.publish()
    assert store.status("a.txt", "a.err") == "complete"


@pytest.mark.parametrize("name", ["a.gz", "a.jsonl.zst", "a.parquet"])
def test_nothing_is_no_compressed_file(name: str) -> None:
    """Zero bytes under such a name count as absent, and can be made again."""
    store = MemoryStore()
    _claim(store, name).publish()
    assert store.status(name, "a.err") == "absent"
    assert store.info(name) is None
    assert list(store.list("")) == []
    with pytest.raises(FileNotFoundError):
        store.open(name)
    claim = _claim(store, name)
    claim.write(b"x")
    claim.publish()
    assert store.status(name, "a.err") == "complete"


def test_times_are_of_publishing() -> None:
    """`modified` is the wall clock at publish."""
    store = MemoryStore()
    claim = _claim(store)
    before = time.time()
    claim.publish()
    info = store.info("a.txt")
    assert info is not None
    assert before <= info.modified <= time.time()


@pytest.mark.parametrize("name", ["", "a/", "a.part"])
def test_names_that_no_output_has(name: str) -> None:
    """The memory store refuses what the local one refuses."""
    with pytest.raises(OutputNameError, match=repr(name)):
        MemoryStore().claim(name, "a.err")


def test_a_late_write_names_the_output() -> None:
    """The error of a write after the end says which output it is about."""
    claim = _claim(MemoryStore())
    claim.publish()
    with pytest.raises(OutputClosedError, match=r"a\.txt"):
        claim.write(b"x")
