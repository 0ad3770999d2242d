"""Outputs in PostgreSQL, for any number of processes and machines."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.protocols import ClaimRefusal, OutputStatus

TABLE = """
    create table if not exists outputs (
        name text collate "C" primary key, data bytea not null, at double precision not null
    )
"""
NOW = "extract(epoch from clock_timestamp())"
LOCK = "hashtextextended('asflow:' || %s, 0)"


class Info(NamedTuple):
    size: int
    modified: float


class PostgresStore:
    """Keeps each output in a row of the table `outputs`, up to 1 GB.

    A claim is an advisory lock, which ends with its connection: when the process dies, or the network does.
    Each open claim has a connection of its own and publishes through it, so a lost claim can't publish.
    """

    blocking = True

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.lock = threading.Lock()
        self.spare: list[psycopg.Connection[Any]] = []
        connection = self.connect()
        with connection.transaction():
            # Of two processes that create a table at the same time, one would fail.
            connection.execute("select pg_advisory_xact_lock(hashtextextended('asflow', 0))")
            connection.execute(TABLE)
        self.give_back(connection)

    def connect(self) -> psycopg.Connection[Any]:
        with self.lock:
            while self.spare:
                connection = self.spare.pop()
                if not connection.closed:
                    return connection
        return psycopg.connect(self.dsn, autocommit=True)

    def give_back(self, connection: psycopg.Connection[Any]) -> None:
        with self.lock:
            self.spare.append(connection)

    def ask(self, query: Any, *values: object) -> list[Any]:
        """Run a query that changes nothing; once more if the server was restarted meanwhile."""
        for attempt in range(2):
            connection = self.connect()
            try:
                rows = connection.execute(query, values).fetchall()
            except psycopg.OperationalError:
                connection.close()
                self.close()  # the spare ones are no better
                if attempt:
                    raise
            else:
                self.give_back(connection)
                return rows
        raise AssertionError

    def status(self, name: str, failure: str, /) -> OutputStatus:
        return status_of(self.ask("select name from outputs where name in (%s, %s)", name, failure), name)

    def info(self, name: str, /) -> Info | None:
        rows = self.ask("select length(data), at from outputs where name = %s", name)
        return Info(*rows[0]) if rows else None

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> PostgresClaim | ClaimRefusal:
        self.ask("select 1")  # a spare connection may be one to a server that is gone
        connection = self.connect()
        refusal: ClaimRefusal = "busy"
        try:
            locked = connection.execute(f"select pg_try_advisory_lock({LOCK})", (name,)).fetchone()
            if locked == (True,):
                # Only now: the owner before this one may just have published.
                rows = connection.execute("select name from outputs where name in (%s, %s)", (name, failure))
                found = status_of(rows.fetchall(), name)
                if replace or found == "absent":
                    return PostgresClaim(self, connection, name, failure)
                refusal = found
                unlock(connection, name)
        except BaseException:
            connection.close()
            raise
        self.give_back(connection)
        return refusal

    def open(self, name: str, /) -> BinaryIO:
        rows = self.ask("select data from outputs where name = %s", name)
        if not rows:
            raise FileNotFoundError(name)
        return io.BytesIO(rows[0][0])

    def list(self, prefix: str, /) -> Iterator[str]:
        query = "select name from outputs where starts_with(name, %s) order by name"
        return (name for (name,) in self.ask(query, prefix))

    def delete(self, name: str, /) -> bool:
        return bool(self.ask("delete from outputs where name = %s returning name", name))

    def close(self) -> None:
        with self.lock:
            while self.spare:
                self.spare.pop().close()


def status_of(rows: list[Any], name: str) -> OutputStatus:
    names = [row[0] for row in rows]
    return "complete" if name in names else "suppressed" if names else "absent"


def unlock(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(f"select pg_advisory_unlock({LOCK})", (name,))


class PostgresClaim:
    """The right to make one output: a connection that holds a lock."""

    def __init__(
        self, store: PostgresStore, connection: psycopg.Connection[Any], name: str, failure: str
    ) -> None:
        self.store, self.connection = store, connection
        self.name, self.failure = name, failure
        self.data = bytearray()
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise ValueError(f"{self.name} takes no more bytes")
        self.data += data

    def publish(self) -> None:
        self.put(self.name, bytes(self.data), self.failure)

    def fail(self, report: bytes, /) -> None:
        self.put(self.failure, report, None)  # an earlier output stays

    def put(self, name: str, data: bytes, other: str | None) -> None:
        if self.ended:
            return
        with self.connection.transaction():  # raises if the connection, and so the lock, is gone
            self.connection.execute(
                f"insert into outputs values (%s, %s, {NOW}) "
                f"on conflict (name) do update set data = excluded.data, at = excluded.at",
                (name, data),
            )
            self.connection.execute("delete from outputs where name = %s", (other,))
        self.abort()

    def abort(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.data.clear()
        try:
            unlock(self.connection, self.name)
            self.store.give_back(self.connection)
        except psycopg.Error:
            self.connection.close()  # which ends the lock as well
