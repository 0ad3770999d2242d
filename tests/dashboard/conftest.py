"""The example dashboard in a folder of its own, the demo's service on loopback, and a browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
sys.path.append(str(EXAMPLES / "demo"))

from api import Api  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import date

    from selenium.webdriver import Chrome


class Service(Api):
    """The demo's API, which responds while its gate is open and counts requests.

    Attributes:
        asked: how often each day was requested.
        gate: while cleared, requests are counted and wait.
    """

    def __init__(self) -> None:
        super().__init__(latency=0.0)
        self.busy.clear()  # retries wait for seconds, and are tested elsewhere
        self.asked: Counter[date] = Counter()
        self.gate = threading.Event()
        self.gate.set()
        self._counted = threading.Condition()

    def status(self, day: date) -> int:
        with self._counted:
            self.asked[day] += 1
            self._counted.notify_all()
        self.gate.wait()
        return super().status(day)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that has disconnected."""

    def wait_for(self, count: int) -> None:
        """Wait until *count* days were requested."""
        with self._counted:
            assert self._counted.wait_for(lambda: len(self.asked) >= count, 30)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The API, whose address is in the environment."""
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="service")
        thread.start()
        monkeypatch.setenv("TEMPERATURES_API", server.url)
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path, service: Service) -> Path:
    """A copy of the dashboard's folder, without any data."""
    folder = tmp_path / "dashboard"
    shutil.copytree(EXAMPLES / "streamlit", folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    return folder


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "flows"]:
        del sys.modules[name]


@pytest.fixture
def imported(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The dashboard's folder as the current one, with `flows` not imported yet."""
    import streamlit as st

    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    _forget()
    yield project
    st.cache_data.clear()
    _forget()


@contextmanager
def running(folder: Path, script: str = "app.py") -> Generator[str]:
    """Serve an app by `streamlit run` in *folder* and yield its address."""
    with socket.socket() as keeper:
        # It never listens, and keeps the port from all but a server whose socket has this option, too.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield from _served(folder, script, keeper.getsockname()[1])


def _served(folder: Path, script: str, port: int) -> Generator[str]:
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true"]
    command += ["--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"]
    log = folder / "server.log"
    # A home of its own: Streamlit reads and writes settings there.
    env = {**os.environ, "HOME": str(folder), "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out, subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out) as app:
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 40
            while not _healthy(url):
                assert app.poll() is None, log.read_text("utf-8", "replace")
                assert time.monotonic() < deadline, "the app never answered"
                time.sleep(0.05)
            yield url
        finally:
            app.terminate()
    said = log.read_text("utf-8", "replace")
    assert "Traceback" not in said, said


def _healthy(url: str) -> bool:
    with suppress(OSError):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    return False


@pytest.fixture
def server(project: Path) -> Iterator[str]:
    """The address of the dashboard, served in a separate process."""
    with running(project) as url:
        yield url


@pytest.fixture
def app_in() -> Iterator[Callable[[Path, str], str]]:
    """A function that serves a script, passed as text, in a folder and returns its address."""
    with ExitStack() as servers:

        def serve(folder: Path, script: str) -> str:
            (folder / "script.py").write_text(script, encoding="utf-8")
            return servers.enter_context(running(folder, "script.py"))

        yield serve


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Headless Chromium. Skips the test if it or its driver is not installed."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium and its driver are not installed (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("chromium")
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--no-proxy-server", "--window-size=900,900"),
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    browser: Chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()
