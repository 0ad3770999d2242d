"""The arguments of a node's call as one line, for the picture of its graph."""

from __future__ import annotations

import asyncio
from types import CodeType, FunctionType, MethodType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from asflow._inspect import body_of, signature_of
from asflow._labels import call_label, clean, cut
from asflow._markers import marked
from asflow.dag._calls import is_awaitable
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._markers import Marked

_LONGEST: Final = 60

_known: WeakKeyDictionary[FunctionType, dict[bool, Marked | None]] = WeakKeyDictionary()
"""By function, bound or not: its parameters that are annotated `Secret`."""


def label_of(func: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the arguments of a call of *func*, a dependency as its name, a secret as `***`."""
    if not args and not kwargs:
        return ""
    skip = int(_is_class_method(func, args))
    try:
        secret = _marked(func)
    except DefinitionTypeError:  # an annotation that only checkers see: it may say `Secret`
        return "..."
    args, kwargs = tuple(map(_shown, args)), {name: _shown(value) for name, value in kwargs.items()}
    if secret is not None:
        args, kwargs = secret.hide(args, kwargs)
    return cut(call_label(args, kwargs, skip=skip), _LONGEST)


def _is_class_method(func: object, args: tuple[object, ...]) -> bool:
    """Return whether the first argument is the class of a class method, as from Python 3.13 on."""
    code: CodeType | None = getattr(func, "__code__", None)
    return code is not None and code.co_varnames[:1] == ("cls",) and bool(args) and isinstance(args[0], type)


def _shown(value: object) -> object:
    if not is_awaitable(value):
        return value
    if isinstance(value, asyncio.Task):
        name: object = value.get_name()
    else:
        name = getattr(value, "__name__", None) or type(value).__name__
    return SimpleNamespace(__qualname__=clean(str(name)))  # shown as a class or a function would be


def _marked(func: Callable[..., object]) -> Marked | None:
    body = body_of(func)
    bound = isinstance(func, MethodType)
    if not isinstance(body, FunctionType) or not (bound or func is body):
        return _marks_of(func)
    known = _known.setdefault(body, {})
    if bound not in known:
        known[bound] = _marks_of(func)
    return known[bound]


def _marks_of(func: Callable[..., object]) -> Marked | None:
    try:
        signature = signature_of(func)
    except (TypeError, ValueError):  # Python knows none
        return None
    return marked(func, signature, "task()")
