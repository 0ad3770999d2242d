"""`reads=`: an output is made again when something that it is made from is newer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.fresh import put, shift

from asflow import Flow, Ignored, LocalStore, MemoryStore, Output, Unchanged
from asflow.errors import DefinitionTypeError, MissingInputError
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink


class Pipeline:
    """raw -> clean -> total, and a list of what was made."""

    def __init__(self, flow: Flow) -> None:
        self.made: list[str] = []

        @flow.task(on="raw/{city}/{day}.txt")
        def raw(day: str, city: str) -> None:
            self.made.append(f"raw {city} {day}")
            flow.task.write("raw\n")

        @flow.task(save="clean/{city}-{day}.json", reads=[raw, "settings.toml"])
        def clean(city: str, day: str) -> str:
            self.made.append(f"clean {city} {day}")
            return flow.task.output(raw, day, city).text()

        @flow.task(save="total-{city}.json", reads="clean/{city}-*.json")
        async def total(city: str) -> int:
            self.made.append(f"total {city}")
            return len(list(flow.task.outputs(clean)))

        self.raw, self.clean, self.total = raw, clean, total

    async def run(self, *days: str) -> list[str]:
        """Run all of it and return what was made."""
        self.made.clear()
        for day in days:
            self.raw(day, "rome")
            self.clean("rome", day)
        await self.total("rome")
        return self.made.copy()


async def test_only_what_is_older_than_its_inputs_is_made(flow: Flow, tmp_path: Path) -> None:
    pipeline = Pipeline(flow)
    put(tmp_path / "settings.toml")
    assert await pipeline.run("1", "2") == [
        *("raw rome 1", "clean rome 1", "raw rome 2", "clean rome 2", "total rome")
    ]
    assert await pipeline.run("1", "2") == []
    flow.task.output(pipeline.raw, "1", "rome").touch()
    assert await pipeline.run("1", "2") == ["clean rome 1", "total rome"]
    assert await pipeline.run("1", "2") == []
    put(tmp_path / "settings.toml", "y")
    assert await pipeline.run("1", "2") == ["clean rome 1", "clean rome 2", "total rome"]
    put(tmp_path / "clean/rome-3.json", "4")
    assert await pipeline.run("1", "2") == ["total rome"]
    put(tmp_path / "clean/oslo-3.json", "4")
    put(tmp_path / "clean/rome-3.err", "4")
    assert await pipeline.run("1", "2") == []


def test_arguments_of_the_same_name_are_taken_over(flow: Flow) -> None:
    """With a format, a hash, defaults, a key, ignored ones, and those of a partial."""
    names: list[str] = []

    @flow.task(on="a/{day:%Y}/*.txt")
    def hashed(day: date, client: Ignored[object], units: str = "metric") -> None:
        flow.task.write("x")

    @flow.task(on="b/*.txt", key=lambda city, day: f"{city}@{day}")
    def keyed(city: str, day: date) -> None:
        flow.task.write("x")

    @flow.task(on="c/{day}-{number}.txt")
    def numbered(day: date, number: int, other: int) -> None:
        flow.task.write("x")

    @flow.task(on="d.txt", reads=(hashed, keyed, partial(numbered, number=3)))
    def table(*, city: str, day: date, number: int = 9) -> None:
        names.append(city)
        flow.task.write("x")

    day = date(2026, 1, 2)
    hashed(day, object())
    keyed("rome", day)
    numbered(day, 3, 7)
    table(city="rome", day=day)
    table(city="rome", day=day)
    assert names == ["rome"]
    for output in (
        flow.task.output(hashed, day, None),
        flow.task.output(keyed, "rome", day),
        flow.task.output(numbered, day, 3, 0),
    ):
        shift(output.path, 60)
        table(city="rome", day=day)
        shift(output.path, -120)
    assert names == ["rome"] * 4


def test_a_missing_argument_is_refused_at_decoration(flow: Flow) -> None:
    @flow.task(on="{city}/{day}.txt")
    def raw(city: str, day: str) -> None: ...

    with pytest.raises(DefinitionTypeError, match=r"task total\(\): reads=raw\(\) needs .*'\*/\{day\}.txt'"):

        @flow.task(on="total/{day}.txt", reads=raw)
        def total(day: str) -> None: ...


def test_a_missing_input_names_the_task_and_the_input(flow: Flow, tmp_path: Path) -> None:
    @flow.task(on="raw/{day}.txt", suppress=KeyError)
    def raw(day: str) -> None:
        raise KeyError(day)

    def clean(day: str) -> None:
        flow.task.write("x")

    plain = flow.task(on="a/{day}.txt", reads=[raw, "x.toml"])(clean)
    with pytest.raises(MissingInputError, match=r"clean\(\): its input .* call task raw\(\) first: .*raw/1"):
        plain("1")
    put(tmp_path / "raw/1.txt")
    with pytest.raises(FileNotFoundError, match=r"put it there: .*x\.toml"):
        plain("1")
    put(tmp_path / "x.toml")
    plain("1")
    # An output that exists stays, when its input goes.
    os.unlink(tmp_path / "raw/1.txt")
    plain("1")
    skipping = flow.task(on="b/{day}.txt", reads=raw, skip=MissingInputError)(clean)
    raw("2")
    skipping("2")
    assert flow.task.output(skipping, "2").status == "absent"
    # Own errors are matched only by their own classes.
    with pytest.raises(MissingInputError):
        flow.task(on="c/{day}.txt", reads=raw, skip=Exception)(clean)("2")


@pytest.mark.parametrize("store", ["disk", "memory"])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_input_replaced_while_the_body_runs_makes_it_stale_again(
    tmp_path: Path, store: str, kind: str
) -> None:
    flow = Flow(tmp_path, store=MemoryStore() if store == "memory" else None, sink=NullSink())
    made: list[str] = []

    @flow.task(on="raw.txt", refresh=lambda: True)
    def raw() -> None:
        flow.task.write(f"{len(made)}")

    def body() -> None:
        text = flow.task.output(raw).text()
        made.append(text)
        flow.task.write(text)
        if len(made) == 1:
            raw()

    async def body_async() -> None:
        body()

    raw()
    if kind == "async":
        other = flow.task(on="clean.txt", reads=raw)(body_async)
        for _ in range(3):
            await other()
    else:
        sync = flow.task(on="clean.txt", reads=raw)(body)
        for _ in range(3):
            sync()
    assert made == ["0", "1"]


def test_a_file_added_or_replaced_within_a_glob_while_the_body_runs(flow: Flow, tmp_path: Path) -> None:
    made: list[int] = []

    @flow.task(save="sum.json", reads="in/*.txt")
    def total() -> int:
        number = len(list((tmp_path / "in").iterdir()))
        made.append(number)
        if len(made) == 1:
            put(tmp_path / "in/b.txt")
        return number

    put(tmp_path / "in/a.txt", seconds=-5)
    assert [total(), total(), total()] == [1, 2, 2]
    assert made == [1, 2]


def test_an_input_made_by_a_slow_body_that_began_earlier(flow: Flow, tmp_path: Path) -> None:
    """The time of a new input is late, though its body began before that of the reading one."""
    put(tmp_path / "source.txt", seconds=-5)
    made: list[str] = []

    @flow.task(on="raw.txt", reads="source.txt", refresh=lambda: len(made) == 1)
    def raw() -> None:
        if len(made) == 1:
            made.append("inner")
            assert clean() is None  # reads the old input, while the new one is in the making
        flow.task.write("x")

    @flow.task(on="clean.txt", reads=raw, refresh=lambda: made[-1] == "inner")
    def clean() -> None:
        made.append("clean")
        flow.task.write("x")

    raw()
    clean()
    raw()
    time.sleep(0.02)
    clean()
    assert made == ["clean", "inner", "clean", "clean"]


def test_a_time_in_the_future_makes_it_once(flow: Flow, tmp_path: Path) -> None:
    put(tmp_path / "x.toml", seconds=3600)
    made: list[str] = []

    @flow.task(on="x.txt", reads="x.toml")
    def make() -> None:
        made.append("x")

    for _ in range(3):
        make()
    assert made == ["x"]
    put(tmp_path / "x.toml", seconds=7200)
    make()
    assert made == ["x", "x"]


@pytest.mark.parametrize("grain", [1, 2])
def test_a_coarse_clock(flow: Flow, tmp_path: Path, grain: int) -> None:
    """Times of whole seconds, as FAT and HFS+ keep them: nothing is made twice, and an edit is seen."""

    def coarse() -> None:
        for path in tmp_path.rglob("*.t*"):
            modified = path.stat().st_mtime // grain * grain
            os.utime(path, (modified, modified))

    made: list[str] = []

    def step(name: str, reads: Any) -> Callable[[], None]:
        def make() -> None:
            made.append(name)
            flow.task.write(name)

        make.__qualname__ = make.__name__ = name
        return flow.task(on=f"{name}.txt", reads=reads)(make)

    put(tmp_path / "x.toml")
    coarse()
    first = step("a", "x.toml")
    second = step("b", first)
    third = step("c", [first, second])

    def run() -> list[str]:
        made.clear()
        for each in (first, second, third):
            each()
            coarse()
        return made.copy()

    assert run() == ["a", "b", "c"]
    assert run() == []
    shift(tmp_path / "x.toml", grain)
    assert run() == ["a", "b", "c"]
    assert run() == []


def test_in_threads_and_under_map(flow: Flow, tmp_path: Path) -> None:
    made: list[str] = []

    @flow.task(on="raw/{day}.txt")
    def raw(day: str) -> None:
        flow.task.write(day)

    @flow.task(save="clean/{day}.txt", reads=raw, limit=4)
    def clean(day: str) -> str:
        made.append(day)
        return flow.task.output(raw, day).text()

    days = [str(day) for day in range(20)]
    for _ in flow.task.map(raw, days):
        pass
    assert list(flow.task.map(clean, days)) == days
    assert sorted(made) == sorted(days)
    for day in days[::3]:
        shift(tmp_path / f"raw/{day}.txt", 60)
    made.clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(clean, days * 3)) == days * 3
    assert sorted(made) == sorted(days[::3])


def test_both_rules_and_every_event(tmp_path: Path) -> None:
    """With `refresh=` beside it, and with a sink that wants each call."""
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)

    @flow.task(on="{x}.txt", reads="x.toml", refresh=timedelta(hours=1))
    def make(x: int) -> None:
        flow.task.write("x")

    put(tmp_path / "x.toml", seconds=-10_000)
    make(1)
    make(1)
    shift(tmp_path / "1.txt", -4000)
    make(1)
    shift(tmp_path / "x.toml", 20_000)
    make(1)
    make(1)
    assert sink.outcomes("make") == ["completed", "cached", "completed", "completed", "cached"]


def test_unchanged_with_inputs(flow: Flow, tmp_path: Path) -> None:
    put(tmp_path / "x.toml", seconds=-5)
    made: list[int] = []

    @flow.task(save="x.txt", reads="x.toml")
    def make() -> str:
        made.append(1)
        if len(made) > 1:
            raise Unchanged
        return "first"

    make()
    put(tmp_path / "x.toml")
    assert [make(), make(), make()] == ["first"] * 3
    assert len(made) == 2


def test_a_body_that_changes_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flow = Flow(sink=NullSink())
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path / "x.toml", seconds=-5)
    made: list[str] = []

    @flow.task(on="{x}.txt", reads="x.toml")
    def make(x: str) -> None:
        made.append(x)
        os.chdir(tmp_path / "elsewhere")
        if len(made) == 1:
            put(tmp_path / "x.toml")

    for _ in range(3):
        make("x")
        os.chdir(tmp_path)
    assert made == ["x", "x"]


def test_the_folder_of_a_flow_stays_where_its_call_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base of a flow is resolved when it is called; so are the inputs of its tasks."""
    monkeypatch.chdir(tmp_path)
    flow = Flow("data", sink=NullSink())
    made: list[str] = []

    @flow.task(on="raw/{x}.txt")
    def raw(x: str) -> None:
        os.chdir(tmp_path.parent)

    @flow.task(save="{x}.txt", reads=[raw, "x.toml"])
    def make(x: str) -> str:
        made.append(x)
        return x

    @flow
    def run() -> None:
        for _ in range(2):
            raw("a")
            make("a")
            make("a")

    put(tmp_path / "data/x.toml", seconds=-5)
    run()
    assert made == ["a"]
    assert (tmp_path / "data/a.txt").exists()


