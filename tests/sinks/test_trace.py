"""`TraceSink`: a timeline in Chrome's trace format, or as a self-contained page."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Retry
from asflow.sinks import TraceSink

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        found = re.search(r'<script type="application/json" id="events">(.*?)</script>', text, re.DOTALL)
        assert found is not None
        text = found[1]
    events: list[dict[str, Any]] = json.loads(text)
    return events


async def run(flow: Flow) -> None:
    """Run a flow with retries, failures, an inner flow and calls at the same time."""
    failing = {3, 5}

    @flow.task(on="{n}.txt", limit=3, suppress=LookupError, retry=Retry(total=1, backoff_factor=0,
               backoff_jitter=0), retry_exceptions=EOFError)  # fmt: skip
    async def fetch(n: int, text: str = "") -> None:
        await asyncio.sleep(0.001)
        if n in failing:
            failing.discard(n)
            raise EOFError
        if n == 7:
            raise LookupError("</script><b>")

    @flow
    async def inner() -> None:
        await fetch(100, "</script><script>alert(1)</script>")

    @flow
    async def main(what: str) -> None:
        await flow.task.map(fetch, range(12))
        await fetch(0)
        await inner()

    await main("all")


@pytest.mark.parametrize("suffix", [".json", ".html"])
async def test_every_body_is_a_slice(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"new/folder/trace{suffix}"
    await run(Flow(tmp_path, sink=TraceSink(path)))
    events = read(path)
    slices = [event for event in events if event["ph"] == "X" and event["cat"] == "task"]
    outcomes = [event["args"]["outcome"] for event in slices]
    assert sorted(outcomes) == ["completed"] * 12 + ["retried"] * 2 + ["suppressed"]
    assert {event["args"]["attempt"] for event in slices} == {1, 2}
    [gone] = [event for event in slices if event["args"]["outcome"] == "suppressed"]
    assert gone["args"]["error"] == "LookupError"
    assert (gone["name"], gone["args"]["label"]) == ("fetch", "7")
    [cached] = [event for event in events if event["ph"] == "i"]
    assert (cached["args"]["outcome"], cached["args"]["output"]) == ("cached", "0.txt")
    flows = {event["name"]: event for event in events if event.get("cat") == "flow"}
    assert flows.keys() == {"main", "inner"}
    titles = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert titles == ["main('all')", "inner()"]


async def test_lanes_show_what_ran_at_the_same_time(tmp_path: Path) -> None:
    """No two slices of a lane overlap, all within their flow's slice. Commits go on beyond the limit."""
    path = tmp_path / "trace.json"
    await run(Flow(tmp_path, sink=TraceSink(path)))
    by_lane: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in read(path):
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            by_lane.setdefault((event["pid"], event["tid"]), []).append(event)
    assert len({pid for pid, _ in by_lane}) == 2
    main = min(by_lane)[0]
    assert {tid for pid, tid in by_lane if pid == main} >= {0, 1, 2, 3}
    for (pid, _), events in by_lane.items():
        events.sort(key=lambda event: event["ts"])
        for first, second in itertools.pairwise(events):
            assert first["ts"] + first["dur"] <= second["ts"] + 0.2  # rounded to 0.1 us each
        flow = by_lane[pid, 0][0]
        assert all(flow["ts"] <= event["ts"] + 0.2 for event in events)


def test_the_file_is_complete_between_runs(tmp_path: Path) -> None:
    """After each flow and each call outside any flow; a new sink replaces the file."""
    path = tmp_path / "trace.json"

    def make() -> tuple[Any, Any]:
        flow = Flow(sink=TraceSink(path))

        @flow.task
        def work() -> None: ...

        @flow
        def main() -> None:
            work()

        return main, work

    main, work = make()
    assert not path.exists()
    for count, call in ((3, main), (4, work), (7, main)):
        call()
        assert len(read(path)) == count
    make()[1]()
    assert len(read(path)) == 1


def test_flows_that_have_ended_leave_nothing_in_memory(tmp_path: Path) -> None:
    sink = TraceSink(tmp_path / "trace.json")
    flow = Flow(sink=sink)

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> None:
        work()

    for _ in range(10):
        main()
    assert not any((sink._flows, sink._starts, sink._lanes))


def test_the_file_of_a_killed_program_can_be_read(tmp_path: Path) -> None:
    """Events are written while the flow runs: whole lines of an array that is not closed."""
    path = tmp_path / "trace.json"
    flow = Flow(sink=TraceSink(path))

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> str:
        for _ in range(1000):
            work()
        return path.read_text()

    whole_lines, _, _ = main().rpartition(",\n")
    assert len(json.loads(whole_lines + "]")) > 500
    assert len(read(path)) == 1002


def test_the_place_is_pinned_when_the_sink_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flow = Flow(sink=TraceSink("trace.json"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    @flow.task
    def work() -> None: ...

    work()
    assert len(read(tmp_path / "trace.json")) == 1


async def test_the_page_needs_nothing_else_and_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "trace.html"
    await run(Flow(tmp_path, sink=TraceSink(path)))
    text = path.read_text("utf-8")
    assert "http" not in text
    assert text.count("</script>") == 2
    assert "alert(1)" in text
    assert any("</script>" in event["args"].get("label", "") for event in read(path))


@pytest.mark.timeout(180)  # a browser is started
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
async def test_a_browser_draws_the_page(tmp_path: Path) -> None:
    """The script runs to its end: the sum and the key are there."""
    path = tmp_path / "trace.html"
    await run(Flow(tmp_path, sink=TraceSink(path)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *options, "--dump-dom", path.as_uri()]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert re.search(r'<span id="sum">16 calls in \d', done.stdout), done.stdout[-2000:]
    assert "fetch()</span>" in done.stdout
