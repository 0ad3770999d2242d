"""The home page in Chromium: what its first screen shows, and that its picture plays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_BOTTOMS = """
return [...document.querySelectorAll('article pre')].map(
    element => [element.innerText, element.getBoundingClientRect().bottom])
"""
_PICTURE = """
const image = document.querySelector('article img');
return image.complete ? [image.naturalWidth, image.getBoundingClientRect().width] : null;
"""


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    """A browser without a network, whose page is 1280 x 800."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("needs Chromium and its driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={tmp_path / 'profile'}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    browser: Chrome
    with webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver"))) as browser:
        size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        yield browser


def test_installation_and_example_are_on_the_first_screen(chromium: Chrome, tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    command += ["--config-file", str(ROOT / "docs" / "site" / "mkdocs.yml")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    chromium.get((tmp_path / "site" / "index.html").as_uri())
    blocks: list[tuple[str, float]] = chromium.execute_script(_BOTTOMS)
    install = next(bottom for text, bottom in blocks if text.startswith("pip install asflow"))
    example = next(bottom for text, bottom in blocks if "asyncio.run(pipeline())" in text)
    assert install < example <= 800
    width, shown = chromium.execute_script(_PICTURE)
    assert 0 < shown <= 1280
    assert width > 0, "the picture is not there"


def test_the_moving_picture_plays(chromium: Chrome) -> None:
    """Each frame has an animation that runs; one frame is seen at a time."""
    chromium.get((ROOT / "docs" / "assets" / "demo.svg").as_uri())
    states: list[str] = chromium.execute_script("return document.getAnimations().map(each => each.playState)")
    assert len(states) > 30
    assert set(states) == {"running"}
    seen = set[tuple[str, ...]]()
    for seconds in (0.5, 6.0, 12.0):
        shown: list[str] = chromium.execute_script(
            "document.getAnimations().forEach(each => each.currentTime = arguments[0] * 1000);"
            "return [...document.querySelectorAll('.f')]"
            ".filter(each => getComputedStyle(each).visibility === 'visible').map(each => each.id)",
            seconds,
        )
        assert len([name for name in shown if name.startswith("f")]) == 1
        seen.add(tuple(shown))
    assert len(seen) == 3
