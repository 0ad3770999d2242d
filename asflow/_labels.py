"""Values shortened to one line, for log lines, displays and messages; and `clean`, for all text from outside.

Only values whose `repr` is known to be cheap are shown. A data frame or a client is shown as its type, since
its `repr` may be slow, long, or raise.

Exception texts, names and arguments may come from a server or a file. All code that shows them on a
terminal, on a page or in a log passes them through `clean`, which leaves nothing that could move the cursor,
reorder the line or hide in it.
"""

from __future__ import annotations

import enum
import itertools
import re
import reprlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

_LONGEST = 80
_SMALL, _SHORT = 10**30, 25  # far below what is cut
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"
_CONTROL_IN_LINES = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]+"
# What reorders a line (bidi), takes no column (joiners, fillers, tags), or is half a character. Not the
# variation selectors, which emoji need.
_HIDDEN = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
_PLAIN = frozenset({"datetime", "decimal", "uuid", "pathlib", "fractions", "pathlib._local"})


class _Hidden(str):
    """The text `***` in place of a secret value; its repr has no quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


HIDDEN = _Hidden("***")
"""What is shown for the argument of a parameter that is annotated `Secret`."""


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
        if kind is _Hidden:
            return "***"
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


class _ArgumentShortener(_Shortener):
    """Shows dates, paths, decimals and the like as they are meant, in a list too: `[2010-01-01, ...]`."""

    def repr_instance(self, x: object, level: int) -> str:
        if type(x).__module__ in _PLAIN:
            try:
                text = str(x)
            except Exception:  # noqa: BLE001 - a datetime calls its tzinfo, which may be a user's
                text = ""
            if text and text.isprintable():
                return text
        return super().repr_instance(x, level)


_repr = _Shortener().repr
_argument_repr = _ArgumentShortener().repr


def short(value: object, width: int = _LONGEST) -> str:
    """Return *value* as one line of at most *width* printable characters; never raises."""
    if width > _LONGEST and isinstance(value, str):
        return _short(value, width, lambda text: repr(cast("str", text)[:width]))
    return _short(value, width, _repr)


def _short(value: object, width: int, shown: Callable[[object], str]) -> str:
    try:
        text = shown(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ or __len__ may raise anything
        return f"<{type(value).__name__}>"
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return cut(clean(text), width)


def clean(text: str, *, lines: bool = False) -> str:
    r"""Return *text* without what a terminal acts on: each run of control characters becomes a space.

    Bidirectional controls, zero-width characters and surrogates become escapes such as `\u202e`, so that two
    names that differ still look different.

    Args:
        text: text from outside.
        lines: keep line feeds and tabs.
    """
    if text.isascii() and text.isprintable():
        return text
    # Compiled when needed, which is a third of what importing this module would take.
    text = re.sub(_CONTROL_IN_LINES if lines else _CONTROL, " ", text)
    return text if text.isascii() else re.sub(_HIDDEN, _escape, text)


def _escape(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def cut(text: str, longest: int, end: str = "...") -> str:
    """Return *text*, with *end* in place of what is beyond *longest* characters."""
    return text if len(text) <= longest else text[: longest - len(end)] + end


def error_text(error: BaseException, longest: int = 200) -> str:
    """Return the message of *error* on one line, cut to *longest*; never raises."""
    try:
        # Cut first: it may be megabytes of a page.
        message = " ".join(str(error)[: 4 * longest].split())
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        message = ""
    return clean(cut(message, longest, "…"))


def error_line(error: BaseException, longest: int = 200) -> str:
    """Return class and message of *error* on one line, the message cut to *longest*; never raises."""
    message = error_text(error, longest)
    name = type(error).__name__
    return clean(f"{name}: {message}" if message else name)


def _argument(value: object) -> str:
    """Like `short`, but dates, paths, decimals and the like are shown by `str`."""
    return _short(value, _LONGEST, _argument_repr)


def argument_label(value: object) -> str:
    """Return the label of a call with this one argument, as `call_label`; short plain values cost little."""
    kind = type(value)
    if (kind is int and -_SMALL < cast("int", value) < _SMALL) or (
        kind is str and len(text := cast("str", value)) <= _SHORT and text.isascii() and text.isprintable()
    ):
        return repr(value)
    return _argument(value)


def call_label(
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    skip: int = 0,
    hidden: AbstractSet[str] = frozenset(),
) -> str:
    """Return the arguments of a call as one line, as in `'Hello', 3, 2026-01-02, lang='en'`.

    Args:
        args: positional arguments.
        kwargs: keyword arguments.
        skip: leading arguments to leave out (a method's `self`).
        hidden: keyword arguments to leave out.
    """
    if hidden:
        kwargs = {name: value for name, value in kwargs.items() if name not in hidden}
    parts = [_argument(value) for value in args[skip : skip + 4]]
    if len(args) - skip > 4:
        parts.append("...")
    parts += [f"{cut(clean(name), 40)}={_argument(value)}" for name, value in list(kwargs.items())[:4]]
    if len(kwargs) > 4:
        parts.append("...")
    return ", ".join(parts)
