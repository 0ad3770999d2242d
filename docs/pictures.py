"""Make the pictures of the documentation: `make pictures` writes them to `docs/assets/`.

    streamlit.png   the example dashboard while its flow runs, in Chromium
    terminal.svg    the demo in a terminal while it runs
    terminal.cast   three runs of it, for asciinema: stopped by Ctrl-C, continued, and one with nothing to do

Needs Chromium and its driver (Debian: chromium, chromium-driver) and a terminal's pty, so Linux or macOS.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
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
    from collections.abc import Callable, Generator

DOCS = Path(__file__).parent
ASSETS = DOCS / "assets"
DEMO = DOCS / "examples" / "demo"
COLUMNS, ROWS = 96, 26
COMMAND = "python pipeline.py | tail -2"
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
    with served(folder, {"TEMPERATURES_API": api}) as url:
        yield url


@contextmanager
def served(folder: Path, env: dict[str, str]) -> Generator[str]:
    """Serve the script `app.py` of *folder* by Streamlit, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    command += ["--client.toolbarMode", "minimal"]
    env = {**os.environ, "HOME": str(folder), "NO_PROXY": "127.0.0.1", **env}
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


def browser(profile: Path, size: str = "900,800") -> webdriver.Chrome:
    """Start headless Chromium with a window of *size*."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--no-proxy-server", f"--window-size={size}"),
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


class Shell:
    """A shell on a terminal of its own, which is typed into.

    Attributes:
        events: what it wrote ("o") and what was typed ("i"), with the seconds since its start.
        screen: what the terminal shows.
    """

    def __init__(self, folder: Path) -> None:
        self.events: list[tuple[float, str, str]] = []
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._start = time.monotonic()
        (folder / "inputrc").write_text("set enable-bracketed-paste off\n")
        env = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", "PS1": "$ "}
        env |= {
            "INPUTRC": str(folder / "inputrc"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        for name in ("CI", "NO_COLOR", "COLUMNS", "LINES", "PROMPT_COMMAND"):
            env.pop(name, None)
        self._process, self._master = pty.fork()
        if not self._process:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read_until(self, done: Callable[[], bool]) -> None:
        """Read what is written until *done* returns True."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "\n".join(self.screen.display)
            if select.select([self._master], [], [], 0.02)[0]:
                data = os.read(self._master, 65536)
                self._note("o", data)
                self._stream.feed(data)

    def pause(self, seconds: float) -> None:
        """Let a reader look."""
        end = time.monotonic() + seconds
        self.read_until(lambda: time.monotonic() >= end)

    def press(self, keys: str) -> None:
        """Type *keys*, as fast as a person."""
        for key in keys:
            self._note("i", key.encode())
            os.write(self._master, key.encode())
            self.pause(0.04)

    def _note(self, kind: str, data: bytes) -> None:
        self.events.append((round(time.monotonic() - self._start, 3), kind, data.decode(errors="replace")))

    def prompt(self) -> bool:
        """Whether the shell waits for a command."""
        return self.screen.display[self.screen.cursor.y].rstrip() == "$" and self.screen.cursor.x == 2

    def close(self) -> None:
        """Leave the shell."""
        os.close(self._master)
        os.waitpid(self._process, 0)


def _demo_in(folder: Path) -> None:
    """Copy the demo to *folder*, with a service that takes its time."""
    shutil.copy(DEMO / "pipeline.py", folder)
    api = (DEMO / "api.py").read_text("utf-8")
    default = "def serve(*, latency: float = 0.02"
    assert default in api
    (folder / "api.py").write_text(api.replace(default, default.replace("0.02", "0.1")), encoding="utf-8")


def pictures_of_the_terminal() -> None:
    """Record three runs of the demo, and draw the screen of the first one."""
    with tempfile.TemporaryDirectory() as folder:
        _demo_in(Path(folder))
        shell = Shell(Path(folder))
        shell.read_until(shell.prompt)
        shell.press(f"{COMMAND}\n")
        shell.read_until(lambda: any(" again in " in line for line in shell.screen.display))
        shell.pause(2.0)
        picture = _drawn(shell.screen)
        shell.press("\x03")
        for command in (COMMAND, COMMAND):
            shell.read_until(shell.prompt)
            shell.pause(1.5)
            shell.press(f"{command}\n")
        shell.read_until(shell.prompt)
        shell.close()
    text = "\n".join(shell.screen.display)
    assert " and 0 requests" in text, text
    (ASSETS / "terminal.svg").write_text(picture, encoding="utf-8")
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "asflow: the demo"}
    lines = [json.dumps(header | {"idle_time_limit": 1.2}), *map(json.dumps, shell.events)]
    (ASSETS / "terminal.cast").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _drawn(screen: pyte.Screen) -> str:
    """Return what *screen* shows as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    last = max(row for row, line in enumerate(screen.display) if line.strip())
    for row in range(last + 1):
        console.print(_styled(screen, row), no_wrap=True)
    picture = console.export_svg(title="python pipeline.py", unique_id="demo")
    # The reader's own monospaced font: a page must not load one from another host.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


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
