"""Make the pictures of the documentation: `make pictures` writes them to `docs/assets/`.

    streamlit.png   the example dashboard while its flow runs, in Chromium
    terminal.svg    the demo in a terminal while it runs
    terminal.cast   the whole run, for asciinema

Needs Chromium and its driver (Debian: chromium, chromium-driver) and a terminal's pty, so Linux or macOS.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text
from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Generator

DOCS = Path(__file__).parent
ASSETS = DOCS / "assets"
DEMO = DOCS / "examples" / "demo"
COLUMNS, ROWS = 100, 24
PATIENCE = 60.0  # seconds

PYTE_COLORS = {"brown": "yellow", "default": None}


@contextmanager
def service(latency: float) -> Generator[str]:
    """Run the demo's API in its own process, and yield its address."""
    command = [sys.executable, "-u", str(DEMO / "api.py"), "--port", "0", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[2]
        finally:
            server.terminate()


@contextmanager
def dashboard(folder: Path, api: str) -> Generator[str]:
    """Serve a copy of the example dashboard in *folder*, and yield its address."""
    shutil.copytree(DOCS / "examples" / "streamlit", folder, ignore=shutil.ignore_patterns("data"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    command += ["--client.toolbarMode", "minimal"]
    env = {**os.environ, "HOME": str(folder), "TEMPERATURES_API": api, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL) as app:
        url = f"http://127.0.0.1:{port}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                with suppress(OSError), opener.open(f"{url}/_stcore/health", timeout=1):
                    break
                assert app.poll() is None, "the dashboard has ended"
                assert time.monotonic() < deadline, "the dashboard never answered"
                time.sleep(0.1)
            yield url
        finally:
            app.terminate()


def browser(profile: Path) -> webdriver.Chrome:
    """Start headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--no-proxy-server", "--window-size=900,800"),
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def picture_of_streamlit() -> None:
    """Take a picture of the dashboard's first page while its flow runs."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = stack.enter_context(service(1.5))
        url = stack.enter_context(dashboard(folder / "dashboard", api))
        chromium = browser(folder / "profile")
        stack.callback(chromium.quit)
        chromium.get(url)
        deadline = time.monotonic() + PATIENCE
        while "left" not in chromium.find_element("css selector", "body").text:
            assert time.monotonic() < deadline, "the status was never shown"
            time.sleep(0.1)
        time.sleep(0.5)  # Streamlit fades things in
        (ASSETS / "streamlit.png").write_bytes(chromium.get_screenshot_as_png())


def record() -> list[tuple[float, bytes]]:
    """Run the demo on a terminal and return what it wrote, with the seconds since its start."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        api = stack.enter_context(service(0.1))
        master, slave = pty.openpty()
        stack.callback(os.close, master)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        command = [sys.executable, str(DEMO / "pipeline.py"), "--base", folder, "--url", api]
        env = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        for name in ("CI", "NO_COLOR", "COLUMNS", "LINES"):
            env.pop(name, None)
        demo = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        start = time.monotonic()
        written: list[tuple[float, bytes]] = []
        with suppress(OSError):  # EIO: the demo has ended
            while data := os.read(master, 65536):
                written.append((time.monotonic() - start, data))
        assert demo.wait() == 0
        return written


def pictures_of_the_terminal() -> None:
    """Record a run of the demo, and draw its screen halfway."""
    written = record()
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "asflow: the demo"}
    text = b"".join(data for _, data in written).decode()
    assert "It took" in text, text
    lines = [json.dumps(header)]
    lines += [json.dumps([round(at, 3), "o", data.decode(errors="replace")]) for at, data in written]
    (ASSETS / "terminal.cast").write_text("\n".join(lines) + "\n", encoding="utf-8")

    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    for at, data in written:
        stream.feed(data)
        if at > written[-1][0] / 2:
            break
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    last = max(row for row, line in enumerate(screen.display) if line.strip())
    for row in range(last + 1):
        console.print(_styled(screen, row), no_wrap=True)
    picture = console.export_svg(title="python pipeline.py", unique_id="demo")
    # The reader's own monospaced font: a page must not load one from another host.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (ASSETS / "terminal.svg").write_text(picture, encoding="utf-8")


def _styled(screen: pyte.Screen, row: int) -> Text:
    line = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[row][column]
        color = PYTE_COLORS.get(cell.fg, cell.fg)
        if color is not None and len(color) == 6 and color not in {"yellow"}:
            with suppress(ValueError):
                color = f"#{int(color, 16):06x}"
        line.append(cell.data, Style(color=color, bold=cell.bold))
    line.rstrip()
    return line


if __name__ == "__main__":
    ASSETS.mkdir(exist_ok=True)
    pictures_of_the_terminal()
    picture_of_streamlit()
    for path in sorted(path for path in ASSETS.iterdir() if path.is_file()):
        print(f"{path.relative_to(DOCS)}: {path.stat().st_size:,} bytes")
