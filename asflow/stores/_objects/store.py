"""Outputs as objects in S3, Google Cloud Storage or Azure; needs the extra `asflow[s3]`."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from asflow import _forks
from asflow._checks import checked_seconds
from asflow._labels import short
from asflow._names import set_homes
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
from asflow.stores._objects.leases import Leases
from asflow.stores._objects.reading import open_object, pages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Client

    from asflow.protocols import ClaimRefusal, OutputStatus

_SUBJECT = "ObjectStore()"

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "file", "memory")
"""The schemes that the URL of an ObjectStore may start with."""

# Schemes whose listings are sorted by name, so that they need not be collected first.
_SORTED = ("s3", "s3a", "gs", "memory")

# The process in which obstore's threads run; 0 before the first use.
_used_by = 0


class ObjectStore:
    """Keep each output as an object; see `asflow.protocols.Store`. Names are keys under the URL's prefix.

    `Flow("s3://bucket/prefix")` makes one that takes its settings from the environment.

    An output is spooled on this machine (in memory, beyond 8 MiB in the temporary folder) and uploaded
    when it is published, with create-if-absent: of several machines that make the same output one
    publishes, and the others' bytes are discarded. A claim is a lease, an object `NAME.lease.part` that is
    kept while the body runs: machines that share a bucket run each body once, unless one of them dies, is
    stopped or is cut off for *lease_seconds*. A machine that is killed leaves no more than a lease or, in
    the middle of a large upload, an unfinished multipart upload or an object `NAME.<random>.part`; no
    listing shows them, and a lifecycle rule of the bucket can remove them.

    A call that finds its output costs one request (HEAD), a call that makes it eight: two to look and one
    at the lease, two more under the claim, the upload, the lease and its end; and one look at the bucket
    per store.

    Args:
        url: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`,
            `abfss://container@account.dfs.core.windows.net/prefix`; `file:///folder` and
            `memory:///` are for trying things out.
        config: settings of obstore for the service, by default from the environment
            (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`,
            `AZURE_STORAGE_ACCOUNT_NAME`, ...): `endpoint`, `region`, `access_key_id`, ...
        client_options: settings of obstore's HTTP client: `allow_http`, `timeout`, `proxy_url`, ...
        credential_provider: an obstore credential provider, for example
            `obstore.auth.boto3.Boto3CredentialProvider()`, which reads `~/.aws`.
        retry_seconds: for how long (> 0) a request is repeated after a 5xx, a slow-down or a lost
            connection, with growing random pauses.
        listing_seconds: for how long (>= 0) a listing of an output's folder is used to answer that the
            output exists. 0: each call sends a request. A resume of 10^5 outputs costs 100 listings
            instead of 10^5 requests; a deletion by another machine is noticed at most this much later.
        lease_seconds: for how long (>= 0) the claim of a process that is dead, stopped or cut off keeps
            others from making its output. A claim is an object beside the output, `NAME.lease.part`, kept
            by a request every third of this time; machines' clocks are not compared. 0: no leases; several
            machines may then run the same body, and one publishes.

    Raises:
        MissingExtraError: obstore is not installed.
        DefinitionTypeError: an argument of the wrong type.
        DefinitionValueError: the URL's scheme is unknown or a part of it is missing, or a setting is
            unknown.

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
        lease_seconds: float = 60.0,
    ) -> None:
        scheme = _checked_scheme(url)
        self.retry_seconds: float = checked_seconds(
            _SUBJECT, "retry_seconds", retry_seconds, positive=True, longest=1e9
        )
        for what, settings in (("config", config), ("client_options", client_options)):
            if settings is not None and not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
                raise DefinitionTypeError(
                    f"{_SUBJECT}: {what} takes a mapping of settings, not {short(settings)}; "
                    f"write for example {what}={{'allow_http': True}}"
                )
        if credential_provider is not None and not callable(credential_provider):
            kind = type(credential_provider).__name__  # not the value, which may be a secret
            raise DefinitionTypeError(
                f"{_SUBJECT}: credential_provider takes a credential provider of obstore, not a {kind}; "
                f"write for example obstore.auth.boto3.Boto3CredentialProvider()"
            )
        self._base = url.rstrip("/")
        self._sorted = scheme in _SORTED and not url.split("/")[2].endswith("--x-s3")
        self._client: Client = _client(
            url, scheme, config, client_options, credential_provider, retry_seconds
        )
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        # Weak: a garbage-collected claim holds nothing.
        self._claims: dict[str, weakref.ref[ObjectClaim]] = {}
        self._looked = False
        seconds = checked_seconds(_SUBJECT, "listing_seconds", listing_seconds, longest=1e9)
        self._listings = _Listings(self.list, seconds)
        seconds = checked_seconds(_SUBJECT, "lease_seconds", lease_seconds, longest=1e9)
        # `file:` has no conditional requests, and `memory:` no other machines.
        shared = seconds > 0 and scheme not in ("file", "memory")
        self._leases = Leases(lambda: self.client, seconds, retry_seconds) if shared else None

    def __repr__(self) -> str:
        return f"ObjectStore({self._base!r})"

    @property
    def client(self) -> Client:
        """Obstore's own store, for everything else that it can do.

        Raises:
            DeadlockError: this is a forked child of a process that has used one already.
        """
        global _used_by
        if _used_by not in (0, os.getpid()):
            raise DeadlockError(
                f"{_SUBJECT}: {self._base!r} can't be used in a forked process, which has no network "
                f"threads; start processes with multiprocessing.get_context('spawn') or 'forkserver'"
            )
        _used_by = os.getpid()
        return self._client

    @property
    def leases(self) -> Leases | None:
        """The leases of this process; None for `lease_seconds=0`."""
        return self._leases

    def url(self, name: str, /) -> str:
        """Return the URL of the output or failure called *name*."""
        return f"{self._base}/{name}"

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Return whether *name* exists, its failure is recorded, or neither; one or two requests.

        Raises:
            OutputNameError: no object can be called that.
            PermissionError: the credentials are not sufficient.
            OSError: the service refused, or could not be reached for `retry_seconds`.
        """
        _check_key(name)
        return "complete" if self._listings.has(name) else self._status(name, failure)

    def info(self, name: str, /) -> Info | None:
        """Return size and age of the output or failure called *name*; None if there is none."""
        found = self._head(name)
        return None if found is None else Info(found["size"], found["last_modified"].timestamp())

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> ObjectClaim | ClaimRefusal:
        """Claim the output *name*, on all machines, without waiting, or return why that is refused.

        Raises:
            OutputNameError: no output can be called that.
            FileNotFoundError: there is no such bucket.
            DeadlockError: this is a forked child of a process that has used an ObjectStore.
            OSError: as `status`.
        """
        check_name(_SUBJECT, name)
        _check_key(name)
        _ = self.client  # before looking at the claims: in a forked child they are the parent's, for ever
        self._look_at_place()
        claim = ObjectClaim(self, name, failure, replace=replace)
        with self._lock:
            holder = self._claims.get(name)
            if holder is not None and holder() is not None:
                return "busy"
            self._claims[name] = weakref.ref(claim)
        found: ClaimRefusal | None = None
        try:
            with translated(self.url(name)):
                if not claim.lease():
                    found = "busy"
            if found is None and not replace:
                status = self._status(name, failure)
                found = None if status == "absent" else status
        except BaseException:
            claim.abort()
            raise
        if found is None:
            return claim
        claim.abort()
        return found

    def is_claimed(self, name: str, /) -> bool:
        """Return whether *name* is being made, by a call of this process or on another machine.

        One request, or none for `lease_seconds=0`. Raises as `status`.
        """
        _check_key(name)
        with self._lock:
            holder = self._claims.get(name)
            if holder is not None and holder() is not None:
                return True
        if self._leases is None:
            return False
        with translated(self.url(name)):
            return self._leases.is_held(name)

    def owner(self, name: str, /) -> str | None:
        """Return host and id of the process that makes *name*, as `host:123`, or None. Raises as `status`."""
        if self._leases is None:
            return None
        with translated(self.url(name)):
            return self._leases.owner(name)

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading: one request, and one per 4 MiB if large.

        Raises:
            FileNotFoundError: there is none.
            OSError: as `status`; from reading, with ESTALE, if the object is replaced in the meantime.
        """
        _check_key(name)
        return open_object(self.client, name, self.url(name), self.retry_seconds)

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that start with *prefix*, sorted.

        Lazily, in one request per 1000 objects; Azure, S3 directory buckets and `file:` are read whole
        first, because they don't sort. Raises as `status`, and FileNotFoundError for a missing bucket.
        """
        if prefix:
            _check_key(prefix)
        folder, _, tail = prefix.rpartition("/")
        # Requests list a folder. S3 and the like can skip the names before an offset; the last character
        # is cut because a name that equals *prefix* is wanted too.
        skip = prefix[:-1] if self._sorted and len(tail) > 1 else None
        names = self._names(pages_of(self.client, folder or None, skip), prefix)
        return names if self._sorted else iter(sorted(names))

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False if there was none. Two requests."""
        import obstore

        there = self._head(name) is not None
        try:
            if there:
                with translated(self.url(name)):
                    obstore.delete(self.client, name)
        except FileNotFoundError:
            return False
        finally:  # after an error too: perhaps only the response was lost
            self._listings.forget(name)
        return there

    def free(self, name: str) -> None:
        """Release *name* for the next claim; called by the claim that holds it."""
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
        """Once, before the first body: a HEAD fails alike for a missing bucket and a missing object."""
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
    """Remembers for some time which outputs a folder had."""

    __slots__ = ("__weakref__", "_folders", "_list", "_lock", "_seconds")

    def __init__(self, names: Callable[[str], Iterator[str]], seconds: float) -> None:
        self._list = names
        self._seconds = seconds
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._folders: dict[str, tuple[threading.Lock, set[str], float]] = {}

    def has(self, name: str) -> bool:
        """Return whether *name* was in its folder when that was last listed, at most *seconds* ago."""
        if not self._seconds:
            return False
        folder = name[: name.rfind("/") + 1]
        with self._lock:
            lock = self._folders.setdefault(folder, (threading.Lock(), set(), 0.0))[0]
        with lock:  # concurrent callers wait for the one listing
            _, names, until = self._folders[folder]
            if time.monotonic() > until:
                until = time.monotonic() + self._seconds
                names = set(self._list(folder))
                with self._lock:
                    self._folders[folder] = (lock, names, until)
        return name in names

    def forget(self, name: str) -> None:
        """Note the deletion of *name*. Waits for a listing that is under way, which may include it."""
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
    """Return obstore's store. Raises as `ObjectStore` does."""
    try:
        from obstore import exceptions, store
    except ImportError as error:
        raise MissingExtraError(
            f"{_SUBJECT}: {url!r} needs the package obstore; install it with: pip install 'asflow[s3]'"
        ) from error
    from datetime import timedelta

    make = cast("Callable[..., Client]", store.from_url)
    given: dict[str, Any]
    if scheme in ("file", "memory"):
        given = {"mkdir": True} if scheme == "file" else {}
    else:
        # The time is the bound, not the count.
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
        raise refused(
            f"{_SUBJECT}: obstore refuses {url!r} with these settings ({first_line(error)}); "
            f"correct the URL, config, client_options or credential_provider"
        ) from error


def _checked_scheme(url: object) -> str:
    if not isinstance(url, str):
        raise DefinitionTypeError(
            f"{_SUBJECT}: url takes a URL, not {short(url)}; write for example 's3://bucket/prefix'"
        )
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in SCHEMES:
        raise DefinitionValueError(
            f"{_SUBJECT}: url takes the URL of an object store, not {short(url)}; "
            f"begin it with one of {', '.join(f'{name}://' for name in SCHEMES)}"
        )
    if not rest.strip("/") and scheme != "memory":
        raise DefinitionValueError(
            f"{_SUBJECT}: url takes a URL with a bucket, not {short(url)}; "
            f"write for example 's3://bucket/prefix'"
        )
    return scheme


def _check_key(name: str) -> None:
    """Refuse a name that obstore would take for another one.

    Raises:
        OutputNameError: it starts with a slash.
    """
    if name.startswith("/"):
        raise OutputNameError(
            f"{_SUBJECT}: an object needs a name without a leading '/', not {short(name)}; "
            f"remove it from base and on"
        )


set_homes("asflow.stores", (ObjectStore,))
