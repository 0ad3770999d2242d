"""A loopback service that answers 429 once in a while."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

_asked = count(1)


class Chat(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        busy = next(_asked) == 10
        data = b"" if busy else json.dumps({"text": "English", "tokens": 10}).encode()
        self.send_response(429 if busy else 200)
        if busy:
            self.send_header("Retry-After", "0.2")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name in the base class


_server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
threading.Thread(target=_server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{_server.server_port}"
