import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Stations(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        data = b'{"stations": 3}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name in the base class


_server = HTTPServer(("127.0.0.1", 0), Stations)
threading.Thread(target=_server.serve_forever, daemon=True).start()
server = f"http://127.0.0.1:{_server.server_port}"
Path("convert.py").write_text("import sys; open(sys.argv[2], 'w').write(sys.argv[1] + ', encoded')")
