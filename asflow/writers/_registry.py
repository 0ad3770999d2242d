"""Formats of a user's own, by suffix: registered with `add_format`, or brought by an installed package."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from asflow import _forks
from asflow._labels import error_line, short
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.writers._format import Format
from asflow.writers._suffixes import FORMATS, REGISTERED, last_suffix, offered, split_suffixes

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_lock = _forks.renewed(sys.modules[__name__], "_lock", threading.Lock)


def add_format(
    format: Format[Any],  # noqa: A002 - the word for it
    /,
    *,
    replace: bool = False,
) -> None:
    """Use *format* for every output with its suffix, in this process.

    Register it where it is defined, before tasks with that suffix are decorated. A format of the same
    functions, as of a notebook's cell that runs again, takes the place of the earlier one.

    Args:
        format: the format.
        replace: take the place of any other format with this suffix, a shipped one included.

    Raises:
        DefinitionTypeError: *format* is not a Format.
        DefinitionValueError: the suffix has another format, and *replace* is False.

    Threads: may be called from any.
    """
    if not isinstance(format, Format):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
        raise DefinitionTypeError(
            f"add_format(): takes a Format, not {short(format)}; write add_format(Format(...))"
        )
    with _lock:
        earlier = REGISTERED.get(format.suffix)
        if not replace and (format.suffix in FORMATS if earlier is None else not _is_same(earlier, format)):
            has = "asflow's own format" if earlier is None else repr(earlier)
            raise DefinitionValueError(
                f"add_format(): the suffix {format.suffix} has a format already, {has}, not {format!r} too; "
                f"pass replace=True, or choose another suffix"
            )
        REGISTERED[format.suffix] = format
    split_suffixes.cache_clear()


def _is_same(one: Format[Any], other: Format[Any]) -> bool:
    return all(
        _origin_of(getattr(one, name)) == _origin_of(getattr(other, name)) for name in ("writer", "reader")
    )


def _origin_of(function: object) -> object:
    where = (getattr(function, "__module__", None), getattr(function, "__qualname__", None))
    return function if None in where or "<lambda>" in str(where[1]) else where


def format_of(name: str, subject: str) -> Format[Any] | None:
    """Return the registered format of the output *name*, or of its suffixes; None if it has no such format.

    Raises:
        DefinitionTypeError, DefinitionValueError: an installed package has a broken one; *subject* is what
            the message begins with.
    """
    suffix = last_suffix(name)
    if suffix in REGISTERED or split_suffixes(name).format != "registered":
        return REGISTERED.get(suffix)
    return _load(offered()[suffix], suffix, subject)


def _load(entry: EntryPoint, suffix: str, subject: str) -> Format[Any]:
    where = f"the format {entry.value!r} of package {entry.dist.name if entry.dist else '?'}"
    try:
        found: Any = entry.load()
    except Exception as error:
        raise DefinitionValueError(
            f"{subject}: the suffix {suffix} needs {where}, which does not load: {error_line(error)}; "
            f"repair or remove that package"
        ) from error
    shown = short(found)
    if not isinstance(found, Format) or found.suffix != suffix:
        raise DefinitionTypeError(
            f"{subject}: {where} is {shown}, not a Format of {suffix}; repair or remove that package"
        )
    return REGISTERED.setdefault(suffix, found)  # pyright: ignore[reportUnknownArgumentType]
