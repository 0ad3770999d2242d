"""What a function takes and returns, as far as its signature and its return annotation say.

A function made by `amapper` takes and returns names that its signature can't spell (a key need not be an
identifier). So it carries its `Wiring` along, which `wiring_of` looks for first.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, get_args, get_origin

from asflow._inspect import body_of, name_of, refuse_generators, unwrapped
from asflow._inspect import signature_of as plain_signature_of
from asflow._markers import marked
from asflow.dataflow._errors import DataFlowDefinitionError, DataFlowFunctionArgsError

if TYPE_CHECKING:
    from collections.abc import Callable

WIRING: Final = "__asflow_wiring__"
"""The attribute under which `amapper` leaves a function's `Wiring`."""

SECRETS: Final = "__asflow_secrets__"
"""Set by `amapper`: the keys of the parameters that are annotated `Secret`."""

MAPPED: Final = "__asflow_mapped__"
"""The attribute under which `amapper` leaves the function behind its own."""

Keys: TypeAlias = frozenset[str] | None
"""The names that a mapping may hold; None if that is not known beforehand."""

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.VAR_POSITIONAL: "a catch-all for positional arguments",
    inspect.Parameter.VAR_KEYWORD: "a catch-all for keyword arguments",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a function takes by name. `required` is False if it has a default."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a function takes, and what its result may hold."""

    parameters: tuple[Parameter, ...]
    keys: Keys


def merged(*parts: Keys) -> Keys:
    """Return the names that several mappings together may hold; unknown if one of them is."""
    found: frozenset[str] = frozenset()
    for keys in parts:
        if keys is None:
            return None
        found |= keys
    return found


def wiring_of(func: Callable[..., object], name: str) -> Wiring:
    """Return what *func* takes and returns.

    A parameter to which a partial has bound a value is not wired: it stays bound.

    Raises:
        DataFlowFunctionArgsError: a parameter is positional-only, `*args` or `**kwargs`, or Python doesn't
            know the signature (some built-ins).
        DataFlowDefinitionError: *func* is a generator function.
    """
    who = f"task {name}()"
    refuse_generators(who, DataFlowDefinitionError, "return a mapping such as {'rows': [...]}", func)
    carried = _carried(func)
    if carried is not None:
        return carried
    empty = inspect.Parameter.empty
    signature = signature_of(func, name)
    bound: typing.Container[str] = _bound_keywords(func)
    parameters = [one for one in signature.parameters.values() if one.name not in bound]
    for one in parameters:
        if one.kind in _KINDS:
            shown = one.replace(annotation=empty, default=empty)
            raise DataFlowFunctionArgsError(
                f"{who}: can only be wired by name, and {shown} is {_KINDS[one.kind]}; "
                "wrap it in a function that takes its arguments by keyword"
            )
    return Wiring(tuple(Parameter(one.name, one.default is empty) for one in parameters), _result_keys(func))


def signature_of(func: Callable[..., object], name: str) -> inspect.Signature:
    """Return the signature of *func*, without evaluating annotations."""
    try:
        return plain_signature_of(func)
    except ValueError:
        raise DataFlowFunctionArgsError(
            f"task {name}(): has parameters that Python doesn't know; wrap it in a function that names them"
        ) from None


def _bound_keywords(func: object) -> typing.Container[str]:
    """Return the names that a partial passes by itself."""
    if not isinstance(func, functools.partial):
        return ()
    return typing.cast("functools.partial[object]", func).keywords


def _carried(func: object) -> Wiring | None:
    """Return the wiring that `amapper` left on *func*, less what a partial or a method has bound already."""
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
    """Return the names that the return annotation of *func* promises, or None if it promises none."""
    target = unwrapped(body_of(func))
    if not isinstance(target, types.FunctionType):
        return None
    try:
        hint = _return_hint(target)
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and may name what exists for checkers only
        return None
    return _keys_of(hint)


def _return_hint(func: types.FunctionType) -> object:
    """Return the return annotation of *func*, evaluated if it is a string."""
    if sys.version_info >= (3, 14):
        import annotationlib

        found = annotationlib.get_annotations(func, format=annotationlib.Format.FORWARDREF)
    else:
        found = func.__annotations__
    # Only this one is evaluated: the parameters' may name what is imported under TYPE_CHECKING.
    alone = types.SimpleNamespace(__annotations__={"return": found["return"]})
    seen = inspect.getclosurevars(func).nonlocals
    hints: dict[str, object] = typing.get_type_hints(
        alone, func.__globals__, dict(seen), include_extras=False
    )
    return hints["return"]


def _keys_of(hint: Any) -> Keys:
    """Return the names that a value of type *hint* may hold."""
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


def secrets_of(func: Callable[..., object]) -> frozenset[str]:
    """Return the names of the arguments of *func* that are annotated `Secret`, and so never shown."""
    found: frozenset[str] | None = getattr(func, SECRETS, None)
    if found is not None:
        return found
    try:
        signature = plain_signature_of(func)
    except (TypeError, ValueError):
        return frozenset()
    marks = marked(func, signature, f"task {name_of(func)}()")
    return frozenset() if marks is None else marks.secret
