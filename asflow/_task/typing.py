"""What `@flow` and `@flow.task` do to a function's type; not used at run time.

A decorated task stays a function for the checker: `F -> F` if a call always returns the body's value,
`Callable[P, ... | None]` if it may return None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, final, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import CoroutineType

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., object]")


@final
class _Opaque:
    """Has no instances, so that only a function typed `-> Any` matches it."""


class Keep(Protocol):
    """Decorates a function and keeps its type: a call returns the body's value."""

    def __call__(self, func: F, /) -> F:
        """Turn *func* into a task of the same type."""
        ...


class MaybeNone(Protocol):
    """Decorates a function whose calls may return None: if an output exists, or a failure is quiet."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, CoroutineType[object, None, R | None]]:
        """Turn the async *func* into a task of the same parameters that returns its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R | None]:
        """Turn *func* into a task of the same parameters that returns its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # type: ignore[overload-cannot-match]  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        # For mypy alone: a function that returns Any matches every overload. If all results are functions,
        # mypy joins them into an untyped one, which strict mode forbids to call; this overload makes it Any.
        ...


class MaybeKeyed(Protocol, Generic[P]):
    """Like `MaybeNone`, for a function with the parameters of the `key` function."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, CoroutineType[object, None, R | None]]:
        """Turn the async *func* into a task of the same parameters that returns its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R | None]:
        """Turn *func* into a task of the same parameters that returns its value or None."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        ...  # for mypy alone, as above
