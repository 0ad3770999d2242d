"""Outputs as objects in S3, Google Cloud Storage or Azure; needs the extra `asflow[s3]`."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, cast

from asflow._checks import checked_seconds
from asflow.errors import (
    DeadlockError,
    DefinitionTypeError,
    DefinitionValueError,
    MissingExtraError,
    OutputNameError,
)
from asflow.stores._common import PART, Info, check_name
from asflow.stores._objects.claims import ObjectClaim
from asflow.stores._objects.errors import first_line, patiently, translated
from asflow.stores._objects.reading import open_object, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Client

    from asflow.protocols import ClaimRefusal, OutputStatus

__all__ = ["SCHEMES", "ObjectStore"]

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "file", "memory")
"""What the URL of an ObjectStore may start with."""

# Where listings come in the order of the names: then nothing needs to be collected and sorted.
_SORTED = ("s3", "s3a", "gs", "memory")

# The process in which obstore's threads run; 0 before the first use.
_used_by = 0


class ObjectStore:
    """Keep each output as an object; see `asflow.protocols.Store`. Names are keys under the URL's prefix.

    `Flow("s3://bucket/prefix")` makes one with everything taken from the environment.

    An output is spooled on this machine (in memory, beyond 8 MiB in the temporary folder) and uploaded
    when it is published, with create-if-absent: of several machines that make the same output one
    publishes, and what the others made vanishes. There are no locks: within a process one claim holds an
    output, but two processes may both run its body. A machine that is killed leaves nothing, or, in the
    middle of a large upload, an unfinished multipart upload or an object `NAME.<random>.part` that no reader
    is told of; a lifecycle rule of the bucket removes the former.

    A call that finds its output costs one request (HEAD), one that makes it six: two to look, two more
    under the claim, the upload, and one look at the bucket per store.

    Args:
        url: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`,
            `abfss://container@account.dfs.core.windows.net/prefix`; `file:///folder` and
            `memory:///` are for trying things out.
        config: settings of obstore for the service, which else come from the environment
            (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`,
            `AZURE_STORAGE_ACCOUNT_NAME`, ...): `endpoint`, `region`, `access_key_id`, ...
        client_options: settings of obstore's HTTP client: `allow_http`, `timeout`, `proxy_url`, ...
        credential_provider: an obstore credential provider, for example
            `obstore.auth.boto3.Boto3CredentialProvider()`, which reads `~/.aws`.
        retry_seconds: for how long (> 0) a request is repeated that meets a 5xx, a slow-down or a lost
            connection, with growing random pauses.
        listing_seconds: for how long (>= 0) a listing of an output's folder may answer that the output
            exists. 0: each call asks anew. A resume of 10^5 outputs costs 100 listings instead of 10^5
            looks; what another machine deletes is noticed so much later.

    Raises:
        MissingExtraError: obstore is not installed.
        DefinitionTypeError: an argument of the wrong type.
        DefinitionValueError: the URL's scheme is unknown or a part of it is missing, or there is no such
            setting.

    Threads: every method may be called from any thread. A child forked after the first use can't use any
    ObjectStore (DeadlockError): start processes with "spawn" or "forkserver".
    """

    blocking: bool = True
    """True: each look is a request over the network."""

    def __init__(
        self,
        url: str,
        *,
        config: Mapping[str, str | bool] | None = None,
        client_options: Mapping[str, object] | None = None,
        credential_provider: Callable[[], object] | None = None,
        retry_seconds: float = 180.0,
        listing_seconds: float = 0.0,
    ) -> None:
        scheme = _checked_scheme(url)
        self.retry_seconds: float = checked_seconds(
            "ObjectStore()", "retry_seconds", retry_seconds, positive=True, longest=1e9
        )
        self._base = url.rstrip("/")
        self._sorted = scheme in _SORTED and not url.split("/")[2].endswith("--x-s3")
        self._client: Client = _client(
            url, scheme, config, client_options, credential_provider, retry_seconds
        )
        self._lock = threading.Lock()
        # Weak: a claim that is garbage holds nothing.
        self._claims: dict[str, weakref.ref[ObjectClaim]] = {}
        self._looked = False
        seconds = checked_seconds("ObjectStore()", "listing_seconds", listing_seconds, longest=1e9)
        self._listings = _Listings(self.list, seconds)

    def __repr__(self) -> str:
        return f"ObjectStore({self._base!r})"

    @property
    def client(self) -> Client:
        """Obstore's own store, for whatever else it can do.

        Raises:
            DeadlockError: this is a forked child of a process that has used one already.
        """
        global _used_by
        if _used_by not in (0, os.getpid()):
            raise DeadlockError(
                f"{self!r} can't be used in a forked process, where the network threads of its parent are "
                f"not: start processes with multiprocessing.get_context('spawn') or 'forkserver'"
            )
        _used_by = os.getpid()
        return self._client

    def url(self, name: str, /) -> str:
        """Return the URL of the output or failure called *name*."""
        return f"{self._base}/{name}"

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Tell whether *name* is there, its failure recorded, or neither; one or two requests.

        Raises:
            OutputNameError: no object can be called that.
            PermissionError: the credentials don't suffice.
            OSError: the service refused, or could not be reached for `retry_seconds`.
        """
        _check_key(name)
        return "complete" if self._listings.hold(name) else self._status(name, failure)

    def info(self, name: str, /) -> Info | None:
        """Tell size and age of the output or failure called *name*; None where there is none."""
        found = self._head(name)
        return None if found is None else Info(found["size"], found["last_modified"].timestamp())

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> ObjectClaim | ClaimRefusal:
        """Claim the making of *name* within this process, without waiting; or say why not.

        Raises:
            OutputNameError: no output can be called that.
            FileNotFoundError: there is no such bucket.
            DeadlockError: this is a forked child of a process that has used an ObjectStore.
            OSError: as `status`.
        """
        check_name(name)
        _check_key(name)
        _ = self.client  # before the claims are looked at: in a forked child they are the parent's, for ever
        self._look_at_place()
        claim = ObjectClaim(self, name, failure, replace=replace)
        with self._lock:
            holder = self._claims.get(name)
            if holder is not None and holder() is not None:
                return "busy"
            self._claims[name] = weakref.ref(claim)
        if replace:
            return claim
        found: OutputStatus = "absent"
        try:
            found = self._status(name, failure)
        except BaseException:
            claim.abort()
            raise
        if found == "absent":
            return claim
        claim.abort()
        return found

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading bytes: one request, large ones one per 4 MiB.

        Raises:
            FileNotFoundError: there is none.
            OSError: as `status`; also from reading, with ESTALE, if it is replaced in the meantime.
        """
        _check_key(name)
        return open_object(self.client, name, self.url(name), self.retry_seconds)

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that start with *prefix*, sorted.

        Lazily, a request for each 1000 objects; Azure, S3 directory buckets and `file:` are read whole
        first, because they don't sort. Raises as `status`, and FileNotFoundError for a missing bucket.
        """
        if prefix:
            _check_key(prefix)
        folder, _, tail = prefix.rpartition("/")
        # Listings go by folders. Within one, S3 and its like can skip what comes before; the last
        # character is cut because *prefix* itself is wanted too.
        skip = prefix[:-1] if self._sorted and len(tail) > 1 else None
        names = self._names(pages_of(self.client, folder or None, skip), prefix)
        return names if self._sorted else iter(sorted(names))

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False where there was none. Two requests."""
        import obstore

        there = self._head(name) is not None
        try:
            if there:
                with translated(self.url(name)):
                    obstore.delete(self.client, name)
        except FileNotFoundError:
            return False
        finally:  # also after an error: the answer may have got lost, and not the request
            self._listings.forget(name)
        return there

    def free(self, name: str) -> None:
        """Let the next claim have *name*; called by the claim that has it."""
        with self._lock:
            self._claims.pop(name, None)

    def _status(self, name: str, failure: str) -> OutputStatus:
        if self._head(name) is not None:
            return "complete"
        return "absent" if self._head(failure) is None else "suppressed"

    def _head(self, name: str) -> ObjectMeta | None:
        import obstore

        _check_key(name)
        with translated(self.url(name)):
            try:
                return patiently(lambda: obstore.head(self.client, name), self.retry_seconds)
            except FileNotFoundError:
                return None

    def _look_at_place(self) -> None:
        """Once, before the first body runs: a HEAD does not tell a missing bucket from a missing object."""
        if not self._looked:
            with translated(self._base):
                next(pages_of(self.client), None)
            self._looked = True

    def _names(self, pages: Iterator[Sequence[ObjectMeta]], prefix: str) -> Iterator[str]:
        while True:
            with translated(self.url(prefix)):
                page = next(pages, None)
            if page is None:
                return
            for found in page:
                name = found["path"]
                if name.startswith(prefix):
                    if not name.endswith(PART):
                        yield name
                elif self._sorted and name > prefix:
                    return


class _Listings:
    """Remembers for a while which outputs a folder had."""

    __slots__ = ("_folders", "_list", "_lock", "_seconds")

    def __init__(self, names: Callable[[str], Iterator[str]], seconds: float) -> None:
        self._list = names
        self._seconds = seconds
        self._lock = threading.Lock()
        self._folders: dict[str, tuple[threading.Lock, set[str], float]] = {}

    def hold(self, name: str) -> bool:
        """Tell whether *name* was there when its folder was listed, not too long ago."""
        if not self._seconds:
            return False
        folder = name[: name.rfind("/") + 1]
        with self._lock:
            lock = self._folders.setdefault(folder, (threading.Lock(), set(), 0.0))[0]
        with lock:  # those who come in the meantime wait for the one listing
            _, names, until = self._folders[folder]
            if time.monotonic() > until:
                until = time.monotonic() + self._seconds
                names = set(self._list(folder))
                with self._lock:
                    self._folders[folder] = (lock, names, until)
        return name in names

    def forget(self, name: str) -> None:
        """*name* is gone. Waits for a listing that is under way, and may have seen it."""
        with self._lock:
            folder = self._folders.get(name[: name.rfind("/") + 1])
        if folder is not None:
            with folder[0], self._lock:
                self._folders[name[: name.rfind("/") + 1]][1].discard(name)


def _client(
    url: str,
    scheme: str,
    config: Mapping[str, str | bool] | None,
    client_options: Mapping[str, object] | None,
    credential_provider: Callable[[], object] | None,
    seconds: float,
) -> Client:
    """Make obstore's store.

    Raises as `ObjectStore`.
    """
    try:
        from obstore import exceptions, store
    except ImportError as error:
        raise MissingExtraError(
            f"{url!r} needs the package obstore; install it with: pip install 'asflow[s3]'"
        ) from error
    from datetime import timedelta

    make = cast("Callable[..., Client]", store.from_url)
    given: dict[str, Any]
    if scheme in ("file", "memory"):
        given = {"mkdir": True} if scheme == "file" else {}
    else:
        # The count is no bound, the time is.
        retry = {"max_retries": 1_000_000, "retry_timeout": timedelta(seconds=seconds)}
        given = {"config": dict(config or {}), "retry_config": retry}
        if scheme in ("s3", "s3a"):
            given["config"].setdefault("copy_if_not_exists", "multipart")
        given |= {} if client_options is None else {"client_options": dict(client_options)}
        given |= {} if credential_provider is None else {"credential_provider": credential_provider}
    try:
        return make(url, **given)
    except (exceptions.BaseError, ValueError, TypeError) as error:
        refused = DefinitionTypeError if isinstance(error, TypeError) else DefinitionValueError
        raise refused(f"ObjectStore({url!r}) can't be made: {first_line(error)}") from error


def _checked_scheme(url: object) -> str:
    if not isinstance(url, str):
        raise DefinitionTypeError(f"ObjectStore takes a URL such as 's3://bucket/prefix', not {url!r}")
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in SCHEMES:
        raise DefinitionValueError(
            f"{url!r} is no URL of an object store; it starts with {', '.join(f'{s}://' for s in SCHEMES)}"
        )
    if not rest.strip("/") and scheme != "memory":
        raise DefinitionValueError(f"{url!r} names no bucket; write for example 's3://bucket/prefix'")
    return scheme


def _check_key(name: str) -> None:
    """Refuse what obstore would take for another name.

    Raises:
        OutputNameError: it starts with a slash.
    """
    if name.startswith("/"):
        raise OutputNameError(
            f"{name!r} starts with '/', which no object's name does; leave it away from base and on"
        )
