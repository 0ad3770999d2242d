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
from asflow._labels import HIDDEN
from asflow.events import FlowFinished, FlowStarted, TaskFinished, TaskStarted
from asflow.sinks import TraceSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

    from asflow.events import Outcome


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
    assert text.count("</script>") == 3
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


@pytest.mark.timeout(180)  # a browser is started
def test_the_page_of_a_killed_program_opens(tmp_path: Path, opened: Callable[[Path], Chrome]) -> None:
    path, cut = tmp_path / "trace.html", tmp_path / "cut.html"
    flow = Flow(sink=TraceSink(path))

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> None:
        for _ in range(1000):
            work()
        cut.write_bytes(path.read_bytes())

    main()
    browser = opened(cut)
    said = str(browser.find_element("id", "sum").text)
    assert int(re.match(r"(\d+) calls", said)[1]) > 500  # type: ignore[index]
    assert "the file ends early" in said
    assert "the file ends early" not in str(opened(path).find_element("id", "sum").text)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Path], Chrome]]:
    """Opens a page in a browser without a network, and looks for errors of its script at the end."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("needs Chromium and its driver")
    webdriver = pytest.importorskip("selenium.webdriver")

    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,700"):
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser: Chrome
    with webdriver.Chrome(options=options, service=service) as browser:

        def open_page(path: Path) -> Chrome:
            browser.get(path.as_uri())
            return browser

        yield open_page
        log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
        assert [line for line in log if line["level"] == "SEVERE"] == []


def wide(path: Path, calls: int, lanes: int) -> None:
    """Write a trace of *calls* calls, *lanes* at a time, of which each hundredth fails, through the sink."""
    sink = TraceSink(path)
    flow: dict[str, Any] = {"run_id": "0" * 32, "flow_id": 1, "flow": "main", "label": "'wide'", "time": 0.0}
    sink.emit(FlowStarted(**flow, at=0.0, progress=True, tallies={}))
    of = {"run_id": "0" * 32, "flow_id": 1, "task": "work", "time": 0.0}
    for start in range(0, calls, lanes):
        at = start / lanes
        for n in range(start, min(start + lanes, calls)):
            named: dict[str, Any] = {**of, "call_id": n, "label": str(n), "arguments": {"n": n}}
            sink.emit(TaskStarted(**named, at=at, attempt=1))
        for n in range(start, min(start + lanes, calls)):
            named = {**of, "call_id": n, "label": str(n), "arguments": {"n": n, "token": HIDDEN}}
            error = ValueError(f"<b>bad</b> {n}") if n % 100 == 0 else None
            times: dict[str, Any] = {"seconds": 0.75, "waited_seconds": 0.25, "attempts": 3, "at": at + 0.9}
            ended: Outcome = "failed" if error else "completed"
            sink.emit(TaskFinished(**named, **times, outcome=ended, error=error, output=None))
    at = calls / lanes
    ended_flow = FlowFinished(**flow, at=at, outcome="completed", error=None, seconds=at)
    sink.emit(ended_flow)


@pytest.mark.timeout(180)  # a browser is started
@pytest.mark.parametrize(
    ("calls", "sums"),
    [
        (20_000, "20,000 calls in 4.00 s, 200 went wrong"),
        pytest.param(100_000, "100,000 calls in 20.0 s, 1,000 went wrong", marks=pytest.mark.slow),
    ],
)
def test_many_calls_five_thousand_at_a_time(
    tmp_path: Path, opened: Callable[[Path], Chrome], calls: int, sums: str
) -> None:
    """Only what is in sight is drawn; the wheel scrolls, with Ctrl it zooms; head and axis stay."""
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    path = tmp_path / "trace.html"
    wide(path, calls, 5000)
    browser = opened(path)

    def value(expression: str) -> Any:
        return browser.execute_script(f"return {expression}")

    def text(name: str) -> str:
        return str(value(f"document.getElementById('{name}').textContent"))

    assert sums in text("sum")
    assert value("rows.length") == 5001
    assert value("view.height") < 800
    drawn = "let count = 0; const old = paintRow; paintRow = (...all) => { count++; old(...all); };"
    assert 10 < browser.execute_script(drawn + "paint(); paintRow = old; return count") < 60
    pixels = "Array.from(view.getContext('2d').getImageData(0, 20, view.width, view.height - 20).data)"
    assert value(f"new Set({pixels}.filter((_, n) => n % 4 === 0)).size") > 3

    view = browser.find_element("id", "view")
    origin = ScrollOrigin.from_element(view)
    ActionChains(browser).scroll_from_origin(origin, 0, 900).perform()
    wait(browser, "scroller.scrollTop >= 800")
    assert value("to - from") == value("last - first")
    places = "['axis', 'sum', 'view'].map(id => document.getElementById(id).getBoundingClientRect().top)"
    axis, head, top = value(places)
    assert 0 <= head < axis < top < 300
    scrolled = value("scroller.scrollTop")
    ActionChains(browser).key_down(Keys.CONTROL).scroll_from_origin(origin, 0, -300).key_up(
        Keys.CONTROL
    ).perform()
    wait(browser, "to - from < last - first")
    assert value("scroller.scrollTop") == scrolled


@pytest.mark.timeout(180)  # a browser is started
def test_what_went_wrong_is_found_and_a_click_shows_the_call(
    tmp_path: Path, opened: Callable[[Path], Chrome]
) -> None:
    from selenium.webdriver import ActionChains

    path = tmp_path / "trace.html"
    wide(path, 10_000, 500)
    browser = opened(path)

    def said(name: str) -> str:
        return str(browser.find_element("id", name).text)

    assert said("found") == "100 calls that went wrong"
    browser.find_element("id", "search").send_keys("BAD</b> 42")
    assert said("found") == "1 call that went wrong"
    assert said("list") == "work(4200) failed ValueError: <b>bad</b> 4200"
    browser.find_element("css selector", "#list button").click()
    detail = said("detail").split("\n")
    assert detail[0] == "work(4200)"
    fields = dict(zip(detail[1::2], detail[2::2], strict=True))
    assert fields["attempts"] == "3"
    assert (fields["in bodies"], fields["waited"], fields["took"]) == ("750.0 ms", "250.0 ms", "900.0 ms")
    assert (fields["message"], fields["n ="], fields["token ="]) == ("<b>bad</b> 4200", "4200", "***")

    browser.find_element("id", "every").click()
    browser.find_element("id", "search").clear()
    browser.find_element("id", "search").send_keys("work(77)")
    assert said("list") == "work(77)"
    browser.execute_script("from = first; to = last; scroller.scrollTop = 0; paint()")
    view = browser.find_element("id", "view")
    left, top = browser.execute_script(
        "const mark = rows[3].marks[5]; return [x(mark.ts + mark.dur / 2), 3.5 * ROW]"
    )
    middle = view.size["width"] / 2, view.size["height"] / 2
    ActionChains(browser).move_to_element_with_offset(
        view, round(left - middle[0]), round(top - middle[1])
    ).click().perform()
    assert said("detail").startswith("work(2502)")


def wait(browser: Chrome, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30).until(lambda _: browser.execute_script(f"return {condition}"))
