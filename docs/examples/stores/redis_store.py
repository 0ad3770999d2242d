"""Outputs in Redis (or Valkey), for any number of processes and machines."""

from __future__ import annotations

import io
import os
import socket
import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import redis

from asflow.errors import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.protocols import ClaimRefusal, OutputStatus

# Each script runs as one step of the server. KEYS: lease, output, failure, all names; ARGV[1]: the owner.
CLAIM = """
    if redis.call('exists', KEYS[1]) == 1 then return 'busy' end
    if ARGV[3] == '0' then
        if redis.call('exists', KEYS[2]) == 1 then return 'complete' end
        if redis.call('exists', KEYS[3]) == 1 then return 'suppressed' end
    end
    redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
    return 'granted'
"""
PUT = """
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    local now = redis.call('time')
    redis.call('hset', KEYS[2], 'data', ARGV[2], 'at', now[1] .. '.' .. string.format('%06d', now[2]))
    redis.call('zadd', KEYS[4], 0, ARGV[3])
    if ARGV[4] ~= '' then
        redis.call('del', KEYS[3])
        redis.call('zrem', KEYS[4], ARGV[4])
    end
    redis.call('del', KEYS[1])
    return 1
"""
RENEW = """
    if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
    return redis.call('pexpire', KEYS[1], ARGV[2])
"""
RELEASE = """
    if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end
"""
DELETE = """
    redis.call('zrem', KEYS[2], ARGV[1])
    return redis.call('del', KEYS[1])
"""


class Info(NamedTuple):
    size: int
    modified: float


class RedisStore:
    """Keeps each output in a hash, up to 512 MB.

    A claim is a lease: a key with a time to live, which a thread renews while the claim is open. If the
    process dies, the lease ends after *seconds*; if it was only stopped for that long, it can't publish.
    """

    blocking = True

    def __init__(self, client: redis.Redis, *, prefix: str = "asflow:", seconds: float = 15) -> None:
        self.client: Any = client
        self.prefix = prefix
        self.milliseconds = int(seconds * 1000)
        self.names = f"{prefix}names"
        self.held: dict[str, str] = {}  # owner -> its lease
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.renewing: threading.Thread | None = None
        script = self.client.register_script
        self.try_claim, self.put, self.renew = script(CLAIM), script(PUT), script(RENEW)
        self.release, self.remove = script(RELEASE), script(DELETE)

    def lease(self, name: str) -> str:
        return f"{self.prefix}lease:{name}"

    def key(self, name: str) -> str:
        return f"{self.prefix}output:{name}"

    def status(self, name: str, failure: str, /) -> OutputStatus:
        with self.client.pipeline() as pipeline:
            pipeline.exists(self.key(name))
            pipeline.exists(self.key(failure))
            is_made, has_failed = pipeline.execute()
        return "complete" if is_made else "suppressed" if has_failed else "absent"

    def info(self, name: str, /) -> Info | None:
        with self.client.pipeline() as pipeline:
            pipeline.hstrlen(self.key(name), "data")
            pipeline.hget(self.key(name), "at")
            size, at = pipeline.execute()
        return None if at is None else Info(size, float(at))

    def owner(self, name: str, /) -> str | None:
        found = self.client.get(self.lease(name))
        return None if found is None else cast("str", found.decode().rpartition(",")[0])

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> RedisClaim | ClaimRefusal:
        owner = f"{socket.gethostname()}, process {os.getpid()},{uuid.uuid4()}"
        keys = [self.lease(name), self.key(name), self.key(failure)]
        answer = self.try_claim(keys, [owner, self.milliseconds, int(replace)]).decode()
        if answer != "granted":
            return cast("ClaimRefusal", answer)
        with self.lock:
            self.held[owner] = keys[0]
            if self.renewing is None or not self.renewing.is_alive():  # not in a forked child
                self.renewing = threading.Thread(target=self.keep_renewing, name="leases", daemon=True)
                self.renewing.start()
        return RedisClaim(self, name, failure, owner)

    def keep_renewing(self) -> None:
        while not self.closed.wait(self.milliseconds / 3000):
            with self.lock:
                held = list(self.held.items())
            for owner, lease in held:
                with suppress(redis.RedisError):  # the next turn may be in time; if not, publish() refuses
                    self.renew([lease], [owner, self.milliseconds])

    def open(self, name: str, /) -> BinaryIO:
        data = self.client.hget(self.key(name), "data")
        if data is None:
            raise FileNotFoundError(name)
        return io.BytesIO(data)

    def list(self, prefix: str, /) -> Iterator[str]:
        start = prefix.encode()
        last = b"(" + start + b"\xff" if start else b"+"
        return (name.decode() for name in self.client.zrangebylex(self.names, b"[" + start, last))

    def delete(self, name: str, /) -> bool:
        return bool(self.remove([self.key(name), self.names], [name]))

    def close(self) -> None:
        self.closed.set()
        if self.renewing is not None:
            self.renewing.join()
        self.client.close()


class RedisClaim:
    """The right to make one output, as long as the lease is renewed."""

    def __init__(self, store: RedisStore, name: str, failure: str, owner: str) -> None:
        self.store, self.name, self.failure, self.owner = store, name, failure, owner
        self.data = bytearray()
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.ended:
            raise ValueError(f"{self.name} takes no more bytes")
        self.data += data

    def publish(self) -> None:
        self.put(self.name, bytes(self.data), self.failure)

    def fail(self, report: bytes, /) -> None:
        self.put(self.failure, report, "")  # an earlier output stays

    def put(self, name: str, data: bytes, other: str) -> None:
        if self.ended:
            return
        store = self.store
        keys = [store.lease(self.name), store.key(name), store.key(other), store.names]
        if not store.put(keys, [self.owner, data, name, other]):
            raise ClaimLostError(f"RedisStore(): the lease on {self.name!r} has ended; make the output again")
        self.end()

    def abort(self) -> None:
        if not self.ended:
            self.end()
            with suppress(redis.RedisError):  # the lease ends by itself
                self.store.release([self.store.lease(self.name)], [self.owner])

    def end(self) -> None:
        self.ended = True
        self.data.clear()
        with self.store.lock:
            self.store.held.pop(self.owner, None)
