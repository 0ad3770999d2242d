"""The types of the parts of a definition, as far as they don't refer to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)


class ListLike(Protocol[T_co]):
    """A list of members of any types: `list` itself is invariant."""

    def __iter__(self) -> Iterator[T_co]: ...

    def reverse(self) -> None:
        """A list has this method, a string does not."""
        ...


Member: TypeAlias = Callable[..., Mapping[str, object] | Awaitable[Mapping[str, object] | None] | None]
"""A function of a data flow: sync or async, returning a mapping or None."""
