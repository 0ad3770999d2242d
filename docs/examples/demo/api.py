"""A small HTTP API on loopback that serves real data, and fails in the ways real services do.

It has the interface of Open-Meteo's archive, so a client of one works with the other:

    GET /v1/archive?start_date=2010-01-01&end_date=2010-01-01&hourly=temperature_2m&...

returns `{"hourly": {"time": ["2010-01-01T00:00", ...], "temperature_2m": [39.4, ...]}, ...}`. The data
is the hourly temperatures of Seattle in 2010 (degrees Fahrenheit) from the package `vega-datasets`.
Every response takes about 20 ms; one day in 30 is permanently gone (404), and one in 25 is refused
once with `503` and `Retry-After: 1`.

    python docs/examples/demo/api.py --port 8000
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import threading
import time
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator

Page = tuple[list[str], list[float]]
"""The hours of one day and their temperatures."""


def read_pages() -> dict[date, Page]:
    """Read the data set: one page for each day of 2010, of 24 hours (23 on the day the clocks change)."""
    pages: dict[date, Page] = {}
    package = find_spec("vega_datasets")  # not imported: it would import pandas
    if package is None or package.origin is None:
        raise ModuleNotFoundError("install vega-datasets, which holds the temperatures")
    with Path(package.origin).with_name("_data").joinpath("seattle-temps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day, hour = row["date"].split()
            day = day.replace("/", "-")
            times, temperatures = pages.setdefault(date.fromisoformat(day), ([], []))
            times.append(f"{day}T{hour}")
            temperatures.append(float(row["temp"]))
    return pages


class Api(ThreadingHTTPServer):
    """The server. `requests` counts requests, `answers` counts them by status."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, port: int = 0, latency: float = 0.02, unstable: int = 0) -> None:
        """Listen on loopback.

        Args:
            port: 0 picks a free one.
            latency: seconds per response.
            unstable: the first request of this many days (from January 1) ends in a broken connection.
        """
        self.pages = read_pages()
        self.latency = latency
        self.answers: dict[int, int] = {}
        self.lock = threading.Lock()
        days = sorted(self.pages)
        self.gone = frozenset(days[14::30])
        self.busy = set(days[3::25]) - self.gone
        self.cut = set(days[:unstable]) - self.busy
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def requests(self) -> int:
        """Requests so far, with any response."""
        return sum(self.answers.values())

    def handle_error(self, request: object, client_address: object) -> None:
        """Report errors, except for clients that disconnected early."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def status(self, day: date) -> int:
        """Choose the status for a request for *day*, and count it. 0 breaks the connection."""
        with self.lock:
            if day in self.cut:
                self.cut.remove(day)
                status = 0
            elif day in self.busy:
                self.busy.remove(day)
                status = HTTPStatus.SERVICE_UNAVAILABLE
            elif day in self.gone or day not in self.pages:
                status = HTTPStatus.NOT_FOUND
            else:
                status = HTTPStatus.OK
            self.answers[status] = self.answers.get(status, 0) + 1
            return status


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def api(self) -> Api:
        """The server, with its own type."""
        assert isinstance(self.server, Api)
        return self.server

    def do_GET(self) -> None:
        """Serve one day."""
        time.sleep(self.api.latency)
        url = urlsplit(self.path)
        try:
            day = date.fromisoformat(parse_qs(url.query)["start_date"][0])
        except (KeyError, ValueError):
            self.answer(HTTPStatus.BAD_REQUEST, {"error": True, "reason": "start_date: give YYYY-MM-DD"})
            return
        status = self.api.status(day)
        if status == HTTPStatus.OK:
            times, temperatures = self.api.pages[day]
            hourly = {"time": times, "temperature_2m": temperatures}
            self.answer(status, {"hourly_units": {"temperature_2m": "°F"}, "hourly": hourly})
        elif status == 0:
            self.close_connection = True
        else:
            self.answer(status, {"error": True, "reason": HTTPStatus(status).phrase})

    def answer(self, status: int, document: dict[str, object]) -> None:
        """Send *document* as JSON."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep the terminal free for the display."""


@contextmanager
def serve(*, latency: float = 0.02, unstable: int = 0) -> Generator[Api]:
    """Run the API in a thread of this process for the duration of a `with` block."""
    with Api(latency=latency, unstable=unstable) as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.05,), name="demo-api")
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve Seattle's temperatures of 2010 on loopback.")
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds per response")
    parser.add_argument("--unstable", type=int, default=0, help="days whose first request breaks")
    with Api(**vars(parser.parse_args())) as server:
        print(f"serving on {server.url} until Ctrl-C", flush=True)
        server.serve_forever()
