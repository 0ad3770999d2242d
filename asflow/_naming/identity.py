"""The identity of a call: the hash that replaces `*` in an output's name.

A file format: the hashes become the names of users' files, so they never change. Golden vectors in the
tests pin them.

The hash is the lower-case hex of BLAKE2b with a digest of 16 bytes (RFC 7693; no key, salt or
personalisation) over the ASCII bytes `asflow1:` and then the encoding of the pair (`__qualname__` of the
task, dict of its arguments by parameter name, without those annotated `Ignored` or `Secret`). Defaults are
applied by the caller; `*args` is a tuple and `**kwargs` a dict, each under its parameter's name.

Each value is encoded as a tag of one byte and a payload. Numbers in the table are decimal ASCII digits;
`text` is the form with tag `s`; `...` is a sequence of encoded values; `class` is two texts, the module and
the qualified name of a class (see below).

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
    Path                    X path text         what `as_posix` returns; on Windows too
    PurePosixPath           X posixpath text    likewise
    PureWindowsPath         X windowspath text  likewise
    Enum                    E class text        name of the member
    Flag without a name     E class ...         its encoded value
    dataclass instance      D class COUNT : ... name (text) and value of each field as defined, also of those
                                                with compare=False
    named tuple             N class COUNT : ... likewise
    numpy scalar            as the bool, int, float, str or bytes that its `item()` returns
    numpy datetime64, timedelta64   X numpy text    DTYPE COUNT, as in `M8[ns] 1767225600000000000`
    pandas Timestamp        as its datetime; if it has nanoseconds, a space, their number and `ns` appended
    pandas Timedelta        as its timedelta; if it has nanoseconds, a comma and their number appended
    pandas NaT, NA          X pandas text       NaT or NA

Values of two types differ even if Python calls them equal (1, 1.0 and True), except for the scalars of numpy
and pandas: `np.int64(1)` comes from a column and `1` from the keyboard, and both mean the same output.

Types are matched exactly. The module of a class is the last part of its module's name, so that the folder of
a package may move; for a class of the script that runs (`__main__`) it is the stem of the script's file name,
so that running and importing it agree. An instance of a dataclass or named tuple that holds more than its
declared fields (an attribute that a subclass adds, the state of a base that is written in C) is refused,
except for what `functools.cached_property` has remembered. So is a subclass of int, str, dict, Path ... that
is not an Enum or named tuple, because it may hold more than its base shows. Nesting deeper than `MAX_DEPTH`
is refused.
"""

from __future__ import annotations

import sys
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from struct import calcsize, pack
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, cast

from asflow._checks import task_subject
from asflow.errors import IdentityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, time

MAX_DEPTH = 100
"""How deep values may be nested; the bound also stops at a value that contains itself."""

_BASE = blake2b(b"asflow1:t2:", digest_size=16)
_NAN = bytes.fromhex("7ff8000000000000")
_WORD = calcsize("P")
_MAINS = ("__main__", "__mp_main__")  # the latter in processes that multiprocessing spawns
_PATHS = {
    "Path": b"Xpath",
    "PosixPath": b"Xpath",
    "WindowsPath": b"Xpath",
    "PurePosixPath": b"Xposixpath",
    "PureWindowsPath": b"Xwindowspath",
}


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
        "output's name; annotate the parameter with `Ignored[...]`, or give `key=`, a function of the task's "
        "own parameters that returns the text for `*`"
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
    if issubclass(kind, Enum):
        return _enum(cast("Enum", value), depth)
    encoded = _known(kind, value, depth)
    if encoded is not None:
        return encoded
    names = cast("object", getattr(kind, "_fields", None))
    if isinstance(names, tuple) and tuple in kind.__mro__:
        return _named_tuple(cast("tuple[object, ...]", value), cast("tuple[object, ...]", names), depth)
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass(value, depth)
    raise _RefusedError(f"is of type {_name_of(kind)}, which has no identity that is stable across runs")


def _class(kind: type) -> bytes:
    return _text(_module_of(kind)) + _text(kind.__qualname__)


def _module_of(kind: type) -> str:
    module = str(kind.__module__)
    if module in _MAINS:
        file = cast("object", getattr(sys.modules.get(module), "__file__", None))
        if isinstance(file, str):
            name = file.replace("\\", "/").rpartition("/")[2]
            return name.rpartition(".")[0] or name
    return module.rpartition(".")[2]


def _enum(member: Enum, depth: int) -> bytes:
    kind = type(member)
    head = b"E" + _class(kind)
    # A combination of flags is not a member, and how Python spells its name has changed.
    name = cast("str | None", member._name_)  # pyright: ignore[reportPrivateUsage]
    if name is not None and kind.__members__.get(name) is member:
        return head + _text(name)
    return head + _item(cast("object", member.value), depth, ".value")


def _named_tuple(value: tuple[object, ...], names: tuple[object, ...], depth: int) -> bytes:
    kind: type[object] = type(value)
    # The tuple's own iterator: a subclass may have another one.
    items: list[object] = [*tuple.__iter__(value)]  # pyright: ignore[reportUnknownMemberType]
    if len(names) != len(items) or not all(isinstance(name, str) for name in names):
        raise _RefusedError(f"is of type {_name_of(kind)}, whose items are not its `_fields`")
    _refuse_more(value, cast("tuple[str, ...]", names))
    return _fields(b"N", kind, zip(cast("tuple[str, ...]", names), items, strict=True), depth)


