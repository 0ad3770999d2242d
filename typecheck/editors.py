"""A small client for language servers over stdio: open a file, query a position in it.

The message format is that of the Language Server Protocol, version 3.17, "Base Protocol".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

__all__ = ["SERVERS", "Editor"]

BIN = Path(sys.executable).parent

SERVERS = {
    "pyright": ("pyright-langserver", "--stdio"),
    "basedpyright": ("basedpyright-langserver", "--stdio"),
    "pyrefly": ("pyrefly", "lsp"),
    "ty": ("ty", "server"),
}


class Editor:
    """A language server with one open file, used as an editor does.

    A position is a text that occurs once in the file, with `|` at the cursor.
    """

    def __init__(self, server: str, path: Path) -> None:
        """Start *server* (a key of SERVERS) on *path*, in an environment of its own folder."""
        command, *options = SERVERS[server]
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        environment |= {"VIRTUAL_ENV": str(BIN.parent), "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            [BIN / command, *options],
            cwd=path.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._path, self._text, self._id = path, path.read_text(), 0
        self._told: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._begin()

    def hover(self, place: str) -> str:
        """Return the text that an editor shows on hover."""
        found = self._ask("textDocument/hover", self._at(place))
        contents = found["contents"] if found else ""
        return _markup(contents)

    def signatures(self, place: str) -> list[str]:
        """Return the signatures shown while typing arguments, the active one first, with docstrings."""
        found: dict[str, Any] = self._ask("textDocument/signatureHelp", self._at(place)) or {"signatures": []}
        active: int = found.get("activeSignature") or 0
        shown = [
            each["label"] + "\n" + _markup(each.get("documentation", "")) for each in found["signatures"]
        ]
        return shown[active:] + shown[:active]

    def completions(self, place: str) -> list[str]:
        """Return the completions."""
        found: Any = self._ask("textDocument/completion", self._at(place)) or []
        items = cast("list[Any]", found["items"] if isinstance(found, dict) else found)
        return [item["label"] for item in items]

    def close(self) -> None:
        """Stop the server."""
        try:
            self._ask("shutdown", None)
            self._tell("exit", None)
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
        finally:
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._reader.join(10)

    def _begin(self) -> None:
        uri = self._path.parent.as_uri()
        markup = {"contentFormat": ["markdown", "plaintext"]}
        signature = {"documentationFormat": ["markdown", "plaintext"], "activeParameterSupport": True}
        document: dict[str, Any] = {"hover": markup, "signatureHelp": {"signatureInformation": signature}}
        parameters: dict[str, Any] = {
            "processId": os.getpid(),
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": "editor"}],
            "capabilities": {
                "textDocument": {**document, "completion": {"contextSupport": False}},
                "workspace": {"configuration": True, "workspaceFolders": True},
            },
        }
        self._ask("initialize", parameters)
        self._tell("initialized", {})
        item = {"uri": self._path.as_uri(), "languageId": "python", "version": 1, "text": self._text}
        self._tell("textDocument/didOpen", {"textDocument": item})

    def _at(self, place: str) -> dict[str, Any]:
        text = place.replace("|", "")
        assert self._text.count(text) == 1, f"{text!r} is not once in the file"
        before = self._text[: self._text.index(text) + place.index("|")]
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": self._path.as_uri()}, "position": position}

    def _tell(self, method: str, parameters: object) -> None:
        self._send({"method": method, "params": parameters} if parameters is not None else {"method": method})

    def _ask(self, method: str, parameters: object) -> Any:
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method}
        self._send(message | ({} if parameters is None else {"params": parameters}))
        while True:
            try:
                told = self._told.get(timeout=60)
            except Empty:
                raise TimeoutError(f"no answer to {method}") from None
            if "method" in told and "id" in told:
                self._answer(told)
            elif told.get("id") == self._id:
                assert "error" not in told, told["error"]
                return told["result"]

    def _answer(self, asked: dict[str, Any]) -> None:
        """Respond to a request of the server: the path of Python, and nothing else."""
        result: Any = None
        if asked["method"] == "workspace/configuration":
            settings = {"pythonPath": sys.executable, "interpreter": [sys.executable]}
            result = [
                settings if item.get("section") == "python" else {} for item in asked["params"]["items"]
            ]
        self._send({"id": asked["id"], "result": result})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = 0
            while header.strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                header = stream.readline()
            self._told.put(json.loads(stream.read(length)))


def _markup(contents: Any) -> str:
    if isinstance(contents, str):
        return contents
    if "value" in contents:
        return str(contents["value"])
    return "\n".join(_markup(each) for each in contents)