def test_a_marked_output_is_made_again_whatever_its_task_says(tmp_path: Path) -> None:
    from asflow.stores._common import MARKED

    flow = Flow(tmp_path, sink=NullSink())
    made: list[str] = []

    @flow.task(on="{x}.txt")
    def kept(x: str) -> None:
        made.append("kept")

    @flow.task(save="{x}.json")
    def saved(x: str) -> int:
        made.append("saved")
        return 1

    @flow.task(on="{x}.csv", reads=kept)
    def reading(x: str) -> None:
        made.append("reading")

    calls: list[Callable[[str], object]] = [kept, saved, reading]
    for expected in (["kept", "saved", "reading"], [], ["kept", "saved", "reading"], []):
        made.clear()
        for call in calls:
            call("x")
        assert made == expected
        if not made:
            time.sleep(0.02)
            for name in ("x.txt", "x.json"):
                os.utime(tmp_path / name, (MARKED, MARKED))


def test_handles_know_their_time(flow: Flow, tmp_path: Path) -> None:
    """An output that reads inputs has the time at which they were looked at."""
    put(tmp_path / "x.toml", seconds=-5)

    @flow.task(on="x.txt", reads="x.toml")
    def make() -> None:
        flow.task.write("x")

    before = time.time()
    make()
    output: Output[None] = flow.task.output(make)
    assert before - 0.1 < (output.modified or 0) < time.time() + 0.1


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_time_that_can_not_be_set_publishes_nothing(tmp_path: Path, after: int) -> None:
    """At the body's beginning, before the last look, and before publishing."""
    store = FaultyStore(LocalStore())
    flow = Flow(tmp_path, store=store, sink=NullSink())
    put(tmp_path / "x.toml", seconds=-5)

    @flow.task(on="x.txt", reads="x.toml", skip=OSError)
    def make() -> None:
        flow.task.write("x")

    store.fail("set_modified", OSError("no times"), after=after)
    with pytest.raises(OSError, match="no times"):  # the store's own failure, which no option is about
        make()
    assert os.listdir(tmp_path) == ["x.toml"]
    make()
    assert flow.task.output(make).text() == "x"
