"""A store around another one: the base for stores that encrypt, check or count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus, Store

OF_STORES = ("close", "is_claimed", "is_complete", "owner", "path", "set_modified", "url")
"""The optional members of a store."""

OF_CLAIMS = ("set_modified",)
"""The optional members of a claim."""


class StoreWrapper:
    """Passes every call on to another store: override what differs.

    The optional members of `asflow.protocols.Store` are those of the wrapped store, and no others: a wrapper
    of a `LocalStore` has `path`, one of a `MemoryStore` does not. Set one to None if it is no longer true, as
    `path` if the files are encrypted. Claims pass through `wrap`.

    Args:
        store: the store that does the work.

    Attributes:
        store: the same.

    Threads: as safe as the wrapped store.

    Example:
        ```python
        class Counting(StoreWrapper):
            opened = 0

            def open(self, name: str, /) -> BinaryIO:
                self.opened += 1
                return super().open(name)


        flow = Flow("data", store=Counting(LocalStore()))
        ```
    """

    def __init__(self, store: Store) -> None:
        self.store: Store = store

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.store!r})"

    @property
    def blocking(self) -> bool:
        """Whether calls may take longer than those on a local file."""
        return self.store.blocking

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """See `asflow.protocols.Store`."""
        return self.store.status(name, failure)

    def info(self, name: str, /) -> OutputInfo | None:
        """See `asflow.protocols.Store`."""
        return self.store.info(name)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        """See `asflow.protocols.Store`. A claim is passed through `wrap`."""
        claim = self.store.claim(name, failure, replace=replace)
        if isinstance(claim, str):
            return claim
        try:
            return self.wrap(claim, name, failure)
        except BaseException:
            claim.abort()
            raise

    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        """Return *claim*, or a claim around it, such as a `ClaimWrapper`.

        Args:
            claim: the wrapped store's, just granted.
            name: the output.
            failure: the name for its recorded failure.
        """
        return claim

    def open(self, name: str, /) -> BinaryIO:
        """See `asflow.protocols.Store`."""
        return self.store.open(name)

    def list(self, prefix: str, /) -> Iterator[str]:
        """See `asflow.protocols.Store`."""
        return self.store.list(prefix)

    def delete(self, name: str, /) -> bool:
        """See `asflow.protocols.Store`."""
        return self.store.delete(name)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return _optional(self, name, OF_STORES, "store")


class ClaimWrapper:
    """Passes every call on to another claim: override what differs.

    Args:
        claim: the claim that does the work.

    Attributes:
        claim: the same.

    Threads: as the wrapped claim: one at a time.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim: Claim = claim

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.claim!r})"

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        """Take all of *data*; see `asflow.protocols.Claim`."""
        return self.claim.write(data)

    def publish(self) -> int | None:
        """See `asflow.protocols.Claim`."""
        return self.claim.publish()

    def abort(self) -> int | None:
        """See `asflow.protocols.Claim`."""
        return self.claim.abort()

    def fail(self, report: bytes, /) -> int | None:
        """Record *report* as the failure; see `asflow.protocols.Claim`."""
        return self.claim.fail(report)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return _optional(self, name, OF_CLAIMS, "claim")


def _optional(wrapper: object, name: str, names: tuple[str, ...], attribute: str) -> Any:
    wrapped = vars(wrapper).get(attribute)
    if name in names and hasattr(wrapped, name):
        return getattr(wrapped, name)
    raise AttributeError(f"{type(wrapper).__name__!r} object has no attribute {name!r}")
