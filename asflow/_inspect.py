"""Looking at a function: what it is called, what a call of it runs, whether it is async.

Annotations are never evaluated, so a name that only type checkers see does no harm.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from types import FunctionType, MethodType, WrapperDescriptorType
from typing import TYPE_CHECKING, Any, Final, Never, NoReturn, cast, get_args

from asflow._labels import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEEPEST: Final = 20
"""How many layers to look through. Bounded, because a mock has every attribute."""


def layers(function: object) -> Iterator[object]:
    """Yield *function*, then what a call of it goes on to: the function that runs in the end comes last.

    These are partials, bound methods, static and class methods, and objects with a `__call__`. What
    `functools.wraps` calls `__wrapped__` is not one of them: the wrapper is what runs.
    """
    for _ in range(DEEPEST):
        yield function
        inner = _called_by(function)
        if inner is None:
            return
        function = inner


def _called_by(function: Any) -> object | None:
    # Not `isinstance`: the `__class__` of a wrapt proxy is that of what it wraps.
    kind = cast("type[object]", type(function))
    if issubclass(kind, functools.partial):
        return cast("object", function.func)
    if issubclass(kind, (MethodType, staticmethod, classmethod)):
        return cast("object", function.__func__)
    if issubclass(kind, (FunctionType, type)):
        return None
    method: object = getattr(kind, "__call__", None)  # noqa: B004 - the method is wanted, not a yes or no
    return None if isinstance(method, WrapperDescriptorType) else method  # one of C leads nowhere


def body_of(function: object) -> object:
    """Return the function whose code a call of *function* runs in the end, as far as Python shows it."""
    *_, last = layers(function)
    return last


def unwrapped(function: object) -> object:
    """Return what *function* wraps, by the `__wrapped__` that `functools.wraps` leaves."""
    for _ in range(DEEPEST):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    return function


def named(function: object) -> object:
    """Return what *function* is named after: a partial's function, or a wrapping object's (joblib)."""
    for _ in range(DEEPEST):
        inner = None if hasattr(function, "__qualname__") else getattr(function, "func", None)
        if inner is None:
            break
        function = inner
    return function


def name_of(function: object) -> str:
    """Return what to call *function* in messages: its own name, a partial's function, an object's class."""
    for candidate in (function, named(function)):
        name = getattr(candidate, "__name__", None)
        if isinstance(name, str):
            return clean(name)
    return clean(type(named(function)).__name__)


def is_async(function: object, *, declared: bool = False) -> bool:
    """Return whether a call of *function* returns something to await, by its code and its marks.

    Args:
        function: any callable.
        declared: count a function that only says so as well: a decorator's wrapper around an `async def`,
            and a plain function that is annotated to return a coroutine or an awaitable.
    """
    for layer in layers(function):
        if inspect.iscoroutinefunction(layer) or _has_mark_of_asyncio(layer):
            return True
        if declared and (inspect.iscoroutinefunction(unwrapped(layer)) or _declares_awaitable(layer)):
            return True
    return False


def _has_mark_of_asyncio(function: object) -> bool:
    # Before Python 3.12 asyncio alone knew a mark for callables that are not functions; mocks still have it.
    # The engine may import this module, so it doesn't import asyncio.
    mark = getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)
    return mark is not None and getattr(function, "_is_coroutine", None) is mark


def _declares_awaitable(function: object) -> bool:
    return _declared_kind(function) in ("Coroutine", "Awaitable", "CoroutineType")


def declares_async_iterator(function: object) -> bool:
    """Return whether *function*, which is not an `async def`, is annotated to return an async iterator."""
    declared = _declared_kind(function) in ("AsyncIterator", "AsyncGenerator", "AsyncIterable")
    return declared and not inspect.iscoroutinefunction(unwrapped(function))


def _declared_kind(function: object) -> str:
    """Return the name of the generic type that *function* is annotated to return; empty for none."""
    returned = annotations_of(function).get("return")
    returned = getattr(returned, "__forward_arg__", returned)
    origin: object = getattr(returned, "__origin__", returned)
    name = origin if isinstance(origin, str) else getattr(origin, "__name__", "")
    return name.partition("[")[0].rpartition(".")[2] if isinstance(name, str) else ""


def refuse_generators(subject: str, refusal: type[Exception], remedy: str, *functions: object) -> None:
    """Raise *refusal*, which begins with *subject*, if one of *functions* is a generator function."""
    for function in functions:
        for layer in layers(function):
            if inspect.isgeneratorfunction(layer) or inspect.isasyncgenfunction(layer):
                raise refusal(
                    f"{subject}: takes a function that returns once, not a generator function; {remedy}"
                )


def signature_of(function: Callable[..., object], *, follow_wrapped: bool = True) -> inspect.Signature:
    """Return the signature of *function*, its annotations as far as they can be evaluated (PEP 649).

    Raises:
        TypeError, ValueError: Python knows none.
    """
    if sys.version_info >= (3, 14):
        import annotationlib

        form = annotationlib.Format.FORWARDREF
        return inspect.signature(function, follow_wrapped=follow_wrapped, annotation_format=form)
    return inspect.signature(function, follow_wrapped=follow_wrapped)


def annotations_of(function: object) -> Mapping[str, object]:
    """Return the annotations of *function*, strings and forward references as they are; empty for none."""
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
        except (TypeError, ValueError):  # not a function, class or module; a mock has every attribute
            return {}
    found = getattr(function, "__annotations__", None)
    return cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}


def returns_nothing(function: object) -> bool | None:
    """Whether *function* is annotated to return None; None if its annotation doesn't say.

    Of a plain function that returns a coroutine or an awaitable, its result counts.
    """
    body = unwrapped(body_of(function))
    written = annotations_of(body)
    if "return" not in written:
        return None
    returned = written["return"]
    text = returned if isinstance(returned, str) else getattr(returned, "__forward_arg__", None)
    if text is None:
        if _declares_awaitable(body):
            returned = (get_args(returned) or (Any,))[-1]
        if returned in (Any, object):
            return None
        return returned in (None, type(None), Never, NoReturn)
    text = text.strip("'\" ")
    if _declares_awaitable(body):
        text = _last_argument(text)
    last = text.rpartition(".")[2]
    return None if last in ("Any", "object") else last in ("None", "Never", "NoReturn")


def _last_argument(text: str) -> str:
    """Return the last type argument of the generic type *text*."""
    inner, depth, start = text.partition("[")[2].removesuffix("]"), 0, 0
    for index, character in enumerate(inner):
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            start = index + 1
    return inner[start:].strip()


def optional(annotation: object) -> object:
    """Return the annotation of a value that may be None besides."""
    if isinstance(annotation, str):
        known = "None" in (part.strip() for part in annotation.split("|"))
        return annotation if known else f"{annotation} | None"
    if annotation is None:
        return None
    from typing import Optional

    return Optional[annotation]  # noqa: UP045 - of any object, a forward reference as well
