r"""How the text of an argument becomes part of one path component. A file format: it never changes.

Encoded, as `%` and two upper-case hex digits for each byte of the character's UTF-8 (with surrogatepass):

- `/ \ : * ? " < > | % [ ] { }`, the control characters (C0, DEL, C1) and surrogates, everywhere;
- a dot at the start, and a dot or a space at the end;
- the *stop* character, if there is one: the first character of the literal that separates this value
  from a later one in the same component. So `{a}-{b}` keeps ("x-y", "z") and ("x", "y-z") apart, as
  `x%2Dy-z` and `x-y-z`, and the last value of a component stays as readable as possible.

The empty text is encoded as `%_`, which no other text is. So different texts have different names, none is
empty, `.` or `..`, and none can reach another folder.

A component longer than `MAX_COMPONENT` bytes is cut to that length at the boundary of a character: its start,
then `%~`, the 32 hex digits of the BLAKE2b-128 of the whole component's UTF-8, and its literal end. No value
is encoded with a `%~`, so a cut name never equals a short one.

Not solved here, because names would lose their readability: file systems that fold case or normalise Unicode
treat `A` and `a`, or two spellings of an accent, as one name, and Windows reserves `CON`, `NUL` and
others. If that matters, use `*`.
"""

from __future__ import annotations

from functools import lru_cache

MAX_COMPONENT = 200
"""The most bytes of UTF-8 in a component with values; `.part` still fits below NAME_MAX (255)."""

EMPTY = "%_"
"""The encoding of the empty text."""

CUT_MARK = "%~"
"""The separator of the start of a cut component and its hash."""

_CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_PRINTABLE = '/\\:*?"<>|[]{}'
UNSAFE = "%" + _PRINTABLE + _CONTROLS
"""The characters that are encoded in any position."""


def percent(text: str) -> str:
    """Encode every character of *text*."""
    return "".join([f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")])


@lru_cache(maxsize=64)
def _table(stop: str) -> dict[int, str | int]:
    # ASCII is listed in full: str.translate is slow for every character that it does not find.
    table: dict[int, str | int] = {code: code for code in range(0x80)}
    table.update({ord(character): percent(character) for character in UNSAFE + stop})
    return table


@lru_cache(maxsize=64)
def _pairs(stop: str) -> tuple[tuple[str, str], ...]:
    return tuple((character, percent(character)) for character in _PRINTABLE + stop.strip("%"))


def safe(text: str, stop: str = "") -> str:
    """Return *text* as a part of one path component: injective, never empty, never `.` or `..`.

    Args:
        text: any text, lone surrogates and NUL included.
        stop: one more character to encode, or "" for none.

    Returns:
        The text, with the characters encoded that the module's docstring lists. Not cut.
    """
    if not text:
        return EMPTY
    if text.isprintable() and not stop.isalnum():
        # Half the time of a look at each character of the text; most of what it takes to skip a URL.
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
        tail: the literal text at its end, which is kept; at most 160 bytes.
    """
    if len(component) * 4 <= MAX_COMPONENT:
        return component
    data = component.encode()
    if len(data) <= MAX_COMPONENT:
        return component
    from hashlib import blake2b

    end = f"{CUT_MARK}{blake2b(data, digest_size=16).hexdigest()}{tail}"
    return data[: MAX_COMPONENT - len(end.encode())].decode("utf-8", "ignore") + end
