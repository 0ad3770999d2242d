"""What `@flow` and `@flow.task` do to a function's type. Never used at run time, but for its names.

A decorated task stays a function for the checker: `F -> F` where a call returns what the body returns,
`Callable[P, ... | None]` where it may return None, `Callable[P, Records[T]]` where the body yields.

With `key=`, the parameters must be those of the key function. A TypeVar can't be bound to `Callable[P, ...]`,
so those classes return a `Callable`, with the names and defaults of the key function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, final, overload

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable, Coroutine, Iterator, Sequence
    from types import CoroutineType

    from asflow._task.output import Records

    Read: TypeAlias = Callable[..., object] | str | os.PathLike[str]
    Reads: TypeAlias = Read | Sequence[Read]
    """What `reads=` takes: tasks, patterns, or several of them."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., object]")
ReturnsNone = TypeVar("ReturnsNone", bound="Callable[..., None] | Callable[..., Coroutine[Any, Any, None]]")


@final
class _Opaque:
    """Has no instances, so that only a function typed `-> Any` matches it."""


class Keep(Protocol):
    """Decorates a function and keeps its type: a call returns what the body returns."""

    def __call__(self, func: F, /) -> F:
        """Turn *func* into a task of the same type."""
        ...


class MaybeNone(Protocol):
    """Decorates a function whose calls return None if a failure is skipped or suppressed."""

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


class Writes(Protocol):
    """Decorates a function that writes its output and returns None, and keeps its type."""

    def __call__(self, func: ReturnsNone, /) -> ReturnsNone:
        """Turn *func*, which returns None, into a task of the same type."""
        ...


class WritesKeyed(Protocol, Generic[P]):
    """The same, for a function that has the parameters of the `key` function."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, None]], /
    ) -> Callable[P, CoroutineType[object, None, None]]:
        """Turn the async *func*, which returns None, into a task of the same parameters."""
        ...

    @overload
    def __call__(self, func: Callable[P, None], /) -> Callable[P, None]:
        """Turn *func*, which returns None, into a task of the same parameters."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        ...  # for mypy alone, as above


class Saved(Protocol):
    """Decorates a function whose value is saved; a call returns what the body returns, or `Records`."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, AsyncIterable[T]], /
    ) -> Callable[P, CoroutineType[object, None, Records[T]]]:
        """Turn the async generator function *func* into an async task that returns the records it yields."""
        ...

    @overload
    def __call__(self, func: Callable[P, Iterator[T]], /) -> Callable[P, Records[T]]:
        """Turn the generator function *func* into a task that returns the records it yields."""
        ...

    @overload
    def __call__(self, func: F, /) -> F:
        """Turn *func* into a task of the same type."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # type: ignore[overload-cannot-match]  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        ...  # for mypy alone, as above


class SavedMaybe(Protocol):
    """The same, for a function whose calls return None if a failure is skipped or suppressed."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, AsyncIterable[T]], /
    ) -> Callable[P, CoroutineType[object, None, Records[T] | None]]:
        """Turn the async generator function *func* into an async task that returns its records or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, Iterator[T]], /) -> Callable[P, Records[T] | None]:
        """Turn the generator function *func* into a task that returns its records or None."""
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
        ...  # for mypy alone, as above


class SavedKeyed(Protocol, Generic[P]):
    """As `Saved`, for a function that has the parameters of the `key` function."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, AsyncIterable[T]], /
    ) -> Callable[P, CoroutineType[object, None, Records[T]]]:
        """Turn the async generator function *func* into an async task that returns the records it yields."""
        ...

    @overload
    def __call__(self, func: Callable[P, Iterator[T]], /) -> Callable[P, Records[T]]:
        """Turn the generator function *func* into a task that returns the records it yields."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, CoroutineType[object, None, R]]:
        """Turn the async *func* into a task of the same parameters that returns its value."""
        ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R]:
        """Turn *func* into a task of the same parameters that returns its value."""
        ...

    @overload
    def __call__(self, func: Callable[..., _Opaque], /) -> Any:  # pyright: ignore[reportOverlappingOverload]
        """Turn *func* into a task of the same parameters."""
        ...  # for mypy alone, as above


class SavedMaybeKeyed(Protocol, Generic[P]):
    """As `SavedMaybe`, for a function that has the parameters of the `key` function."""

    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> Callable[P, Any]:
        """Turn *func* into a task of the same parameters."""
        ...

    @overload
    def __call__(
        self, func: Callable[P, AsyncIterable[T]], /
    ) -> Callable[P, CoroutineType[object, None, Records[T] | None]]:
        """Turn the async generator function *func* into an async task that returns its records or None."""
        ...

    @overload
    def __call__(self, func: Callable[P, Iterator[T]], /) -> Callable[P, Records[T] | None]:
        """Turn the generator function *func* into a task that returns its records or None."""
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
