"""`Ignored` and `Secret`: annotations of parameters that take no part in an output's name."""

from __future__ import annotations

import ast
import builtins
import sys
from enum import Enum
from functools import lru_cache
from types import FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, cast

from asflow._labels import HIDDEN
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")


class Mark(Enum):
    """What is special about a parameter."""

    IGNORED = "Ignored"
    SECRET = "Secret"


Ignored: TypeAlias = Annotated[T, Mark.IGNORED]
"""A parameter `client: Ignored[httpx.AsyncClient]` takes no part in the `*` of a task's `on=`."""

Secret: TypeAlias = Annotated[T, Mark.SECRET]
"""A parameter `token: Secret[str]` takes no part in `*` either, and is shown as `***` wherever calls are."""

_DEEPEST = 20
_NAMES = frozenset(mark.value for mark in Mark)
_MISSING = object()


class Marked:
    """The parameters of one function that are annotated `Ignored` or `Secret`.

    Attributes:
        left_out: the names of both, which take no part in an output's name.
        secret: the names of the secret ones.
    """

    # By hand: a dataclass would cost every `import asflow` half a millisecond.
    __slots__ = ("_named", "_positions", "_rest", "left_out", "secret")

    def __init__(self, signature: inspect.Signature, marks: Mapping[str, set[Mark]]) -> None:
        self.left_out: frozenset[str] = frozenset(marks)
        self.secret: frozenset[str] = frozenset(name for name in marks if Mark.SECRET in marks[name])
        parameters = list(signature.parameters.values())
        by_position = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
        by_name = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")
        self._positions: tuple[str, ...] = tuple(
            each.name for each in parameters if each.kind.name in by_position
        )
        self._named: frozenset[str] = frozenset(each.name for each in parameters if each.kind.name in by_name)
        # The names of `*args` and `**kwargs`.
        self._rest: dict[str, str] = {each.kind.name: each.name for each in parameters}

    def hide(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], Mapping[str, object]]:
        """Return the arguments of a call as they may be shown: each secret one is replaced by `***`."""
        if not self.secret:
            return args, kwargs
        shown = tuple(self._shown(self._at(index), value) for index, value in enumerate(args))
        return shown, {name: self._shown(self._for(name), value) for name, value in kwargs.items()}

    def _at(self, index: int) -> str:
        """Return the parameter that takes the argument at *index*."""
        return (
            self._positions[index] if index < len(self._positions) else self._rest.get("VAR_POSITIONAL", "")
        )

    def _for(self, name: str) -> str:
        """Return the parameter that takes the keyword argument *name*."""
        return name if name in self._named else self._rest.get("VAR_KEYWORD", "")

    def _shown(self, parameter: str, value: object) -> object:
        return HIDDEN if parameter in self.secret else value


def marked(function: Callable[..., object], signature: inspect.Signature | None, who: str) -> Marked | None:
    """Return which parameters of *function* are annotated `Ignored` or `Secret`; None if none is.

    Annotations are looked into, not evaluated: names in them that only checkers see do no harm.

    Args:
        function: what is decorated.
        signature: its parameters, or None if Python does not know them.
        who: the subject of a message, as in `task extract()`.

    Raises:
        DefinitionTypeError: an annotation says `Ignored` or `Secret`, which only checkers see here.
    """
    marks: dict[str, set[Mark]] = {}
    names: Mapping[str, object] | None = None
    for parameter in () if signature is None else signature.parameters.values():
        annotation: object = parameter.annotation
        if type(annotation) is type:
            continue
        if names is None:
            names = _globals_of(function)
        try:
            found = set(_marks(annotation, names))
        except NameError as error:
            raise DefinitionTypeError(
                f"{who}: parameter {parameter.name!r} is annotated {error.name}, which only checkers see "
                f"here; import it from asflow outside of `if TYPE_CHECKING:`"
            ) from None
        if found:
            marks[parameter.name] = found
    return None if signature is None or not marks else Marked(signature, marks)


