"""Private servers on sockets of their own, for the tests of stores: Redis and PostgreSQL."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["Postgres", "Redis", "postgres", "redis_server"]

PATIENCE = 30.0


def _find(name: str) -> str:
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))  # Debian's, not on the PATH
    found = shutil.which(name) or (versions[-1] if versions else None)
    if found is None:
        pytest.skip(f"needs {name}: install redis-server and postgresql")
    return found


@contextmanager
def _folder() -> Generator[Path]:
    """A folder with a short name, for sockets, that another user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="asf", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Server:
    """A server process that listens on a socket."""

    command: list[str]
    socket_path: Path
    stop_signal = signal.SIGTERM
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.socket_path.parent / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, user=self.user, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, (self.socket_path.parent / "log").read_text()
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(self.socket_path))
            return self.is_ready(client)
        return False

    def is_ready(self, client: socket.socket) -> bool:
        return True

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(self.stop_signal)
        self.process.wait(PATIENCE)

    def restart(self) -> None:
        self.stop()
        self.start()


class Redis(_Server):
    def __init__(self, folder: Path) -> None:
        self.socket_path = folder / "redis"
        self.command = [
            _find("redis-server"), "--port", "0", "--unixsocket", str(self.socket_path),
            "--dir", str(folder), "--save", "", "--appendonly", "yes", "--appendfsync", "no",
        ]  # fmt: skip


class Postgres(_Server):
    """It refuses to run as root, so root starts it as another user."""

    stop_signal = signal.SIGINT  # "fast": it does not wait for clients

    def __init__(self, folder: Path) -> None:
        if os.getuid() == 0:
            self.user = "nobody"
            shutil.chown(folder, "nobody")
        data = folder / "data"
        subprocess.run(
            [_find("initdb"), "-D", str(data), "-U", "asflow", "-A", "trust", "-E", "UTF8",
             "--locale", "C", "--no-sync"],
            check=True, capture_output=True, user=self.user, cwd=folder,
        )  # fmt: skip
        self.socket_path = folder / ".s.PGSQL.5432"
        self.command = [
            _find("postgres"), "-D", str(data), "-k", str(folder), "-c", "listen_addresses=",
            "-c", "fsync=off", "-c", "max_connections=50",
        ]  # fmt: skip
        self.dsn = f"host={folder} user=asflow dbname=postgres"

    def is_ready(self, client: socket.socket) -> bool:
        import psycopg

        with suppress(psycopg.OperationalError):
            psycopg.connect(self.dsn).close()
            return True
        return False


@contextmanager
def redis_server() -> Generator[Redis]:
    """Start Redis; skip the test if it is not installed."""
    with _folder() as folder:
        server = Redis(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres() -> Generator[Postgres]:
    """Start PostgreSQL with an empty database; skip the test if it is not installed."""
    with _folder() as folder:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
