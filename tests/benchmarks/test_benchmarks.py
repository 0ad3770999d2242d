"""The harness itself. No test asserts a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from benchmarks import calls
from benchmarks.measuring import ASFLOW, Contender, Measured, Result, Row, Scratch, measure
from benchmarks.page import page, plot

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
    assert result.holds
    assert not Result(_row(*row.contenders, bound=1.9), result.measured).holds


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
    assert result.best_peer() is None
    assert "peer left out: OSError: not today" in capsys.readouterr().err
    assert "left out, OSError: not today" in page([result], {}, 2, {})


def test_a_failure_of_ours_raises(scratch: Scratch) -> None:
    def broken(_folder: Path) -> float:
        raise OSError("not today")

    with pytest.raises(OSError, match="not today"):
        measure(_row(Contender("floor", lambda _: 1.0, 1), Contender(ASFLOW, broken, 1)), 1, scratch)


def test_rows_run_and_make_a_page(scratch: Scratch) -> None:
    results = [measure(row, 1, scratch) for row in calls.rows(short=True)]
    text = page(results, {"call": [(1, 2.0), (10, 2.0), (100, 2.5)]}, 1, {"prefect": "not installed"})
    assert all(result.row.title in text for result in results)
    assert "prefect is not measured: not installed" in text


def test_the_plot_is_well_formed() -> None:
    image = ElementTree.fromstring(plot({"a < b": [(10, 1.0), (100, 1.1), (1000, 0.9)]}))
    assert len([child for child in image if child.tag.endswith("circle")]) == 3
