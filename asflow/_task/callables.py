"""Every kind of callable that can be decorated, and the wrapper that replaces it.

The wrapper of a function is a plain function, `async def` if the function is: same name, docstring,
signature and method binding. A `staticmethod` or `classmethod` is unpacked and made again. Any other
callable (a `functools.partial`, an object with `__call__`) is replaced by a proxy that forwards all
attributes, and binds as a method if the callable does.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from types import MethodType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from asflow._inspect import DEEPEST, is_async, name_of, named, refuse_generators, signature_of, unwrapped
from asflow._labels import short
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import SupportsIndex

T = TypeVar("T")

_MARK = "__asflow__"

# `__wrapped__` is not set yet while a proxy is copied; the others would copy the wrapped object instead.
_NEVER_FORWARDED = frozenset(
    ("__wrapped__", "__copy__", "__getnewargs__", "__getnewargs_ex__", "__setstate__")
)


class Subject:
    """A callable to be decorated, and what is known of it.

    Attributes:
        function: what a call calls.
        name: for people: `extract`, `Client.download`.
        qualname: as in hashes and messages.
        is_async: whether a call returns something to await.
        signature: its parameters, or None if Python doesn't know them (some C functions).
        skipped_in_labels: leading arguments that labels leave out: 1 for a method written in a class.
        key: what makes it the same task when it is decorated again; None for one made inside a function.
    """

    __slots__ = ("function", "is_async", "key", "name", "qualname", "signature", "skipped_in_labels")

    def __init__(self, function: Callable[..., object], what: str) -> None:
        inner = named(function)
        self.function: Callable[..., object] = function
        self.qualname: str = cast("str", getattr(inner, "__qualname__", type(inner).__qualname__))
        self.name: str = self.qualname.rpartition("<locals>.")[2]
        remedy = "return a list, or write the items with flow.task.write(...)"
        refuse_generators(f"{_kind(what)} {self.name}()", DefinitionTypeError, remedy, function, inner)
        self.is_async: bool = is_async(function, declared=True)
        try:
            self.signature: inspect.Signature | None = signature_of(function)
        except (ValueError, TypeError):
            self.signature = None
        is_method = "." in self.name and _first_parameter(self.signature) in ("self", "cls")
        self.skipped_in_labels: int = int(is_method)
        self.key: Hashable | None = _key(inner, self.qualname)


def _kind(what: str) -> str:
    """Return the first word of messages: what *what*, `@flow` or `@flow.task`, makes of a function."""
    return what.rpartition(".")[2].removeprefix("@")


def subject_of(candidate: object, what: str) -> Subject:
    """Inspect the function under `@flow` or `@flow.task` (*what*).

    Raises:
        DefinitionTypeError: it is not a function or callable object, or it is a generator function.
    """
    if isinstance(candidate, type) or not callable(candidate):
        name = candidate.__name__ if isinstance(candidate, type) else f"<{name_of(candidate)}>"
        raise DefinitionTypeError(
            f"{_kind(what)} {name}(): takes a function or a callable object, not {short(candidate)}; "
            f"give options by name, as in {what}(...)"
        )
    return Subject(candidate, what)


def decorate(
    candidate: object, what: str, make: Callable[[Subject], tuple[Callable[..., object], object]]
) -> object:
    """Return the wrapper that *make* makes for *candidate*, dressed so that it passes for *candidate*.

    Args:
        candidate: a function, `staticmethod`, `classmethod`, partial or callable object.
        what: the decorator's name, for messages.
        make: returns the wrapper for the subject, and what `attached` finds on it.

    Raises:
        DefinitionTypeError: as `subject_of`.
    """
    # Not `isinstance`: the `__class__` of a wrapt proxy is that of what it wraps.
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
        What was left, if it is a *kind*, and the arguments that the binding adds (the instance); None if
        there is nothing of that kind.
    """
    bound: tuple[object, ...] = ()
    for _ in range(DEEPEST):
        if inspect.ismethod(task):
            bound = (task.__self__, *bound)
            task = task.__func__
        found = getattr(task, _MARK, None)
        if found is None:
            return None
        if isinstance(found, kind):
            return found, bound
        # `@flow` over `@flow.task`, or the reverse: each function has the mark of its own decorator.
        task = getattr(task, "__wrapped__", None)
    return None


class _Proxy(Generic[T]):
    """Replaces a callable object: calls go through the task, attributes to the object."""

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
        """Pickle as a function does, by name, if that name leads to this very object."""
        found: object = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else super().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: object, /) -> _Proxy[T]:
        """Return itself, as a function does."""
        return self


class _MethodProxy(_Proxy[T]):
    """Replaces an object that binds in a class as a function does, such as one of `functools.lru_cache`."""

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self if instance is None else MethodType(self, instance)


def _binds(candidate: object) -> bool:
    # A bound method is bound already. A partial binds from Python 3.14 on only; as a task it never does.
    # `isinstance`, because a wrapt proxy of a staticmethod passes for one, and doesn't bind either.
    return hasattr(type(candidate), "__get__") and not isinstance(
        candidate, (MethodType, functools.partial, staticmethod)
    )


def _first_parameter(signature: inspect.Signature | None) -> str | None:
    return None if signature is None else next(iter(signature.parameters), None)


def _key(inner: object, qualname: str) -> Hashable | None:
    if "<locals>" in qualname or "<lambda>" in qualname:
        return None
    code = getattr(unwrapped(inner), "__code__", None)
    file = getattr(code, "co_filename", None)
    module = getattr(inner, "__module__", None)
    # Each cell of a notebook has its own file name, and another one when it is edited.
    notebook = file is None or file.startswith("<") or "ipykernel" in file
    return (module if notebook else file, qualname)
