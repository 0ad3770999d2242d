"""From the arguments of a call to the name of its output.

`compile_namer` makes, at decoration, a function with the task's own parameters that returns the output's
name. Python itself binds the arguments, at the cost of a call, and refuses wrong ones with the same TypeError
that the task would raise. Plain values (an int, or a str of ASCII letters, digits, `-` and `_`) are inserted
as they are; all others go through `asflow._naming.escaping`.

Different texts never share a name. Values of different types may (`1` and `"1"`), except with `*`. Values of
placeholders that share a component are kept apart by encoding the separator in all but the last of them.
Dates and ints still keep their `-`, because its position in them is fixed: `{day}-{city}` is
`2026-01-01-rome`.

A name never ends in `.part` or `.err` (in any case): the last character of a value that would cause that is
encoded as well.
"""

from __future__ import annotations

import inspect
import linecache
import re
from collections import deque
from functools import partial
from keyword import iskeyword
from typing import TYPE_CHECKING, cast

from asflow._checks import task_subject
from asflow._labels import error_line, short
from asflow._naming.escaping import MAX_COMPONENT, cut, percent, safe
from asflow._naming.parameters import check_parameters
from asflow._naming.parsing import RESERVED_ENDS, STAR, Component, Field
from asflow.errors import DefinitionTypeError, DefinitionValueError, IdentityError, OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from dataclasses import dataclass

    from asflow._naming.patterns import Pattern
else:
    from asflow._frozen import dataclass

MAX_NAME = 3500
"""The most bytes of UTF-8 in a whole name: PATH_MAX is 4096, and `base` comes before it."""

_MAX_SOURCES = 1000
"""How many generated functions keep their source for tracebacks; the oldest lose theirs."""

_KINDS = inspect.Parameter


