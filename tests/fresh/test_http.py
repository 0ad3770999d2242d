"""The page's example of ETag, Last-Modified and 304, as it stands there, against a server on loopback."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from docs.pages import ROOT, blocks
from support.fresh import shift


class Feeds(ThreadingHTTPServer):
    """Serves one text, and remembers how it was asked and what it said."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.text, self.tag = "first", True
        self.said: list[int] = []
        self.conditions: list[tuple[str | None, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Feeds)
        known = self.headers["If-None-Match"], self.headers["If-Modified-Since"]
        server.conditions.append(known)
        header = ("ETag", f'"{server.text}"') if server.tag else ("Last-Modified", f"{server.text} o'clock")
        status = 304 if header[1] in known else 200
        server.said.append(status)
        self.send_response(status)
        self.send_header(*header)
        body = server.text.encode() if status == 200 else b""
        if status == 200:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep the tests' output free."""


@contextmanager
def serving() -> Generator[Feeds]:
    with Feeds() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def page(folder: Path) -> Any:
    """Write the block of the page as the module that it is, and import it."""
    text = (ROOT / "docs/howto/refresh.md").read_text("utf-8")
    (code,) = [block.text for block in blocks(text) if block.title == "feeds.py"]
    (folder / "feeds.py").write_text(code)
    return importlib.import_module("feeds")


@pytest.mark.parametrize("tag", [True, False])
def test_a_feed_is_asked_for_again_only_with_what_the_server_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "feeds", raising=False)
    feed = page(tmp_path).feed
    output = tmp_path / "feeds/news.json"
    with serving() as server:
        server.tag = tag

        def call() -> str:
            async def main() -> str:
                url = f"http://127.0.0.1:{server.server_port}"
                async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                    text: str = (await feed("news", client)).text
                    return text

            return asyncio.run(main())

        assert [call(), call()] == ["first", "first"]
        assert server.said == [200]
        shift(output, -3600)
        assert [call(), call()] == ["first", "first"]
        assert server.said == [200, 304]
        server.text = "second"
        shift(output, -3600)
        assert [call(), call()] == ["second", "second"]
        assert server.said == [200, 304, 200]
    sent = [None if known == (None, None) else known[0 if tag else 1] for known in server.conditions]
    first = '"first"' if tag else "first o'clock"
    assert sent == [None, first, first]
    assert os.listdir(tmp_path / "feeds") == ["news.json"]
