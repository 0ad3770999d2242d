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
import os
import sys
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from asflow._inspect import (
    DEEPEST,
    annotations_of,
    body_of,
    declares_async_iterator,
    is_async,
    name_of,
    named,
    refuse_generators,
    signature_of,
    unwrapped,
)
from asflow._labels import clean, short
from asflow._markers import marked
from asflow._tracebacks import leave_out_ours
from asflow.errors import DefinitionTypeError, IdentityError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import SupportsIndex

    from asflow._markers import Marked

T = TypeVar("T")

_MARK = "__asflow__"

# `__wrapped__` is not set yet while a proxy is copied; the others would copy the wrapped object instead.
_NEVER_FORWARDED = frozenset(
    ("__wrapped__", "__copy__", "__getnewargs__", "__getnewargs_ex__", "__setstate__")
)


class Origin(NamedTuple):
    """Where a callable was written: distinguishes a task that is decorated again from another one.

    Attributes:
        qualname: its qualified name.
        module: the name of its module.
        file: its file; None in a notebook, whose cells have new names when they are edited.
        bound: a hash of what a partial or a bound method has bound; None if that has no identity.
    """

    qualname: str
    module: str
    file: str | None
    bound: str | None

    @property
    def place(self) -> str:
        """The file, or the module if there is none."""
        return self.module if self.file is None else self.file

    def is_same(self, other: Origin) -> bool:
        """Return whether both are the same task: in one file, or in one module, which was loaded again."""
        if self.qualname != other.qualname or (self.bound and other.bound and self.bound != other.bound):
            return False
        if self.module == other.module or self.place == other.place:
            return True
        if self.file is None or other.file is None:
            return False
        return os.path.realpath(self.file) == os.path.realpath(other.file)


class Subject:
    """A callable to be decorated, and what is known of it.

    Attributes:
        function: what a call calls.
        name: for people: `extract`, `Client.download`.
        qualname: as in hashes and messages.
        full_name: module and qualified name, for events.
        is_async: whether a call returns something to await.
        signature: its parameters, or None if Python doesn't know them (some C functions).
        marked: its parameters that are annotated `Ignored` or `Secret`, or None.
        skipped_in_labels: leading arguments that labels leave out: 1 for a method written in a class.
        is_generator: whether a call returns an iterator of what the body yields.
        returns: what `decorate` makes of the return annotation; None leaves it.
        origin: where it was written.
        key: what makes it the same task when it is decorated again; None for one made inside a function.
    """

    __slots__ = (
        "full_name", "function", "is_async", "is_generator", "key", "marked", "name", "origin",
        "qualname", "returns", "signature", "skipped_in_labels",
    )  # fmt: skip

    def __init__(self, function: Callable[..., object], what: str, *, generators: bool = False) -> None:
        inner = named(function)
        self.function: Callable[..., object] = function
        self.qualname: str = cast("str", getattr(inner, "__qualname__", type(inner).__qualname__))
        module: object = getattr(inner, "__module__", None) or type(inner).__module__
        self.full_name: str = f"{module}.{self.qualname}"
        self.name: str = clean(self.qualname.rpartition("<locals>.")[2])
        if not generators:
            remedy = "return a list, write the items with flow.task.write(...), or keep them with save="
            refuse_generators(f"{_kind(what)} {self.name}()", DefinitionTypeError, remedy, function, inner)
        self.is_async: bool = is_async(function, declared=True)
        self.is_generator: bool = False
        if generators:
            body = body_of(function)
            yields_async = declares_async_iterator(body) or _is_any(inspect.isasyncgenfunction, body)
            self.is_generator = yields_async or _is_any(inspect.isgeneratorfunction, body)
            self.is_async = self.is_async or yields_async
        self.returns: Callable[[object], object] | None = None
        try:
            self.signature: inspect.Signature | None = signature_of(function)
        except (ValueError, TypeError):
            self.signature = None
        self.marked: Marked | None = marked(function, self.signature, f"{_kind(what)} {self.name}()")
        is_method = "." in self.name and _first_parameter(self.signature) in ("self", "cls")
        self.skipped_in_labels: int = int(is_method)
        self.origin: Origin = _origin(function, inner, self.qualname)
        self.key: Hashable | None = _key(self.origin)


