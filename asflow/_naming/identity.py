"""The identity of a call: the hash that replaces `*` in an output's name.

A file format: the hashes become the names of users' files, so they never change. Golden vectors in the
tests pin them.

The hash is the lower-case hex of BLAKE2b with a digest of 16 bytes (RFC 7693; no key, salt or
personalisation) over the ASCII bytes `asflow1:` and then the encoding of the pair (`__qualname__` of the
task, dict of all its arguments by parameter name). Defaults are applied by the caller; `*args` is a tuple
and `**kwargs` a dict, each under its parameter's name.

Each value is encoded as a tag of one byte and a payload. Numbers in the table are decimal ASCII digits;
`text` is the form with tag `s`; `...` is a sequence of encoded values.

    None                    n
    bool                    T or F
    int                     i HEX ;             lower-case hex, after a `-` if negative
    float                   f and 8 bytes       IEEE 754 binary64, big-endian; every NaN is 7ff8000000000000
    str                     s LENGTH : BYTES    UTF-8 with surrogatepass; LENGTH counts bytes
    bytes                   b LENGTH : BYTES
    tuple                   t COUNT : ...
    list                    l COUNT : ...
    dict                    d COUNT : ...       key, value, key, value; pairs sorted by their encoded bytes
    set                     S COUNT : ...       items sorted by their encoded bytes
    frozenset               Z COUNT : ...       likewise
    date                    X date text         isoformat
    datetime                X datetime text     isoformat with microseconds; the UTC offset counts, the zone's
                                                name does not; a naive one with fold=1 has `~` appended
    time                    X time text         isoformat with microseconds; likewise
    timedelta               X timedelta text    DAYS,SECONDS,MICROSECONDS, normalised as Python does
    Decimal                 X decimal text      SIGN,DIGITS,EXPONENT of `as_tuple` (1.0 and 1.00 differ)
    UUID                    X uuid text         its 32 lower-case hex digits
    path                    X path text         what `as_posix` returns; any class with it and `__fspath__`
    Enum                    E text text         qualified name of the class, name of the member
    Flag without a name     E text ...          qualified name of the class, its encoded value
    dataclass instance      D text COUNT : ...  qualified name of the class, then name (text) and value of
                                                each field as defined, also of those with compare=False
    named tuple             N text COUNT : ...  likewise

Types are matched exactly: a subclass of int, str, dict ... that is not an Enum, named tuple or path has no
identity, because it may hold more than its base shows. Nesting deeper than `MAX_DEPTH` is refused.
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from struct import pack
from typing import TYPE_CHECKING, Any, cast

from asflow._checks import task_subject
from asflow.errors import IdentityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MAX_DEPTH = 100
"""How deep values may be nested; the bound also stops at a value that contains itself."""

_BASE = blake2b(b"asflow1:t2:", digest_size=16)
_NAN = bytes.fromhex("7ff8000000000000")
_BUILTINS = (int, float, str, bytes, tuple, list, dict, set, frozenset)


class _RefusedError(Exception):
    """A value has no identity: why, and the steps to it from the argument."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[str] = []


def fingerprint(task: str, arguments: Mapping[str, object]) -> str:
    """Return the canonical hash of one call: 32 hex digits, the same in every process and on every machine.

    Args:
        task: the task's `__qualname__`.
        arguments: every bound argument by parameter name, defaults applied, in any order.

    Returns:
        32 lower-case hex digits. Format and tags: see the module's docstring.

    Raises:
        IdentityError: a value has no identity that is stable across runs.
    """
    return call_hasher(task, tuple(arguments))(*arguments.values())


def call_hasher(task: str, parameters: Sequence[str]) -> Callable[..., str]:
    """Return a function that does the same as `fingerprint` for the calls of one task, faster.

    Args:
        task: the task's `__qualname__`.
        parameters: the names of all its parameters, each once.

    Returns:
        A function that takes one value per parameter, in the order of *parameters*, and returns the hash.
        It may be called from any thread. Raises IdentityError as `fingerprint` does.
    """
    start = _BASE.copy()
    start.update(_text(task) + b"d%d:" % len(parameters))
    labels = [_text(name) for name in parameters]
    # Pairs are sorted by their bytes and no label is a prefix of another, so the labels alone decide.
    order = sorted(range(len(parameters)), key=labels.__getitem__)
    plan = [(labels[index], index) for index in order]

    def hash_call(*values: object) -> str:
        digest = start.copy()
        index = 0
        try:
            for label, index in plan:
                value = values[index]
                digest.update(label + _ENCODERS.get(type(value), _other)(value, 0))
        except _RefusedError as refused:
            raise _refusal(task, parameters[index], refused) from None
        return digest.hexdigest()

    return hash_call


def _refusal(task: str, parameter: str, refused: _RefusedError) -> IdentityError:
    steps = refused.steps[::-1]
    where = "" if not steps else f", at {parameter}{''.join(steps[:8])}{'...' if len(steps) > 8 else ''},"
    return IdentityError(
        f"{task_subject(task)}: argument {parameter!r}{where} {refused.reason}, so it can't be part of an "
        "output's name; give `key=`, a function of the task's own parameters that returns the text for `*`, "
        "or remove the parameter from the task"
    )


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def _none(_value: object, _depth: int) -> bytes:
    return b"n"


def _bool(value: object, _depth: int) -> bytes:
    return b"T" if value else b"F"


def _int(value: object, _depth: int) -> bytes:
    return b"i%x;" % cast("int", value)


def _float(value: object, _depth: int) -> bytes:
    # Only NaN differs from itself.
    return b"f" + (pack(">d", value) if value == value else _NAN)


def _str(value: object, _depth: int) -> bytes:
    try:
        data = cast("str", value).encode()
    except UnicodeEncodeError:
        data = cast("str", value).encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)


