"""A small HTTP server on loopback for tests: it answers as a test says and counts what it was asked."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Answer", "Loopback", "Request", "serving"]


@dataclass(frozen=True)
class Request:
    """What was asked: the path with its query as sent, and the body."""

    method: str
    target: str
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def query(self, name: str) -> str:
        """The (one) value of a parameter of the query."""
        [value] = parse_qs(urlsplit(self.target).query)[name]
        return value


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: str
    status: int = 200
    content_type: str = "text/plain"


class Loopback(ThreadingHTTPServer):
    """The server.

    Attributes:
        asked: how often each target was asked for.
        peak: the most requests that were under way at once.
        errors: what went wrong in *answer*; `serving` raises it.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()
        self.peak = 0
        self.errors: list[BaseException] = []
        self._active = 0
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where the server is, without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self.asked.total()

    def reply(self, request: Request) -> Answer:
        """Count *request* and answer it."""
        with self._lock:
            self.asked[request.target] += 1
            self._active += 1
            self.peak = max(self.peak, self._active)
        try:
            return self.answer(request)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            with self._lock:
                self._active -= 1


class _Handler(BaseHTTPRequestHandler):
    """One request a connection, so that a client that never closes one leaves nothing open."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Loopback)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.reply(Request(self.command, self.path, body))
        sent = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", f"{answer.content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep the tests' output free."""


@contextmanager
def serving(answer: Callable[[Request], Answer]) -> Generator[Loopback]:
    """Serve *answer* in a thread for the time of a `with` block, without any proxy in between."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1"
    with Loopback(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="loopback")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            if before is None:
                del os.environ["NO_PROXY"]
            else:
                os.environ["NO_PROXY"] = before
    if server.errors:
        raise server.errors[0]