def _dataclass(value: object, depth: int) -> bytes:
    from dataclasses import fields

    kind = type(value)
    names = [field.name for field in fields(cast("Any", kind))]
    if _hides_state(kind):
        raise _RefusedError(f"is of type {_name_of(kind)}, which holds more than its fields")
    _refuse_more(value, names)
    items: list[tuple[str, object]] = []
    for name in names:
        try:
            items.append((name, getattr(value, name)))
        except AttributeError:
            raise _RefusedError(f"is of type {_name_of(kind)} and its field {name!r} is not set") from None
    return _fields(b"D", kind, items, depth)


def _fields(tag: bytes, kind: type, items: Iterable[tuple[str, object]], depth: int) -> bytes:
    parts = [_text(name) + _item(item, depth, f".{name}") for name, item in items]
    return b"%b%b%d:%b" % (tag, _class(kind), len(parts), b"".join(parts))


def _refuse_more(value: object, fields: Sequence[str]) -> None:
    """Refuse an instance with attributes that are not *fields*: equal names would hide that they differ."""
    kind = type(value)
    # The default one: a class may have its own, for pickle.
    state = object.__getstate__(value)
    parts = cast("tuple[dict[str, object] | None, ...]", state if isinstance(state, tuple) else (state,))
    for part in parts:
        for name in part or ():
            # Generic[...] notes its own parameters in `__orig_class__`.
            if name in fields or name == "__orig_class__":
                continue
            found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
            if not isinstance(found, cached_property):
                raise _RefusedError(
                    f"is of type {_name_of(kind)} and holds {name!r}, which is not one of its fields"
                )


def _hides_state(kind: type) -> bool:
    """Return whether instances hold more than `__dict__` and slots: a base is written in C, as `date` is.

    By size, as Python itself decides whether it can pickle an object.
    """
    members = [each for base in kind.__mro__ for each in vars(base).values()]
    slots = sum(isinstance(each, MemberDescriptorType) for each in members)
    words = slots + (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)
    return kind.__itemsize__ > 0 or kind.__basicsize__ > object.__basicsize__ + words * _WORD


def _known(kind: type, value: object, depth: int) -> bytes | None:
    """Encode a value of the few library types with an identity; return None for any other."""
    library = str(kind.__module__).partition(".")[0]
    match library:
        case "datetime":
            return _moment(kind, value)
        case "decimal":
            from decimal import Decimal

            if type(value) is Decimal:
                sign, digits, exponent = value.as_tuple()
                return b"Xdecimal" + _text(f"{sign},{''.join(map(str, digits))},{exponent}")
        case "uuid":
            from uuid import UUID

            if type(value) is UUID:
                return b"Xuuid" + _text(value.hex)
        case "pathlib":
            # Not imported here: the engine loads nothing that can reach the disk.
            tag = _PATHS.get(kind.__qualname__)
            if tag is not None and getattr(sys.modules.get("pathlib"), kind.__qualname__, None) is kind:
                return tag + _text(cast("Any", value).as_posix())
        case "numpy" if "numpy" in sys.modules:
            return _numpy(sys.modules["numpy"], value, depth)
        case "pandas" if "pandas" in sys.modules:
            return _pandas(sys.modules["pandas"], value)
        case _:
            pass
    return None


def _numpy(numpy: Any, value: Any, depth: int) -> bytes | None:
    if not isinstance(value, numpy.generic):
        return None
    if value.dtype.kind in "Mm":
        return b"Xnumpy" + _text(f"{value.dtype.str[1:]} {int(value.view('i8'))}")
    plain: object = value.item()
    # A long double has no Python value, and that of a structure is a tuple.
    encode = _ENCODERS.get(type(plain)) if value.dtype.kind in "biufSU" else None
    return None if encode is None else encode(plain, depth)


def _pandas(pandas: Any, value: Any) -> bytes | None:
    if value is pandas.NaT or value is pandas.NA:
        return b"Xpandas" + _text("NA" if value is pandas.NA else "NaT")
    if type(value) is pandas.Timestamp:
        try:
            moment = value.to_pydatetime(warn=False)
        except (ValueError, OverflowError):
            raise _RefusedError("is a time that Python's datetime can't hold") from None
        rest = f" {value.nanosecond}ns" if value.nanosecond else ""
        return b"Xdatetime" + _text(_moment_text(moment) + rest)
    if type(value) is pandas.Timedelta:
        rest = f",{value.nanoseconds}" if value.nanoseconds else ""
        return b"Xtimedelta" + _text(f"{value.days},{value.seconds},{value.microseconds}{rest}")
    return None


def _moment(kind: type, value: object) -> bytes | None:
    from datetime import date, datetime, time, timedelta

    if kind is date:
        return b"Xdate" + _text(cast("date", value).isoformat())
    if kind is datetime or kind is time:
        name = b"Xdatetime" if kind is datetime else b"Xtime"
        return name + _text(_moment_text(cast("datetime | time", value)))
    if kind is timedelta:
        span = cast("timedelta", value)
        return b"Xtimedelta" + _text(f"{span.days},{span.seconds},{span.microseconds}")
    return None


def _moment_text(moment: datetime | time) -> str:
    naive = moment.utcoffset() is None
    if naive and moment.tzinfo is not None:
        raise _RefusedError("has a time zone without a fixed offset")
    return moment.isoformat(timespec="microseconds") + ("~" if naive and moment.fold else "")


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
