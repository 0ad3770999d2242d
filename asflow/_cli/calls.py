"""From the name of an output back to the call that owns it."""

from __future__ import annotations

import inspect
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args, get_origin, get_type_hints

from asflow._naming.reading import fields_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asflow._naming.parsing import Field
    from asflow._task.definition import TaskDefinition

_KINDS = inspect.Parameter
_STARS = (_KINDS.VAR_POSITIONAL, _KINDS.VAR_KEYWORD)


class Call(NamedTuple):
    """Arguments of a call.

    Attributes:
        args: those that go by position alone.
        kwargs: the others.
        known: the names of the parameters whose values are known; the others are None.
    """

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    known: frozenset[str]

    def is_whole(self, task: TaskDefinition) -> bool:
        """Whether all arguments are known."""
        return all(p.name in self.known for p in _parameters(task))


def call_of(task: TaskDefinition, name: str) -> Call | None:
    """Return the call whose output is *name* (relative to the flow's base); None if that can't be known.

    The values of placeholders are read from the name, by the annotations of the parameters; the others are
    their defaults. It counts only if the name is made of them again.
    """
    hints = hints_of(task)
    for reading in fields_in(task.plan.namer.pattern, name):
        values = _values(reading, hints)
        call = None if values is None else call_with(task, values)
        if call is not None and _names(task, call) == name:
            return call
    return None


def call_with(task: TaskDefinition, values: Mapping[str, object]) -> Call | None:
    """Return the call with those of *values* that *task* takes; None if its name would be unknown."""
    pattern = task.plan.namer.pattern
    args: list[object] = []
    kwargs: dict[str, object] = {}
    known: set[str] = set()
    for parameter in _parameters(task):
        name = parameter.name
        value: object = None
        if name in values:
            value = values[name]
            known.add(name)
        elif parameter.default is not _KINDS.empty:
            value = parameter.default
            known.add(name)
        elif name in pattern.placeholders or pattern.keyed:
            return None
        if parameter.kind is _KINDS.POSITIONAL_ONLY:
            args.append(value)
        else:
            kwargs[name] = value
    if pattern.has_hash and not pattern.keyed:
        marked = task.spec.marked
        hashed = {p.name for p in _parameters(task)} - (set() if marked is None else marked.left_out)
        if not hashed <= known:
            return None
    return Call(tuple(args), kwargs, frozenset(known))


def values_of(task: TaskDefinition, call: Call) -> dict[str, object]:
    """Return the known arguments of *call* by name."""
    by_position = [p.name for p in _parameters(task) if p.kind is _KINDS.POSITIONAL_ONLY]
    values = {**dict(zip(by_position, call.args, strict=True)), **call.kwargs}
    return {name: value for name, value in values.items() if name in call.known}


def _parameters(task: TaskDefinition) -> list[inspect.Parameter]:
    assert task.spec.signature is not None
    return [p for p in task.spec.signature.parameters.values() if p.kind not in _STARS]


def _names(task: TaskDefinition, call: Call) -> str | None:
    try:
        return task.plan.namer.output(*call.args, **call.kwargs)
    except Exception:  # noqa: BLE001 - a wrong reading may not fit a format or a key
        return None


def hints_of(task: TaskDefinition) -> dict[str, Any]:
    function = inspect.unwrap(cast("Any", task.function))
    try:
        return get_type_hints(getattr(function, "__func__", function))
    except Exception:  # noqa: BLE001 - evaluating annotations may raise anything
        return {}


def _values(reading: Sequence[tuple[Field, str]], hints: Mapping[str, Any]) -> dict[str, object] | None:
    """Return the arguments by name; None if a text does not convert."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for field, text in reading:
        if field.name != "*":
            parts.setdefault(field.name, []).append((field.spec, text))
    values: dict[str, object] = {}
    for name, found in parts.items():
        value = next(converted(found, hints.get(name, str)), _NOTHING)
        if value is _NOTHING:
            return None
        values[name] = value
    return values


_NOTHING = object()


def converted(parts: Sequence[tuple[str, str]], kind: Any) -> Iterator[object]:
    """Yield what the text of an argument, in parts of a format each, is as a *kind*."""
    members = get_args(kind) if get_origin(kind) not in (None, list, dict, tuple, set) else ()
    for each in [member for member in members if member is not type(None)] or [kind]:
        try:
            yield _as_kind(parts, each)
        except Exception:  # noqa: BLE001 - as a converter of the user's may raise
            continue


def _as_kind(parts: Sequence[tuple[str, str]], kind: Any) -> object:
    spec, text = parts[0]
    if isinstance(kind, type) and issubclass(kind, (date, time)) and spec:
        # A date may be in several folders: `{day:%Y}/{day:%m-%d}`.
        found = datetime.strptime("\n".join(t for _, t in parts), "\n".join(s for s, _ in parts))
        if issubclass(kind, datetime):
            return found
        return found.date() if issubclass(kind, date) else found.time()
    if kind is str or kind is Any or kind is object:
        return text
    if kind is int:
        return int(text)
    if isinstance(kind, type) and issubclass(kind, Path):
        return kind(text)
    import msgspec

    return cast("object", msgspec.convert(text, cast("Any", kind), strict=False))
