"""From the arguments of a call to the name of its output.

`compile_namer` makes, at decoration, a function with the task's own parameters that returns the output's
name. Python itself binds the arguments, at the price of a call, and refuses wrong ones with the very
TypeError that the task would raise. Plain values (an int, or a str of ASCII letters, digits, `-` and `_`)
are put in as they are; everything else goes through `asflow._naming.escaping`.

Different texts never share a name; what a placeholder does not tell apart is the type (`1` and `"1"`), which
`*` does. Values of placeholders that share a component are kept apart by encoding the separator in all
but the last of them. Dates and ints keep their `-` all the same, as its place in them is fixed:
`{day}-{city}` is `2026-01-01-rome`.

A name never ends in `.part` or `.err` (in any case): where a value brings that about, its last character is
encoded as well.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, cast

from asflow._labels import short
from asflow._naming.escaping import MAX_COMPONENT, cut, percent, safe
from asflow._naming.parsing import RESERVED_ENDS, STAR, Component, Field
from asflow._naming.patterns import Pattern
from asflow.errors import DefinitionTypeError, DefinitionValueError, IdentityError, OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["MAX_NAME", "Namer", "Pattern", "compile_namer"]

MAX_NAME = 3500
"""How many bytes of UTF-8 a whole name may have: PATH_MAX is 4096, and `base` comes before it."""

_KINDS = inspect.Parameter


@dataclass(frozen=True, slots=True)
class Namer:
    """Names the outputs of one task.

    Attributes:
        pattern: the task's pattern.
        output: a function with the task's own parameters that returns the output's name, relative to `base`.
            Pure; any thread. Raises TypeError for wrong arguments as the task itself does, OutputNameError
            for a value that makes no usable name, IdentityError for one that has no identity.
    """

    pattern: Pattern
    output: Callable[..., str]

    def names(self, /, *args: object, **kwargs: object) -> tuple[str, str]:
        """Return the names of the output and of its recorded failure. Raises as `output` does."""
        name = self.output(*args, **kwargs)
        return name, self.pattern.failure_name(name)


def compile_namer(
    pattern: Pattern,
    signature: inspect.Signature,
    *,
    task: str,
    key: Callable[..., str] | None = None,
    prefix: str = "",
) -> Namer:
    """Make the function that names the outputs of a task.

    Args:
        pattern: the task's pattern, parsed with the names of this signature (and `keyed` if there is a key).
        signature: the task's, as its callers see it. Defaults are used as they are, not copied.
        task: the task's `__qualname__`: it goes into the hash and into messages.
        key: a function with the task's own parameters that returns the text for `*`; None: the hash of
            all arguments. It gets positional arguments by position, defaults applied. What it raises
            goes through unchanged.
        prefix: put before each name as it is (`base`).

    Raises:
        DefinitionTypeError: *key* can't be called, or is an async function.
        DefinitionValueError: *key* without a `*`, or a *pattern* that was parsed for another task.
    """
    _check(pattern, signature, task, key)
    parameters = list(signature.parameters.values())
    mark = "_asflow_"
    while any(parameter.name.startswith(mark) for parameter in parameters):
        mark += "_"
    source = _Source(pattern, parameters, mark, prefix)
    scope: dict[str, object] = {
        f"{mark}{name}": value
        for name, value in {**source.literals, **_HELPERS, "key": key, "prefix": prefix}.items()
    }
    scope[f"{mark}start"] = prefix + source.literals.get("0", "")
    scope.update({f"{mark}f{index}": field for index, field in enumerate(pattern.fields)})
    scope[f"{mark}text"] = partial(_text, pattern, task)
    scope[f"{mark}slow"] = partial(_render, pattern, task)
    if pattern.has_hash and key is None:
        from asflow._naming.identity import call_hasher  # only where needed: it brings hashlib

        scope[f"{mark}hash"] = call_hasher(task, [parameter.name for parameter in parameters])
    return Namer(pattern, _compile(source.text(), f"{mark}namer", scope, parameters, task))


def _check(pattern: Pattern, signature: inspect.Signature, task: str, key: Callable[..., str] | None) -> None:
    if key is not None:
        if not callable(key):
            raise DefinitionTypeError(
                f"task {task!r}: key={short(key)} is no function: give one with the task's own "
                "parameters that returns the text for `*`"
            )
        if inspect.iscoroutinefunction(key):
            raise DefinitionTypeError(f"task {task!r}: key={short(key)} is async: give a plain function")
        if not pattern.has_hash:
            raise DefinitionValueError(
                f"task {task!r}: key= says what stands for `*`, and on={short(pattern.text)} holds none: "
                "put a `*` into the pattern or leave key= out"
            )
    if pattern.keyed is not (key is not None):
        raise DefinitionValueError(f"task {task!r}: the pattern was parsed with keyed={pattern.keyed}")
    for name in (*pattern.placeholders, *signature.parameters):
        if name not in signature.parameters or not name.isidentifier() or iskeyword(name):
            raise DefinitionValueError(f"task {task!r}: {name!r} can't be a parameter of it")


_HELPERS: dict[str, object] = {
    "type": type,
    "str": str,
    "int": int,
    "len": len,
    "ValueError": ValueError,
    "safe": safe,
    "ends": RESERVED_ENDS,
}


class _Source:
    """The source of a namer. All text in it is made here, but for the parameters' names.

    Those are checked identifiers. Our own names begin with a mark that no parameter begins with; literals
    of the pattern are bound to such names and never become source, but for the repr of a stop character.
    """

    def __init__(
        self, pattern: Pattern, parameters: Sequence[inspect.Parameter], mark: str, prefix: str
    ) -> None:
        self.pattern = pattern
        self.prefix = prefix
        self.parameters = parameters
        self.mark = mark
        self.literals = {str(i): piece for i, piece in enumerate(pattern.pieces) if isinstance(piece, str)}

    def text(self) -> str:
        mark = self.mark
        lines = [f"def {mark}namer({self._head()}):"]
        if self.pattern.has_hash:
            lines.append(f"    {mark}star = {self._star()}")
        values = "".join(f"{self._local(field)}, " for field in self.pattern.fields)
        slow = f"{mark}prefix + {mark}slow(({values}))" if self.prefix else f"{mark}slow(({values}))"
        if self._room() >= 0:
            lines += self._fast_path(slow)
        lines.append(f"    return {slow}")
        return "\n".join(lines) + "\n"

    def _fast_path(self, slow: str) -> list[str]:
        """Write what puts ASCII texts into the name at once, where they are sure to fit and do no harm."""
        mark = self.mark
        locals_of = {
            field: f"{mark}v{index}" for index, field in enumerate(dict.fromkeys(self.pattern.fields))
        }
        lines: list[str] = []
        for field, local in locals_of.items():
            lines += self._take(field, local, slow)
        parts = [
            locals_of[piece] if isinstance(piece, Field) else f"{mark}{index}"
            for index, piece in enumerate(self.pattern.pieces)
        ]
        # The prefix and a literal that follows it are one text: each piece of an f-string has its price.
        parts[: isinstance(self.pattern.pieces[0], str)] = [f"{mark}start"]
        pieces = "".join(f"{{{part}}}" for part in parts)
        return [
            *lines,
            "    try:",
            f'        {mark}name = f"{pieces}"',
            f"    except {mark}ValueError:",  # an int of more digits than Python likes to write
            f"        return {slow}",
            f"    if {mark}len({mark}name) <= {self._room() + len(self.prefix)}{self._end_test()}:",
            f"        return {mark}name",
        ]

    def _head(self) -> str:
        """Write the parameters; the defaults themselves are bound to the compiled function."""
        parts: list[str] = []
        previous = None
        for parameter in self.parameters:
            kind = parameter.kind
            if previous is _KINDS.POSITIONAL_ONLY and kind is not previous:
                parts.append("/")
            if kind is _KINDS.KEYWORD_ONLY and previous not in (_KINDS.KEYWORD_ONLY, _KINDS.VAR_POSITIONAL):
                parts.append("*")
            star = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(kind.name, "")
            default = "" if parameter.default is _KINDS.empty else "=None"
            parts.append(f"{star}{parameter.name}{default}")
            previous = kind
        if previous is _KINDS.POSITIONAL_ONLY:
            parts.append("/")
        return ", ".join(parts)

    def _star(self) -> str:
        """Write the call that returns what stands for `*`."""
        if not self.pattern.keyed:
            return f"{self.mark}hash({', '.join(parameter.name for parameter in self.parameters)})"
        forms = {"VAR_POSITIONAL": "*{0}", "KEYWORD_ONLY": "{0}={0}", "VAR_KEYWORD": "**{0}"}
        passed = [
            forms.get(parameter.kind.name, "{0}").format(parameter.name) for parameter in self.parameters
        ]
        return f"{self.mark}key({', '.join(passed)})"

    def _local(self, field: Field) -> str:
        return f"{self.mark}star" if field.name == STAR else field.name

    def _is_hash(self, field: Field) -> bool:
        return field.name == STAR and not self.pattern.keyed

    def _take(self, field: Field, local: str, slow: str) -> list[str]:
        """Write what sets *local* to what stands for one value, or leaves for the slow path."""
        value, mark = self._local(field), self.mark
        if self._is_hash(field):
            return [f"    {local} = {value}"]
        rest = [
            f"{local} = {mark}text({mark}f{self.pattern.fields.index(field)}, {value})",
            f"if not {local}.isascii():",  # bytes are to be counted
            f"    return {slow}",
        ]
        if field.spec or field.stop.isalnum():
            return [f"    {line}" for line in rest]
        bare = "".join(f".replace('{c}', '')" for c in "-_" if c != field.stop)
        lines = [
            f"    if {mark}type({value}) is {mark}str and {value}.isascii():",
            f"        {local} = {value} if {value}.isalnum() or {value}{bare}.isalnum()"
            f" else {mark}safe({value}, {field.stop!r})",
        ]
        if field.name != STAR:
            lines += (f"    elif {mark}type({value}) is {mark}int:", f"        {local} = {value}")
        return [*lines, "    else:", *(f"        {line}" for line in rest)]

    def _room(self) -> int:
        """Tell how many characters a whole name may have so that no component of it can be too long."""
        return MAX_COMPONENT - sum(len(text.encode()) - len(text) for text in self.literals.values())

    def _end_test(self) -> str:
        """Write the test that values have not made a reserved end, for patterns in which they could."""
        end = self.pattern.components[-1][-1]
        if isinstance(end, str) and not any(reserved.endswith(end.lower()) for reserved in RESERVED_ENDS):
            return ""
        return f" and not {self.mark}name.lower().endswith({self.mark}ends)"


def _compile(
    source: str, name: str, scope: dict[str, object], parameters: Iterable[inspect.Parameter], task: str
) -> Callable[..., str]:
    exec(compile(source, f"<asflow: the output names of {task}>", "exec"), scope)
    namer = cast("Callable[..., str]", scope[name])
    given = [parameter for parameter in parameters if parameter.default is not _KINDS.empty]
    namer.__defaults__ = tuple(p.default for p in given if p.kind is not _KINDS.KEYWORD_ONLY)
    namer.__kwdefaults__ = {p.name: p.default for p in given if p.kind is _KINDS.KEYWORD_ONLY}
    namer.__name__ = task.rpartition(".")[2]
    namer.__qualname__ = task
    return namer


def _render(pattern: Pattern, task: str, values: Sequence[object]) -> str:
    """Make the name from the values of all fields, with every check and escape."""
    left = iter(values)
    parts: list[str] = []
    for component in pattern.components:
        pieces = [p if isinstance(p, str) else _text(pattern, task, p, next(left)) for p in component]
        if len(pieces) == 1 and isinstance(component[0], str):
            parts.append(pieces[0])
            continue
        if component is pattern.components[-1]:
            _keep_end(component, pieces)
        parts.append(cut("".join(pieces), pieces[-1] if isinstance(component[-1], str) else ""))
    name = "/".join(parts)
    length = len(name.encode())
    if length > MAX_NAME:
        raise OutputNameError(
            f"task {task!r}: the output's name has {length} bytes, more than {MAX_NAME}: {short(name)}; "
            "use fewer placeholders or folders in on="
        )
    return name


def _keep_end(component: Component, pieces: list[str]) -> None:
    """Encode the last character of the last value where the name would end like asflow's own files."""
    if "".join(pieces).lower().endswith(RESERVED_ENDS):
        index = max(index for index, piece in enumerate(component) if isinstance(piece, Field))
        pieces[index] = pieces[index][:-1] + percent(pieces[index][-1])


