"""Public homes: an object of a private module says which public module it is imported from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def set_homes(module: str, objects: Iterable[object]) -> None:
    """Let each class and function of *objects* say *module* as its `__module__`, if its own is private.

    Tracebacks, hovers and pickles then name what a user may import, and a private file can be renamed.
    """
    for each in objects:
        found: Any = each
        if "._" in (getattr(found, "__module__", None) or "") and hasattr(found, "__qualname__"):
            found.__module__ = module