@dataclass(frozen=True, slots=True)
class Namer:
    """Names the outputs of one task.

    Attributes:
        pattern: the task's pattern.
        output: a function with the task's own parameters that returns the output's name, relative to `base`.
            Pure; any thread. Raises TypeError for wrong arguments as the task itself does, OutputNameError
            for a value that can't be part of a name, IdentityError for one that has no identity.
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
    left_out: Collection[str] = (),
    prefix: str = "",
) -> Namer:
    """Make the function that names the outputs of a task.

    Args:
        pattern: the task's pattern, parsed with the names of this signature (and `keyed` if there is a key).
        signature: the task's, as its callers see it. Defaults are used as they are, not copied.
        task: the task's `__qualname__`: part of the hash, and named in messages without its `<locals>`.
        key: a function of the task's own parameters that returns the text for `*`; None is the hash of
            all arguments. It receives positional arguments by position, defaults applied. Its exceptions
            propagate unchanged.
        left_out: the names of parameters that take no part in the hash.
        prefix: put before each name as it is (`base`).

    Raises:
        DefinitionTypeError: *key* can't be called, is an async function, or has other parameters.
        DefinitionValueError: *key* without a `*`, or a *pattern* that was parsed for another task.
    """
    _check(pattern, signature, task, key)
    parameters = list(signature.parameters.values())
    mark = "_asflow_"
    while any(parameter.name.startswith(mark) for parameter in parameters):
        mark += "_"
    hashed = [parameter.name for parameter in parameters if parameter.name not in left_out]
    source = _Source(pattern, parameters, hashed, mark, prefix)
    scope: dict[str, object] = {
        f"{mark}{name}": value for name, value in {**_HELPERS, "key": key, "prefix": prefix}.items()
    }
    scope.update({f"{mark}f{index}": field for index, field in enumerate(pattern.fields)})
    scope[f"{mark}text"] = partial(_text, pattern, task)
    scope[f"{mark}slow"] = partial(_render, pattern, task)
    if pattern.has_hash and key is None:
        from asflow._naming.identity import call_hasher  # only if needed: it brings hashlib

        scope[f"{mark}hash"] = call_hasher(task, hashed)
    return Namer(pattern, compile_function(source.text(), f"{mark}namer", scope, parameters, task))


def _check(pattern: Pattern, signature: inspect.Signature, task: str, key: Callable[..., str] | None) -> None:
    subject = task_subject(task)
    if key is not None:
        if not callable(key):
            raise DefinitionTypeError(
                f"{subject}: key takes a function of the task's own parameters, not {short(key)}; "
                "let it return the text for `*`"
            )
        if inspect.iscoroutinefunction(key):
            raise DefinitionTypeError(
                f"{subject}: key takes a plain function, not the async {short(key)}; "
                "let it return the text for `*`"
            )
        check_parameters("key", key, signature, subject)
        if not pattern.has_hash:
            raise DefinitionValueError(
                f"{subject}: key returns the text for `*`, which on={short(pattern.text)} does not have; "
                "put a `*` into the pattern or leave key out"
            )
    if pattern.keyed is not (key is not None):
        raise DefinitionValueError(
            f"{subject}: key does not fit a pattern parsed with keyed={pattern.keyed}; parse it again"
        )
    for name in (*pattern.placeholders, *signature.parameters):
        if name not in signature.parameters or not name.isidentifier() or iskeyword(name):
            raise DefinitionValueError(f"{subject}: {name!r} can't be one of its parameters; rename it")


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
    """The source of a namer. All its text is generated here, except for the parameters' names.

    Those are checked identifiers. Our own names begin with a mark that no parameter begins with. Literals of
    the pattern, and the prefix, become source by their repr.
    """

    def __init__(
        self,
        pattern: Pattern,
        parameters: Sequence[inspect.Parameter],
        hashed: Sequence[str],
        mark: str,
        prefix: str,
    ) -> None:
        self.pattern = pattern
        self.hashed = hashed
        self.prefix = prefix
        self.parameters = parameters
        self.mark = mark
        self.literals = [piece for piece in pattern.pieces if isinstance(piece, str)]

    def text(self) -> str:
        mark = self.mark
        lines = [f"def {mark}namer({head(self.parameters)}):"]
        if self.pattern.has_hash:
            lines.append(f"    {mark}star = {self._star()}")
        values = "".join(f"{self._local(field)}, " for field in self.pattern.fields)
        slow = f"{mark}prefix + {mark}slow(({values}))" if self.prefix else f"{mark}slow(({values}))"
        if self._longest() >= 0:
            lines += self._fast_path(slow)
        lines.append(f"    return {slow}")
        return "\n".join(lines) + "\n"

    def _fast_path(self, slow: str) -> list[str]:
        """Write the lines that put ASCII texts into the name directly if they fit and are safe."""
        mark = self.mark
        locals_of = {
            field: f"{mark}v{index}" for index, field in enumerate(dict.fromkeys(self.pattern.fields))
        }
        lines: list[str] = []
        for field, local in locals_of.items():
            lines += self._take(field, local, slow)
        # Python joins the prefix and a literal after it into one constant: each piece takes time.
        pieces = " ".join(
            f'f"{{{locals_of[piece]}}}"' if isinstance(piece, Field) else repr(piece)
            for piece in (self.prefix, *self.pattern.pieces)
        )
        return [
            *lines,
            "    try:",
            f"        {mark}name = {pieces}",
            f"    except {mark}ValueError:",  # an int of more digits than Python converts
            f"        return {slow}",
            f"    if {mark}len({mark}name) <= {self._longest() + len(self.prefix)}{self._end_test()}:",
            f"        return {mark}name",
        ]

    def _star(self) -> str:
        """Write the call that returns the text for `*`."""
        if not self.pattern.keyed:
            return f"{self.mark}hash({', '.join(self.hashed)})"
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
        """Write the lines that set *local* to the text of one value, or return by the slow path."""
        value, mark = self._local(field), self.mark
        if self._is_hash(field):
            return [f"    {local} = {value}"]
        rest = [
            f"{local} = {mark}text({mark}f{self.pattern.fields.index(field)}, {value})",
            f"if not {local}.isascii():",  # its bytes have to be counted
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

    def _longest(self) -> int:
        """Return how long a whole name may be so that no component can be too long."""
        return MAX_COMPONENT - sum(len(text.encode()) - len(text) for text in self.literals)

    def _end_test(self) -> str:
        """Write the test for a reserved end, if values can produce one in this pattern."""
        end = self.pattern.components[-1][-1]
        if isinstance(end, str) and not any(reserved.endswith(end.lower()) for reserved in RESERVED_ENDS):
            return ""
        return f" and not {self.mark}name.lower().endswith({self.mark}ends)"


def head(parameters: Iterable[inspect.Parameter]) -> str:
    """Write the parameters; the defaults themselves are bound to the compiled function."""
    parts: list[str] = []
    previous = None
    for parameter in parameters:
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


def compile_function(
    source: str, name: str, scope: dict[str, object], parameters: Iterable[inspect.Parameter], task: str
) -> Callable[..., str]:
    """Return the function *name* of the generated *source*, with the defaults of *parameters*."""
    exec(compile(source, _file_for(source, task), "exec"), scope)
    namer = cast("Callable[..., str]", scope[name])
    given = [parameter for parameter in parameters if parameter.default is not _KINDS.empty]
    namer.__defaults__ = tuple(p.default for p in given if p.kind is not _KINDS.KEYWORD_ONLY)
    namer.__kwdefaults__ = {p.name: p.default for p in given if p.kind is _KINDS.KEYWORD_ONLY}
    namer.__name__ = task.rpartition(".")[2]
    namer.__qualname__ = task
    return namer


_files: deque[str] = deque()


def _file_for(source: str, task: str) -> str:
    """Put *source* into `linecache`, as attrs does, so that tracebacks show its lines; return its file name.

    Equal sources share a file: decorating a task again adds nothing. At most `_MAX_SOURCES` are kept.
    """
    name = f"<asflow output names of {task.rpartition('<locals>.')[2]}"
    lines = source.splitlines(keepends=True)
    number = 1
    while True:
        file = f"{name}>" if number == 1 else f"{name} ({number})>"
        entry = (len(source), None, lines, file)
        found = linecache.cache.setdefault(file, entry)
        if found is entry:
            _files.append(file)
            if len(_files) > _MAX_SOURCES:
                linecache.cache.pop(_files.popleft(), None)
        if found == entry:
            return file
        number += 1


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
            f"{task_subject(task)}: an output's name takes at most {MAX_NAME} bytes, not the {length} of "
            f"{short(name)}; use fewer placeholders or folders in on"
        )
    return name


def _keep_end(component: Component, pieces: list[str]) -> None:
    """Encode the last character of the last value if the name would end like asflow's own files."""
    if "".join(pieces).lower().endswith(RESERVED_ENDS):
        index = max(index for index, piece in enumerate(component) if isinstance(piece, Field))
        pieces[index] = pieces[index][:-1] + percent(pieces[index][-1])


