"""What a function takes and gives, as far as its signature and its return annotation tell.

A function made by `amapper` takes and gives other names than its own signature could spell (a key may be
no identifier), so it carries its `Wiring` along, and `wiring_of` believes that first.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, get_args, get_origin

from asflow._inspect import signature_of as plain_signature_of
from asflow.dataflow._errors import DataFlowDefinitionError, DataFlowFunctionArgsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAPPED",
    "WIRING",
    "Keys",
    "Parameter",
    "Wiring",
    "is_async",
    "merged",
    "name_of",
    "signature_of",
    "wiring_of",
]

WIRING: Final = "__asflow_wiring__"
"""The attribute under which `amapper` leaves a function's `Wiring`."""

MAPPED: Final = "__asflow_mapped__"
"""The attribute under which `amapper` leaves the function behind its own."""

Keys: TypeAlias = frozenset[str] | None
"""The names that a mapping may hold; None where that is not known before it is there."""

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.VAR_POSITIONAL: "a catch-all for positional arguments",
    inspect.Parameter.VAR_KEYWORD: "a catch-all for keyword arguments",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a function takes by name. `required` is False where it has a default."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a function takes, and what its result may hold."""

    parameters: tuple[Parameter, ...]
    keys: Keys


def merged(*parts: Keys) -> Keys:
    """Return the names that several mappings together may hold; unknown where one of them is."""
    found: frozenset[str] = frozenset()
    for keys in parts:
        if keys is None:
            return None
        found |= keys
    return found


def name_of(func: object) -> str:
    """Return what to call *func* in messages: its own name, a partial's function, an object's class."""
    while isinstance(func, functools.partial):
        func = typing.cast("functools.partial[object]", func).func
    name = getattr(func, "__name__", None)
    return name if isinstance(name, str) else type(func).__name__


def is_async(func: Callable[..., object]) -> bool:
    """Tell whether *func*, a partial of it, or its `__call__`, is an `async def`, or is marked as one."""
    # Before Python 3.12 only asyncio knew a mark for other callables; inspect knows the later one.
    if sys.version_info < (3, 12) and asyncio.iscoroutinefunction(func):  # pyright: ignore[reportDeprecated]
        return True
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(_called(func))


def wiring_of(func: Callable[..., object], name: str) -> Wiring:
    """Read what *func* takes and gives.

    A parameter to which a partial has bound a value is not wired: it stays bound.

    Raises:
        DataFlowFunctionArgsError: a parameter is positional-only, `*args` or `**kwargs`, or Python can't tell
            the signature (some built-ins).
        DataFlowDefinitionError: *func* is a generator function.
    """
    target = _called(func)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise DataFlowDefinitionError(
            f"{name} is a generator function; a member returns a mapping or None: return {{'rows': [...]}}."
        )
    carried = _carried(func)
    if carried is not None:
        return carried
    signature = signature_of(func, name)
    bound: typing.Container[str] = _bound_keywords(func)
    parameters = [one for one in signature.parameters.values() if one.name not in bound]
    for one in parameters:
        if one.kind in _KINDS:
            raise DataFlowFunctionArgsError(
                f"Parameter {one} of {name} is {_KINDS[one.kind]}, so nothing can be wired to it by name; "
                "wrap the function in one that takes its arguments by keyword."
            )
    empty = inspect.Parameter.empty
    return Wiring(tuple(Parameter(one.name, one.default is empty) for one in parameters), _result_keys(func))


def signature_of(func: Callable[..., object], name: str) -> inspect.Signature:
    """The signature of *func*, without evaluating annotations."""
    try:
        return plain_signature_of(func)
    except ValueError:
        raise DataFlowFunctionArgsError(
            f"Python can't tell the parameters of {name}; wrap it in a function that names them."
        ) from None


def _bound_keywords(func: object) -> typing.Container[str]:
    """The names that a partial passes by itself."""
    if not isinstance(func, functools.partial):
        return ()
    return typing.cast("functools.partial[object]", func).keywords


def _called(func: object) -> object:
    """The function whose code runs when *func* is called: partials, methods and callable objects opened."""
    while isinstance(func, functools.partial):
        func = typing.cast("functools.partial[object]", func).func
    if inspect.isroutine(func) or isinstance(func, type):
        return func
    return getattr(type(func), "__call__", func)  # noqa: B004 - the method itself is wanted, not a yes or no


def _carried(func: object) -> Wiring | None:
    """The wiring that `amapper` left on *func*, less what a partial or a method has bound already."""
    if isinstance(func, functools.partial):
        partial = typing.cast("functools.partial[object]", func)
        inner = _carried(partial.func)
        if inner is None:
            return None
        rest = inner.parameters[len(partial.args) :]
        return Wiring(tuple(one for one in rest if one.name not in partial.keywords), inner.keys)
    if inspect.ismethod(func):
        inner = _carried(func.__func__)
        return None if inner is None else Wiring(inner.parameters[1:], inner.keys)
    found = getattr(func, WIRING, None)
    return found if isinstance(found, Wiring) else None


def _result_keys(func: object) -> Keys:
    """The names that the return annotation of *func* promises, or None where it promises none."""
    target = inspect.unwrap(
        typing.cast("Callable[..., object]", getattr(_called(func), "__func__", _called(func)))
    )
    if not isinstance(target, types.FunctionType):
        return None
    try:
        hint = _return_hint(target)
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and may name what exists for checkers only
        return None
    return _keys_of(hint)


def _return_hint(func: types.FunctionType) -> object:
    """The return annotation of *func*, evaluated where it is a string."""
    if sys.version_info >= (3, 14):
        import annotationlib

        found = annotationlib.get_annotations(func, format=annotationlib.Format.FORWARDREF)
    else:
        found = func.__annotations__
    # Only this one is evaluated: the parameters' may well stand under TYPE_CHECKING.
    alone = types.SimpleNamespace(__annotations__={"return": found["return"]})
    seen = inspect.getclosurevars(func).nonlocals
    hints: dict[str, object] = typing.get_type_hints(
        alone, func.__globals__, dict(seen), include_extras=False
    )
    return hints["return"]


def _keys_of(hint: Any) -> Keys:
    """The names that a value of type *hint* may hold."""
    origin = get_origin(hint)
    if hint is type(None):
        return frozenset()
    if origin is Annotated:
        return _keys_of(get_args(hint)[0])
    if origin is typing.Union or origin is types.UnionType:
        return merged(*(_keys_of(part) for part in get_args(hint)))
    kind: object = origin or hint
    # `typing.is_typeddict` doesn't know those of typing_extensions on older Pythons.
    if not isinstance(kind, type) or dict not in kind.__mro__ or not hasattr(kind, "__required_keys__"):
        return None
    typed = typing.cast("Any", kind)
    return frozenset(typed.__required_keys__ | typed.__optional_keys__)