def _marks(annotation: object, names: Mapping[str, object], depth: int = 0) -> Iterator[Mark]:
    """Yield the marks at any place within *annotation*."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", None)
    if depth > _DEEPEST or type(annotation) is type:
        return
    if isinstance(text, str):
        yield from _marks_in_text(text, names, depth)
        return
    origin: object = getattr(annotation, "__origin__", None)
    if origin is Literal:
        return
    yield from (each for each in _tuple_at(annotation, "__metadata__") if isinstance(each, Mark))
    for part in _tuple_at(annotation, "__args__"):
        yield from _marks(part, names, depth + 1)
    for alias in (annotation, origin):
        if type(alias).__name__ == "TypeAliasType":  # from Python 3.12 on, and of typing_extensions
            try:
                value: object = cast("Any", alias).__value__
            except NameError:
                continue
            yield from _marks(value, names, depth + 1)


def _tuple_at(annotation: object, name: str) -> tuple[object, ...]:
    found = getattr(annotation, name, None)
    return cast("tuple[object, ...]", found) if isinstance(found, tuple) else ()


def _marks_in_text(text: str, names: Mapping[str, object], depth: int) -> Iterator[Mark]:
    for dotted in _names_in(text):
        found = _value_of(dotted, names)
        if found is _MISSING and not hasattr(builtins, dotted[0]):
            found = _local(dotted[-1])
        yield from _marks(found, names, depth + 1)


@lru_cache(maxsize=256)
def _names_in(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the dotted names in an annotation, also those in strings, but for the values of a `Literal`."""
    try:
        waiting: list[ast.AST] = [ast.parse(text.strip(), mode="eval").body]
    except (SyntaxError, ValueError):
        return ()
    found: list[tuple[str, ...]] = []
    while waiting:
        node = waiting.pop()
        dotted = _dotted(node)
        if dotted:
            found.append(dotted)
        elif isinstance(node, ast.Constant):
            found += _names_in(node.value) if isinstance(node.value, str) else ()
        elif not isinstance(node, ast.Subscript):
            waiting += ast.iter_child_nodes(node)
        elif _dotted(node.value)[-1:] != ("Literal",):
            waiting += (node.slice, node.value)
    return tuple(found)


def _dotted(node: ast.AST) -> tuple[str, ...]:
    """Return the parts of a dotted name, or nothing if *node* is something else."""
    if isinstance(node, ast.Name):
        return (node.id,)
    owner = _dotted(node.value) if isinstance(node, ast.Attribute) else ()
    return (*owner, cast("ast.Attribute", node).attr) if owner else ()


def _value_of(dotted: tuple[str, ...], names: Mapping[str, object]) -> object:
    """Return what a dotted name refers to, or `_MISSING`; nothing is imported or called."""
    value = names.get(dotted[0], _MISSING)
    for name in dotted[1:]:
        value = vars(value).get(name, _MISSING) if isinstance(value, (ModuleType, type)) else _MISSING
    return value


def _local(name: str) -> object:
    """Return what *name* refers to in the function in which this one is being decorated, or None.

    Raises:
        NameError: it is called like one of ours, and is not there.
    """
    frame: FrameType | None = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while name and frame is not None and frame.f_code.co_name != "<module>":
        if frame.f_globals.get("__name__", "").partition(".")[0] != "asflow" and name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    if name in _NAMES:
        raise NameError(f"name {name!r} is not defined", name=name)
    return None


def _globals_of(function: object) -> Mapping[str, object]:
    """Return the globals of the function inside partials, methods, wrappers and callable objects."""
    for _ in range(_DEEPEST):
        is_function = isinstance(function, FunctionType)
        names = ("__wrapped__",) if is_function else ("__func__", "func", "__wrapped__")
        inner = next((each for name in names if callable(each := getattr(function, name, None))), None)
        if inner is None:
            break
        function = inner
    if not hasattr(function, "__globals__"):
        function = getattr(function, "__call__", None)  # noqa: B004 - its code is looked at
    return cast("Mapping[str, object]", getattr(function, "__globals__", {}))
