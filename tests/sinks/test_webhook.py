"""Messages, posted to a server on loopback."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.errors import MissingExtraError
from asflow.sinks import WebhookSink, _webhook
from asflow.testing import check_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("httpx")


class Server:
    """Keeps what is posted; answers with *answers*, and then with 200."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 200:
                    outer.messages.append(json.loads(body))
                    outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=secret"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_webhook, "_WAITS", (0.0, 0.0, 0.0))


def run(sink: WebhookSink, how: str = "a", *, nested: bool = False) -> None:
    flow = Flow(sink=sink)

    @flow.task(skip=LookupError)
    def work(name: str) -> None:
        if name == "skipped":
            raise LookupError
        if name == "failed":
            raise ValueError("no\x07 way")

    @flow
    def inner() -> None:
        work("inner")

    @flow
    def pipeline(how: str) -> None:
        if nested:
            inner()
        work(how)

    with contextlib.suppress(ValueError):
        pipeline(how)


def test_the_kit_finds_no_fault(server: Server) -> None:
    made: list[WebhookSink] = []

    def make() -> WebhookSink:
        made.append(WebhookSink(server.url))
        return made[-1]

    check_sink(make)
    for sink in made:
        sink.close()


def test_one_message_for_each_outermost_flow(server: Server) -> None:
    sink = WebhookSink(server.url, headers={"Authorization": "Bearer x"})
    assert "secret" not in repr(sink)
    run(sink, nested=True)
    run(sink, "failed")
    sink.close()
    first, second = server.messages
    assert first["text"].startswith("Flow pipeline('a'): 1 done in ")
    assert first["counts"]["completed"] == 1
    assert (first["flow"], first["label"], first["outcome"], first["error"]) == (
        "pipeline",
        "'a'",
        "completed",
        None,
    )
    assert second["error"] == "ValueError: no  way"
    assert second["outcome"] == "failed"
    assert len({first["run_id"], second["run_id"]}) == 2
    assert {headers["authorization"] for headers in server.headers} == {"Bearer x"}


@pytest.mark.parametrize(
    ("when", "sent"),
    [("always", ["a", "skipped", "failed"]), ("problems", ["skipped", "failed"]), ("failed", ["failed"])],
)
def test_when(server: Server, when: Any, sent: list[str]) -> None:
    sink = WebhookSink(server.url, when=when, message=lambda event, default: default["label"].strip("'"))
    for how in ("a", "skipped", "failed"):
        run(sink, how)
    sink.close()
    assert server.messages == sent


def test_a_server_that_is_down_for_a_while(server: Server) -> None:
    server.answers = [503, 429, 500]
    sink = WebhookSink(server.url)
    run(sink)
    sink.close()
    assert len(server.messages) == 1


@pytest.mark.parametrize("answers", [[500] * 4, [404]])
def test_a_message_that_is_lost_is_logged_and_nothing_fails(
    server: Server, answers: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = answers
    sink = WebhookSink(server.url)
    with caplog.at_level(logging.WARNING):
        run(sink)
        sink.close()
        assert "lost a message: HTTPStatusError" in caplog.text
        assert "secret" not in caplog.text.partition("lost a message")[0]
        run(sink)  # it can be used again
        sink.close()
    assert len(server.messages) == 1


def test_what_is_no_json_is_lost_alone(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    answers = [object(), "fine"]
    sink = WebhookSink(server.url, message=lambda event, default: answers.pop(0))
    run(sink)
    run(sink)
    sink.close()
    assert server.messages == ["fine"]
    assert "lost a message: TypeError" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": 3}, r"^WebhookSink\(\): url takes a str, not 3; write"),
        ({"url": "hook"}, r"^WebhookSink\(\): url takes an http URL, not 'hook'; write"),
        ({"url": "http://a", "when": "never"}, r"^WebhookSink\(\): when takes .*, not 'never'; leave"),
        (
            {"url": "http://a", "message": "text"},
            r"^WebhookSink\(\): message takes a function, not 'text'; write",
        ),
        ({"url": "http://a", "timeout": 0}, r"^WebhookSink\(\): timeout takes more than 0 .*, not 0; write"),
    ],
)
def test_mistakes_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        WebhookSink(**arguments)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[webhook\]'"):
        WebhookSink("http://a")
