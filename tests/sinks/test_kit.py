"""The public conformance kit, run on the sinks that serve as examples."""

from __future__ import annotations

import io
import json
import logging
from functools import partial
from typing import TYPE_CHECKING

from tqdm import tqdm

from asflow.sinks import HistorySink, LogSink, NullSink, Tee, TqdmSink, TraceSink
from asflow.testing import check_sink

if TYPE_CHECKING:
    from pathlib import Path


def test_tqdm() -> None:
    check_sink(lambda: TqdmSink(partial(tqdm, file=io.StringIO())))


def test_log() -> None:
    logger = logging.getLogger("test.kit")
    said = io.StringIO()
    logger.handlers, logger.propagate = [logging.StreamHandler(said)], False
    logger.setLevel(logging.DEBUG)
    check_sink(lambda: LogSink(logger))
    assert "\x1b" not in said.getvalue()


def test_trace(tmp_path: Path) -> None:
    """With events from four threads at once, the file is still one array."""
    made: list[Path] = []

    def make() -> TraceSink:
        made.append(tmp_path / f"{len(made)}.json")
        return TraceSink(made[-1])

    check_sink(make)
    written = [path for path in made if path.exists()]
    assert len(written) == 2
    one, four = (json.loads(path.read_text("utf-8")) for path in written)
    assert len(four) == 4 * len(one)


def test_history(tmp_path: Path) -> None:
    check_sink(lambda: HistorySink(tmp_path / "history", keep=3))


def test_tee(tmp_path: Path) -> None:
    check_sink(lambda: Tee(NullSink(), TraceSink(tmp_path / "trace.html"), NullSink()))
