"""`TqdmSink`: a real tqdm bar per task, written to a stream."""

from __future__ import annotations

import asyncio
import io
import re
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tqdm import tqdm

from asflow import Flow
from asflow.errors import MissingExtraError
from asflow.sinks import TqdmSink

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "{desc}|{n_fmt}/{total_fmt}|{postfix}"


def sink(stream: io.StringIO) -> TqdmSink:
    return TqdmSink(partial(tqdm, file=stream, mininterval=0, bar_format=FORMAT))


def states(stream: io.StringIO) -> list[str]:
    """Everything that was drawn, without what moves the cursor."""
    drawn = re.split(r"[\r\n]|\x1b\[A", stream.getvalue())
    return [text.rstrip() for text in drawn if text.strip()]


def test_a_bar_counts_calls_and_how_they_ended(tmp_path: Path) -> None:
    stream = io.StringIO()
    flow = Flow(tmp_path, sink=sink(stream))

    @flow.task(on="{n}.txt", suppress=LookupError, skip=OSError)
    def fetch(n: int) -> None:
        if n == 1:
            raise LookupError
        if n == 2:
            raise OSError

    @flow
    def main() -> None:
        for n in (0, 1, 2, 0, 3):
            fetch(n)

    main()
    drawn = states(stream)
    assert drawn[-1] == "main fetch|5/5|, 1 suppressed, 1 skipped, 1 on disk"
    assert "main fetch|1/1|" in drawn
    assert "main fetch|2/2|, 1 suppressed" in drawn


async def test_the_total_of_a_map_is_known_from_the_start() -> None:
    stream = io.StringIO()
    flow = Flow(sink=sink(stream))

    @flow.task(limit=1)
    async def work(n: int) -> None:
        await asyncio.sleep(0)

    @flow
    async def main() -> None:
        await flow.task.map(work, range(30))

    await main()
    counts = [text.split("|")[1] for text in states(stream)]
    assert counts[-1] == "30/30"
    assert {"1/30", "17/30"} <= set(counts)


def test_each_task_of_each_flow_has_a_bar() -> None:
    stream = io.StringIO()
    flow = Flow(sink=sink(stream))

    @flow.task
    def one() -> None: ...

    @flow.task
    def two() -> None: ...

    @flow
    def inner() -> None:
        one()

    @flow
    def outer() -> None:
        one()
        two()
        inner()

    outer()
    two()  # outside any flow: no bar
    drawn = states(stream)
    for title in ("outer one", "outer two", "inner one"):
        assert f"{title}|1/1|" in drawn
    assert not any("2/2" in text for text in drawn)


def test_calls_from_many_threads_are_all_counted() -> None:
    stream = io.StringIO()
    flow = Flow(sink=sink(stream))

    @flow.task(limit=0)
    def work() -> None: ...

    @flow
    def main() -> None:
        from contextvars import copy_context

        def some() -> None:
            for _ in range(50):
                work()

        threads = [threading.Thread(target=copy_context().run, args=[some]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    main()
    assert states(stream)[-1] == "main work|400/400|"


def test_the_default_is_a_bar_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    flow = Flow(sink=TqdmSink())

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> None:
        work()

    main()
    out, err = capsys.readouterr()
    assert out == ""
    assert "main work: 100%" in err
    assert "1/1" in err


def test_without_tqdm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[tqdm\]'"):
        TqdmSink()


def test_a_flow_without_progress_has_no_bars() -> None:
    """Nor have the flows that it calls; the flow around it keeps its own."""
    stream = io.StringIO()
    flow = Flow(sink=sink(stream))

    @flow.task
    def work() -> None: ...

    @flow
    def inner() -> None:
        work()

    @flow(progress=False)
    def quiet() -> None:
        work()
        inner()

    @flow
    def main() -> None:
        work()
        quiet()

    quiet()
    assert states(stream) == []
    main()
    assert {state.partition("|")[0] for state in states(stream)} == {"main work"}
