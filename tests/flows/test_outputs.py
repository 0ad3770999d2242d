"""Handles on outputs, listing them, and making them anew."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, cast

import pytest

from asflow import Flow, LocalStore, MemoryStore, Output, Store
from asflow.errors import NoPathError
from asflow.sinks import NullSink


class Record(TypedDict):
    number: int


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore()


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


def status(output: Output) -> str:
    """Return the status, which a checker takes to be the same as before."""
    return output.status


def test_a_handle(flow: Flow, store: Store, tmp_path: Path) -> None:
    @flow.task(on="data/{number:03d}.jsonl.gz")
    def make(number: int, copies: int = 2) -> None:
        for _ in range(copies):
            flow.task.write(Record(number=number))

    output = flow.task.output(make, 7)
    assert repr(output) == "Output('data/007.jsonl.gz')"
    assert (output.status, output.size, output.modified, output.error()) == ("absent", None, None, None)
    with pytest.raises(FileNotFoundError):
        output.records(Record)
    make(7)
    assert output.status == "complete"
    assert list(output.records(Record)) == [{"number": 7}] * 2
    assert output.text() == '{"number":7}\n' * 2
    assert output.size is not None
    assert output.size > 0
    assert output.modified == pytest.approx(time.time(), abs=600)
    assert output == flow.task.output(make, number=7)
    assert hash(output) == hash(flow.task.output(make, 7, copies=3))
    assert output != flow.task.output(make, 8)
    assert output != "data/007.jsonl.gz"
    if isinstance(store, LocalStore):
        assert output.path == tmp_path / "data" / "007.jsonl.gz"
    else:
        with pytest.raises(NoPathError):
            _ = output.path
    assert output.delete()
    assert not output.delete()
    assert status(output) == "absent"
    untyped: Any = flow.task.output
    with pytest.raises(TypeError, match="unexpected keyword"):
        untyped(make, nothing=1)


def test_listing(flow: Flow, store: Store, tmp_path: Path) -> None:
    """What is there and fits, complete or suppressed, each once, sorted; nothing else of the folder."""

    @flow.task(on="data/{name}.jsonl", suppress=ValueError)
    def make(name: str, fail: bool = False) -> None:
        if fail:
            raise ValueError

    assert list(flow.task.outputs(make)) == []
    for name in ("b", "a", "c.d", "e/f"):
        make(name)
    for name in ("b0", "c"):
        make(name, fail=True)
    for name in ("data/other.csv", "data/a.jsonl.zst", "data/deep/x.jsonl", "elsewhere.jsonl"):
        claim = store.claim(f"{tmp_path}/{name}", f"{tmp_path}/{name}.err")
        assert not isinstance(claim, str)
        claim.publish()
    # An output that was made in spite of its recorded failure is one output, and a complete one.
    claim = store.claim(f"{tmp_path}/data/b.jsonl", f"{tmp_path}/data/b.err", replace=True)
    assert not isinstance(claim, str)
    claim.fail(b"older")
    found = [(output.name, output.status) for output in flow.task.outputs(make)]
    assert sorted(found) == [
        ("data/a.jsonl", "complete"),
        ("data/b.jsonl", "complete"),
        ("data/b0.jsonl", "suppressed"),
        ("data/c.d.jsonl", "complete"),
        ("data/c.jsonl", "suppressed"),
        ("data/e%2Ff.jsonl", "complete"),
    ]


def test_a_key_fills_the_star(flow: Flow) -> None:
    calls: list[object] = []

    @flow.task(on="{name}-*.txt", key=lambda client, name: f"v{len(name)}/..")
    def make(client: object, name: str) -> None:
        calls.append(client)

    for _ in range(2):
        make(object(), "x")
    assert len(calls) == 1
    assert [output.name for output in flow.task.outputs(make)] == ["x-v1%2F.%2E.txt"]


def test_refresh_by_age(tmp_path: Path) -> None:
    """Older than that: made anew and replaced. A modification time in the future counts as fresh."""
    flow, made = Flow(tmp_path, sink=NullSink()), 0

    @flow.task(on="{name}.txt", refresh=datetime.timedelta(hours=1))
    def make(name: str) -> None:
        nonlocal made
        made += 1
        flow.task.write(f"version {made}")

    year, path = 365 * 86400.0, tmp_path / "x.txt"
    make("x")
    for age, expected in ((0, 1), (3000, 1), (-year, 1), (3700, 2), (year, 3)):
        os.utime(path, (time.time() - age, time.time() - age))
        make("x")
        assert path.read_text() == f"version {expected}"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_refresh_by_a_predicate(flow: Flow) -> None:
    asked: list[tuple[str, str]] = []
    made = 0

    def unwanted(folder: str, name: str) -> bool:
        asked.append((folder, name))
        return flow.task.output(make, folder, name).text() == "version 1"

    @flow.task(on="data/{folder}/{name}.txt", refresh=unwanted)
    def make(folder: str, name: str) -> None:
        nonlocal made
        made += 1
        flow.task.write(f"version {made}")

    counts: list[int] = []
    for _ in range(4):
        make("data", "x")
        counts.append(made)
    assert counts == [1, 2, 2, 2]
    assert set(asked) == {("data", "x")}


def test_a_predicate_that_raises_fails_the_call_and_keeps_the_output(flow: Flow) -> None:
    error = ArithmeticError("in the predicate")

    def unwanted(name: str) -> bool:
        raise error

    @flow.task(on="{name}.txt", refresh=unwanted)
    def make(name: str) -> None:
        flow.task.write("kept")

    make("x")
    with pytest.raises(ArithmeticError) as caught:
        make("x")
    assert caught.value is error
    assert flow.task.output(make, "x").text() == "kept"


def test_a_refresh_that_fails_keeps_the_old_output(flow: Flow) -> None:
    made = 0

    @flow.task(on="{name}.txt", refresh=lambda name: True, skip=OSError)
    def make(name: str) -> None:
        nonlocal made
        made += 1
        flow.task.write(f"version {made}")
        if made > 1:
            raise OSError

    make("x")
    make("x")
    assert made == 2
    assert flow.task.output(make, "x").text() == "version 1"


def test_a_suppressed_refresh_is_remembered_beside_the_old_output(flow: Flow, tmp_path: Path) -> None:
    gone, made = False, 0

    @flow.task(on="{name}.txt", refresh=lambda name: True, suppress=KeyError)
    def make(name: str) -> None:
        nonlocal made
        made += 1
        if gone:
            raise KeyError(name)
        flow.task.write(f"version {made}")

    make("x")
    gone = True
    for _ in range(3):
        make("x")
    output = flow.task.output(make, "x")
    assert (made, output.status, output.text()) == (2, "complete", "version 1")
    assert (output.error() or "").endswith("KeyError: 'x'\n")
    gone = False
    assert flow.store.delete(str(tmp_path / "x.err"))
    make("x")
    assert (made, output.text(), output.error()) == (3, "version 3", None)


def test_reading_what_was_suppressed_points_at_the_record(flow: Flow) -> None:
    @flow.task(on="{name}.txt", suppress=KeyError)
    def make(name: str) -> None:
        raise KeyError(name)

    with pytest.raises(FileNotFoundError) as absent:
        flow.task.output(make, "x").text()
    assert not getattr(absent.value, "__notes__", [])
    make("x")
    with pytest.raises(FileNotFoundError) as suppressed:
        flow.task.output(make, "x").records(str)
    assert suppressed.value.__notes__ == [
        "asflow: its failure is on record, see `.error()` of the same handle"
    ]


def test_the_failure_of_another_task_is_not_ones_own(flow: Flow) -> None:
    """`x.json` and `x.csv` would share `x.err`, but only one of the two tasks suppresses anything."""

    @flow.task(on="{name}.json", suppress=KeyError)
    def metadata(name: str) -> None:
        raise KeyError(name)

    @flow.task(on="{name}.csv")
    def rows(name: str) -> None:
        flow.task.write([name])

    metadata("x")
    assert flow.task.output(rows, "x").status == "absent"
    assert flow.task.output(rows, "x").error() is None
    assert list(flow.task.outputs(rows)) == []
    rows("x")
    assert status(flow.task.output(rows, "x")) == "complete"
    assert flow.task.output(rows, "x").delete()
    assert flow.task.output(metadata, "x").status == "suppressed"
    metadata("y.csv")  # whose record is `y.csv.err`
    rows("y")
    assert flow.task.output(rows, "y").status == "complete"


def test_without_suppress_a_recorded_failure_is_tried_again(flow: Flow) -> None:
    def fetch(name: str) -> None:
        raise KeyError(name)

    flow.task(on="{name}.json", suppress=KeyError)(fetch)("x")
    with pytest.raises(KeyError):
        flow.task(on="{name}.json")(fetch)("x")


def test_outputs_of_a_task_without_any_are_refused_at_once(flow: Flow) -> None:
    @flow.task
    def none() -> None: ...

    with pytest.raises(TypeError, match=r"none\(\): has no outputs"):
        flow.task.outputs(none)


def test_an_async_refresh_is_refused_when_it_answers(flow: Flow) -> None:
    class Asks:
        async def __call__(self, name: str) -> bool:
            return False

    refresh = cast("Callable[[str], Any]", Asks())

    @flow.task(on="{name}.txt", refresh=refresh)
    def make(name: str) -> None: ...

    make("x")
    with pytest.raises(TypeError, match=r"make\(\): refresh returned .*, which is not an age,"):
        make("x")


@pytest.mark.parametrize("inside", [False, True])
def test_a_skip_takes_its_arguments_as_the_task_does(flow: Flow, inside: bool) -> None:
    made: list[tuple[str, int]] = []

    @flow.task(on="{first}-{number}.txt")
    def make(first: str = "a", number: int = 1) -> None:
        made.append((first, number))
        flow.task.write(first)

    def call_all() -> None:
        make()
        make("b")
        make(first="a", number=1)
        make("b", 1)
        make("b", number=1)
        with pytest.raises(TypeError, match="positional"):
            make("b", 1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    for _ in range(2):
        flow(call_all)() if inside else call_all()
    assert made == [("a", 1), ("b", 1)]
