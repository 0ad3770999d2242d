"""From the name of an output back to the arguments, as far as the name holds them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from asflow._naming.escaping import CUT_MARK, EMPTY
from asflow._naming.parsing import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._naming.patterns import Pattern

_CODE = re.compile("((?:%[0-9A-F]{2})+)")


def fields_in(pattern: Pattern, name: str) -> Iterator[list[tuple[Field, str]]]:
    """Yield readings of *name*: the placeholders of *pattern*, each with its text.

    The text of a placeholder is that of the formatted argument. One that was cut is lost. There may be two
    readings, as of `2026-01-02-rome` by `{day}-{city}`: the right one makes the name again.
    """
    if CUT_MARK in name:
        return
    for lazy in ("?", ""):
        found = _compiled(pattern, lazy).fullmatch(name)
        if found is not None:
            yield list(zip(pattern.fields, map(_decoded, found.groups()), strict=True))


@lru_cache(maxsize=256)
def _compiled(pattern: Pattern, lazy: str) -> re.Pattern[str]:
    pieces = [f"([^/]+{lazy})" if isinstance(piece, Field) else re.escape(piece) for piece in pattern.pieces]
    return re.compile("".join(pieces))


def _decoded(text: str) -> str:
    if text == EMPTY:
        return ""
    return _CODE.sub(lambda match: _bytes_of(match[1]).decode("utf-8", "surrogatepass"), text)


def _bytes_of(codes: str) -> bytes:
    return bytes.fromhex(codes.replace("%", ""))
