"""The libraries that asflow is measured against, if they are installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from benchmarks.measuring import Contender

__all__ = ["PEERS", "peer", "versions", "where_installed"]

PEERS = (
    *("aiodag", "aiometer", "datachain", "dbos", "diskcache", "joblib", "pipefunc", "prefect"),
    *("stamina", "tenacity", "tqdm"),
)
_LIBRARIES = ("asflow", "msgspec", "zstandard", "rich")


def peer(name: str) -> ModuleType:
    """Import a peer. Its names are `Any` on purpose: type-checking this code must not need the peer."""
    return importlib.import_module(name)


def where_installed(name: str, make: Callable[[], Contender]) -> Iterator[Contender]:
    """Yield the contender from *make* if the peer *name* is installed; `versions` shows a missing one."""
    if importlib.util.find_spec(name) is not None:
        yield make()


def versions() -> dict[str, str]:
    """Return the version of each library that is measured, or "not installed"."""
    found: dict[str, str] = {}
    for name in (*_LIBRARIES, *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
