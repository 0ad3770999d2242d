"""Names on a real file system: arbitrary text, links, limits of length, and very many of them."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reliability.processes import everything
from support.drawing import examples

from asflow import Flow
from asflow._naming.escaping import safe
from asflow._naming.identity import fingerprint
from asflow.errors import AsflowError
from asflow.sinks import NullSink
from asflow.stores import LocalStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")

STORE = LocalStore(durability="atomic")

hostile = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="./\\:*%~ \0\n\ufb01\u0301eE\u00e9\ud800", max_size=20),
    st.sampled_from(
        ["", ".", "..", "../../etc/passwd", "/etc/passwd", "con", "NUL", "a" * 5000, "x.part", "x.err"]
    ),
)


@settings(max_examples=examples(60))
@given(
    st.lists(hostile, min_size=1, max_size=5, unique=True), st.sampled_from(["{x}", "a-{x}", "{x}/{x}", "*"])
)
def test_arbitrary_text(values: list[str], pattern: str) -> None:
    """One file a value, in the folder and nowhere else, found again by its value."""
    with tempfile.TemporaryDirectory() as top:
        base = Path(top) / "base"
        flow = Flow(base, store=STORE, sink=NullSink())

        @flow.task(on=pattern + ".txt")
        def make(x: str) -> None:
            flow.task.write(repr(x))

        for value in values:
            make(value)
        assert len(everything(Path(top))) == len(values) == len(list(flow.task.outputs(make)))
        for value in values:
            assert flow.task.output(make, value).text() == repr(value)
        assert all(name.startswith("base/") and name.endswith(".txt") for name in everything(Path(top)))
        assert {output.text() for output in flow.task.outputs(make)} == {repr(value) for value in values}


@pytest.mark.parametrize("scale", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_million_values_without_a_collision(scale: int) -> None:
    """Neither escaped values nor hashes meet, however alike the values are."""
    letters = "aA.% /\\\u0301\u00e9e"
    values = ("".join(each) for length in range(7) for each in itertools.product(letters, repeat=length))
    names = set(map(safe, itertools.islice(values, 90_000 * scale)))
    assert len(names) == 90_000 * scale
    numbers = range(2_000 * scale)
    alike = [each for n in numbers for each in (n, str(n), float(n), (n,), [n])]
    assert len({fingerprint("task", {"x": value}) for value in alike}) == len(alike) == 10_000 * scale


def test_names_at_the_limits_of_the_system(tmp_path: Path) -> None:
    """Values of any length fit, also as work in progress; a path that does not is an error that names it."""
    flow = Flow(tmp_path, store=STORE, sink=NullSink())
    limit = os.pathconf(tmp_path, "PC_NAME_MAX")

    @flow.task(on="{x}.jsonl.zst", suppress=KeyError, refresh=lambda x: True)
    def make(x: str) -> None:
        if len(x) == 190:
            raise KeyError(x)
        flow.task.write({"x": x})

    values = [
        letter * size
        for letter in ("a", "\u00e9", "/", "\U0001f600")
        for size in (*range(180, 260, 5), 10_000)
    ]
    for value in [*values, *values]:  # again: replacing needs the longest name of all
        make(value)
    names = everything(tmp_path)
    assert len(names) == len(values)
    assert max(len(os.fsencode(name)) for name in names) + len(".part.part") <= limit
    deep = tmp_path
    while len(str(deep)) < os.pathconf(tmp_path, "PC_PATH_MAX"):
        deep = deep / ("d" * 200)
    far = Flow(deep, store=STORE, sink=NullSink())
    bodies: list[str] = []

    @far.task(on="{x}.txt")
    def unreachable(x: str) -> None:
        bodies.append(x)

    with pytest.raises(OSError, match="too long") as caught:
        unreachable("x")
    assert str(caught.value.filename).startswith(str(deep))
    assert bodies == []
    assert everything(tmp_path) == names


def another_disk(folder: Path) -> str | None:
    """A place on another file system than *folder*, or None: the usual place for temporary folders."""
    memory = "/dev/shm"
    return memory if os.path.isdir(memory) and os.stat(memory).st_dev != os.stat(folder).st_dev else None


def test_links_inside_the_base(tmp_path: Path) -> None:
    """A folder that is a link is followed, also to another disk; a link to a file counts as the file."""
    with tempfile.TemporaryDirectory(dir=another_disk(tmp_path)) as other:
        base = tmp_path / "base"
        base.mkdir()
        (base / "linked").symlink_to(other)
        flow = Flow(base, store=LocalStore(durability="full"), sink=NullSink())

        @flow.task(on="{folder}/{name}.txt")
        def make(folder: str, name: str) -> None:
            flow.task.write(name)

        make("linked", "x")
        make("own", "x")
        assert (Path(other) / "x.txt").read_text() == "x"
        (base / "own" / "y.txt").symlink_to(Path(other) / "x.txt")
        make("own", "y")
        assert (base / "own" / "y.txt").is_symlink()
        assert everything(base) == {"own/x.txt", "own/y.txt"}
        assert sorted(output.name for output in flow.task.outputs(make)) == [
            "linked/x.txt", "own/x.txt", "own/y.txt",
        ]  # fmt: skip
        assert os.listdir(other) == ["x.txt"]


@pytest.mark.parametrize("swap", ["moved", "linked", "linked far", "removed", "file"])
@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_is_swapped_while_the_body_runs(tmp_path: Path, swap: str, replace: bool) -> None:
    """A whole output under the name that was asked for, or an error and none; never a cut one, anywhere."""
    with tempfile.TemporaryDirectory(dir=another_disk(tmp_path)) as far:
        base, other = tmp_path / "base", Path(far) if swap == "linked far" else tmp_path / "other"
        other.mkdir(exist_ok=True)
        flow = Flow(base, store=STORE, sink=NullSink())
        swapping = True

        @flow.task(on="out/x.txt", refresh=0 if replace else None)
        def make() -> None:
            flow.task.write("half ")
            if swapping:
                (base / "out").rename(tmp_path / "away")
                if swap.startswith("linked"):
                    (base / "out").symlink_to(other)
                elif swap == "removed":
                    for path in (tmp_path / "away").iterdir():
                        path.unlink()
                elif swap == "file":
                    (base / "out").write_text("")
            flow.task.write("whole")

        try:
            make()
        except (OSError, AsflowError) as error:
            told = str(error)
            assert "x.txt" in told or str(base / "out") in told
        seen = [path.read_text() for path in tmp_path.rglob("x.txt") if path.is_file()]
        seen += [path.read_text() for path in Path(far).rglob("x.txt")]
        assert set(seen) <= {"half whole"}
        # What was moved away may keep its work in progress; the place itself may not.
        assert not [name for name in everything(base) | everything(other) if name.endswith(".part")]
        swapping = False
        if swap == "file":
            (base / "out").unlink()
        make()
        assert (base / "out" / "x.txt").read_text() == "half whole"
        assert flow.task.output(make).status == "complete"
        assert not [name for name in everything(base) | everything(other) if name.endswith(".part")]
