"""What `amapper` does to the arguments and the result of one function. Pure: no function is called here."""

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


class Inputs:
    """Turns the arguments of a mapped function into those of the wrapped function.

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
                    f"{_who(name)} takes parameters of {name} in input, not {parameter!r}; "
                    f"it has {_listed(known)}, and input is {{parameter: key}}"
                )

    def mapped_parameters(self) -> tuple[Parameter, ...]:
        """Return what the mapped function takes; a key is required if one of its parameters is."""
        required: dict[str, bool] = {}
        for one in self._parameters:
            key = self.keys.get(one.name, one.name)
            required[key] = required.get(key, False) or one.required
        return tuple(Parameter(key, needed) for key, needed in required.items())

    def bind(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        """Return the keyword arguments for the wrapped function, or raise an ArgsMapperError."""
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
                self._refuse_missing(one.name, key, kwargs)
        unexpected = sorted(kwargs.keys() - used)
        if unexpected:
            self._refuse(f"got an unexpected argument {unexpected[0]!r}")
        return bound

    def _refuse_missing(self, parameter: str, key: str, kwargs: Iterable[str]) -> NoReturn:
        if parameter in self.keys:
            raise ArgsMapperInputKeyError(
                f"{_who(self._name)} takes {parameter!r} from the key {key!r}, which is missing; "
                f"there was {_listed(kwargs)}"
            )
        self._refuse(f"misses the argument {key!r}")

    def _refuse(self, what: str) -> NoReturn:
        names = _listed(one.name for one in self.mapped_parameters())
        raise ArgsMapperArgsError(f"{_who(self._name)} {what}; it takes {names}")


class Outputs:
    """Turns the result of a function into the mapping that its mapped form returns."""

    __slots__ = ("_drops", "_keys", "_mapping", "_name", "_single")

    def __init__(self, name: str, output: object) -> None:
        """Check `output=`: a name, a tuple of names or of none, a mapping from new names to keys, or None."""
        self._name = name
        self._single: str | None = None
        self._mapping: dict[str, str] | None = None
        self._keys: tuple[str, ...] = ()
        self._drops = isinstance(output, tuple) and not output
        if output is None or self._drops:
            return
        if isinstance(output, str):
            self._single, self._keys = output, (output,)
        elif isinstance(output, tuple):
            output = cast("tuple[object, ...]", output)
            self._keys = _names(name, output)
        else:
            self._mapping = _strings(name, "output", output)
            self._keys = tuple(self._mapping)
        if not self._keys or not all(self._keys):
            raise ArgsMapperOutputKeyError(
                f"{_who(name)} takes at least one name in output, and no empty one, not {short(output)}; "
                f"{_EXAMPLES['output']}, or output=() to drop the result"
            )

    def mapped_keys(self, keys: Keys) -> Keys:
        """Return the names in the mapped result, if the function's own result may hold *keys*."""
        return frozenset(self._keys) if self._keys or self._drops else keys

    def rename(self, result: object) -> object:
        """Return *result* under its new names."""
        if self._drops:
            return {}
        if self._single is not None:
            return {self._single: result}
        if self._mapping is not None:
            return self._pick(self._mapping, result)
        return self._number(result) if self._keys else result

    def _pick(self, mapping: dict[str, str], result: object) -> dict[str, object]:
        if not isinstance(result, Mapping):
            raise ArgsMapperOutputKeyError(
                f"{_who(self._name)} needs a mapping as the result, not {short(result)}; "
                "output={new name: key} takes its items"
            )
        values = cast("Mapping[object, object]", result)
        for key in mapping.values():
            if key not in values:
                raise ArgsMapperOutputKeyError(
                    f"{_who(self._name)} found no {key!r} in the result, only {_listed(map(str, values))}; "
                    "output is {new name: key in the result}"
                )
        return {new: values[key] for new, key in mapping.items()}

    def _number(self, result: object) -> dict[str, object]:
        if not isinstance(result, (tuple, list)):
            raise ArgsMapperOutputKeyError(
                f"{_who(self._name)} needs a tuple as the result, not {short(result)}; "
                f"for the whole result write output={self._keys[0]!r}"
            )
        values = cast("tuple[object, ...]", result)
        if len(values) != len(self._keys):
            raise ArgsMapperOutputKeyError(
                f"{_who(self._name)} got {len(values)} values for {len(self._keys)} names "
                f"({_listed(self._keys)}); name each of them"
            )
        return dict(zip(self._keys, values, strict=True))


def renamed_signature(func: Callable[..., object], keys: Mapping[str, str]) -> inspect.Signature | None:
    """Return the signature of *func* with its parameters renamed; None if Python can't spell it."""
    try:
        signature = signature_of(func, "it")
        parameters = [one.replace(name=keys.get(one.name, one.name)) for one in signature.parameters.values()]
        return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    except (ValueError, DataFlowFunctionArgsError):  # a key that is not an identifier, or used twice
        return None


def _strings(name: str, option: str, mapping: object) -> dict[str, str]:
    if not isinstance(mapping, Mapping):
        raise ArgsMapperArgsError(
            f"{_who(name)} takes {_ALLOWED[option]} as {option}, not {short(mapping)}; {_EXAMPLES[option]}"
        )
    checked = dict(cast("Mapping[object, object]", mapping))
    _check_strings(name, option, (*checked, *checked.values()))
    return cast("dict[str, str]", checked)


def _names(name: str, output: tuple[object, ...]) -> tuple[str, ...]:
    _check_strings(name, "output", output)
    if len(set(output)) < len(output):
        raise ArgsMapperOutputKeyError(
            f"{_who(name)} takes each name once in output, not {short(output)}; use different names"
        )
    return cast("tuple[str, ...]", output)


def _check_strings(name: str, option: str, items: tuple[object, ...]) -> None:
    for item in items:
        if not isinstance(item, str):
            raise ArgsMapperArgsError(
                f"{_who(name)} takes strings as names in {option}, not {short(item)}; {_EXAMPLES[option]}"
            )


_ALLOWED = {
    "input": "a mapping {parameter: key}",
    "output": "a name, a tuple of names or a mapping {new name: key}",
}

_EXAMPLES = {
    "input": "write for example input={'path': 'source'}",
    "output": "write for example output='rows'",
}


def _who(name: str) -> str:
    return f"DataFlow(): amapper({name})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
