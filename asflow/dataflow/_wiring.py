"""Which names reach each member, followed through a definition without running it.

The rules are those of `asflow.dataflow._execution`, with sets of names instead of values. A name counts as
present if it may be present, so that no definition is refused that could work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, assert_never

from asflow._labels import clean, cut
from asflow.dataflow._errors import DataFlowFunctionArgsError, DataFlowRunItemError
from asflow.dataflow._signatures import Keys, merged
from asflow.dataflow._tree import Function, Node, Parallel, Serial

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST = 1_000  # characters of a list of names in a message

ArgsVisibility: TypeAlias = Literal["None", "Initial", "All"]
"""What a stage sees beside the result of the stage before it."""


@dataclass(frozen=True, slots=True)
class _Names:
    """What the walk needs to know of its call. `initial` is None at definition, when no call is known."""

    visibility: ArgsVisibility
    initial: Keys


class _MissingError(Exception):
    """A required parameter that cannot be there."""

    def __init__(self, function: Function, parameter: str, there: Collection[str]) -> None:
        super().__init__()
        self.function = function
        self.parameter = parameter
        self.there = there


def check_definition(node: Node, visibility: ArgsVisibility) -> None:
    """Refuse a definition in which a parameter can't be provided by any call.

    Only functions whose return annotation is a TypedDict (or None), or that come from `amapper` with an
    `output`, say what they return; what comes after any other function can't be checked here.

    Raises:
        DataFlowFunctionArgsError: a parameter without a default is provided by nothing; an optional member
            with such a parameter could never run.
    """
    try:
        _follow(node, None, _Names(visibility, None))
    except _MissingError as error:
        text = missing(error.function.name, error.parameter, error.there, visibility, ())
        raise DataFlowFunctionArgsError(text) from None


def check_call(node: Node, visibility: ArgsVisibility, names: Collection[str]) -> None:
    """Refuse a call whose arguments leave a parameter unprovided, before anything runs.

    Args:
        node: the definition.
        visibility: its `args_visibility`.
        names: the names of the call's arguments.

    Raises:
        DataFlowRunItemError: a parameter without a default is provided by nothing.
    """
    given = frozenset(names)
    try:
        _follow(node, given, _Names(visibility, given))
    except _MissingError as error:
        text = missing(error.function.name, error.parameter, error.there, visibility, names)
        raise DataFlowRunItemError(text) from None


def missing(
    function: str,
    parameter: str,
    there: Collection[str],
    visibility: ArgsVisibility,
    initial: Collection[str],
) -> str:
    """Return the message for an argument that nothing provides.

    Args:
        function: the member's name.
        parameter: its parameter.
        there: the names that the member could see.
        visibility: the flow's `args_visibility`.
        initial: the names of the call's arguments, as far as known.
    """
    import difflib

    listed = cut(clean(", ".join(sorted(there))), _LONGEST) or "nothing"
    text = f"task {function}(): nothing provides its parameter {parameter!r}, there was {listed}"
    if parameter in initial and visibility == "None":
        return f"{text}; the call has it: with args_visibility='Initial' every stage sees its arguments"
    near = difflib.get_close_matches(parameter, there, n=1)
    if near:
        renamed = f"amapper({function}, input={{{parameter!r}: {near[0]!r}}})"
        return f"{text}; did you mean {near[0]!r}? {renamed} renames it"
    return f"{text}; return it from an earlier stage, pass it to the call, or give the parameter a default"


class _Added(NamedTuple):
    """What a node adds, and whether all of it may be passed over."""

    keys: Keys
    optional: bool


def _follow(node: Node, given: Keys, names: _Names) -> _Added:
    """Check *node*, which sees *given*, and return what it adds."""
    match node:
        case Function():
            return _follow_function(node, given, names)
        case Serial():
            return _follow_steps(node, given, names)
        case Parallel():
            parts = [_follow(member, given, names) for member in node.members]
            return _Added(merged(*[part.keys for part in parts]), all(part.optional for part in parts))
        case _:
            assert_never(node)


def _follow_function(node: Function, given: Keys, names: _Names) -> _Added:
    absent = [
        one.name for one in node.parameters if one.required and given is not None and one.name not in given
    ]
    if not absent or given is None:
        return _Added(node.keys, node.optional)
    if node.optional and names.initial is not None:  # in this call it is passed over
        return _Added(frozenset(), True)
    raise _MissingError(node, absent[0], given)


def _follow_steps(node: Serial, given: Keys, names: _Names) -> _Added:
    seen = given
    added: Keys = frozenset()
    optional = True
    for step in node.steps:
        result = _follow(step, seen, names)
        optional = optional and result.optional
        before = (seen, added)
        match names.visibility:
            case "None":
                seen = added = result.keys
            case "Initial":
                seen, added = merged(names.initial, result.keys), result.keys
            case "All":
                added = merged(added, result.keys)
                seen = merged(given, added)
            case _:
                assert_never(names.visibility)
        if result.optional:  # what was there may go on instead
            seen, added = merged(before[0], seen), merged(before[1], added)
    return _Added(added, optional)
