"""Values shortened to one line, for log lines, displays and messages.

Only values whose `repr` is known to be cheap are shown. A data frame or a client is shown as its type, since
its `repr` may be slow, long, or raise.
"""

from __future__ import annotations

import enum
import itertools
import re
import reprlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 80
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PLAIN = frozenset({"datetime", "decimal", "uuid", "pathlib", "fractions", "pathlib._local"})


class _Shortener(reprlib.Repr):
    """Shortens as in `[{'word': 'Hello', 'count': 1}, ...]`."""

    def __init__(self) -> None:
        super().__init__()
        # One item shows what the others are like; the items of a tuple are more often different.
        self.maxlist = self.maxset = self.maxfrozenset = self.maxdeque = 1
        self.maxtuple = 4
        self.maxdict = 3
        self.maxlevel = 3
        self.maxstring = 60
        self.maxother = 60
        self.maxlong = 40

    def repr_instance(self, x: object, level: int) -> str:
        """Show a small standard value by its own repr, anything else by its type."""
        kind = type(x)
        if kind.__module__ in _PLAIN or x is None or isinstance(x, (bool, float, complex, range)):
            return super().repr_instance(x, level)
        if isinstance(x, enum.Enum):
            return f"{kind.__name__}.{x.name}"
        name = getattr(x, "__qualname__", None)
        return name if isinstance(name, str) else f"<{kind.__name__}>"

    def repr_dict(self, x: dict[object, object], level: int) -> str:
        """Show the first items in the order of the dict; reprlib would sort them."""
        if level <= 0:
            return "{...}" if x else "{}"
        items = itertools.islice(x.items(), self.maxdict)
        parts = [f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}" for key, value in items]
        return "{" + ", ".join(parts + ["..."] * (len(x) > self.maxdict)) + "}"

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x) if len(x) <= 40 else f"{x[:30]!r}..."

    def repr_bool(self, x: bool, level: int) -> str:
        return repr(x)

    def repr_float(self, x: float, level: int) -> str:
        return repr(x)

    def repr_NoneType(self, x: None, level: int) -> str:  # noqa: N802 - reprlib's naming scheme
        return "None"


_repr = _Shortener().repr


def short(value: object, width: int = _LONGEST) -> str:
    """Return *value* as one line of at most *width* printable characters; never raises."""
    try:
        text = repr(value[:width]) if width > _LONGEST and isinstance(value, str) else _repr(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ or __len__ may raise anything
        return f"<{type(value).__name__}>"
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return _cut(text, width)


def clean(text: str) -> str:
    """Replace control characters in *text*: a label or message must not move the cursor."""
    return text if text.isprintable() else _UNSAFE.sub(" ", text)


def error_line(error: BaseException, longest: int = 200) -> str:
    """Return class and message of *error* on one line, the message cut to *longest*; never raises."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        message = ""
    if len(message) > longest:
        message = message[: longest - 1] + "…"
    name = type(error).__name__
    text = clean(f"{name}: {message}" if message else name)
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str, width: int = _LONGEST) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _argument(value: object) -> str:
    """Like `short`, but a date, path, decimal or the like is shown by `str`."""
    if type(value).__module__ in _PLAIN:
        try:
            text = str(value)
        except Exception:  # noqa: BLE001 - a datetime calls its tzinfo, which may be a user's
            text = ""
        if text and text.isprintable():
            return _cut(text)
    return short(value)


def call_label(args: tuple[object, ...], kwargs: Mapping[str, object], *, skip: int = 0) -> str:
    """Return the arguments of a call as one line, as in `'Hello', 3, 2026-01-02, lang='en'`.

    Args:
        args: positional arguments.
        kwargs: keyword arguments.
        skip: leading arguments to leave out (a method's `self`).
    """
    parts = [_argument(value) for value in args[skip : skip + 4]]
    if len(args) - skip > 4:
        parts.append("...")
    parts += [f"{name}={_argument(value)}" for name, value in list(kwargs.items())[:4]]
    if len(kwargs) > 4:
        parts.append("...")
    return ", ".join(parts)
