"""The libraries that asflow is measured against, where they are installed."""

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

PEERS = ("aiodag", "aiometer", "diskcache", "joblib", "pipefunc", "prefect", "stamina", "tenacity", "tqdm")
_LIBRARIES = ("asflow", "msgspec", "zstandard", "rich")


def peer(name: str) -> ModuleType:
    """Import a peer. Its untyped names are `Any` on purpose: it need not be installed to check this code."""
    return importlib.import_module(name)


def where_installed(name: str, make: Callable[[], Contender]) -> Iterator[Contender]:
    """Yield what *make* makes if the peer *name* is installed; else nothing: `versions` tells."""
    if importlib.util.find_spec(name) is not None:
        yield make()


def versions() -> dict[str, str]:
    """Return the version of each library that plays a part; "not installed" where it is missing."""
    found: dict[str, str] = {}
    for name in (*_LIBRARIES, *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
