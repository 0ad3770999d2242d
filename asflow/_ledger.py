"""What a recorded failure says, in its `.err` file: one line of JSON about the call, then the traceback.

    {"task":"download","qualname":"pipeline.download","label":"'a'","arguments":{"name":"'a'"},"values":{"name":"a"}}
    Traceback (most recent call last):
      ...

UTF-8. `arguments` has the text of each argument, a secret one as `***`; `values` has the arguments
themselves, and is left out unless JSON holds every one of them as it is. A file without such a line is the
traceback alone.
"""

from __future__ import annotations

import traceback
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from asflow._labels import HIDDEN, clean, short

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_VALUES = 10_000
_LONGEST_TEXT = 1 << 20
_DEEPEST = 20


class Recorded(NamedTuple):
    """A call whose failure is recorded.

    Attributes:
        task: the task's name.
        qualname: its module and qualified name.
        label: its arguments, shortened to one line.
        arguments: the text of each argument, by parameter.
        values: the arguments themselves; None if JSON can't hold them, or one is secret.
    """

    task: str
    qualname: str
    label: str
    arguments: Mapping[str, str]
    values: Mapping[str, Any] | None


def report(
    task: str, qualname: str, label: str, arguments: Mapping[str, object], error: BaseException
) -> bytes:
    """Return a line about the call, and the traceback as Python prints it, starting in the user's code."""
    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001 - Python can't print every error, such as a SyntaxError whose lineno is a str
        lines = [*traceback.format_tb(error.__traceback__), type(error).__qualname__, "\n"]
    text = header(task, qualname, label, arguments) + bounded("".join(lines))
    return text.encode("utf-8", "backslashreplace")


def header(task: str, qualname: str, label: str, arguments: Mapping[str, object]) -> str:
    """Return the line of JSON for a call with *arguments*, which are masked; it ends with a line feed."""
    import json

    call: dict[str, object] = {
        "task": clean(task),
        "qualname": clean(qualname),
        "label": clean(label),
        "arguments": {clean(name): short(value) for name, value in arguments.items()},
    }
    if all(_is_plain(value) for value in arguments.values()):
        values = json.dumps(dict(arguments))
        if len(values) <= _LONGEST_VALUES:
            call["values"] = dict(arguments)
    return json.dumps(call, separators=(",", ":")) + "\n"


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether JSON keeps *value* as it is, its type included."""
    kind = type(value)
    if value is HIDDEN or depth > _DEEPEST:
        return False
    if kind is float:
        return isfinite(cast("float", value))
    if kind is str:
        return not any("\ud800" <= character <= "\udfff" for character in cast("str", value))
    if kind is list:
        return all(_is_plain(each, depth + 1) for each in cast("list[object]", value))
    if kind is dict:
        items = cast("dict[object, object]", value).items()
        return all(type(key) is str and _is_plain(each, depth + 1) for key, each in items)
    return value is None or kind in (bool, int)


def bounded(text: str) -> str:
    """Return the text of a failure, its middle left out beyond a million characters."""
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def parsed(text: str) -> tuple[Recorded | None, str]:
    """Return what the *text* of a recorded failure says about the call, if it does, and its traceback."""
    if not text.startswith('{"task":'):
        return None, text
    import json

    line, _, rest = text.partition("\n")
    try:
        call: Any = json.loads(line)
        recorded = Recorded(
            task=str(call["task"]),
            qualname=str(call["qualname"]),
            label=str(call["label"]),
            arguments={str(name): str(value) for name, value in call["arguments"].items()},
            values=call.get("values"),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, text
    if not isinstance(recorded.values, dict | None):
        return None, text
    return recorded, rest
