"""`amapper`: other names for what a function takes and returns."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast, final, overload

from asflow._inspect import is_async, name_of
from asflow._labels import short
from asflow.dataflow._errors import ArgsMapperArgsError, DataFlowError
from asflow.dataflow._renaming import Inputs, Outputs, renamed_signature
from asflow.dataflow._signatures import MAPPED, SECRETS, WIRING, Wiring, secrets_of, wiring_of

if TYPE_CHECKING:
    from types import CoroutineType

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

Names: TypeAlias = tuple[str, ...] | Mapping[str, str]
"""An `output` of several names."""


@final
class _Opaque:
    """No function returns this: only one that returns Any matches it."""


@overload
def amapper(func: F, input: None = None, output: None = None) -> F:
    """Return a function that does what *func* does."""


@overload
def amapper(func: Callable[..., R], input: Mapping[str, str], output: None = None) -> Callable[..., R]:
    """Return *func* with its parameters renamed: `input` is `{parameter: key}`."""


@overload
def amapper(func: Callable[P, _Opaque], input: None = None, *, output: str | Names) -> Callable[P, Any]:
    """Return *func* with its result as a mapping: `output` is a name, names, or `{new name: key}`."""


@overload
def amapper(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    func: Callable[P, Coroutine[Any, Any, object]], input: None = None, *, output: tuple[()]
) -> Callable[P, CoroutineType[object, None, dict[str, object]]]:
    """Return *func* with its result dropped."""


@overload
def amapper(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    func: Callable[P, object], input: None = None, *, output: tuple[()]
) -> Callable[P, dict[str, object]]:
    """Return *func* with its result dropped."""


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
    func: Callable[..., Coroutine[Any, Any, object]], input: Mapping[str, str], output: tuple[()]
) -> Callable[..., CoroutineType[object, None, dict[str, object]]]:
    """Return *func* with its parameters renamed and its result dropped."""


@overload
def amapper(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    func: Callable[..., object], input: Mapping[str, str], output: tuple[()]
) -> Callable[..., dict[str, object]]:
    """Return *func* with its parameters renamed and its result dropped."""


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
    """Give a function other names for what it takes and returns, so that it fits into a data flow.

        amapper(read, input={"path": "source"}, output="rows")        # read(path) -> list
        amapper(split, output=("train", "test"))                      # split(rows) -> tuple of two
        amapper(stats, output={"average": "mean"})                    # stats(rows) -> {"mean": ..., ...}
        amapper(upload, output=())                                    # upload(rows) -> a receipt, dropped

    Args:
        func: any function that could be a member of a data flow, sync or async; it stays what it is.
        input: `{parameter: key}`: the parameter takes the value under *key*. Other parameters
            keep their names. Two parameters may share a key.
        output: what the returned mapping holds. A string: the whole result under that name. A tuple of names:
            the items of a returned tuple or list, one name each; `()`: nothing, the result is dropped. A
            mapping `{new name: key}`: those items of a returned mapping, and no others. None: the result as
            it is.

    Returns:
        A function, async if *func* is, that takes the keys as keywords (or the values by position, in
        the order of *func*'s parameters).

    Raises:
        ArgsMapperArgsError: *func* is not callable, or *input* or *output* has the wrong type; and from the
            returned function, when arguments are missing or unexpected.
        ArgsMapperInputKeyError: *input* names a parameter that *func* lacks; and from the returned function,
            when a key named in *input* is missing.
        ArgsMapperOutputKeyError: *output* has an empty name or names something twice; and from the returned
            function, when the result has no such key, or not as many items as there are names.
        DataFlowFunctionArgsError: *func* has positional-only parameters, `*args` or `**kwargs`.
    """
    try:
        if not callable(func):
            raise ArgsMapperArgsError(
                f"DataFlow(): amapper takes a function, not {short(func)}; "
                "write for example amapper(read, output='rows')"
            )
        name = name_of(func)
        wiring = wiring_of(func, name)
        inputs, outputs = Inputs(name, wiring.parameters, input), Outputs(name, output)
    except DataFlowError as error:
        raise error.with_traceback(None) from error.__cause__  # without the frames below this one
    mapped = (_async_form if is_async(func) else _sync_form)(func, inputs, outputs)
    _imitate(mapped, func, inputs)
    setattr(mapped, WIRING, Wiring(inputs.mapped_parameters(), outputs.mapped_keys(wiring.keys)))
    setattr(mapped, MAPPED, func)
    setattr(mapped, SECRETS, frozenset(inputs.keys.get(each, each) for each in secrets_of(func)))
    return mapped


def _async_form(func: Callable[..., object], inputs: Inputs, outputs: Outputs) -> Callable[..., object]:
    call = cast("Callable[..., Awaitable[object]]", func)

    async def mapped(*args: object, **kwargs: object) -> object:
        return outputs.rename(await call(**inputs.bind(args, kwargs)))

    return mapped


def _sync_form(func: Callable[..., object], inputs: Inputs, outputs: Outputs) -> Callable[..., object]:
    def mapped(*args: object, **kwargs: object) -> object:
        result = func(**inputs.bind(args, kwargs))
        return _renamed_later(result, outputs) if inspect.isawaitable(result) else outputs.rename(result)

    return mapped


async def _renamed_later(result: Awaitable[object], outputs: Outputs) -> object:
    """Rename the result of what a plain function returned to be awaited."""
    return outputs.rename(await result)


def _imitate(mapped: Callable[..., object], func: Callable[..., object], inputs: Inputs) -> None:
    """Make *mapped* look like *func*, except for the names."""
    # Not its __dict__: that may hold what is true of *func* only.
    functools.update_wrapper(mapped, func, updated=())
    vars(mapped).pop("__wrapped__")  # it would show the old names, as the annotations do
    mapped.__annotations__ = {}
    mapped.__name__ = name_of(func)
    signature = renamed_signature(func, inputs.keys)
    if signature is not None:
        setattr(mapped, "__signature__", signature)  # noqa: B010 - checkers don't know this attribute
