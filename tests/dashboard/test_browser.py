"""The dashboard in Chromium: several sessions at once, and pages that are left or rerun during a flow."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dashboard.conftest import Service
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_TEXT = "return [...document.querySelectorAll(arguments[0])].map(element => element.innerText)"


class Session:
    """One tab: one session of the dashboard."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        browser.switch_to.new_window("tab")
        self.handle = browser.current_window_handle
        browser.get(url)

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that match *selector*."""
        self.browser.switch_to.window(self.handle)
        found: list[str] = self.browser.execute_script(_TEXT, selector)
        return found

    def shows(self, selector: str, pattern: str) -> str:
        """Wait until an element that matches *selector* has *pattern* in its text, and return that text."""
        return self.until(
            lambda: next((text for text in self.texts(selector) if re.search(pattern, text)), ""),
            f"{pattern!r} in {selector}",
        )

    def has(self, selector: str) -> None:
        """Wait until something matches *selector*."""
        self.until(lambda: "yes" if self.texts(selector) else "", selector)

    def status(self, pattern: str) -> str:
        """Wait until the one status on the page has *pattern* in its text, and return that text."""
        text = self.shows("[data-testid=stExpander]", pattern)
        assert len(self.texts("[data-testid=stExpander]")) == 1
        return text

    def until(self, find: Callable[[], str], what: str) -> str:
        """Wait until *find* returns a text that is not empty."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            if found := find():
                return found
            time.sleep(0.05)
        raise AssertionError(f"never shown: {what}\n{self.texts('body')}")

    def choose(self, month: str) -> None:
        """Pick a month in the select box."""
        self.click("[data-testid=stSelectbox] input")
        self.shows("[role=option]", month)
        options = self.browser.find_elements("css selector", "[role=option]")
        next(option for option in options if option.text == month).click()

    def go_to(self, page: str) -> None:
        """Follow a link of the sidebar."""
        self.click(f"[data-testid=stSidebarNav] a[href$='/{page}']")

    def click(self, selector: str) -> None:
        """Click on what matches *selector* once it is there: the code of a widget may still be loading."""
        self.has(selector)
        self.browser.find_element("css selector", selector).click()


@pytest.fixture
def sessions(chromium: Chrome, server: str) -> Iterator[Callable[[str], Session]]:
    """Open a page of the dashboard in a new session."""
    first = chromium.current_window_handle

    def open_page(page: str = "") -> Session:
        return Session(chromium, f"{server}/{page}")

    yield open_page
    for handle in chromium.window_handles:
        if handle != first:
            chromium.switch_to.window(handle)
            chromium.close()
    chromium.switch_to.window(first)


def _counts(summary: str) -> dict[str, int]:
    """`30 done, 1 suppressed` -> numbers by word."""
    return {word: int(number) for number, word in re.findall(r"(\d+) (done|on disk|suppressed)", summary)}


def test_three_sessions_at_once(sessions: Callable[[str], Session], service: Service) -> None:
    """Two look at one month, one at another: each sees its own run, and each day is asked for once."""
    opened = [(sessions(""), "March", 3), (sessions(""), "March", 3), (sessions(""), "July", 7)]
    for session, _, _ in opened:
        session.status(r"monthly\(1\): .* in [\d.]+ s")
    service.gate.clear()
    for session, month, number in opened:
        session.choose(month)
        session.status(rf"monthly\({number}\)\s+Archive.download 0/31")
    service.wait_for(31 + 8)  # all that the limit lets through
    service.gate.set()

    for session, _, number in opened:
        summary = session.status(rf"monthly\({number}\): .* in [\d.]+ s")
        counts = _counts(summary)
        assert counts["done"] + counts.get("on disk", 0) == 30 + 1  # and one read
        assert counts["suppressed"] == 1
        session.shows("[data-testid=stMarkdown]", "30 days, 7[12]. hours")
    assert len(service.asked) == 3 * 31
    assert set(service.asked.values()) == {1}


def test_a_rerun_in_the_middle(sessions: Callable[[str], Session], service: Service) -> None:
    """Another month is chosen during a download: that run stops, and goes on when it is chosen again."""
    service.gate.clear()
    session = sessions("")
    session.status(r"monthly\(1\)\s+Archive.download 0/31 .*8 running")
    session.choose("July")
    session.status(r"monthly\(7\)\s+Archive.download 0/31 .*8 running")  # the slots are free again
    service.wait_for(16)
    service.gate.set()
    session.status(r"monthly\(7\): 31 done, 1 suppressed in")
    assert len(service.asked) == 8 + 31  # January was not continued
    session.choose("January")
    session.status(r"monthly\(1\): 31 done, 1 suppressed in")
    session.shows("[data-testid=stMarkdown]", "30 days, 720 hours")
    assert sorted(service.asked.values()) == [1] * (2 * 31 - 8) + [2] * 8


def test_a_page_is_left_and_a_cached_flow_runs_once(
    sessions: Callable[[str], Session], service: Service, project: Path
) -> None:
    """The other page starts at once; its flow runs for one session, and all get the table."""
    service.gate.clear()
    opened = [sessions(""), sessions("year"), sessions("year")]
    opened[0].status(r"monthly\(1\)\s+Archive.download 0/31")
    opened[0].go_to("year")
    opened[0].shows("h1", "The year by month")
    for session in opened:  # one of them runs the flow
        session.shows("[data-testid=stExpander]", r"yearly\(\)\s+monthly / Archive.download 0/31 .*8 running")
    service.gate.set()
    for session in opened:
        session.has("[data-testid=stDataFrame]")
    shown = [text for session in opened for text in session.texts("[data-testid=stExpander]")]
    assert len(shown) == 1
    assert "yearly():" in shown[0]
    assert len(service.asked) == 365
    assert max(service.asked.values()) <= 2  # the eight that were under way when the page was left
    assert len(list((project / "data" / "temperatures").iterdir())) == 365


