"""What `@flow` and `@flow.task` do to a function's type. Never used at run time.

A decorated task stays a function for the checker: `F -> F` where a call always gives what the body gives,
`Callable[P, ... | None]` where it may give None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, final, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import CoroutineType

__all__ = ["Keep", "MaybeKeyed", "MaybeNone"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., object]")


@final
class _Opaque:
    """Nothing is one, so that only a function typed `-> Any` matches where it is asked for."""


class Keep(Protocol):
    """Decorates a function and keeps its type: a call gives what the body gives."""

    def __call__(self, func: F, /) -> F:
        """Turn *func* into a task of the same type."""
        ...


class MaybeNone(Protocol):
    """Decorates a function whose calls may give None: where an output exists, or a failure is quiet."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, CoroutineType[object, None, R | None]]:
        """Turn the async *func* into a task of the same parameters, which gives its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R | None]:
        """Turn *func* into a task of the same parameters, which gives its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # type: ignore[overload-cannot-match]  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        # For mypy alone: a function that returns Any matches every overload. Where all results are
        # functions, mypy makes of them an untyped one, which strict mode forbids to call; with this, Any.
        ...


class MaybeKeyed(Protocol, Generic[P]):
    """The same, for a function that has the parameters of the `key` function."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, CoroutineType[object, None, R | None]]:
        """Turn the async *func* into a task of the same parameters, which gives its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R | None]:
        """Turn *func* into a task of the same parameters, which gives its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        ...  # for mypy alone, as above
