"""A loopback service with pages of 100 issues."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

TOTAL = 250
PAGE = 100


class Issues(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        start = int(parse_qs(urlsplit(self.path).query)["cursor"][0])
        items = [{"number": n, "title": f"issue {n}"} for n in range(start, min(start + PAGE, TOTAL))]
        following = str(start + PAGE) if start + PAGE < TOTAL else None
        data = json.dumps({"items": items, "next": following, "total": TOTAL}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name in the base class


_server = HTTPServer(("127.0.0.1", 0), Issues)
threading.Thread(target=_server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{_server.server_port}"