TOGETHER = """
import asyncio
import streamlit as st
from asflow import Flow
from asflow.sinks import StreamlitSink

@st.cache_resource
def shared():
    return Flow(sink=StreamlitSink()), []

flow, begun = shared()
st.button("again")

@flow.task(limit=1)
async def work(name):
    begun.append(name)
    await asyncio.sleep(60 if len(begun) == 1 else 0)

@flow
async def one():
    await work("one")

@flow
async def two():
    await work("two")

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(one())
        group.create_task(two())

asyncio.run(main())
st.write(f"begun: {begun}")
"""


def test_flows_that_run_together_stop_together(
    chromium: Chrome, tmp_path: Path, app_in: Callable[[Path, str], str]
) -> None:
    """A rerun ends a TaskGroup of flows without a traceback; the slot of the one that ran is free again."""
    url = app_in(tmp_path, TOGETHER)
    session = Session(chromium, url)
    session.shows("[data-testid=stExpander]", "1 running")
    session.click("[data-testid=stButton] button")
    session.shows("[data-testid=stMarkdown]", re.escape("begun: ['one', 'one', 'two']"))
    assert len(session.texts("[data-testid=stExpander]")) == 2


ARCHIVE = """
import asyncio
import streamlit as st
from asflow import Flow, Retry
from asflow.sinks import StreamlitSink

@st.cache_resource
def shared():
    return Flow(sink=StreamlitSink())

flow = shared()

@flow.task(skip=KeyError, limit=4, retry=Retry(1, delay=lambda error, retry: 600, exceptions=(TimeoutError,)))
async def download(name):
    if name == "busy":
        raise TimeoutError("read timed out, and the reason is a long one that needs more than one line " * 2)
    if name == "odd":
        raise KeyError("rows")
    if name == "bad":
        raise ValueError("503 Service Unavailable")
    if name != "good":
        flow.task.progress("a long description of a download", total=12e6, unit="B").advance(3e6)
        await asyncio.sleep(600)

NAMES = ["good", "odd", "bad", "busy", "hangs-" + "x" * 300, "hangs-too"]

@flow
async def archive():
    await flow.task.map(download, NAMES, on_error="collect")

asyncio.run(archive())
"""
_FITS = """
const inside = box => box.left >= 0 && box.right <= document.documentElement.clientWidth + 1;
const texts = [...document.querySelectorAll('[data-testid=stExpander] *')].filter(e => e.innerText);
return document.documentElement.scrollWidth <= window.innerWidth
    && texts.length > 5 && texts.every(e => inside(e.getBoundingClientRect()));
"""


@pytest.fixture
def sized(chromium: Chrome) -> Iterator[Callable[[int], None]]:
    """Give the window a width; it gets its own back."""
    before = chromium.get_window_size()
    yield lambda width: chromium.set_window_size(width, 900)
    chromium.set_window_size(before["width"], before["height"])


def test_narrow_and_wide_and_stopped_by_the_button(
    chromium: Chrome, tmp_path: Path, app_in: Callable[[Path, str], str], sized: Callable[[int], None]
) -> None:
    """All of it is there and within the page; what was stopped says so, with no time left and no tick."""
    session = Session(chromium, app_in(tmp_path, ARCHIVE))
    for width in (500, 1600):
        sized(width)
        text = session.status(r"2 running")
        for part in (r"download 3/6", r"1 skipped", r"1 failed", r"3\.0/12\.0 MB", r"busy again in \d+ min"):
            assert re.search(part, text), text
        assert "download(bad) failed: ValueError: 503 Service Unavailable" in text.replace("'", "")
        session.until(lambda: str(chromium.execute_script(_FITS) or ""), "within the page")
    session.click("[data-testid=stStatusWidget] button")
    text = session.status(r"archive\(\) cancelled: 1 done, 1 skipped, 1 failed, 3 cancelled, 1 retry in")
    assert "left" not in text
    assert "running" not in text
    assert session.texts("[data-testid=stExpanderIconError]")
    assert not session.texts("[data-testid=stExpanderIconCheck]")


def test_a_flow_that_fails_is_no_success(
    chromium: Chrome, tmp_path: Path, app_in: Callable[[Path, str], str]
) -> None:
    """It says so, with the reason; no time is left, nothing runs, and there is no tick."""
    script = ARCHIVE.replace('"hangs-', '"').replace(', on_error="collect"', "")
    session = Session(chromium, app_in(tmp_path, script.replace("asyncio.run(archive())", RUN)))
    text = session.status(r"archive\(\) failed \(ValueError: 503 Service Unavailable\): .*1 failed")
    assert "left" not in text
    assert "running" not in text
    assert session.texts("[data-testid=stExpanderIconError]")
    assert not session.texts("[data-testid=stExpanderIconCheck]")


RUN = """
try:
    asyncio.run(archive())
except ValueError:
    st.write("failed")
"""
