r"""How an argument's text becomes part of one path component. A file format: it never changes.

Encoded, as `%` and two upper-case hex digits for each byte of the character's UTF-8 (with surrogatepass):

- `/ \ : * ? " < > | % [ ] { }`, the control characters (C0, DEL, C1) and surrogates, everywhere;
- a dot at the start, and a dot or a space at the end;
- the *stop* character, if there is one: the first character of the literal that separates this value
  from a later one in the same component. So `{a}-{b}` keeps ("x-y", "z") and ("x", "y-z") apart, as
  `x%2Dy-z` and `x-y-z`, and the last value of a component stays as readable as it can.

The empty text is `%_`, which nothing else gives. Different texts therefore have different names, none is
empty, `.` or `..`, and none can reach another folder.

A component of more than `MAX_COMPONENT` bytes is cut to that at the boundary of a character: its start, then
`%~`, the 32 hex digits of the BLAKE2b-128 of the whole component's UTF-8, and its literal end. A `%~`
comes from no value, so a cut name can't be met by a short one either.

Not solved here, as names would lose their readability: file systems that fold case or normalise Unicode
take `A` and `a`, or two spellings of an accent, for one name, and Windows reserves `CON`, `NUL` and
others. Where that matters, use `*`.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["CUT_MARK", "EMPTY", "MAX_COMPONENT", "UNSAFE", "cut", "percent", "safe"]

MAX_COMPONENT = 200
"""How many bytes of UTF-8 a component with values in it may have; `.part` still fits below NAME_MAX (255)."""

EMPTY = "%_"
"""What stands for the empty text."""

CUT_MARK = "%~"
"""What stands between the start of a cut component and its hash."""

_CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_PRINTABLE = '/\\:*?"<>|[]{}'
UNSAFE = "%" + _PRINTABLE + _CONTROLS
"""The characters that are encoded wherever they stand."""


def percent(text: str) -> str:
    """Encode every character of *text*."""
    return "".join([f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")])


@lru_cache(maxsize=64)
def _table(stop: str) -> dict[int, str | int]:
    # ASCII is listed in full: str.translate pays for every character that it does not find.
    table: dict[int, str | int] = {code: code for code in range(0x80)}
    table.update({ord(character): percent(character) for character in UNSAFE + stop})
    return table


@lru_cache(maxsize=64)
def _pairs(stop: str) -> tuple[tuple[str, str], ...]:
    return tuple((character, percent(character)) for character in _PRINTABLE + stop.strip("%"))


def safe(text: str, stop: str = "") -> str:
    """Return *text* as a part of one path component: injective, never empty, never `.` or `..`.

    Args:
        text: any text at all, lone surrogates and NUL included.
        stop: one more character to encode, or "" for none.

    Returns:
        The text with the characters encoded that the module's docstring lists. Not cut.
    """
    if not text:
        return EMPTY
    if text.isprintable() and not stop.isalnum():
        # A search for each character takes half the time of a look at each, and this is most of a URL's skip.
        name = text.replace("%", "%25")
        for character, code in _pairs(stop):
            if character in name:
                name = name.replace(character, code)
    else:
        name = text.translate(_table(stop))
        if any("\ud800" <= c <= "\udfff" for c in name):
            name = "".join([percent(c) if "\ud800" <= c <= "\udfff" else c for c in name])
    if name[0] == ".":
        name = percent(".") + name[1:]
    if name[-1] in ". ":
        name = name[:-1] + percent(name[-1])
    return name


def cut(component: str, tail: str) -> str:
    """Return *component*, or its cut form if it is longer than `MAX_COMPONENT` bytes.

    Args:
        component: the whole component, encoded.
        tail: the literal text that it ends in and that must survive; at most 160 bytes.
    """
    if len(component) * 4 <= MAX_COMPONENT:
        return component
    data = component.encode()
    if len(data) <= MAX_COMPONENT:
        return component
    from hashlib import blake2b

    end = f"{CUT_MARK}{blake2b(data, digest_size=16).hexdigest()}{tail}"
    return data[: MAX_COMPONENT - len(end.encode())].decode("utf-8", "ignore") + end
