"""The types of what a definition is made of, as far as they don't refer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol, TypeAlias, TypeVar

__all__ = ["ListLike", "Member"]

T_co = TypeVar("T_co", covariant=True)


class ListLike(Protocol[T_co]):
    """A list of members, whatever the exact type of each: `list` itself is invariant."""

    def __iter__(self) -> Iterator[T_co]:
        """Yield the members in order."""
        ...

    def reverse(self) -> None:
        """Exist, as on a list: a string has no such method, and is no list of members."""
        ...


Member: TypeAlias = Callable[..., Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None]
"""A function of a data flow: sync or async, returning a mapping or None."""
