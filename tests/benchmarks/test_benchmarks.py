"""The harness itself. No test asserts a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from benchmarks import calls
from benchmarks.measuring import ASFLOW, Contender, Measured, Result, Row, Scratch, measure
from benchmarks.page import page
from benchmarks.plot import plot
from benchmarks.results import Growth, Line, Number, Point, Run, keep, kept, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    made = Scratch(tmp_path)
    yield made
    made.close()
    assert not list(tmp_path.iterdir())


def _row(*contenders: Contender, compare: str = "ratio", bound: float | None = None) -> Row:
    return Row("key", "title", contenders, "cost", "floor", bound=bound, judge="value", compare=compare)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def _line(key: str, numbers: dict[str, Number], bound: float | None) -> Line:
    return Line(key, key, "cost", "floor", "us", "ratio", bound, 1, numbers)


def _kept(lines: list[Line], growth: Growth | None = None, python: str = "3.11.7") -> Run:
    versions = {"asflow": "0.1.0", "prefect": "not installed"}
    return Run(python, "a machine", "2026-01-02", 1, versions, lines, growth or {})


def test_contenders_take_turns_in_folders_of_their_own(scratch: Scratch) -> None:
    order: list[str] = []
    folders: set[Path] = set()

    def contender(name: str) -> Contender:
        def run(folder: Path) -> float:
            order.append(name)
            folders.add(folder)
            return 1.0

        return Contender(name, run, 1)

    measure(_row(contender("floor"), contender(ASFLOW), contender("peer")), 3, scratch)
    assert order == ["floor", ASFLOW, "peer", ASFLOW, "peer", "floor", "peer", "floor", ASFLOW]
    assert len(folders) == 9


def test_each_round_is_compared_with_its_own_floor() -> None:
    row = _row(Contender("floor", float, 1), Contender(ASFLOW, float, 1), bound=2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    floor, own = Measured([1, 10, 100], [1, 10, 100]), Measured([2, 20, 900], [2, 20, 900])
    result = Result(row, {"floor": floor, ASFLOW: own})
    assert result.compared(ASFLOW) == 2
    assert result.number(ASFLOW) == 20
    assert line_of(result).holds
    assert not line_of(Result(_row(*row.contenders, bound=1.9), result.measured)).holds


def test_a_peer_that_raises_is_left_out_and_named(
    scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_folder: Path) -> float:
        raise OSError("not today")

    row = _row(
        Contender("floor", lambda _: 1.0, 1),
        Contender(ASFLOW, lambda _: 3.0, 1),
        Contender("peer", broken, 1),
    )
    result = measure(row, 2, scratch)
    line = line_of(result)
    assert line.best_peer() is None
    assert "peer left out: OSError: not today" in capsys.readouterr().err
    assert "- peer: left out, OSError: not today" in page([_kept([line])])


def test_a_failure_of_ours_raises(scratch: Scratch) -> None:
    def broken(_folder: Path) -> float:
        raise OSError("not today")

    with pytest.raises(OSError, match="not today"):
        measure(_row(Contender("floor", lambda _: 1.0, 1), Contender(ASFLOW, broken, 1)), 1, scratch)


def test_a_row_that_takes_long_has_three_rounds(scratch: Scratch) -> None:
    row = _row(Contender("floor", lambda _: 1.0, 1), Contender(ASFLOW, lambda _: 1.0, 1))
    assert line_of(measure(row, 9, scratch, seconds=0)).rounds == 3
    assert line_of(measure(row, 2, scratch, seconds=0)).rounds == 2
    assert line_of(measure(row, 9, scratch)).rounds == 9


def test_rows_run_and_make_a_page(scratch: Scratch) -> None:
    lines = [line_of(measure(row, 1, scratch)) for row in calls.rows(short=True)]
    text = page([_kept(lines, {"call": [Point(1, 2.0), Point(10, 2.0), Point(100, 2.5, 1.25)]})])
    assert all(f"| {line.title} |" in text for line in lines)
    assert "| call | 1 | 2.00 us | 10 | 2.00 us | 100 | 2.50 us, 1.25x |" in text
    assert "prefect is absent: not installed" in text


def test_a_page_shows_each_python_whose_run_is_kept(tmp_path: Path) -> None:
    numbers = {"floor": Number(1.0, 1.0), ASFLOW: Number(3.0, 3.0)}
    old, new = (_line("both", numbers, bound) for bound in (2.0, 4.0))
    broken = numbers | {"peer": Number(error="OSError: not today")}
    keep(_kept([new, _line("new", broken, None)], python="3.13.0"), tmp_path)
    keep(_kept([old], python="3.9.7"), tmp_path)
    text = page(kept(tmp_path))
    assert "| both | floor: 1 us | 3 us | 3.00x | <= 2x | **missed** |  |" in text
    assert "| both | 3.00x (<= 2x) | **missed** | 3.00x (<= 4x) | held |" in text
    assert "| new |  |  | 3.00x | - |" in text
    assert "Python 3.13.0, the same machine; prefect is absent: not installed. Measured 2026-01-02" in text
    assert "; peer was left out of `new`: OSError: not today. **1 of 1 bounds held.**" in text


def test_a_later_run_replaces_the_one_of_its_python(tmp_path: Path) -> None:
    for python in ("3.13.0", "3.13.1", "3.11.7"):
        keep(_kept([], python=python), tmp_path)
    assert [run.python for run in kept(tmp_path)] == ["3.11.7", "3.13.1"]


def test_the_plot_is_well_formed() -> None:
    image = ElementTree.fromstring(plot({"a < b": [Point(10, 1.0), Point(100, 1.1), Point(1000, 0.9)]}))
    assert len([child for child in image if child.tag.endswith("circle")]) == 3
