"""Whether a function that is called with a task's arguments takes the task's own parameters."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from asflow._inspect import signature_of
from asflow._labels import short
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_KINDS = inspect.Parameter
_BY_POSITION = (_KINDS.POSITIONAL_ONLY, _KINDS.POSITIONAL_OR_KEYWORD)
_VARIABLE = (_KINDS.VAR_POSITIONAL, _KINDS.VAR_KEYWORD)


def check_parameters(
    option: str, function: Callable[..., object], signature: inspect.Signature, subject: str
) -> None:
    """Refuse a function that can't be called with a task's arguments, or takes one of them for another.

    It receives positional arguments by position, the others by name. It may have more parameters if they
    have defaults. A name with a leading underscore, for a parameter that it does not use, fits any.

    Args:
        option: where the function was given, as in `key`.
        function: what was given.
        signature: the task's.
        subject: what the message begins with, as in `task extract()`.

    Raises:
        DefinitionTypeError: a parameter is missing or has another name; the message names it.
    """
    try:
        own = signature_of(function)
    except (TypeError, ValueError):  # some functions that are written in C
        return
    task = list(signature.parameters.values())
    wrong = _misfit(own, task)
    if wrong is not None:
        plain = [each.replace(annotation=_KINDS.empty, default=_KINDS.empty) for each in task]
        raise DefinitionTypeError(
            f"{subject}: {option} takes a function of the task's own parameters, not {short(function)}, "
            f"which {wrong}; give it the parameters {inspect.Signature(plain)}"
        )


def _misfit(own: inspect.Signature, task: Sequence[inspect.Parameter]) -> str | None:
    """Bind the parameters of the *task* themselves to a function's *own* ones, and compare them."""
    by_position = [each for each in task if each.kind in (*_BY_POSITION, _KINDS.VAR_POSITIONAL)]
    by_name = {each.name: each for each in task if each not in by_position}
    try:
        taken = own.bind(*by_position, **by_name).arguments
    except TypeError as error:
        return _refusal(error, own, by_position)
    for name, given in _single(taken):
        parameter = own.parameters[name]
        if given.kind in _VARIABLE:
            return f"does not take {given.replace(annotation=_KINDS.empty)}"
        if parameter.kind is _KINDS.POSITIONAL_OR_KEYWORD and given.name != name and not name.startswith("_"):
            return f"has {name!r} instead of {given.name!r}"
    return None


def _single(taken: dict[str, object]) -> Iterator[tuple[str, inspect.Parameter]]:
    """Yield what was bound to a parameter that is not `*args` or `**kwargs`."""
    for name, given in taken.items():
        if isinstance(given, inspect.Parameter):
            yield name, given


def _refusal(error: TypeError, own: inspect.Signature, by_position: Sequence[inspect.Parameter]) -> str:
    slots = sum(each.kind in _BY_POSITION for each in own.parameters.values())
    *_, name = str(error).split("'")[:-1] or [""]
    if "missing" in str(error):
        return f"needs {name!r}"
    return f"does not take {name or by_position[slots].name!r}"
