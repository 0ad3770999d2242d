"""`asflow report`: one page, whole without a network, with the words and numbers of the runs, and safe."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]

HOSTILE = "</i><script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover='x"

MODULE = f"""
from asflow import Flow
from asflow.sinks import HistorySink

flow = Flow("data", sink=HistorySink("history"))

@flow.task(on="raw/{{n}}.txt", skip=KeyError)
def fetch(n: int, text: str) -> None:
    if n == 1:
        raise KeyError(text)
    if n == 2:
        raise ValueError(text)
    flow.task.write("x")

@flow.task(on="clean/{{n}}.txt", reads=fetch)
def tidy(n: int) -> None:
    flow.task.write("x")

@flow
def nightly(day: str) -> None:
    for n in (0, 0, 1, 2):
        try:
            fetch(n, {HOSTILE!r})
        except ValueError:
            pass

@flow
def broken(day: str) -> None:
    raise RuntimeError("no " + day)
"""


@pytest.fixture
def page(asflow: Command, folder: Path) -> Path:
    """The report of three runs, one of which raised."""
    (folder / "reported.py").write_text(MODULE)
    for arguments in (["nightly", HOSTILE], ["broken", "2026-01-02"], ["nightly", "2026-01-03"]):
        asflow("run", "--sink", "null", f"reported:{arguments[0]}", "--day", arguments[1])
    answer = asflow("report", "-o", "page.html", "--module", "reported")
    assert (answer.code, answer.err) == (0, "page.html: 3 runs\n")
    return folder / "page.html"


def words(text: str) -> str:
    """Return *text* without tags, on one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_the_page_has_counts_times_failures_and_the_picture(page: Path) -> None:
    text = page.read_text("utf-8")
    said = words(text)
    assert "3 runs, written 2" in said
    assert "2 runs completed 1 run failed" in said
    assert "3 calls cached 1 call completed 2 calls failed 2 calls skipped" in said
    assert "RuntimeError: no 2026-01-02" in said
    assert "nightly(&#x27;2026-01-03&#x27;)" in said
    assert "fetch() failed ValueError 2 2" in said
    assert "fetch() skipped KeyError 2 2" in said
    assert "What reads what" in said
    assert "clean/{n}.txt" in said
    assert text.count('<i class="failed" style="left:') == 2
    assert text.count("<details") == 3


def test_the_page_is_alone_and_holds_no_markup_of_others(page: Path) -> None:
    text = page.read_text("utf-8")
    tags = set(re.findall(r"<([a-zA-Z]+)", text))
    assert not tags & {"script", "img", "link", "iframe", "a", "object"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in text


@pytest.mark.timeout(180)  # a browser is started
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_finds_no_handler_and_no_element_of_others(page: Path, tmp_path: Path) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "<h2>Timelines</h2>" in done.stdout
    tags = re.findall(r"<[a-zA-Z][^>]*?(?:\"[^\"]*\"[^>]*?)*>", done.stdout)
    bare = [re.sub(r"\"[^\"]*\"", "", tag) for tag in tags]
    assert len(bare) > 100
    assert not [tag for tag in bare if re.search(r"\son\w+=|^<(script|img)", tag)]


def test_the_last_runs_only_and_the_old_page_is_replaced(asflow: Command, page: Path) -> None:
    before = page.read_text("utf-8")
    assert asflow("report", "history", "-o", "page.html", "--last", "1").err == "page.html: 1 run\n"
    after = page.read_text("utf-8")
    assert (before.count("<details"), after.count("<details")) == (3, 1)
    assert "What reads what" not in after
    assert [path.name for path in page.parent.iterdir() if path.name.startswith(".page")] == []


def test_bad_usage(asflow: Command, page: Path) -> None:
    before = page.read_text("utf-8")
    assert asflow("report", "nowhere", "-o", "page.html").code == 2
    assert asflow("report", "-o", "page.html", "--module", "nowhere").code == 2
    assert asflow("report", "-o", "missing/page.html").code == 1
    assert page.read_text("utf-8") == before
