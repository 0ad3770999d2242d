"""What a definition means: tuples, lists, sets and stages become a tree of three kinds of node.

    Node = Function | Serial | Parallel

| in the definition | means |
|---|---|
| a tuple | a sequence at the top and inside something concurrent; concurrent members inside a sequence |
| a list | a sequence, everywhere |
| a set, a frozenset | concurrent members, everywhere; taken in the order of their names |
| `stage(a) | b` | a sequence, everywhere |
| anything callable | a member, wired by the names of its parameters |
| `optional(member)` | a member that is passed over if an argument is missing |

No member runs here. The tree is frozen: changing a list after the definition changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from asflow._inspect import is_async, name_of
from asflow._labels import short
from asflow._names import Sealed, create
from asflow.dataflow._dispatch import Dispatcher
from asflow.dataflow._errors import (
    DataFlowDefinitionError,
    DataFlowEmptyError,
    DataFlowFunctionArgsError,
    DataFlowNotCallableError,
    DataFlowNotTupleError,
)
from asflow.dataflow._members import ListLike, Member
from asflow.dataflow._optional import is_optional
from asflow.dataflow._signatures import Keys, Parameter, wiring_of

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Function:
    """One member, as the runner needs it.

    Attributes:
        name: what messages and drawings call it.
        call: the user's function; called by keyword only.
        on_loop: True for an async function, False for one that goes to a thread.
        parameters: what it takes, by name.
        keys: what its result may hold, if its annotation says so, else None.
        optional: whether it is passed over if an argument is missing.
    """

    name: str
    call: Callable[..., object]
    on_loop: bool
    parameters: tuple[Parameter, ...]
    keys: Keys
    optional: bool = False

    @property
    def shown(self) -> str:
        """The name, as a definition is written."""
        return f"optional({self.name})" if self.optional else self.name


@dataclass(frozen=True, slots=True)
class Serial:
    """Steps that run one after the other; never empty."""

    steps: tuple[Node, ...]

    @property
    def name(self) -> str:
        """All the steps, as a list is written."""
        return f"[{', '.join(step.shown for step in self.steps)}]"

    shown = name


@dataclass(frozen=True, slots=True)
class Parallel:
    """Members that run at the same time; never empty."""

    members: tuple[Node, ...]

    @property
    def name(self) -> str:
        """All the members, as a set is written."""
        return f"{{{', '.join(member.shown for member in self.members)}}}"

    shown = name


Node: TypeAlias = Function | Serial | Parallel
"""A part of a definition that has been read."""


class Stage(metaclass=Sealed):
    """A sequence under construction: `stage(get) | transform | (save, log)`.

    The right-hand side of `|` becomes the next step, as it would in a tuple: a tuple or set of functions is a
    concurrent step. The left-hand side may also be a plain function, tuple, list or set, as long as one
    operand is a stage. Stages never change: `|` makes a new one.
    """

    __slots__ = ("steps",)

    _made_by = "use stage(...)"

    steps: tuple[Definition, ...]

    def __init__(self, *steps: Definition) -> None:
        self.steps = steps

    def __or__(self, other: Definition) -> Stage:
        """Add *other* as the last step."""
        return create(Stage, *self.steps, *_steps(other))

    def __ror__(self, other: Definition) -> Stage:
        """Add *other* as the first step."""
        return create(Stage, *_steps(other), *self.steps)

    def __repr__(self) -> str:
        return f"<stage {_parse_steps(self.steps, 'stage', ()).name}>"


Group: TypeAlias = Stage | tuple["Definition", ...] | ListLike["Definition"] | AbstractSet["Definition"]
"""What a data flow is made of: a tuple, list, set or `stage` of members and further groups."""

Definition: TypeAlias = Member | Group
"""A member, or a group of them, nested to any depth."""


def stage(*members: Definition) -> Stage:
    """Begin a sequence that is built with `|`, as in `stage(get) | transform | (save, log)`.

    Args:
        members: the first step: one function or group, or several that run at the same time. At least one.

    Returns:
        A stage, to be continued with `|`, passed to `DataFlow`, or used as a part of another definition,
        in which it is a sequence.

    Raises:
        DataFlowEmptyError: there are no members.
        DataFlowNotCallableError: a member is neither callable nor a group.
    """
    if not members:
        raise DataFlowEmptyError("DataFlow(): stage takes at least one member; write for example stage(get)")
    return create(Stage, *_steps(members[0] if len(members) == 1 else members))


def parse(definition: object) -> Serial | Parallel:
    """Read a whole definition.

    Args:
        definition: what the user passed to `DataFlow`.

    Raises:
        DataFlowNotTupleError: it is not a tuple, list, set or stage.
        DataFlowEmptyError: it, or a group in it, is empty.
        DataFlowNotCallableError: a member is neither callable nor a group.
        DataFlowFunctionArgsError: a member has parameters that can't be passed by keyword.
        DataFlowDefinitionError: a list contains itself, or a member is a generator function.
    """
    if not isinstance(definition, (tuple, list, set, frozenset, Stage)):
        raise DataFlowNotTupleError(
            f"DataFlow(): takes a tuple, list, set or stage of functions, not {short(definition)}; "
            "put a single function into a tuple: (function,)"
        )
    node = _parse(cast("object", definition), "definition", (), concurrent=False)
    assert not isinstance(node, Function)  # a container makes a Serial or a Parallel
    return node


def _steps(other: Definition) -> tuple[Definition, ...]:
    """Check a member of `stage` or an operand of `|`, and return the steps that it adds."""
    if isinstance(other, Stage):
        return other.steps
    try:
        _parse(other, "stage", (), concurrent=True)
    except DataFlowDefinitionError as error:
        raise error.with_traceback(None) from error.__cause__  # without the frames below this one
    return (other,)


def _parse(item: object, where: str, above: tuple[int, ...], *, concurrent: bool) -> Node:
    """Read *item* at the place *where*; *concurrent* is what a tuple there means."""
    if id(item) in above:
        raise DataFlowDefinitionError(f"DataFlow(): {where} contains itself; take it out")
    if isinstance(item, Stage):
        return _parse_steps(item.steps, where, above)
    if not isinstance(item, (tuple, list, set, frozenset)):
        return _function(item, where)
    group = cast("Collection[object]", item)
    items = tuple(group)
    above = (*above, id(group))
    if not items:
        raise DataFlowEmptyError(
            f"DataFlow(): {where} is an empty {type(group).__name__}; put at least one function into it"
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
    """Return a sort key: the name, and for equal names where the function is defined."""
    if isinstance(node, Function):
        code = getattr(node.call, "__code__", None)
        place = (getattr(node.call, "__module__", None), getattr(node.call, "__qualname__", None))
        return (node.name, *map(str, place), getattr(code, "co_firstlineno", 0))
    return (node.name.strip("[]{}"), "", "", 0)


def _function(item: object, where: str) -> Function:
    """Read a member that is not a group."""
    if not callable(item):
        advice = _advice(item)
        raise DataFlowNotCallableError(f"DataFlow(): {where} takes a function, not {short(item)}; {advice}")
    name = name_of(item)
    if isinstance(item, Dispatcher):
        raise DataFlowFunctionArgsError(
            f"DataFlow(): {where} takes a function, not the fdispatch name {name}; choose one: {name}('key')"
        )
    wiring = wiring_of(item, name)
    return Function(name, item, is_async(item), wiring.parameters, wiring.keys, is_optional(item))


def _advice(item: object) -> str:
    """Return what the user probably meant."""
    if isinstance(item, str):
        return "put the function itself there, not its name"
    if isinstance(item, Coroutine):
        item.close()  # it can't be awaited any more, and Python would warn about that
        return "put the function there without calling it"
    return "a member is a function, or a tuple, list, set or stage of functions"
