"""The services that the pages talk to, on loopback, and a folder to work in."""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.examples import place, run
from support.loopback import Answer, Loopback, Request, serving
from support.youtube import YouTube

from asflow import flow

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@pytest.fixture(autouse=True)
def _no_task_owns_names() -> None:
    """The examples' modules have been imported from other folders, by earlier tests."""
    flow._workspace._owners.clear()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which is the current one; commands of this environment can be called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    # yt-dlp reads the user's settings and keeps a cache.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".caches"))
    return tmp_path


@pytest.fixture(autouse=True)
def _commands_that_are_ending() -> Generator[None]:
    """Pass over commands that are still ending: the page's task waits for their output alone."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _contents(request: Request) -> Answer:
    """`/contents/3`: one JSON record in a line."""
    number = int(request.path.removeprefix("/contents/"))
    return Answer(json.dumps({"id": number, "square": number * number}), content_type="application/json")


@pytest.fixture
def api() -> Iterator[Loopback]:
    """The API of page 2."""
    with serving(_contents) as server:
        yield server


def _channel() -> YouTube:
    first = ["F6PqxbvOCUI", "Pv0iVoSZzN8", "l-nMKJ5J3Uc", "erLbbextvlY"]
    return YouTube([*first, "-4GmbBoYQjE", "_bH-TS3gbVs", "0e3GPea1Tyg", "tWYsfOSY9vY"])


@pytest.fixture
def youtube() -> YouTube:
    """The channel of page 3, with eight videos."""
    return _channel()


@pytest.fixture
def site(youtube: YouTube) -> Iterator[Loopback]:
    """Where `youtube` is served."""
    with serving(youtube) as server:
        yield server


@pytest.fixture
def tutorial(project: Path, site: Loopback, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The tutorial's project, to be imported from; its channel is on loopback."""
    channel = "https://www.youtube.com/@MrBeast"
    # YouTube's own listing has this column, empty; yt-dlp's listing of any other page has another one.
    place("page3", project, {channel: f"{site.url}/@MrBeast", "release_timestamp": "release_year"})
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    importlib.invalidate_caches()
    yield project
    for name in [name for name in sys.modules if name.partition(".")[0] == "flows"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def listing(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What yt-dlp says of the channel, as the tutorial's task stores it."""
    folder = tmp_path_factory.mktemp("listing")
    with serving(_channel()) as server:
        place("page3", folder, {"https://www.youtube.com/@MrBeast": f"{server.url}/@MrBeast"})
        run("-c", "import asyncio; from first import playlist; asyncio.run(playlist())", cwd=folder)
    return (folder / "data" / "playlist.jsonl.zst").read_bytes()


@pytest.fixture
def listed(tutorial: Path, listing: bytes) -> Path:
    """The tutorial's project after the channel has been listed."""
    (tutorial / "data").mkdir()
    (tutorial / "data" / "playlist.jsonl.zst").write_bytes(listing)
    return tutorial