def _text(pattern: Pattern, task: str, field: Field, value: object) -> str:
    """Return the text of one value, encoded for the name."""
    if field.name == STAR:
        if not pattern.keyed:
            return str(value)
        if not isinstance(value, str):
            raise IdentityError(
                f"{task_subject(task)}: key returns the text for `*`, not {short(value)}; return a str"
            )
        return safe(str.__str__(value), field.stop)
    text = value if type(value) is str and not field.spec else _format(task, field, value)
    return safe(text, "" if field.stop and _stop_is_fixed(field, value) else field.stop)


def _format(task: str, field: Field, value: object) -> str:
    try:
        text = format(value, field.spec)
    except Exception as error:
        spec = f" with {field.spec!r}" if field.spec else ""
        raise OutputNameError(
            f"{task_subject(task)}: argument {field.name!r} takes a value that can be formatted{spec}, "
            f"not {short(value)} ({error_line(error)}); pass another value or change the placeholder in on"
        ) from error
    if not isinstance(value, (str, int, float)) and (" at 0x" in text or _holds_set(value)):
        kind = type(value).__qualname__
        raise OutputNameError(
            f"{task_subject(task)}: argument {field.name!r} is of type {kind}, whose text changes from run "
            "to run; name other parameters in on, or use `*`"
        )
    return text


def _holds_set(value: object, depth: int = 0) -> bool:
    """Return whether the text of *value* depends on the order of a set."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, (list, tuple)) and depth < 20:
        return any(_holds_set(item, depth + 1) for item in cast("Iterable[object]", value))
    return isinstance(value, (set, frozenset))


def _stop_is_fixed(field: Field, value: object) -> bool:
    """Return whether the stop character has a fixed position in the text of *value*: then it stays."""
    kind = type(value)
    if kind is int or kind is bool:
        return field.stop == "-" and re.fullmatch("0?[0-9]*d?", field.spec) is not None
    if field.stop.isalnum():
        return False  # with `{day:%-d}1{number}`, 1 and 11 would share names
    if kind.__module__ == "datetime" and kind.__qualname__ in ("date", "datetime"):
        # Without a spec a datetime may or may not have microseconds and an offset.
        return not re.search("%:?[zZ]", field.spec) and (field.spec != "" or kind.__qualname__ == "date")
    return False
