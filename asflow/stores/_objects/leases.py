"""Leases: which machine makes an output of a bucket now.

    NAME.lease.part     an object whose content is the owner of the lease and random numbers

A lease is taken by a PUT on the condition that there is none, kept by a PUT every third of its time on the
condition that it has not changed (its ETag), and given back by a DELETE. One that has not changed for the
whole of its time belongs to a process that is dead, stopped or cut off: it is taken over by a PUT on the same
condition, so that of several only one succeeds. How long it has not changed each machine measures by its own
monotonic clock; the clocks of machines are never compared.

A lease saves work, and no promise rests on it: an owner that was stopped for longer than its lease, and goes
on, publishes on the condition that the name is free, as ever.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING, NamedTuple, cast

from asflow import _forks
from asflow._labels import clean, cut
from asflow.stores._common import PART
from asflow.stores._objects.errors import patiently

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from obstore import UpdateVersion
    from obstore.store import ObjectStore as Client

_SUFFIX = f".lease{PART}"
_LONGEST_OWNER = 200
_MOST_SEEN = 100_000  # names of other machines' leases that are remembered; the oldest are forgotten


class _Found(NamedTuple):
    """A lease as it is in the bucket: its content, and the version that a condition names."""

    content: bytes
    version: UpdateVersion


class Lease:
    """One that this process holds. Dropping it lets it run out; `Leases.release` ends it at once."""

    __slots__ = ("__weakref__", "content", "kept_at", "lock", "lost", "name", "version")

    def __init__(self, name: str, content: bytes, version: UpdateVersion) -> None:
        self.name: str = name
        self.content: bytes = content
        self.version: UpdateVersion = version
        self.kept_at: float = time.monotonic()
        self.lost: bool = False
        self.lock: threading.Lock = _forks.renewed(self, "lock", threading.Lock)
        """Held while the lease is kept: of two requests at once one would find that it had changed."""


class Leases:
    """The leases of one store.

    Threads: any. A thread of its own keeps the leases that are held; it ends with the last of them.

    Args:
        client: returns obstore's store, or raises as `ObjectStore.client`.
        seconds: how long (> 0) a lease holds without being kept.
        retry_seconds: for how long a request is repeated after a lost connection.
    """

    def __init__(self, client: Callable[[], Client], seconds: float, retry_seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._patience = min(retry_seconds, seconds / 3)
        self._owner = f"{clean(socket.gethostname())}:{os.getpid()} {os.urandom(8).hex()}"
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._held: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._keeper: threading.Thread | None = None
        # Of other owners' leases: the content that was seen, and since when.
        self._seen: dict[str, tuple[bytes, float]] = {}

    def acquire(self, name: str) -> Lease | None:
        """Take the lease of *name*; None if another process has it. Two requests, or up to four."""
        lease = self._put(name, "create")
        if lease is None:
            found = self._look(name)
            # If it is gone, it was given back just now: who looks again takes it.
            if found is not None and not self._runs(name, found):
                lease = self._put(name, found.version)
        if lease is not None:
            self._hold(lease)
        return lease

    def is_held(self, name: str) -> bool:
        """Return whether another process has the lease of *name*; one request."""
        found = self._look(name)
        return found is not None and self._runs(name, found)

    def owner(self, name: str) -> str | None:
        """Return host and process id of the lease's owner, as `host:123`; None if there is no lease."""
        found = self._look(name)
        return None if found is None else _owner_in(found.content)

    def confirm(self, lease: Lease) -> bool:
        """Keep *lease* now; return whether it is still held."""
        with lease.lock:
            kept = None if lease.lost else self._put(lease.name, lease.version)
            if kept is None:
                lease.lost = True
                return False
            lease.version, lease.content, lease.kept_at = kept.version, kept.content, kept.kept_at
            return True

    def release(self, lease: Lease) -> None:
        """Give *lease* back, unless it may be another's by now. Never raises: at worst it runs out."""
        import obstore

        with self._lock:
            self._held.discard(lease)
        with contextlib.suppress(Exception):
            is_fresh = not lease.lost and time.monotonic() - lease.kept_at < self._seconds / 2
            if is_fresh or (not lease.lost and self.confirm(lease)):
                obstore.delete(self._client(), lease.name + _SUFFIX)
        lease.lost = True

    # ---------------------------------------------------------------- requests

    def _put(self, name: str, mode: Literal["create"] | UpdateVersion) -> Lease | None:
        """Write a lease if there is none, or only the one that *mode* names; None if that is not so."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        content = f"{self._owner} {os.urandom(8).hex()}\n".encode()

        def attempt() -> Lease:
            made = obstore.put(self._client(), name + _SUFFIX, content, mode=mode, use_multipart=False)
            return Lease(name, content, _version(made["e_tag"], made["version"]))

        try:
            return patiently(attempt, self._patience)
        except (AlreadyExistsError, FileNotFoundError, PreconditionError):
            # A request that is repeated because its answer was lost meets what it has written itself.
            found = self._look(name)
            if found is None or found.content != content:
                return None
            return Lease(name, content, found.version)

    def _look(self, name: str) -> _Found | None:
        import obstore

        def attempt() -> _Found:
            found = obstore.get(self._client(), name + _SUFFIX)
            meta = found.meta
            return _Found(bytes(found.bytes()), _version(meta["e_tag"], meta["version"]))

        try:
            return patiently(attempt, self._patience)
        except FileNotFoundError:
            return None

    # ---------------------------------------------------------------- time

    def _runs(self, name: str, found: _Found) -> bool:
        """Return whether a lease that was *found* may still be kept by its owner."""
        now = time.monotonic()
        with self._lock:
            if any(lease.content == found.content for lease in self._held):
                return True
            if found.content.startswith(self._owner.encode()):
                return False  # it was dropped here
            content, since = self._seen.pop(name, (b"", now))
            if content != found.content:
                since = now
            self._seen[name] = (found.content, since)
            if len(self._seen) > _MOST_SEEN:
                del self._seen[next(iter(self._seen))]
        return now - since < self._seconds

    def _hold(self, lease: Lease) -> None:
        with self._lock:
            self._seen.pop(lease.name, None)
            self._held.add(lease)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="asflow-leases", daemon=True)
                self._keeper.start()

    def _keep(self) -> None:
        """Keep what is held, until nothing is."""
        while True:
            time.sleep(self._seconds / 6)
            with self._lock:
                held = list(self._held)
                if not held:
                    self._keeper = None
                    return
            old = time.monotonic() - self._seconds / 3
            while held:  # popped: this thread must not keep a lease that was dropped
                self._keep_one(held.pop(), old)

    def _keep_one(self, lease: Lease, old: float) -> None:
        if lease.kept_at < old and not lease.lost:
            # What can't be kept (the service is away) is tried again in a moment, or runs out.
            with contextlib.suppress(Exception):
                self.confirm(lease)


def _version(e_tag: str | None, version: str | None) -> UpdateVersion:
    """Return what a conditional PUT names: GCS counts generations, S3 and Azure compare ETags."""
    given = {"e_tag": e_tag, "version": version}
    return cast("UpdateVersion", {name: value for name, value in given.items() if value is not None})


def _owner_in(content: bytes) -> str:
    return cut(clean(content.decode("utf-8", "replace").partition(" ")[0]), _LONGEST_OWNER)
