"""`save=` with `executor=`: a worker encodes what the body returns or yields, and no value is pickled."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from executors import bodies

from asflow import Flow, MemoryStore, Records
from asflow.errors import NotInTaskError, RecordTypeError, RecordValueError
from asflow.testing import FaultyStore, RecordingSink, fake_clock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning:distributed", "ignore::DeprecationWarning:dask", "ignore::ResourceWarning"
    ),
]


@pytest.mark.parametrize("suffix", ["json", "json.zst"])
def test_a_value_comes_back_that_no_pickle_may_hold(flow: Flow, executor: Executor, suffix: str) -> None:
    task = flow.task(save="{name}." + suffix, executor=executor)(bodies.heavy)
    first = task("a")
    assert (first.pid == os.getpid()) == isinstance(executor, ThreadPoolExecutor)
    assert task("a") == first == bodies.Heavy("a", first.pid)
    assert flow.task.output(task, "a").value() == first


@pytest.mark.parametrize("suffix", ["jsonl.gz", "csv", "parquet"])
def test_records_are_encoded_where_they_are_made(flow: Flow, executor: Executor, suffix: str) -> None:
    yielding = flow.task(save="yielded-{name}-{count}." + suffix, executor=executor)(bodies.heavies)
    listing = flow.task(save="listed-{name}-{count}." + suffix, executor=executor)(bodies.listed)
    for _ in range(2):
        records, listed = yielding("a", 3), listing("a", 3)
        assert isinstance(records, Records)
        assert [type(each) for each in [*records, *listed]] == [bodies.Heavy] * 6
        assert len({each.pid for each in records}) == 1
    assert list(yielding("none", 0)) == listing("none", 0) == []


def test_text_and_what_the_run_knows(flow: Flow, executor: Executor) -> None:
    task = flow.task(save="{name}.txt", executor=executor)(bodies.text)
    assert task("ab") == task("ab") == "ababab"


async def test_a_map_of_values(flow: Flow, executor: Executor) -> None:
    names = [f"n{number}" for number in range(8)]
    task = flow.task(save="{name}.json", limit=4, executor=executor)(bodies.heavy)
    first = await flow.task.map(task, names)
    assert [value.name for value in first] == names
    assert await flow.task.map(task, names) == first


def test_what_the_body_must_not_do(flow: Flow, executor: Executor, tmp_path: Path) -> None:
    """Write, or return and yield another type: an error that no policy is about, and nothing is published."""
    lenient: dict[str, Any] = {"skip": Exception, "retry": 3, "executor": executor}
    writing = flow.task(save="w.json", **lenient)(bodies.write_and_return)
    returning = flow.task(save="r.json", **lenient)(bodies.return_another)
    yielding = flow.task(save="y.jsonl", **lenient)(bodies.yield_another)
    with fake_clock() as clock:
        with pytest.raises(NotInTaskError, match=r"write_and_return\(\): keeps what it returns"):
            writing("a")
        with pytest.raises((RecordTypeError, RecordValueError), match=r"return_another\(\)"):
            returning("a")
        with pytest.raises((RecordTypeError, RecordValueError), match=r"yield_another\(\)"):
            yielding(str(tmp_path))
    assert clock.waits == []
    assert (tmp_path / "closed").read_text() == "closed", "the body that yields is closed"
    assert [path for path in flow.path("").glob("*") if path.is_file()] == []


def test_the_policy_is_about_what_the_body_raises(flow: Flow, executor: Executor) -> None:
    skipping = flow.task(save="s.jsonl", skip=LookupError, executor=executor)(bodies.fail_in_the_middle)
    assert skipping("a") is None
    suppressing = flow.task(save="e.jsonl", suppress=LookupError, executor=executor)(
        bodies.fail_in_the_middle
    )
    assert suppressing("a") is None
    assert "in fail_in_the_middle" in (flow.task.output(suppressing, "a").error() or "")


def test_a_full_disk_here_ends_the_call_as_itself(executor: Executor) -> None:
    store = FaultyStore(MemoryStore())
    flow = Flow(store=store, sink=RecordingSink())
    task = flow.task(save="{name}.json", skip=OSError, retry=3, executor=executor)(bodies.heavy)
    full = OSError(28, "No space left on device")
    store.fail("write", full)
    with pytest.raises(OSError, match="No space") as caught:
        task("a")
    assert caught.value is full
    assert task("a") == task("a")
    assert flow.task.output(task, "a").status == "complete"


@pytest.mark.parametrize("step", ["write", "commit"])
def test_a_full_disk_in_the_worker_ends_the_call_as_itself(flow: Flow, executor: Executor, step: str) -> None:
    task = flow.task(
        on="{step}.txt", writer=bodies.FullWriter, skip=OSError, retry=3, suppress=OSError, executor=executor
    )(bodies.write_step)
    with fake_clock() as clock, pytest.raises(OSError, match="No space"):
        task(step)
    assert clock.waits == []
    assert flow.task.output(task, step).status == "absent"


# ------------------------------------------------------------------ on=


@pytest.mark.parametrize("suffix", ["txt", "txt.gz", "jsonl.zst"])
def test_a_value_beside_writes(flow: Flow, executor: Executor, suffix: str) -> None:
    """An empty compressed file has bytes, too: they are not taken for a write."""
    task = flow.task(on="{name}-{writes}." + suffix, skip=Exception, executor=executor)(bodies.return_in_vain)
    with pytest.raises(RecordTypeError, match=r"return_in_vain\(\): .* it wrote nothing; use save="):
        task("a", False)
    assert flow.task.output(task, "a", False).status == "absent"
    with pytest.warns(UserWarning, match=r"return_in_vain\(\): on= keeps what the body writes"):
        assert task("a", True) == "a"
    assert flow.task.output(task, "a", True).status == "complete"


def test_a_failed_write_in_a_worker_ends_the_call(flow: Flow, executor: Executor) -> None:
    """Though the body passes over it."""
    task = flow.task(on="{name}.jsonl", skip=Exception, retry=2, executor=executor)(bodies.swallow)
    with fake_clock() as clock, pytest.raises(RecordTypeError):
        task("a")
    assert clock.waits == []
    assert flow.task.output(task, "a").status == "absent"
