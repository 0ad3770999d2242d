"""Frozen classes with slots, which checkers see as dataclasses.

They are not made by `dataclasses`, which compiles the methods of each: that would cost every `import asflow`
8 ms, and each event 2 us. An event is filled as a *draft*, of a twin class with the same slots that may be
assigned to, and becomes what it is by a change of its `__class__`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

T = TypeVar("T")

_MISSING = object()


class HasArguments(Protocol):
    """The call that an event is about."""

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line."""
        ...

    def named_arguments(self) -> dict[str, object]:
        """Return the call's arguments by parameter, the secret ones masked."""
        ...


def dataclass(*, frozen: Literal[True], slots: Literal[True], kw_only: bool = False) -> Callable[[type], Any]:
    """Do what the decorator of this name in `dataclasses` does with these options.

    A field `kind` is an attribute of the class. The fields `arguments` and `label` are computed when they are
    first read, by the call in `_call`, unless they were set; `arguments` takes no part in comparisons and
    texts.
    """
    return partial(_made, kw_only=kw_only)


def replace(instance: T, **changes: object) -> T:
    """Do as `dataclasses.replace` with an instance of a class that is made here."""
    made: _Frozen = cast("Any", instance)
    return cast("T", made.__replace__(**changes))


def _made(kind: type, *, kw_only: bool) -> Any:
    fields: dict[str, object] = {}
    defaults: dict[str, object] = {}
    for each in reversed(kind.__mro__):
        fields |= getattr(each, "__annotations__", {})
        made: dict[str, object] | None = vars(each).get("_defaults")  # of a base; without its slots
        defaults |= (
            made
            if made is not None
            else {name: value for name, value in vars(each).items() if name in fields}
        )
    namespace = {name: value for name, value in vars(kind).items() if name not in defaults}
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    # No `__getattr__` computes these two: with one, every read of any field would cost 40 ns more.
    computed = {name: made for name, made in _COMPUTED.items() if name in fields}
    slots = [_slot(name) for name in fields if name != "kind"]
    namespace |= computed | {
        "__annotations__": fields,
        "__slots__": (*slots, "_call") if computed else tuple(slots),
        "__match_args__": () if kw_only else tuple(fields),
        "_defaults": defaults,
    }
    if "kind" in defaults:
        namespace["kind"] = defaults["kind"]
    generic = (cast("type", Generic),) if Generic in kind.__bases__ else ()
    return type(kind)(kind.__name__, (_Frozen, *generic), namespace)


def _slot(field: str) -> str:
    """Return the name of the slot that holds *field*."""
    return f"_{field}" if field in _COMPUTED else field


def draft_of(kind: type) -> Any:
    """Return the class of drafts of *kind*: set its slots but the computed ones, then `__class__`."""
    namespace = {
        "__slots__": cast("Any", kind).__slots__,
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__init__": object.__init__,
    }
    return type(f"{kind.__name__}Draft", (_Frozen,), namespace)


def field_names(event: object) -> list[str]:
    """Return the names of all fields of a frozen object."""
    return list(type(event).__annotations__)


class _Signature:
    """The signature of a frozen class, built when asked for."""

    def __get__(self, instance: object, kind: type) -> object:
        from inspect import Parameter, Signature

        defaults: dict[str, object] = cast("Any", kind)._defaults
        how = Parameter.POSITIONAL_OR_KEYWORD if cast("Any", kind).__match_args__ else Parameter.KEYWORD_ONLY
        return Signature(
            [
                Parameter(name, how, default=defaults.get(name, Parameter.empty), annotation=hint)
                for name, hint in kind.__annotations__.items()
            ]
        )


class _Fields:
    """What `dataclasses.fields`, `asdict` and `replace` look at, built when asked for."""

    def __get__(self, instance: object, kind: type) -> object:
        from dataclasses import field, make_dataclass

        defaults: dict[str, Any] = cast("Any", kind)._defaults
        specs: list[Any] = [
            (
                name,
                hint,
                field(default_factory=dict)
                if isinstance(defaults[name], dict)
                else field(default=defaults[name]),
            )
            if name in defaults
            else (name, hint)
            for name, hint in kind.__annotations__.items()
        ]
        found: object = cast("Any", make_dataclass(kind.__name__, specs, kw_only=True)).__dataclass_fields__
        cast("Any", kind).__dataclass_fields__ = found
        return found


class _Frozen:
    """The base of frozen classes."""

    __slots__ = ()
    __signature__ = _Signature()
    __dataclass_fields__ = _Fields()

    if TYPE_CHECKING:
        _defaults: dict[str, object]
        _call: HasArguments
    else:
        __match_args__ = ()

    def __init__(self, *given: object, **values: object) -> None:
        kind = type(self)
        if given:
            values = _named(kind, given, values)
        for name in kind.__annotations__:
            value = values.pop(name, kind._defaults.get(name, _MISSING))
            if value is _MISSING:
                raise TypeError(f"{kind.__name__}(): is called without {name}=; it is required")
            if name != "kind":
                copied = dict(cast("dict[str, object]", value)) if name == "arguments" else value
                object.__setattr__(self, _slot(name), copied)
        if values:
            raise TypeError(
                f"{kind.__name__}(): has no field {next(iter(values))!r}; "
                f"see {kind.__module__}.{kind.__qualname__}"
            )
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields; as in `dataclasses`."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _compared(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in field_names(self) if name != "arguments"}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(tuple(self._compared().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self._compared().items())})"

    def __replace__(self, **changes: object) -> Self:
        return type(self)(**{name: getattr(self, name) for name in field_names(self)} | changes)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), **{name: getattr(self, name) for name in field_names(self)}), ()


def _named(kind: type[_Frozen], given: tuple[object, ...], values: dict[str, object]) -> dict[str, object]:
    """Return the arguments of a call by name."""
    names: tuple[str, ...] = cast("Any", kind).__match_args__
    if len(given) > len(names):
        raise TypeError(f"{kind.__name__}(): takes {len(names)} values without their names, not {len(given)}")
    named = dict(zip(names, given, strict=False))
    for name in named:
        if name in values:
            raise TypeError(f"{kind.__name__}(): is called with {name}= twice; remove one")
    return named | values


def _computed(slot: str, compute: Callable[[HasArguments], object]) -> object:
    def read(event: Any) -> object:
        try:
            return getattr(event, slot)
        except AttributeError:
            value = compute(event._call)
            object.__setattr__(event, slot, value)
            return value

    return property(read)


_COMPUTED: dict[str, object] = {
    "label": _computed("_label", lambda call: call.label),
    "arguments": _computed("_arguments", lambda call: call.named_arguments()),
}
"""The fields that are computed when they are first read, unless they were set."""
