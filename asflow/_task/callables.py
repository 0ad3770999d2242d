"""Every kind of callable that can be decorated, and how its stand-in passes for it.

A function's stand-in is a plain function again, `async def` where the function is: same name, docstring,
signature and method binding. A `staticmethod` or `classmethod` is opened and closed again. Any other
callable (a `functools.partial`, an object with `__call__`) gets an object in front of it that forwards
all attributes, and binds as a method where the callable does.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from types import MethodType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from asflow._inspect import annotations_of, signature_of
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import SupportsIndex

__all__ = ["Subject", "attach", "attached", "decorate", "subject_of"]

T = TypeVar("T")

_MARK = "__asflow__"
_DEEPEST = 8  # marks one below the other; `unittest.mock.call` and its like answer to every name, without end

# `__wrapped__` is not set yet while a stand-in is copied; the rest would copy what it stands for instead.
_NEVER_FORWARDED = frozenset(
    ("__wrapped__", "__copy__", "__getnewargs__", "__getnewargs_ex__", "__setstate__")
)


class Subject:
    """A callable to be decorated, and what is known of it.

    Attributes:
        function: what a call calls.
        name: for people: `extract`, `Client.download`.
        qualname: as it goes into hashes and messages.
        is_async: whether calling it gives something to await.
        signature: its parameters, or None where Python does not know them (some C functions).
        hidden_arguments: 1 for a method written in a class, whose first argument is left out of labels.
        key: what makes it the same task when it is decorated anew; None for one made inside a function.
    """

    __slots__ = ("function", "hidden_arguments", "is_async", "key", "name", "qualname", "signature")

    def __init__(self, function: Callable[..., object], what: str) -> None:
        inner = _innermost(function)
        self.function: Callable[..., object] = function
        self.qualname: str = cast("str", getattr(inner, "__qualname__", type(inner).__qualname__))
        self.name: str = self.qualname.rpartition("<locals>.")[2]
        _refuse_generators(function, inner, self.name, what)
        self.is_async: bool = _is_async(function)
        try:
            self.signature: inspect.Signature | None = signature_of(function)
        except (ValueError, TypeError):
            self.signature = None
        self.hidden_arguments: int = int(
            "." in self.name and _first_parameter(self.signature) in ("self", "cls")
        )
        self.key: Hashable | None = _key(inner, self.qualname)


def subject_of(candidate: object, what: str) -> Subject:
    """Look at what `@flow` or `@flow.task` (*what*) was put on.

    Raises:
        DefinitionTypeError: it is no function or callable object, or a generator function.
    """
    if isinstance(candidate, type) or not callable(candidate):
        raise DefinitionTypeError(
            f"{what} goes on a function or a callable object, not {candidate!r}; "
            f"options are given by name, as in {what}(...)"
        )
    return Subject(candidate, what)


def decorate(
    candidate: object, what: str, make: Callable[[Subject], tuple[Callable[..., object], object]]
) -> object:
    """Put in front of *candidate* what *make* makes, so that it passes for *candidate*.

    Args:
        candidate: a function, `staticmethod`, `classmethod`, partial or callable object.
        what: the decorator's name, for messages.
        make: returns the function that stands for the subject, and what `attached` is to find again.

    Raises:
        DefinitionTypeError: as `subject_of`.
    """
    # Not `isinstance`: the `__class__` of a wrapt proxy says what it stands for.
    if issubclass(type(candidate), (staticmethod, classmethod)):
        descriptor = cast("staticmethod[..., object]", candidate)
        return type(descriptor)(cast("Callable[..., object]", decorate(descriptor.__func__, what, make)))
    subject = subject_of(candidate, what)
    wrapper, found = make(subject)
    if inspect.isfunction(candidate):
        functools.update_wrapper(wrapper, candidate)
        attach(wrapper, found)
        return wrapper
    if _binds(candidate):
        return _MethodProxy(subject, wrapper, found)
    return _Proxy(subject, wrapper, found)


def attach(wrapper: object, found: object) -> None:
    """Leave *found* on *wrapper* for `attached`."""
    setattr(wrapper, _MARK, found)


def attached(task: object, kind: type[T]) -> tuple[T, tuple[object, ...]] | None:
    """Find what was left on a decorated function, also through a bound method and the other decorator.

    Returns:
        What was left, if it is a *kind*, and the arguments that the binding adds (the instance); else None.
    """
    bound: tuple[object, ...] = ()
    for _ in range(_DEEPEST):
        if inspect.ismethod(task):
            bound = (task.__self__, *bound)
            task = task.__func__
        found = getattr(task, _MARK, None)
        if found is None:
            return None
        if isinstance(found, kind):
            return found, bound
        # `@flow` over `@flow.task`, or the other way round: the mark of the inner one is on the inner one.
        task = getattr(task, "__wrapped__", None)
    return None


class _Proxy(Generic[T]):
    """Stands for a callable object: calls go through the task, attributes to the object."""

    def __init__(self, subject: Subject, wrapper: Callable[..., T], found: object) -> None:
        self.__wrapped__ = subject.function
        self._call = wrapper
        attach(self, found)
        self.__name__ = subject.name
        self.__qualname__ = subject.qualname
        self.__doc__ = subject.function.__doc__
        self.__module__ = getattr(subject.function, "__module__", __name__)
        if subject.is_async:
            # So that inspect's and asyncio's iscoroutinefunction answer as for an `async def`.
            if sys.version_info >= (3, 12):
                inspect.markcoroutinefunction(self)
            else:
                self._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def __call__(self, *args: object, **kwargs: object) -> T:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> object:
        if name in _NEVER_FORWARDED:
            raise AttributeError(name)
        return cast("object", getattr(self.__wrapped__, name))

    def __repr__(self) -> str:
        return f"<task {self.__qualname__} on {self.__wrapped__!r}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> str | tuple[object, ...]:
        """Pickle as a function does, by name, where that name gives this very object."""
        found: object = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else super().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: object, /) -> _Proxy[T]:
        """Return itself, as a function does."""
        return self


class _MethodProxy(_Proxy[T]):
    """Stands for an object that binds as a function does in a class, such as one of `functools.lru_cache`."""

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self if instance is None else MethodType(self, instance)


def _binds(candidate: object) -> bool:
    # A bound method is bound already. A partial would bind from Python 3.14 on only: as a task it never does.
    # By `isinstance`, since a wrapt proxy of a staticmethod passes for one: that does not bind either.
    return hasattr(type(candidate), "__get__") and not isinstance(
        candidate, (MethodType, functools.partial, staticmethod)
    )


def _innermost(function: object) -> object:
    """Look through partials and wrapping objects (joblib's) for what has the name."""
    for _ in range(20):  # a mock has a `func` of its own, again and again
        inner = None if hasattr(function, "__qualname__") else getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    return function


def _refuse_generators(function: object, inner: object, name: str, what: str) -> None:
    for candidate in (function, inner, getattr(function, "__call__", None)):  # noqa: B004 - its code is looked at
        if inspect.isasyncgenfunction(candidate) or inspect.isgeneratorfunction(candidate):
            raise DefinitionTypeError(
                f"{what} can't take the generator function {name}(): a task ends when it returns, once; "
                f"return a list, or write the items with flow.task.write(...)"
            )


def _is_async(function: Callable[..., object]) -> bool:
    candidates = (function, inspect.unwrap(function), getattr(function, "__call__", None))  # noqa: B004
    if any(inspect.iscoroutinefunction(candidate) for candidate in candidates):
        return True
    # A plain function that says that it returns something to await: only its word can be taken.
    returned = annotations_of(function).get("return")
    returned = getattr(returned, "__forward_arg__", returned)
    origin: object = getattr(returned, "__origin__", returned)
    name = origin if isinstance(origin, str) else cast("str", getattr(origin, "__name__", ""))
    return name.partition("[")[0].rpartition(".")[2] in ("Coroutine", "Awaitable", "CoroutineType")


def _first_parameter(signature: inspect.Signature | None) -> str | None:
    return None if signature is None else next(iter(signature.parameters), None)


def _key(inner: object, qualname: str) -> Hashable | None:
    if "<locals>" in qualname or "<lambda>" in qualname:
        return None
    code = getattr(inspect.unwrap(inner) if callable(inner) else inner, "__code__", None)
    file = getattr(code, "co_filename", None)
    module = getattr(inner, "__module__", None)
    # A notebook's cells have file names of their own, new ones when a cell is edited.
    notebook = file is None or file.startswith("<") or "ipykernel" in file
    return (module if notebook else file, qualname)
