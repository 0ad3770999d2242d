"""A function with one task's parameters that calls another task's with the arguments of the same names."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, TypeVar, cast

from asflow._naming.namer import compile_function, head

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

T = TypeVar("T")

_KINDS = inspect.Parameter
_STARS: dict[object, str] = {_KINDS.VAR_POSITIONAL: "*", _KINDS.VAR_KEYWORD: "**"}


def compile_call(
    function: Callable[..., str],
    theirs: inspect.Signature,
    ours: inspect.Signature,
    *,
    unused: Collection[str],
    fixed: Collection[str] = (),
    task: str,
) -> Callable[..., str] | str:
    """Return a function of the parameters *ours* that calls *function*, whose parameters are *theirs*.

    Args:
        function: what is called.
        theirs: its parameters. One that *ours* lacks keeps its default.
        ours: the parameters of the function that is returned.
        unused: those of *theirs* that don't matter, and may be None.
        fixed: those that *function* has bound already, by keyword.
        task: the qualified name of the task, for the function's own.

    Returns:
        The function, or the name of a parameter that *ours* lacks.
    """
    parameters = list(ours.parameters.values())
    mark = _mark_for(parameters)
    passed: list[str] = []
    for parameter in theirs.parameters.values():
        name, kind = parameter.name, parameter.kind
        if name in fixed:
            continue
        own = ours.parameters.get(name)
        if kind in _STARS:
            if own is not None and own.kind is kind:
                passed.append(f"{_STARS[kind]}{name}")
            continue
        value = name
        if own is None or own.kind in _STARS:
            if parameter.default is not _KINDS.empty and kind is not _KINDS.POSITIONAL_ONLY:
                continue
            if parameter.default is _KINDS.empty and name not in unused:
                return name
            value = "None"
        passed.append(value if kind is _KINDS.POSITIONAL_ONLY else f"{name}={value}")
    source = f"def {mark}name({head(parameters)}):\n    return {mark}call({', '.join(passed)})\n"
    return compile_function(source, f"{mark}name", {f"{mark}call": function}, parameters, task)


def compile_passing(function: Callable[..., T], ours: inspect.Signature, *, task: str) -> Callable[..., T]:
    """Return a function of the parameters *ours* that passes all its arguments, and defaults, to *function*.

    Args:
        function: what is called; it takes the same parameters.
        ours: the parameters of the function that is returned.
        task: the qualified name of the task, for the function's own.
    """
    parameters = list(ours.parameters.values())
    mark = _mark_for(parameters)
    named = {each.name: f"{each.name}=" for each in parameters if each.kind is _KINDS.KEYWORD_ONLY}
    passed = [f"{named.get(each.name, '')}{_STARS.get(each.kind, '')}{each.name}" for each in parameters]
    source = f"def {mark}pass({head(parameters)}):\n    return {mark}call({', '.join(passed)})\n"
    compiled = compile_function(source, f"{mark}pass", {f"{mark}call": function}, parameters, task)
    return cast("Callable[..., T]", compiled)


def _mark_for(parameters: Iterable[inspect.Parameter]) -> str:
    """Return the start of names that none of the *parameters* has."""
    mark = "_asflow_"
    while any(parameter.name.startswith(mark) for parameter in parameters):
        mark += "_"
    return mark
