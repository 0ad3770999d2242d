"""A map that scans folders of many outputs: what was deleted, marked or is no whole file is made again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow._cli.refresh import refresh
from asflow._task.outcomes import Completed
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ITEMS = [f"n{number}" for number in range(300)]


class Case:
    """A task whose 300 outputs exist, enough for a scan of their folder."""

    def __init__(self, base: Path | str, *, suffix: str = ".txt", limit: int = 3) -> None:
        self.flow = Flow(base, sink=NullSink(), verbose=False)
        self.called: list[str] = []

        @self.flow.task(on="d/{name}" + suffix, limit=limit)
        async def make(name: str) -> None:
            self.called.append(name)
            self.flow.task.write(name)

        self.task = make

    def path(self, name: str) -> Path:
        return self.flow.task.output(self.task, name).path

    def run(self, items: Iterable[str] = ITEMS) -> list[str]:
        """Map the task over *items* in a flow; return those whose body was called."""
        return asyncio.run(self.flow(self.map)(items))

    async def map(self, items: Iterable[str] = ITEMS) -> list[str]:
        self.called.clear()
        async for _ in self.flow.task.map(self.task, items):
            pass
        return sorted(self.called)


def delete_elsewhere(path: Path) -> None:
    subprocess.run([sys.executable, "-c", f"import os; os.unlink({str(path)!r})"], check=True)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case(tmp_path)
    assert case.run() == sorted(ITEMS)
    assert case.run() == []
    return case


def test_deleted_between_two_runs(case: Case) -> None:
    case.path("n299").unlink()
    assert case.run() == ["n299"]


def test_deleted_between_two_maps_of_a_flow(case: Case) -> None:
    @case.flow
    async def main() -> list[list[str]]:
        first = await case.map()
        case.path("n200").unlink()
        return [first, await case.map(), await case.map()]

    assert asyncio.run(main()) == [[], ["n200"], []]


def test_deleted_between_a_map_and_a_call(case: Case) -> None:
    @case.flow
    async def main() -> list[str]:
        await case.map()
        case.path("n200").unlink()
        await case.task("n200")
        return case.called

    assert asyncio.run(main()) == ["n200"]


def test_deleted_by_another_process(case: Case) -> None:
    @case.flow
    async def main() -> list[list[str]]:
        first = await case.map()
        delete_elsewhere(case.path("n250"))
        return [first, await case.map()]

    assert asyncio.run(main()) == [[], ["n250"]]


def test_deleted_through_the_flow_while_the_map_runs(tmp_path: Path) -> None:
    case = Case(tmp_path, limit=1)  # so that it looks twelve items ahead
    case.run()
    case.called.clear()

    @case.flow
    async def main() -> None:
        taken = 0
        async for _ in case.flow.task.map(case.task, ITEMS):
            taken += 1
            if taken == 200:
                case.flow.task.output(case.task, "n280").delete()

    asyncio.run(main())
    assert case.called == ["n280"]


def test_marked_by_the_command(case: Case) -> None:
    refresh((str(case.path("n10")), str(case.path("n299"))))
    assert case.run() == ["n10", "n299"]
    assert case.run() == []
    refresh((str(case.path("n298")),))
    assert case.run() == ["n298"]


def test_a_link_counts_and_one_that_leads_nowhere_does_not(case: Case) -> None:
    case.path("n200").rename(case.path("n200").with_name("elsewhere"))
    case.path("n200").symlink_to("elsewhere")
    case.path("n100").unlink()
    assert case.run() == ["n100"]


def test_the_leftover_of_a_killed_writer_is_removed(case: Case) -> None:
    left = case.path("n200").with_name("n200.txt.part")
    os.link(case.path("n200"), left)
    assert case.run() == []
    assert not left.exists()


def test_an_empty_compressed_file_is_made_again(tmp_path: Path) -> None:
    case = Case(tmp_path, suffix=".txt.zst")
    case.run()
    case.path("n250").write_bytes(b"")
    assert case.run() == ["n250"]


def test_an_empty_file_of_another_format_is_an_output(case: Case) -> None:
    case.path("n250").write_bytes(b"")
    assert case.run() == []


def test_names_that_differ_in_case_are_two_outputs_where_the_file_system_says_so(case: Case) -> None:
    is_one = case.path("N250").exists()
    assert case.run([*ITEMS, "N250"]) == ([] if is_one else ["N250"])


def test_of_a_base_that_is_a_link(case: Case, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    linked = Case(tmp_path / "link")
    assert linked.run() == []
    linked.path("n200").unlink()
    assert linked.run() == ["n200"]


def test_a_relative_base_is_that_of_the_flow(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    relative = Case("here")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").symlink_to(".")

    @relative.flow
    async def main() -> list[str]:
        relative.called.clear()
        async for _ in relative.flow.task.map(relative.task, ITEMS):
            os.chdir(tmp_path / "other")
        return relative.called

    assert asyncio.run(main()) == []
    assert list((tmp_path / "other").iterdir()) == []


def test_two_loops_in_threads(case: Case, tmp_path: Path) -> None:
    for name in ("n50", "n150", "n250"):
        case.path(name).unlink()
    others = [Case(tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=other.run) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(others[0].called + others[1].called) == ["n150", "n250", "n50"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_in_a_forked_child_too(case: Case) -> None:
    case.path("n200").unlink()
    child = os.fork()
    if not child:
        made: Any = None
        try:
            made = case.run()
        finally:
            os._exit(0 if made == ["n200"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert case.run() == []


_COUNTED = """
import asyncio, sys
from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sys.argv[1], sink=NullSink(), verbose=False)