def _is_any(test: Callable[[object], bool], function: object) -> bool:
    """Whether *function* passes *test*, or what it wraps."""
    return test(function) or test(unwrapped(function))


def _kind(what: str) -> str:
    """Return the first word of messages: what *what*, `@flow` or `@flow.task`, makes of a function."""
    return what.rpartition(".")[2].removeprefix("@")


def subject_of(candidate: object, what: str, *, generators: bool = False) -> Subject:
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
    return Subject(candidate, what, generators=generators)


def decorate(
    candidate: object,
    what: str,
    make: Callable[[Subject], tuple[Callable[..., object], object]],
    *,
    generators: bool = False,
) -> object:
    """Return the wrapper that *make* makes for *candidate*, dressed so that it passes for *candidate*.

    Args:
        candidate: a function, `staticmethod`, `classmethod`, partial or callable object.
        what: the decorator's name, for messages.
        make: returns the wrapper for the subject, and what `attached` finds on it.
        generators: whether generator functions are accepted.

    Raises:
        DefinitionTypeError: as `subject_of`.
    """
    # Not `isinstance`: the `__class__` of a wrapt proxy is that of what it wraps.
    if issubclass(type(candidate), (staticmethod, classmethod)):
        descriptor = cast("staticmethod[..., object]", candidate)
        inner = decorate(descriptor.__func__, what, make, generators=generators)
        return type(descriptor)(cast("Callable[..., object]", inner))
    subject = subject_of(candidate, what, generators=generators)
    wrapper, found = make(subject)
    if inspect.isfunction(candidate):
        functools.update_wrapper(wrapper, candidate)
        _declare_result(wrapper, subject)
        attach(wrapper, found)
        return wrapper
    proxy = (_MethodProxy if _binds(candidate) else _Proxy)(subject, wrapper, found)
    _declare_result(proxy, subject)
    return proxy


def _declare_result(wrapper: Any, subject: Subject) -> None:
    """Let the signature of *wrapper*, and its annotations, say what a call of it returns."""
    if subject.returns is None or subject.signature is None:
        return
    written: object = subject.signature.return_annotation
    if written is inspect.Signature.empty:
        return
    returned = subject.returns(written)
    wrapper.__signature__ = subject.signature.replace(return_annotation=returned)
    if inspect.isfunction(wrapper):
        wrapper.__annotations__ = {**annotations_of(wrapper), "return": returned}


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
        try:
            return self._call(*args, **kwargs)
        except BaseException as error:
            leave_out_ours(error)
            raise

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


def _key(origin: Origin) -> Hashable | None:
    if "<locals>" in origin.qualname or "<lambda>" in origin.qualname:
        return None
    return (origin.place, origin.qualname)


def _origin(function: object, inner: object, qualname: str) -> Origin:
    code = getattr(unwrapped(inner), "__code__", None)
    file = cast("str | None", getattr(code, "co_filename", None))
    # Each cell of a notebook has its own file name, and another one when it is edited.
    if file is not None and (file.startswith("<") or "ipykernel" in file):
        file = None
    return Origin(qualname, str(getattr(inner, "__module__", None)), file, _bound(function))


def _bound(function: object) -> str | None:
    """Return a hash of what a partial or a bound method has bound; None for nothing, or if it has none."""
    values: dict[str, object]
    if isinstance(function, functools.partial):
        values = {"function": _bound(function.func), "args": function.args, "keywords": function.keywords}
    elif isinstance(function, MethodType):
        values = {"self": function.__self__}
    else:
        return None
    from asflow._naming.identity import fingerprint

    try:
        return fingerprint("", values)
    except IdentityError:
        return None
