"""What a definition means: tuples, lists, sets and stages become a tree of three kinds of node.

    Node = Function | Serial | Parallel

| in the definition | stands for |
|---|---|
| a tuple | a sequence at the top and inside something concurrent; concurrent members inside a sequence |
| a list | a sequence, wherever it stands |
| a set, a frozenset | concurrent members, wherever it stands; taken in the order of their names |
| `stage(a) | b` | a sequence, wherever it stands |
| anything callable | a member, wired by the names of its parameters |

Nothing here runs a member. The tree is frozen: changing a list after the definition changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from asflow._labels import short
from asflow.dataflow._dispatch import Dispatcher
from asflow.dataflow._errors import (
    DataFlowDefinitionError,
    DataFlowEmptyError,
    DataFlowFunctionArgsError,
    DataFlowNotCallableError,
    DataFlowNotTupleError,
)
from asflow.dataflow._members import ListLike, Member
from asflow.dataflow._signatures import Keys, Parameter, is_async, name_of, wiring_of

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "Definition",
    "Function",
    "Group",
    "Node",
    "Parallel",
    "Serial",
    "Stage",
    "parse",
    "stage",
]


@dataclass(frozen=True, slots=True)
class Function:
    """One member, as the runner needs it.

    Attributes:
        name: what messages and drawings call it.
        call: the user's function; called by keyword only.
        on_loop: True for an async function, False for one that goes to a thread.
        parameters: what it takes, by name.
        keys: what its result may hold, where its annotation tells, else None.
    """

    name: str
    call: Callable[..., object]
    on_loop: bool
    parameters: tuple[Parameter, ...]
    keys: Keys


@dataclass(frozen=True, slots=True)
class Serial:
    """Steps that run one after the other; never empty."""

    steps: tuple[Node, ...]

    @property
    def name(self) -> str:
        """All the steps, as a list is written."""
        return f"[{', '.join(step.name for step in self.steps)}]"


@dataclass(frozen=True, slots=True)
class Parallel:
    """Members that run at the same time; never empty."""

    members: tuple[Node, ...]

    @property
    def name(self) -> str:
        """All the members, as a set is written."""
        return f"{{{', '.join(member.name for member in self.members)}}}"


Node: TypeAlias = Function | Serial | Parallel
"""A part of a definition that has been read."""


class Stage:
    """A sequence under construction: `stage(get) | transform | (save, log)`.

    The right-hand side of `|` becomes the next step, as it would in a tuple: a tuple or set of functions is a
    concurrent step. The left-hand side may also be a plain function, tuple, list or set, as long as one
    operand is a stage. Stages never change: `|` makes a new one.
    """

    __slots__ = ("steps",)

    steps: tuple[Definition, ...]

    def __init__(self, *steps: Definition) -> None:
        """Take the steps in order; `stage` is the public way to make one."""
        self.steps = steps

    def __or__(self, other: Definition) -> Stage:
        """Add *other* as the last step."""
        return Stage(*self.steps, *_steps(other))

    def __ror__(self, other: Definition) -> Stage:
        """Add *other* as the first step."""
        return Stage(*_steps(other), *self.steps)

    def __repr__(self) -> str:
        return f"<stage {_parse_steps(self.steps, 'stage', ()).name}>"


Group: TypeAlias = Stage | tuple["Definition", ...] | ListLike["Definition"] | AbstractSet["Definition"]
"""What a data flow is made of: a tuple, list, set or `stage` of members and further groups."""

Definition: TypeAlias = Member | Group
"""A member, or a group of them however nested."""


def stage(*members: Definition) -> Stage:
    """Begin a sequence that is built with `|`, as in `stage(get) | transform | (save, log)`.

    Args:
        members: the first step: one function or group, or several that run at the same time. At least one.

    Returns:
        A stage, to be continued with `|`, given to `DataFlow`, or used as a part of another definition,
        where it is a sequence.

    Raises:
        DataFlowEmptyError: there are no members.
        DataFlowNotCallableError: a member is neither callable nor a group.
    """
    if not members:
        raise DataFlowEmptyError("stage() has no members; give it at least one function.")
    return Stage(*_steps(members[0] if len(members) == 1 else members))


def parse(definition: object) -> Serial | Parallel:
    """Read a whole definition.

    Args:
        definition: what the user gave to `DataFlow`.

    Raises:
        DataFlowNotTupleError: it is no tuple, list, set or stage.
        DataFlowEmptyError: it, or a group in it, is empty.
        DataFlowNotCallableError: a member is neither callable nor a group.
        DataFlowFunctionArgsError: a member has parameters that can't be passed by keyword.
        DataFlowDefinitionError: a list contains itself, or a member is a generator function.
    """
    if not isinstance(definition, (tuple, list, set, frozenset, Stage)):
        raise DataFlowNotTupleError(
            f"A data flow is a tuple, list, set or stage of functions, not {short(definition)}. "
            "A single function goes into a tuple: (function,)."
        )
    node = _parse(cast("object", definition), "definition", (), concurrent=False)
    assert not isinstance(node, Function)  # a container makes a Serial or a Parallel
    return node


def _steps(other: Definition) -> tuple[Definition, ...]:
    """Check an operand of `|` where it stands, and return the steps that it adds."""
    if isinstance(other, Stage):
        return other.steps
    _parse(other, "stage", (), concurrent=True)
    return (other,)


def _parse(item: object, where: str, above: tuple[int, ...], *, concurrent: bool) -> Node:
    """Read *item*, which stands at *where*; *concurrent* is what a tuple there means."""
    if id(item) in above:
        raise DataFlowDefinitionError(f"{where} contains itself; a definition must come to an end.")
    if isinstance(item, Stage):
        return _parse_steps(item.steps, where, above)
    if not isinstance(item, (tuple, list, set, frozenset)):
        return _function(item, where)
    group = cast("Collection[object]", item)
    items = tuple(group)
    above = (*above, id(group))
    if not items:
        raise DataFlowEmptyError(
            f"{where} is an empty {type(group).__name__}; put at least one function into it."
        )
    if isinstance(item, (set, frozenset)):
        inside = f"a member of the set {where}"
        members = [_parse(member, inside, above, concurrent=False) for member in items]
        return Parallel(tuple(sorted(members, key=_order)))
    if concurrent and isinstance(item, tuple):
        places = enumerate(items)
        return Parallel(
            tuple(_parse(member, f"{where}[{index}]", above, concurrent=False) for index, member in places)
        )
    return _parse_steps(items, where, above)


def _parse_steps(items: tuple[object, ...], where: str, above: tuple[int, ...]) -> Serial:
    steps = enumerate(items)
    return Serial(tuple(_parse(step, f"{where}[{index}]", above, concurrent=True) for index, step in steps))


def _order(node: Node) -> tuple[object, ...]:
    """A sort key by name; equal names go by where the function was written."""
    if isinstance(node, Function):
        code = getattr(node.call, "__code__", None)
        place = (getattr(node.call, "__module__", None), getattr(node.call, "__qualname__", None))
        return (node.name, *map(str, place), getattr(code, "co_firstlineno", 0))
    return (node.name.strip("[]{}"), "", "", 0)


def _function(item: object, where: str) -> Function:
    """Read a member that is no group."""
    if not callable(item):
        raise DataFlowNotCallableError(f"{where} is {short(item)}, which is not callable. {_advice(item)}")
    name = name_of(item)
    if isinstance(item, Dispatcher):
        raise DataFlowFunctionArgsError(
            f"{where} is {name}, an fdispatch name; choose a function: {name}('key')."
        )
    wiring = wiring_of(item, name)
    return Function(name, item, is_async(item), wiring.parameters, wiring.keys)


def _advice(item: object) -> str:
    """What the user probably meant."""
    if isinstance(item, str):
        return "Put the function itself there, not its name."
    if isinstance(item, Coroutine):
        item.close()  # nobody can await it any more, and Python would warn about that
        return "Put the function there without calling it."
    return "A member is a function, or a tuple, list, set or stage of functions."