@flow.task(on="d/{name}.txt", limit=3)
async def make(name: str) -> None:
    raise AssertionError(name)

async def main(items):
    async for _ in flow.task.map(make, items):
        pass

scanned = []
sys.addaudithook(lambda event, args: scanned.append(args[0]) if event == "os.scandir" else None)
items = [f"n{number}" for number in range(300)]
for given in (items, items[:60], iter(items)):
    asyncio.run(main(given))
    print(len(scanned))
"""


@pytest.mark.skipif(not hasattr(os, "getxattr"), reason="nothing is scanned on this platform")
def test_one_scan_for_many_items_of_known_number(case: Case, tmp_path: Path) -> None:
    try:
        os.setxattr(tmp_path, "user.asflow.test", b"")
    except OSError:
        pytest.skip("no extended attributes here, so nothing is scanned")
    command = [sys.executable, "-c", _COUNTED, str(tmp_path)]
    counts = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert counts == ["1", "1", "1"]


class Both:
    """A task, async or sync, and maps over a list of its outputs, some of which are missing."""

    def __init__(self, base: Path, way: str) -> None:
        self.flow = Flow(base, sink=NullSink(), verbose=False)
        self.way = way
        self.called: list[object] = []

        def make(name: object) -> None:
            self.called.append(name)
            self.flow.task.write(str(name))

        async def make_async(name: object) -> None:
            make(name)

        task = self.flow.task(on="d/{name}.txt", limit=3)
        self.task: Any = task(make) if way == "sync" else task(make_async)

    def run(self, items: Any, *, ordered: bool = True, collect: bool = False) -> list[Any]:
        """Map the task over *items* in a flow; return the results."""
        self.called.clear()
        apply: Any = self.flow.task.map
        mapped: Any = partial(
            apply, self.task, items, ordered=ordered, on_error="collect" if collect else "raise"
        )

        def sync() -> list[Any]:
            return list(mapped())

        async def one_by_one() -> list[Any]:
            return [result async for result in mapped()]

        async def at_once() -> list[Any]:
            return list(await mapped())

        if self.way == "sync":
            return self.flow(sync)()
        return asyncio.run(self.flow(one_by_one if self.way == "async for" else at_once)())


WAYS = ["sync", "async for", "await"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("odd", [0, 1, 3])
def test_only_what_is_missing_is_made(tmp_path: Path, way: str, ordered: bool, odd: int) -> None:
    """After each round all 900 are there again. The first are written by hand, which is quick."""
    both = Both(tmp_path, way)
    # The scan looks for texts if the first item is one, else for names.
    items: list[object] = [number if number % 3 == odd else f"n{number}" for number in range(900)]
    (tmp_path / "d").mkdir()
    for item in items:
        (tmp_path / "d" / f"{item}.txt").write_text(str(item))
    for missing in ([], [0], [70, 71, 700], [899], [*range(60, 260, 2)]):
        for number in missing:
            both.flow.task.output(both.task, items[number]).path.unlink()
        outcomes = both.run(items, ordered=ordered, collect=True)
        assert sorted(map(str, both.called)) == sorted(str(items[number]) for number in missing)
        made = {items[number] for number in missing}
        assert all(
            outcome.outcome == ("completed" if outcome.item in made else "cached") for outcome in outcomes
        )
        found = [outcome.item for outcome in outcomes]
        assert found == items if ordered else sorted(found, key=str) == sorted(items, key=str)
        assert both.run(items, ordered=ordered) == [None] * 900
        assert not both.called


@pytest.mark.parametrize("way", WAYS)
def test_an_item_without_a_name_fails_in_its_place(tmp_path: Path, way: str) -> None:
    class Odd:
        def __str__(self) -> str:
            raise OSError("no text today")

    both = Both(tmp_path, way)
    items: list[object] = [*range(400)]
    both.run(items)
    odd = Odd()
    items.insert(333, odd)
    outcomes = both.run(items, collect=True)
    assert [isinstance(outcome, Completed) for outcome in outcomes] == [item is not odd for item in items]
    assert not both.called


class Shouted(str):
    """A text that is another one in a name."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return self.upper()

    def __str__(self) -> str:
        return self.upper()


def test_a_text_of_a_class_of_its_own_is_named_by_itself(tmp_path: Path) -> None:
    both = Both(tmp_path, "async for")
    items: list[object] = [f"n{number}" for number in range(300)]
    both.run(items)
    shouted = Shouted("n7")
    name = both.flow.task.output(both.task, shouted).name
    both.run([*items, shouted])
    assert both.called == ([] if name == "d/n7.txt" else [shouted])


def test_the_item_of_a_partial_may_take_no_part_in_the_name(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink(), verbose=False)
    called: list[tuple[str, str]] = []

    @flow.task(on="d/{name}.txt", limit=3)
    async def make(name: str, other: str) -> None:
        called.append((name, other))
        flow.task.write(name)

    async def run(apply: Any) -> None:
        await flow.task.map(apply, [f"n{number}" for number in range(300)])

    asyncio.run(flow(run)(partial(make, other="x")))
    assert len(called) == 300
    called.clear()
    asyncio.run(flow(run)(partial(make, "fixed")))
    assert called[0] == ("fixed", "n0")
