"""A real S3 protocol server on loopback, behind a proxy that can break what passes it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import logging
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal

import pytest

from asflow.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("obstore")

Kind = Literal["status", "reset", "lost", "hold"]

LEASE = ".lease.part"
"""What the name of a lease ends with. Faults and counts are of outputs unless their pattern names leases."""


@dataclass
class Fault:
    """What happens to the next *times* requests whose `METHOD /path?query` matches *pattern*.

    `status`: refused with *status*, not passed on. `reset`: the connection is reset in the middle of the
    request's body. `lost`: passed on and carried out, but the connection is reset before the response.
    `hold`: passed on once *gate* is set.
    """

    pattern: str
    kind: Kind
    times: int = 1
    status: int = 500
    code: str = "InternalError"
    gate: threading.Event = field(default_factory=threading.Event)
    hits: int = 0


class Proxy:
    """Passes requests on to the server one at a time, so that its checks are as atomic as those of S3."""

    def __init__(self, port: int) -> None:
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self._take = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
                pass

            def handle_any(self) -> None:
                line = f"{self.command} {self.path}"
                length = int(self.headers.get("Content-Length") or 0)
                fault = proxy.take(line)
                if fault is not None and fault.kind == "reset":
                    self.rfile.read(length // 2)
                    self.reset()
                    return
                body = self.rfile.read(length)
                if fault is not None and fault.kind == "status":
                    self.answer(fault.status, [], f"<Error><Code>{fault.code}</Code></Error>".encode())
                    return
                if fault is not None and fault.kind == "hold":
                    fault.gate.wait(30)
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                with proxy.lock, contextlib.closing(upstream):
                    upstream.request(self.command, self.path, body, dict(self.headers))
                    response = upstream.getresponse()
                    data = response.read()
                if fault is not None and fault.kind == "lost":
                    self.reset()
                    return
                self.answer(response.status, response.getheaders(), data)

            def answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                        self.send_header(name, value)
                given = {name.lower(): value for name, value in headers}.get("content-length")
                is_head = self.command == "HEAD"
                self.send_header("Content-Length", given if is_head and given else str(len(data)))
                self.end_headers()
                if not is_head:
                    self.wfile.write(data)

            def reset(self) -> None:
                linger = struct.pack("ii", 1, 0)  # close with RST instead of FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RD)
                self.connection.close()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def finish(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().finish()

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that has hung up, as some tests want it to

            def shutdown_request(self, request: Any) -> None:
                with contextlib.suppress(OSError):
                    super().shutdown_request(request)

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def take(self, line: str) -> Fault | None:
        with self._take:
            self.requests.append(line)
            for fault in self.faults:
                if LEASE in line and "lease" not in fault.pattern:
                    continue
                if fault.hits < fault.times and re.search(fault.pattern, line):
                    fault.hits += 1
                    return fault
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Bucket:
    """A fresh bucket, the stores that use it, and the faults on the way to it."""

    def __init__(self, name: str, proxy: Proxy) -> None:
        self.name = name
        self.url = f"s3://{name}/base"
        self.proxy = proxy
        self.config: dict[str, str | bool] = {
            "endpoint": proxy.url,
            "access_key_id": "key",
            "secret_access_key": "secret",
            "region": "us-east-1",
        }

    def store(self, **options: Any) -> ObjectStore:
        url: str = options.pop("url", self.url)
        given: dict[str, Any] = {
            "config": self.config,
            "client_options": {"allow_http": True},
            "retry_seconds": 20.0,
        }
        return ObjectStore(url, **given | options)

    def fault(self, pattern: str, kind: Kind, times: int = 1, status: int = 500, code: str = "") -> Fault:
        fault = Fault(pattern, kind, times, status, code or "InternalError")
        self.proxy.faults.append(fault)
        return fault

    def ask(self, method: str, query: str) -> str:
        connection = http.client.HTTPConnection(self.proxy.url.removeprefix("http://"), timeout=30)
        with contextlib.closing(connection):
            connection.request(method, f"/{self.name}{query}")
            response = connection.getresponse()
            text = response.read().decode()
        assert response.status < 300, text
        return text

    def hold(self, name: str) -> None:
        """Put an empty object into the server itself, where the way there is not the point."""
        from moto.s3.models import s3_backends

        s3_backends["123456789012"]["aws"].put_object(self.name, f"base/{name}", b"")

    def names(self) -> list[str]:
        """Every object in the bucket, of any kind."""
        return re.findall("<Key>(.*?)</Key>", self.ask("GET", "?list-type=2"))

    def uploads(self) -> list[str]:
        """Multipart uploads that were begun and neither completed nor aborted."""
        return re.findall("<Key>(.*?)</Key>", self.ask("GET", "?uploads"))

    def count(self, pattern: str) -> int:
        """Count the requests so far that match; those of leases only if *pattern* names them."""
        requests = [line for line in self.proxy.requests if "lease" in pattern or LEASE not in line]
        return sum(bool(re.search(pattern, line)) for line in requests)


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of moto's S3. That of all services looks through the folders of each at every request."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
    app = create_backend_app("s3")
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


_numbers = itertools.count(1)


@pytest.fixture
def bucket(s3_port: int) -> Iterator[Bucket]:
    proxy = Proxy(s3_port)
    made = Bucket(f"bucket-{next(_numbers)}", proxy)
    made.ask("PUT", "")
    proxy.requests.clear()
    yield made
    for fault in proxy.faults:
        fault.gate.set()
    proxy.close()