def _text(pattern: Pattern, task: str, field: Field, value: object) -> str:
    """Return the text of one value as it stands in the name."""
    if field.name == STAR:
        if not pattern.keyed:
            return str(value)
        if not isinstance(value, str):
            raise IdentityError(
                f"task {task!r}: key= returned {short(value)}, of type {type(value).__qualname__}: "
                "return a str"
            )
        return safe(str.__str__(value), field.stop)
    text = value if type(value) is str and not field.spec else _format(task, field, value)
    return safe(text, "" if field.stop and _stop_is_fixed(field, value) else field.stop)


def _format(task: str, field: Field, value: object) -> str:
    try:
        text = format(value, field.spec)
    except Exception as error:
        raise OutputNameError(
            f"task {task!r}: argument {field.name!r} is {short(value)}, which can't be formatted"
            f"{f' with {field.spec!r}' if field.spec else ''}: {error}; "
            f"pass a value that can, or change the placeholder in on="
        ) from error
    if not isinstance(value, (str, int, float)) and (" at 0x" in text or _holds_set(value)):
        raise OutputNameError(
            f"task {task!r}: argument {field.name!r} is of type {type(value).__qualname__}, whose text is "
            "not the same in the next run: name other parameters in on=, or use `*`"
        )
    return text


def _holds_set(value: object, depth: int = 0) -> bool:
    """Tell whether the text of *value* depends on the order of a set."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)) and depth < 20:
        return any(_holds_set(item, depth + 1) for item in cast("Iterable[object]", value))
    return isinstance(value, (set, frozenset))


def _stop_is_fixed(field: Field, value: object) -> bool:
    """Tell whether the stop character has a fixed place in the text of *value*, and so needs no encoding."""
    kind = type(value)
    if kind is int or kind is bool:
        return field.stop == "-" and re.fullmatch("0?[0-9]*d?", field.spec) is not None
    if field.stop.isalnum():
        return False  # `{day:%-d}1{number}`: 1 and 11 would share names
    if kind.__module__ == "datetime" and kind.__qualname__ in ("date", "datetime"):
        # Without a spec a datetime may or may not have microseconds and an offset.
        return not re.search("%:?[zZ]", field.spec) and (field.spec != "" or kind.__qualname__ == "date")
    return False
