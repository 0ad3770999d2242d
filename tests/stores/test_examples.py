"""The stores of the page and of `docs/examples/stores`, on the real servers."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
import redis
from docs.pages import ROOT, blocks
from support.servers import Postgres, Redis, postgres, redis_server

from asflow import Flow
from asflow.errors import ClaimLostError
from asflow.sinks import NullSink
from asflow.testing import check_store

EXAMPLES = ROOT / "docs" / "examples" / "stores"


def load(name: str, text: str | None = None) -> ModuleType:
    """Import an example under its own name, for pickles; or *text* as if it were one."""
    if text is not None:
        module = ModuleType(name)
        sys.modules[name] = module
        exec(compile(text, f"{name}.py", "exec"), vars(module))
        return module
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def taken(claim: Any) -> Any:
    """Return a claim that was granted."""
    assert not isinstance(claim, str), claim
    return claim


# ------------------------------------------------------------------ SQLite, on the page


@pytest.fixture(scope="module")
def sqlite() -> Any:
    page = (ROOT / "docs" / "howto" / "store.md").read_text()
    (text,) = [block.text for block in blocks(page) if block.title == "sqlite_store.py"]
    return load("sqlite_store", text)


def test_sqlite_passes_the_kit_with_one_instance_and_with_many(sqlite: Any, tmp_path: Path) -> None:
    store = sqlite.SqliteStore(str(tmp_path / "one.db"))
    check_store(lambda: store, base="kit/")
    store.close()
    check_store(lambda: sqlite.SqliteStore(str(tmp_path / "many.db")), base="kit/")


def test_sqlite_recovers_from_a_full_disk(sqlite: Any, tmp_path: Path) -> None:
    store = sqlite.SqliteStore(str(tmp_path / "o.db"))
    store.database.execute("pragma max_page_count=30")
    flow = Flow(store=store, sink=NullSink())

    @flow.task(on="{name}.txt")
    def write(name: str, size: int) -> None:
        flow.task.write("x" * size)

    with pytest.raises(sqlite3.OperationalError, match="full"):
        write("large", 1_000_000)
    assert flow.task.output(write, "large", 1).status == "absent"
    write("small", 10)
    store.database.execute("pragma max_page_count=100000")
    write("large", 1_000_000)
    assert flow.task.output(write, "large", 1).size == 1_000_000
    store.close()


def test_sqlite_recovers_from_a_locked_database(sqlite: Any, tmp_path: Path) -> None:
    """Another program writes for longer than it waits; the next call publishes."""
    file = str(tmp_path / "o.db")
    store = sqlite.SqliteStore(file)
    store.database.execute("pragma busy_timeout=1")
    other = sqlite3.connect(file, isolation_level=None)
    flow = Flow(store=store, sink=NullSink())
    locks = iter(["begin immediate"])

    @flow.task(on="{name}.txt")
    def write(name: str) -> None:
        for lock in locks:
            other.execute(lock)
        flow.task.write(name)

    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        write("a")
    other.execute("rollback")
    write("a")
    assert flow.task.output(write, "a").text() == "a"
    other.close()
    store.close()


# ------------------------------------------------------------------ PostgreSQL and Redis


@pytest.fixture(scope="module", autouse=True)
def examples() -> None:
    for name in ("postgres_store", "redis_store"):
        load(name)


@pytest.fixture(scope="module")
def postgres_place() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def redis_place() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


def redis_store(socket_path: str, seconds: float = 15) -> Any:
    module = sys.modules.get("redis_store") or load("redis_store")
    return module.RedisStore(redis.Redis(unix_socket_path=socket_path), seconds=seconds)


def postgres_store(dsn: str) -> Any:
    module = sys.modules.get("postgres_store") or load("postgres_store")
    return module.PostgresStore(dsn)


def test_postgres_passes_the_kit(postgres_place: Postgres) -> None:
    check_store(partial(postgres_store, postgres_place.dsn), base="kit/", processes=True)


def test_redis_passes_the_kit(redis_place: Redis) -> None:
    check_store(partial(redis_store, str(redis_place.socket_path), 3), base="kit/", processes=True)


@pytest.fixture(params=["postgres", "redis"])
def place(request: pytest.FixtureRequest) -> tuple[Any, Callable[[], Any]]:
    """A server, and what makes a store on it."""
    server = request.getfixturevalue(f"{request.param}_place")
    if request.param == "postgres":
        return server, partial(postgres_store, server.dsn)
    return server, partial(redis_store, str(server.socket_path))


def test_flows_with_a_store_each_make_an_output_once(place: Any) -> None:
    _, make = place
    calls: list[int] = []
    results: list[str] = []
    start = threading.Barrier(4)

    def run(number: int) -> None:
        store = make()
        flow = Flow("flows", store=store, sink=NullSink())

        @flow.task(on="{day}.jsonl.zst")
        async def download(day: str) -> None:
            calls.append(number)
            await asyncio.sleep(0)
            flow.task.write({"day": day})

        async def main() -> None:
            start.wait(30)
            await asyncio.gather(*[download(f"2010-01-{day:02}") for day in range(1, 6)])

        asyncio.run(main())
        outputs = flow.task.outputs(download)
        results.append(" ".join(output.name for output in outputs if list(output.records())))
        store.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 5
    assert results == [" ".join(f"2010-01-{day:02}.jsonl.zst" for day in range(1, 6))] * 4


def test_a_server_that_is_restarted_is_used_again(place: Any) -> None:
    """An idle store notices nothing; a claim that was open may be lost, and then publishes nothing."""
    server, make = place
    store = make()
    claim = taken(store.claim("kept", "kept.err"))
    claim.write(b"whole")
    claim.publish()
    held = taken(store.claim("held", "held.err"))
    held.write(b"late")
    server.restart()
    assert store.status("kept", "kept.err") == "complete"
    with store.open("kept") as file:
        assert file.read() == b"whole"
    try:
        held.publish()
    except (psycopg.OperationalError, ClaimLostError):
        assert store.status("held", "held.err") == "absent"
    held.abort()
    again = taken(store.claim("held", "held.err", replace=True))
    again.write(b"again")
    again.publish()
    store.delete("kept")
    store.close()


def test_a_lost_lease_publishes_nothing_and_frees_no_other(redis_place: Redis) -> None:
    """A process that was stopped for longer than its lease."""
    one = redis_store(str(redis_place.socket_path))
    other = redis_store(str(redis_place.socket_path))
    late = taken(one.claim("a", "a.err"))
    assert one.owner("a") is not None
    assert "process" in one.owner("a")
    one.client.delete(one.lease("a"))  # as if nobody had renewed it
    assert one.owner("a") is None
    now = taken(other.claim("a", "a.err"))
    late.write(b"late")
    with pytest.raises(ClaimLostError, match="the lease on 'a' has ended; make the output again"):
        late.publish()
    late.abort()
    assert one.claim("a", "a.err") == "busy"
    now.write(b"now")
    now.publish()
    with one.open("a") as file:
        assert file.read() == b"now"
    one.close()
    other.close()


def test_a_lease_outlives_its_seconds_while_it_is_renewed(redis_place: Redis) -> None:
    store = redis_store(str(redis_place.socket_path), 3)
    claim = taken(store.claim("long", "long.err"))
    renewals = store.client.info("commandstats").get("cmdstat_pexpire", {}).get("calls", 0)
    while store.client.info("commandstats").get("cmdstat_pexpire", {}).get("calls", 0) < renewals + 4:
        assert store.claim("long", "long.err") == "busy"
        time.sleep(0.02)
    claim.publish()
    assert store.status("long", "long.err") == "complete"
    store.close()


def test_a_claim_of_a_killed_connection_can_not_publish(postgres_place: Postgres) -> None:
    store = postgres_store(postgres_place.dsn)
    claim = taken(store.claim("cut", "cut.err"))
    claim.write(b"bytes")
    pid = claim.connection.info.backend_pid
    with psycopg.connect(postgres_place.dsn, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises(psycopg.OperationalError):
        claim.publish()
    claim.abort()
    assert store.status("cut", "cut.err") == "absent"
    taken(store.claim("cut", "cut.err")).abort()
    store.close()


def test_the_servers_ran_alone(postgres_place: Postgres, redis_place: Redis) -> None:
    """On sockets of their own, with no port."""
    for server in (postgres_place, redis_place):
        assert server.process is not None
        found = subprocess.run(
            ["/bin/ls", "-l", f"/proc/{server.process.pid}/fd"], capture_output=True, text=True, check=True
        )
        assert "socket:" in found.stdout
        assert server.stop_signal in {signal.SIGTERM, signal.SIGINT}