def _bytes(value: object, _depth: int) -> bytes:
    data = cast("bytes", value)
    return b"b%d:%b" % (len(data), data)


def _item(value: object, depth: int, step: str) -> bytes:
    """Encode a value inside another one; an error shows *step* on the way to it."""
    if depth >= MAX_DEPTH:
        raise _RefusedError(f"contains itself, or is nested more than {MAX_DEPTH} levels deep")
    try:
        return _ENCODERS.get(type(value), _other)(value, depth + 1)
    except _RefusedError as refused:
        refused.steps.append(step)
        raise


def _sequence(tag: bytes, values: Sequence[object], depth: int) -> bytes:
    items = [_item(value, depth, f"[{index}]") for index, value in enumerate(values)]
    return b"%b%d:%b" % (tag, len(items), b"".join(items))


def _tuple(value: object, depth: int) -> bytes:
    return _sequence(b"t", cast("tuple[object, ...]", value), depth)


def _list(value: object, depth: int) -> bytes:
    return _sequence(b"l", cast("list[object]", value), depth)


def _dict(value: object, depth: int) -> bytes:
    pairs = [
        _item(key, depth, "{key}")
        + _item(item, depth, f"[{key!r:.40}]" if type(key) in (str, int) else "[...]")
        for key, item in cast("dict[object, object]", value).items()
    ]
    return b"d%d:%b" % (len(pairs), b"".join(sorted(pairs)))


def _items(tag: bytes, values: Iterable[object], depth: int) -> bytes:
    items = sorted([_item(value, depth, "{item}") for value in values])
    return b"%b%d:%b" % (tag, len(items), b"".join(items))


def _set(value: object, depth: int) -> bytes:
    return _items(b"S", cast("set[object]", value), depth)


def _frozenset(value: object, depth: int) -> bytes:
    return _items(b"Z", cast("frozenset[object]", value), depth)


_ENCODERS: dict[type, Callable[[object, int], bytes]] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    tuple: _tuple,
    list: _list,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}


def _other(value: object, depth: int) -> bytes:
    """Encode a value of another type, or refuse it. The order of the tests is part of the format."""
    kind = type(value)
    if isinstance(value, Enum):
        return _enum(value, depth)
    stdlib = _stdlib(kind, value)
    if stdlib is not None:
        return stdlib
    if hasattr(kind, "__fspath__") and hasattr(kind, "as_posix"):
        # Not `isinstance`, which needs pathlib: the engine loads nothing that can reach the disk.
        return _path(cast("Any", value).as_posix, kind)
    fields = _fields(kind)
    if fields is None:
        raise _RefusedError(f"is of type {_name_of(kind)}, which has no identity that is stable across runs")
    tag, names = fields
    parts = [tag, _text(kind.__qualname__), b"%d:" % len(names)]
    for name in names:
        try:
            inner = cast("object", getattr(value, name))
        except AttributeError:
            raise _RefusedError(f"is of type {_name_of(kind)} and its field {name!r} is not set") from None
        parts += (_text(name), _item(inner, depth, f".{name}"))
    return b"".join(parts)


def _enum(member: Enum, depth: int) -> bytes:
    kind = type(member)
    head = b"E" + _text(kind.__qualname__)
    # A combination of flags is not a member, and how Python spells its name has changed.
    name = cast("str | None", member._name_)  # pyright: ignore[reportPrivateUsage]
    if name is not None and kind.__members__.get(name) is member:
        return head + _text(name)
    return head + _item(cast("object", member.value), depth, ".value")


def _fields(kind: type[object]) -> tuple[bytes, Sequence[str]] | None:
    """Return tag and fields of a named tuple or dataclass; None for any other class."""
    names = cast("object", getattr(kind, "_fields", None))
    if tuple in kind.__mro__ and isinstance(names, tuple):
        return b"N", cast("tuple[str, ...]", names)
    if hasattr(kind, "__dataclass_fields__") and not issubclass(kind, _BUILTINS):
        from dataclasses import fields

        return b"D", [field.name for field in fields(cast("Any", kind))]
    return None


def _path(spell: Callable[[], object], kind: type) -> bytes:
    text = spell()
    if not isinstance(text, str):
        raise _RefusedError(f"is of type {_name_of(kind)}, whose path is not a str")
    return b"Xpath" + _text(str(text))


def _stdlib(kind: type, value: object) -> bytes | None:
    """Encode a value of the few library types with an identity; return None for any other."""
    place = (kind.__module__, kind.__qualname__)
    if place[0] == "datetime":
        return _moment(kind, value)
    if place == ("decimal", "Decimal"):
        from decimal import Decimal

        if type(value) is Decimal:
            sign, digits, exponent = value.as_tuple()
            return b"Xdecimal" + _text(f"{sign},{''.join(map(str, digits))},{exponent}")
    if place == ("uuid", "UUID"):
        from uuid import UUID

        if type(value) is UUID:
            return b"Xuuid" + _text(value.hex)
    return None


def _moment(kind: type, value: object) -> bytes | None:
    from datetime import date, datetime, time, timedelta

    if kind is date:
        return b"Xdate" + _text(cast("date", value).isoformat())
    if kind is datetime or kind is time:
        moment = cast("datetime | time", value)
        naive = moment.utcoffset() is None
        if naive and moment.tzinfo is not None:
            raise _RefusedError("has a time zone without a fixed offset")
        name = b"Xdatetime" if kind is datetime else b"Xtime"
        return name + _text(
            moment.isoformat(timespec="microseconds") + ("~" if naive and moment.fold else "")
        )
    if kind is timedelta:
        span = cast("timedelta", value)
        return b"Xtimedelta" + _text(f"{span.days},{span.seconds},{span.microseconds}")
    return None


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
