"""What `amapper` does to the arguments and the result of one function: pure, nothing is called here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn, cast

from asflow._labels import short
from asflow.dataflow._errors import (
    ArgsMapperArgsError,
    ArgsMapperInputKeyError,
    ArgsMapperOutputKeyError,
    DataFlowFunctionArgsError,
)
from asflow.dataflow._signatures import Keys, Parameter, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Giving", "Taking", "renamed_signature"]


class Taking:
    """Turns the arguments of a mapped function into those of the function behind it.

    Attributes:
        keys: the key under which each renamed parameter finds its value.
    """

    __slots__ = ("_name", "_parameters", "keys")

    keys: dict[str, str]

    def __init__(self, name: str, parameters: tuple[Parameter, ...], mapping: object) -> None:
        """Check `input=`: a mapping from parameters of the function called *name* to keys, or None."""
        self._name = name
        self._parameters = parameters
        self.keys = {} if mapping is None else _strings(name, "input", mapping)
        known = [one.name for one in parameters]
        for parameter in self.keys:
            if parameter not in known:
                raise ArgsMapperInputKeyError(
                    f"amapper({name}, input=...) names {parameter!r}, which is no parameter of {name}; "
                    f"it has: {_listed(known)}. The mapping is {{parameter: key}}."
                )

    def outer(self) -> tuple[Parameter, ...]:
        """Return what the mapped function takes; a key is required where one of its parameters is."""
        required: dict[str, bool] = {}
        for one in self._parameters:
            key = self.keys.get(one.name, one.name)
            required[key] = required.get(key, False) or one.required
        return tuple(Parameter(key, needed) for key, needed in required.items())

    def bind(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        """Return the keyword arguments for the function behind, or raise an ArgsMapperError."""
        if len(args) > len(self._parameters):
            self._refuse(f"takes {len(self._parameters)} arguments, not {len(args)}")
        bound = dict(zip((one.name for one in self._parameters), args, strict=False))
        used: set[str] = set()
        for one in self._parameters:
            key = self.keys.get(one.name, one.name)
            if key in kwargs:
                if one.name in bound:
                    self._refuse(f"got {key!r} by position and by keyword")
                bound[one.name] = kwargs[key]
                used.add(key)
            elif one.required and one.name not in bound:
                self._miss(one.name, key, kwargs)
        unexpected = sorted(kwargs.keys() - used)
        if unexpected:
            self._refuse(f"got an unexpected argument {unexpected[0]!r}")
        return bound

    def _miss(self, parameter: str, key: str, kwargs: Iterable[str]) -> NoReturn:
        if parameter in self.keys:
            raise ArgsMapperInputKeyError(
                f"{self._name} takes {parameter!r} from the key {key!r}, which is missing. "
                f"What was there: {_listed(kwargs)}."
            )
        self._refuse(f"misses the argument {key!r}")

    def _refuse(self, what: str) -> NoReturn:
        raise ArgsMapperArgsError(
            f"{self._name}, mapped, {what}; it takes: {_listed(one.name for one in self.outer())}."
        )


class Giving:
    """Turns the result of a function into the mapping that its mapped form returns."""

    __slots__ = ("_keys", "_mapping", "_name", "_single")

    def __init__(self, name: str, output: object) -> None:
        """Check `output=`: a name, a tuple of names, a mapping from new names to keys, or None."""
        self._name = name
        self._single: str | None = None
        self._mapping: dict[str, str] | None = None
        self._keys: tuple[str, ...] = ()
        if output is None:
            return
        if isinstance(output, str):
            self._single, self._keys = output, (output,)
        elif isinstance(output, tuple):
            self._keys = _names(name, cast("tuple[object, ...]", output))
        else:
            self._mapping = _strings(name, "output", output)
            self._keys = tuple(self._mapping)
        if not self._keys or not all(self._keys):
            raise ArgsMapperOutputKeyError(f"amapper({name}, output=...) has an empty name, or none at all.")

    def outer(self, inner: Keys) -> Keys:
        """Return the names in the mapped result, where the function's own result may hold *inner*."""
        return frozenset(self._keys) if self._keys else inner

    def rename(self, result: object) -> object:
        """Return *result* under its new names."""
        if self._single is not None:
            return {self._single: result}
        if self._mapping is not None:
            return self._pick(self._mapping, result)
        return self._number(result) if self._keys else result

    def _pick(self, mapping: dict[str, str], result: object) -> dict[str, object]:
        if not isinstance(result, Mapping):
            raise ArgsMapperOutputKeyError(
                f"{self._name} returned {short(result)}; output={{new name: key}} needs a mapping."
            )
        values = cast("Mapping[object, object]", result)
        for key in mapping.values():
            if key not in values:
                raise ArgsMapperOutputKeyError(
                    f"{self._name} returned no {key!r}. What was there: {_listed(map(str, values))}. "
                    "output= is {new name: key in the result}."
                )
        return {new: values[key] for new, key in mapping.items()}

    def _number(self, result: object) -> dict[str, object]:
        if not isinstance(result, (tuple, list)):
            raise ArgsMapperOutputKeyError(
                f"{self._name} returned {short(result)}; a tuple of names needs a tuple of values."
            )
        values = cast("tuple[object, ...]", result)
        if len(values) != len(self._keys):
            raise ArgsMapperOutputKeyError(
                f"{self._name} returned {len(values)} values for {len(self._keys)} names "
                f"({_listed(self._keys)}). Name each of them."
            )
        return dict(zip(self._keys, values, strict=True))


def renamed_signature(func: Callable[..., object], keys: Mapping[str, str]) -> inspect.Signature | None:
    """Return the signature of *func* with its parameters renamed; None where Python can't spell it."""
    try:
        signature = signature_of(func, "it")
        parameters = [one.replace(name=keys.get(one.name, one.name)) for one in signature.parameters.values()]
        return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    except (ValueError, DataFlowFunctionArgsError):  # a key that is no identifier, or stands twice
        return None


def _strings(name: str, option: str, mapping: object) -> dict[str, str]:
    if not isinstance(mapping, Mapping):
        raise ArgsMapperArgsError(
            f"amapper({name}, {option}=...) can't use {short(mapping)}: {_ALLOWED[option]}."
        )
    checked = dict(cast("Mapping[object, object]", mapping))
    for item in (*checked, *checked.values()):
        if not isinstance(item, str):
            raise ArgsMapperArgsError(
                f"amapper({name}, {option}=...) holds {short(item)}; names are strings."
            )
    return cast("dict[str, str]", checked)


def _names(name: str, output: tuple[object, ...]) -> tuple[str, ...]:
    for item in output:
        if not isinstance(item, str):
            raise ArgsMapperArgsError(f"amapper({name}, output=...) holds {short(item)}; names are strings.")
    if len(set(output)) < len(output):
        raise ArgsMapperOutputKeyError(f"amapper({name}, output={short(output)}) has a name twice.")
    return cast("tuple[str, ...]", output)


_ALLOWED = {
    "input": "give a mapping {parameter: key}",
    "output": "give a name, a tuple of names, or a mapping {new name: key in the result}",
}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
