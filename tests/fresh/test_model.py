"""Which outputs are out of date: asflow, a model of it and GNU make agree, whatever happens to the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow import Flow, LocalStore
from asflow._cli.verdicts import verdicts
from asflow._engine.freshness import GRAIN, Age, Moment, Rule, Stale, judge, made_at
from asflow._task.definition import TaskDefinition
from asflow._task.finding import find
from asflow.sinks import NullSink

SOURCES, TASKS = 3, 5
NAMES = [f"s{n}" for n in range(SOURCES)] + [f"t{n}" for n in range(TASKS)]
Reads = list[list[int]]


class World:
    """Sources s0, s1, ... and outputs t0, t1, ..., each made from some of what comes before it."""

    def __init__(self, folder: Path, reads: Reads) -> None:
        self.folder = folder
        self.reads = {f"t{n}": [NAMES[each] for each in inputs] for n, inputs in enumerate(reads)}
        self.made: list[str] = []
        self.tasks: dict[str, Callable[[], None]] = {}
        flow = Flow(folder, store=LocalStore(durability="atomic"), sink=NullSink())
        for name in NAMES[:SOURCES]:
            (folder / name).write_text("source")
        for name, inputs in self.reads.items():
            # A task where one makes it, and the pattern of a file otherwise.
            given = [self.tasks.get(each, each) for each in inputs]
            self.tasks[name] = flow.task(on=name, reads=given)(self.body(flow, name))
        self.definitions: list[TaskDefinition] = []
        for task in self.tasks.values():
            found = find(task)
            assert found is not None
            self.definitions.append(found[0])
        rules = [f"{name}: {' '.join(inputs)}\n\techo {name}\n" for name, inputs in self.reads.items()]
        (folder / "Makefile").write_text(f"all: {' '.join(self.reads)}\n.PHONY: all\n" + "".join(rules))

    def body(self, flow: Flow, name: str) -> Callable[[], None]:
        def make() -> None:
            self.made.append(name)
            flow.task.write(name)

        make.__name__ = make.__qualname__ = name
        return make

    def wait(self) -> None:
        """Let time pass: more than the steps of the clock, which a run allows for."""
        for name in NAMES:
            path = self.folder / name
            if path.exists():
                modified = path.stat().st_mtime_ns - 10**9
                os.utime(path, ns=(modified, modified))

    def run(self) -> set[str]:
        """Call every task, and return what was made."""
        self.made.clear()
        for task in self.tasks.values():
            task()
        assert len(self.made) == len(set(self.made))
        return set(self.made)

    def expected(self) -> set[str]:
        """The model: what does not exist, is older than an input, or has an input that is made."""
        stale: set[str] = set()
        for name, inputs in self.reads.items():
            path = self.folder / name
            if not path.exists() or any(
                each in stale or (self.folder / each).stat().st_mtime_ns > path.stat().st_mtime_ns
                for each in inputs
            ):
                stale.add(name)
        return stale

    def older(self) -> set[str]:
        """What does not exist, or is older than an input as that is now."""
        times = {
            name: (self.folder / name).stat().st_mtime for name in NAMES if (self.folder / name).exists()
        }
        return {
            name
            for name, inputs in self.reads.items()
            if name not in times or any(times.get(each, 0.0) > times[name] for each in inputs)
        }

    def listed(self) -> set[str]:
        """What `asflow stale` lists."""
        return {
            os.path.basename(each.name)
            for each in verdicts(self.definitions, self.definitions)
            if each.is_made
        }

    def of_make(self) -> set[str]:
        """What GNU make would make."""
        done = subprocess.run(
            ["make", "-n", "all"], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("echo ")}

    def happen(self, kind: str, name: str, other: str, seconds: int) -> None:
        path = self.folder / name
        match kind:
            case "edit":
                path.write_text("edited")
            case "delete" if name.startswith("t"):
                path.unlink(missing_ok=True)
            case "move in" if (self.folder / other).exists():  # an old file, with its time
                shutil.copy2(self.folder / other, self.folder / "moving")
                os.replace(self.folder / "moving", path)
            case "rename" if name.startswith("t") and other.startswith("t") and path.exists():
                path.rename(self.folder / other)
            case "jump" if path.exists():  # as if the clock had been wrong when it was made
                modified = path.stat().st_mtime_ns + seconds * 10**9
                os.utime(path, ns=(modified, modified))
            case _:
                pass


def graphs() -> st.SearchStrategy[Reads]:
    return st.tuples(
        *[
            st.lists(st.integers(0, SOURCES + n - 1), min_size=1, max_size=3, unique=True)
            for n in range(TASKS)
        ]
    ).map(lambda found: [list(each) for each in found])


def happenings(*jumps: int) -> st.SearchStrategy[list[tuple[str, str, str, int]]]:
    kinds, names = ["edit", "delete", "move in", "rename", "jump"], st.sampled_from(NAMES)
    return st.lists(
        st.tuples(st.sampled_from(kinds), names, names, st.sampled_from(jumps)), min_size=1, max_size=4
    )


def _play(reads: Reads, steps: list[list[tuple[str, str, str, int]]], *, with_make: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), reads)
        assert world.run() == set(world.reads)
        for step in steps:
            for happening in step:
                world.happen(*happening)
            world.wait()
            expected = world.expected()
            assert world.listed() == expected
            if with_make:
                assert world.of_make() == expected
            assert world.run() == expected
            assert world.run() == world.listed() == world.expected() == set()
        if with_make:
            assert world.of_make() == set()


PAST = st.lists(happenings(-100_000, -1), min_size=1, max_size=4)


@settings(max_examples=examples(60))
@given(graphs(), PAST)
def test_a_run_makes_what_the_model_says(reads: Reads, steps: Any) -> None:
    _play(reads, steps, with_make=False)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs GNU make")
@settings(max_examples=examples(25))
@given(graphs(), PAST)
def test_a_run_makes_what_make_would(reads: Reads, steps: Any) -> None:
    _play(reads, steps, with_make=True)


@settings(max_examples=examples(40))
@given(graphs(), st.lists(happenings(-100_000, -1, 1, 100_000), min_size=1, max_size=4))
def test_times_in_the_future_are_caught_up_with(reads: Reads, steps: Any) -> None:
    """A clock that was wrong: at least what is older than an input is made, and nothing for ever."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), reads)
        world.run()
        for step in steps:
            for happening in step:
                world.happen(*happening)
            world.wait()
            older, expected = world.older(), world.expected()
            made = world.run()
            assert older <= made <= expected
            assert world.run() == world.older() == set()


