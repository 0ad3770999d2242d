"""`amapper`: other names for what a function takes and gives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast, final, overload

from asflow._labels import short
from asflow.dataflow._errors import ArgsMapperArgsError
from asflow.dataflow._renaming import Giving, Taking, renamed_signature
from asflow.dataflow._signatures import MAPPED, WIRING, Wiring, is_async, name_of, wiring_of

if TYPE_CHECKING:
    from types import CoroutineType

__all__ = ["amapper"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

Names: TypeAlias = tuple[str, ...] | Mapping[str, str]
"""An `output` of several names."""


@final
class _Opaque:
    """Nothing returns this: only a function that returns Any matches it."""


@overload
def amapper(func: F, input: None = None, output: None = None) -> F:
    """Return a function that does as *func* does."""


@overload
def amapper(func: Callable[..., R], input: Mapping[str, str], output: None = None) -> Callable[..., R]:
    """Return *func* with its parameters renamed: `input` is `{parameter: key}`."""


@overload
def amapper(func: Callable[P, _Opaque], input: None = None, *, output: str | Names) -> Callable[P, Any]:
    """Return *func* with its result as a mapping: `output` is a name, names, or `{new name: key}`."""


@overload
def amapper(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    func: Callable[P, Coroutine[Any, Any, R]], input: None = None, *, output: str
) -> Callable[P, CoroutineType[object, None, dict[str, R]]]:
    """Return *func* with its result under the name `output`."""


@overload
def amapper(
    func: Callable[P, Coroutine[Any, Any, tuple[T, ...] | Mapping[str, T]]],
    input: None = None,
    *,
    output: Names,
) -> Callable[P, CoroutineType[object, None, dict[str, T]]]:
    """Return *func* with the items of its tuple, or of its mapping, under new names."""


@overload
def amapper(func: Callable[P, R], input: None = None, *, output: str) -> Callable[P, dict[str, R]]:
    """Return *func* with its result under the name `output`."""


@overload
def amapper(
    func: Callable[P, tuple[T, ...] | Mapping[str, T]], input: None = None, *, output: Names
) -> Callable[P, dict[str, T]]:
    """Return *func* with the items of its tuple, or of its mapping, under new names."""


@overload
def amapper(
    func: Callable[..., _Opaque], input: Mapping[str, str], output: str | Names
) -> Callable[..., Any]:
    """Return *func* with its parameters renamed and its result as a mapping."""


@overload
def amapper(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    func: Callable[..., Coroutine[Any, Any, R]], input: Mapping[str, str], output: str
) -> Callable[..., CoroutineType[object, None, dict[str, R]]]:
    """Return *func* with its parameters renamed and its result under the name `output`."""


@overload
def amapper(
    func: Callable[..., Coroutine[Any, Any, tuple[T, ...] | Mapping[str, T]]],
    input: Mapping[str, str],
    output: Names,
) -> Callable[..., CoroutineType[object, None, dict[str, T]]]:
    """Return *func* with its parameters and the items of its result renamed."""


@overload
def amapper(func: Callable[..., R], input: Mapping[str, str], output: str) -> Callable[..., dict[str, R]]:
    """Return *func* with its parameters renamed and its result under the name `output`."""


@overload
def amapper(
    func: Callable[..., tuple[T, ...] | Mapping[str, T]], input: Mapping[str, str], output: Names
) -> Callable[..., dict[str, T]]:
    """Return *func* with its parameters and the items of its result renamed."""


def amapper(
    func: Callable[..., object],
    input: Mapping[str, str] | None = None,  # noqa: A002 - the name that its users know
    output: str | Names | None = None,
) -> Callable[..., object]:
    """Give a function other names for what it takes and gives, so that it fits into a data flow.

        amapper(read, input={"path": "source"}, output="rows")        # read(path) -> list
        amapper(split, output=("train", "test"))                      # split(rows) -> tuple of two
        amapper(stats, output={"average": "mean"})                    # stats(rows) -> {"mean": ..., ...}

    Args:
        func: any function that could be a member of a data flow, sync or async; it stays what it is.
        input: `{parameter: key}`: the parameter takes the value that stands under *key*. Other parameters
            keep their names. Two parameters may share a key.
        output: what the returned mapping holds. A string: the whole result under that name. A tuple of names:
            the items of a returned tuple or list, one name each. A mapping `{new name: key}`: those items of
            a returned mapping, and no others. None: the result as it is.

    Returns:
        A function, async where *func* is, that takes the keys as keywords (or the values by position, in
        the order of *func*'s parameters).

    Raises:
        ArgsMapperArgsError: *func* is not callable, or *input* or *output* has the wrong type; and from the
            returned function, where arguments are missing or unexpected.
        ArgsMapperInputKeyError: *input* names a parameter that *func* lacks; and from the returned function,
            where a key named in *input* is missing.
        ArgsMapperOutputKeyError: *output* is empty or names something twice; and from the returned function,
            where the result has no such key, or not as many items as there are names.
        DataFlowFunctionArgsError: *func* has positional-only parameters, `*args` or `**kwargs`.
    """
    if not callable(func):
        raise ArgsMapperArgsError(f"amapper needs a function, not {short(func)}.")
    name = name_of(func)
    inner = wiring_of(func, name)
    taking = Taking(name, inner.parameters, input)
    giving = Giving(name, output)

    mapped = (_async_form if is_async(func) else _sync_form)(func, taking, giving)
    _dress(mapped, func, Wiring(taking.outer(), giving.outer(inner.keys)), taking)
    return mapped


def _async_form(func: Callable[..., object], taking: Taking, giving: Giving) -> Callable[..., object]:
    call = cast("Callable[..., Awaitable[object]]", func)

    async def mapped(*args: object, **kwargs: object) -> object:
        return giving.rename(await call(**taking.bind(args, kwargs)))

    return mapped


def _sync_form(func: Callable[..., object], taking: Taking, giving: Giving) -> Callable[..., object]:
    def mapped(*args: object, **kwargs: object) -> object:
        result = func(**taking.bind(args, kwargs))
        return _later(result, giving) if inspect.isawaitable(result) else giving.rename(result)

    return mapped


async def _later(result: Awaitable[object], giving: Giving) -> object:
    """Rename what a plain function that returned an awaitable will give."""
    return giving.rename(await result)


def _dress(
    mapped: Callable[..., object], func: Callable[..., object], wiring: Wiring, taking: Taking
) -> None:
    """Let *mapped* look like *func*, but for the names."""
    # Not its __dict__: that may say what only *func* itself is.
    functools.update_wrapper(mapped, func, updated=())
    vars(mapped).pop("__wrapped__")  # it would show the old names, as the annotations do
    mapped.__annotations__ = {}
    mapped.__name__ = name_of(func)
    setattr(mapped, WIRING, wiring)
    setattr(mapped, MAPPED, func)
    shown = renamed_signature(func, taking.keys)
    if shown is not None:
        setattr(mapped, "__signature__", shown)  # noqa: B010 - no checker knows this attribute
