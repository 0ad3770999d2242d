"""One output in the making on an object store: spooled here, uploaded whole when it is published.

    write        to memory, beyond 8 MiB to a temporary file: nothing leaves this machine
    publish      up to 8 MiB: one PUT on the condition that the name is free
                 beyond: a multipart upload to `NAME.<random>.part`, then a server-side copy to NAME on the
                 condition that it is free, then the deletion of `NAME.<random>.part`

S3, GCS and Azure all refuse the second of two such PUTs or copies, from any machine. The copy is needed
because obstore completes a multipart upload without a condition. S3 refuses a copy of more than 5 GiB:
such an output is uploaded to NAME itself, after a look, and of two machines that finish at the same
moment the later one's bytes stay, whole.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html (limits).
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Protocol

from asflow import _forks
from asflow.stores._common import PART, ClaimState, closed_error, fork_error, may_publish
from asflow.stores._objects.errors import patiently, translated
from asflow.stores._spool import Spool

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

    from asflow.stores._objects.leases import Lease, Leases

_SUBJECT = "ObjectStore()"
_MIB = 1 << 20
_SMALL = 8 * _MIB
_MOST_PARTS = 9000  # S3 accepts 10,000
_UPLOADS = 4  # parts in flight, all in memory
_MOST_COPIED = 5 << 30


class ClaimedStore(Protocol):
    """The part of an `ObjectStore` that its claims use."""

    retry_seconds: float

    @property
    def leases(self) -> Leases | None: ...
    @property
    def client(self) -> Client: ...

    def url(self, name: str, /) -> str: ...
    def info(self, name: str, /) -> object | None: ...
    def delete(self, name: str, /) -> bool: ...
    def free(self, name: str, /) -> None: ...


class ObjectClaim:
    """The right to make one output; see `asflow.protocols.Claim`. Returned by `ObjectStore.claim`.

    Threads: safe; a write that is under way when the claim ends is finished first. In a forked child the
    claim refuses everything. A claim that is garbage-collected without an end frees its output at once.
    """

    __slots__ = (
        "__weakref__", "_failure", "_lease", "_lock", "_name", "_pid",
        "_replace", "_size", "_spoiled", "_spool", "_state", "_store",
    )  # fmt: skip

    def __init__(self, store: ClaimedStore, name: str, failure: str, *, replace: bool) -> None:
        self._store = store
        self._name = name
        self._failure = failure
        self._replace = replace
        self._lease: Lease | None = None
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._spool = Spool(_SMALL)
        self._size = 0
        self._spoiled = False
        self._pid = os.getpid()
        self._state: ClaimState = "open"

    def __repr__(self) -> str:
        return f"<ObjectClaim of {self._name!r}, {self._state}>"

    def __del__(self) -> None:
        # The store's weak reference has freed the name already; no lock may be taken here.
        with contextlib.suppress(Exception):
            self._spool.close()

    def lease(self) -> bool:
        """Take the output's lease, if the store has leases; return whether no other machine has it."""
        leases = self._store.leases
        if leases is not None:
            self._lease = leases.acquire(self._name)
        return leases is None or self._lease is not None

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append all of *data*; return the number of its bytes.

        Raises:
            OutputClosedError: the claim has ended, or this is a forked child.
            OSError: as for a full temporary folder; the claim can't be published any more.
        """
        self._refuse_fork()
        size = memoryview(data).nbytes
        with self._lock:
            if self._state != "open":
                raise closed_error(_SUBJECT, self._name)
            try:
                self._spool.write(data)
            except BaseException:
                self._spoiled = True
                raise
            self._size += size
        return size

    def publish(self) -> None:
        """Upload the bytes, publish them under the output's name in one step, and end the claim.

        If an output has appeared under that name in the meantime, it stays and these bytes are discarded,
        unless the claim was made with `replace`: then the output is replaced and an older recorded failure
        deleted.

        Raises:
            PermissionError: the credentials are not sufficient.
            OSError: the service refused, or could not be reached for `retry_seconds`. Nothing was
                published, unless the response to the last request was lost.
            OutputClosedError: this is a forked child, or publishing has failed before.
        """
        self._refuse_fork()
        with self._lock:
            if not may_publish(_SUBJECT, self._state, self._name):
                return
            self._state = "sealed"
            if self._spoiled:
                raise OSError(
                    errno.EIO,
                    f"{_SUBJECT}: a write failed before, so the output would be cut; run the task again",
                    self._name,
                )
            with translated(self._store.url(self._name)):
                if self._replace:
                    self._check_lease()
                    # In this order: a call that raises has published nothing.
                    self._store.delete(self._failure)
                    self._upload(self._name)
                else:
                    self._create()
            self._end()

    def fail(self, report: bytes, /) -> None:
        """Discard the bytes, keep *report* as the failure, and end the claim. Raises as `publish` does."""
        import obstore

        self._refuse_fork()
        with self._lock:
            if self._state == "ended":
                return
            self._state = "sealed"
            with translated(self._store.url(self._failure)):
                obstore.put(self._store.client, self._failure, bytes(report), use_multipart=False)
            self._end()

    def abort(self) -> None:
        """Discard the bytes and end the claim. Never raises."""
        if self._pid == os.getpid():
            with self._lock:
                self._end()

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise fork_error(_SUBJECT, self._name)

    def _check_lease(self) -> None:
        """Refuse to replace what another machine, which has taken the lease over, may have made meanwhile."""
        leases = self._store.leases
        if leases is not None and self._lease is not None and not leases.confirm(self._lease):
            raise OSError(
                errno.ESTALE,
                f"{_SUBJECT}: another machine has taken this output over, as this one was silent for "
                f"lease_seconds; run the task again, or give the store more lease_seconds",
                self._name,
            )

    def _create(self) -> None:
        """Publish if the name is free; otherwise the other output stays, which is as good as ours."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        client, data = self._store.client, None
        if self._size <= _SMALL:
            data = self._bytes()
        elif self._store.info(self._name) is not None:
            return
        with contextlib.suppress(AlreadyExistsError):
            if data is not None:
                patiently(
                    lambda: obstore.put(client, self._name, data, mode="create", use_multipart=False),
                    self._store.retry_seconds,
                )
            elif self._size > _MOST_COPIED:
                self._upload(self._name)
            else:
                self._upload_aside()

    def _upload_aside(self) -> None:
        import obstore

        client = self._store.client
        aside = f"{self._name}.{os.urandom(6).hex()}{PART}"
        try:
            self._upload(aside)
            try:
                patiently(
                    lambda: obstore.copy(client, aside, self._name, overwrite=False),
                    self._store.retry_seconds,
                )
            except FileNotFoundError:
                # A completion that is repeated because its response was lost may find its upload gone.
                if self._store.info(self._name) is None:
                    raise
        finally:
            with contextlib.suppress(Exception):  # no listing shows it, and the output is what counts
                obstore.delete(client, aside)

    def _upload(self, name: str) -> None:
        """Upload the bytes as *name*, replacing any object; on a failure obstore aborts the upload."""
        import obstore

        client = self._store.client
        if self._size <= _SMALL:
            obstore.put(client, name, self._bytes(), use_multipart=False)
            return
        file = self._spool.rewound()
        part = max(_SMALL, -(-self._size // _MOST_PARTS))
        obstore.put(client, name, file, use_multipart=True, chunk_size=part, max_concurrency=_UPLOADS)

    def _bytes(self) -> bytes:
        return self._spool.rewound().read()

    def _end(self) -> None:
        if self._state != "ended":
            self._state = "ended"
            with contextlib.suppress(OSError):
                self._spool.close()
            lease, self._lease = self._lease, None
            if lease is not None and self._store.leases is not None:
                self._store.leases.release(lease)
            self._store.free(self._name)