# ------------------------------------------------------------------ the pure part

times = st.floats(-1e6, 1e6)
rules: st.SearchStrategy[Rule] = (
    st.none() | st.booleans() | st.builds(Age, st.floats(0, 1e6)) | st.builds(Moment, times)
)


@given(times, times, rules, st.dictionaries(st.sampled_from("abc"), times))
def test_the_decision(modified: float, now: float, rule: Rule, inputs: dict[str, float]) -> None:
    found = judge(modified, now=now, rule=rule, inputs=inputs.items())
    newest = max(inputs, key=lambda name: inputs[name], default=None)
    if newest is not None and inputs[newest] > modified:
        assert found is not None
        assert (found.reason, inputs[found.input]) == ("input", inputs[newest])
        return
    expected = {
        Age: isinstance(rule, Age) and now - modified > rule.seconds,
        Moment: isinstance(rule, Moment) and modified < rule.time,
        bool: rule is True,
    }
    reason = {Age: "age", Moment: "moment", bool: "asked"}
    assert found == next((Stale(reason[kind]) for kind, is_so in expected.items() if is_so), None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


Race = tuple[float, float, float, dict[str, float], dict[str, float], dict[str, float]]


@st.composite
def races(draw: st.DrawFn) -> Race:
    """Draw the clock's steps, and inputs: at the beginning, before the end, and after it."""
    grain = draw(st.sampled_from([1e-9, 0.004, 1.0, 2.0]))
    begun = draw(st.floats(0, 100)) + 1e6
    end = begun + draw(st.floats(0, 100))

    def tick(time: float) -> float:
        return time // grain * grain

    before = {name: tick(begun - draw(st.floats(0, 50))) for name in "abc"}
    last = dict(before)
    for name in draw(st.sets(st.sampled_from("abc"))):
        last[name] = tick(draw(st.floats(begun, end)))
    later = dict(last)
    for name in draw(st.sets(st.sampled_from("abc"))):
        later[name] = tick(end + draw(st.floats(0, 100)))
    return tick(begun), tick(end), grain, before, last, later


@given(races())
def test_an_input_that_was_replaced_is_newer_and_one_that_was_not_is_not(race: Race) -> None:
    """Whatever the steps of the clock: but for a replacement within the very step of the one before it."""
    begun, end, grain, before, last, later = race
    modified = made_at(begun, end, before, last) // grain * grain
    changed = {name for name in before if later[name] != before[name]}
    within_one_step = all(later[name] <= max(before.values()) for name in changed)
    is_stale = judge(modified, now=end, inputs=later.items()) is not None
    if changed and not within_one_step:
        assert is_stale
    if not changed:
        assert not is_stale
    assert modified <= max(end, *before.values(), *last.values()) + GRAIN


def test_an_edit_right_before_a_run(tmp_path: Path) -> None:
    """Within the margin for the steps of the clock; make compares nanoseconds, and agrees."""
    world = World(tmp_path, [[0], [0, 3], [4], [1], [2, 5]])
    for _ in range(20):
        world.run()
        (tmp_path / "s0").write_text("edited")
        assert world.run() == {"t0", "t1", "t2", "t4"}
        assert world.expected() == set()
