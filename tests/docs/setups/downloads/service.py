"""A loopback service of two files; it breaks off the first time that it sends the second one."""

import hashlib
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 3_000_000
_contents = {name: random.Random(name).randbytes(SIZE) for name in ("a.bin", "b.bin")}
FILES = {name: hashlib.sha256(data).hexdigest() for name, data in _contents.items()}
_broken: set[str] = {"b.bin"}


class Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/")
        data = _contents[name]
        asked = self.headers.get("Range")
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            data = data[int(first) : int(last) + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if name in _broken:
            _broken.remove(name)
            data = data[: SIZE // 2]
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name in the base class


_server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
threading.Thread(target=_server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{_server.server_port}"
