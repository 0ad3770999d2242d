"""Parses the text of an `on=` pattern, and refuses patterns that can't work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from asflow._checks import task_subject
from asflow._frozen import replace
from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass

STAR = "*"
FAILURE = ".err"
RESERVED_ENDS = (".part", FAILURE)
"""The ends of work in progress and recorded failures: no output's name has one, in any case."""

MAX_LITERAL = 250
"""The most bytes in a component without a placeholder: `.part` is appended to it, and NAME_MAX is 255."""

MAX_LITERAL_BESIDE_VALUES = 160
"""The most bytes of literal text in a component with a placeholder: only values are cut."""


@dataclass(frozen=True, slots=True)
class Field:
    """A placeholder in a pattern, or its `*`.

    Attributes:
        name: the parameter's name, or `*`.
        spec: the format spec; "" if there is none.
        stop: the first character of the literal between this field and the next one of the same component; ""
            if none follows. See `asflow._naming.escaping`.
    """

    name: str
    spec: str = ""
    stop: str = ""


Component: TypeAlias = "tuple[str | Field, ...]"


class _Refuse:
    """Raises the error for a pattern: the one place that names the task and shows the pattern."""

    def __init__(self, task: str, text: str, option: str) -> None:
        self.task = task
        self.text = text
        self.option = option

    def __call__(self, reason: str) -> NoReturn:
        shown = short(self.text, 120)
        raise DefinitionValueError(f"{task_subject(self.task)}: {self.option}={shown} {reason}") from None


def parse_components(
    text: str, parameters: Sequence[str], task: str, *, keyed: bool, option: str = "on"
) -> tuple[Component, ...]:
    """Check a pattern and split it into components. See `asflow._naming.patterns.Pattern.parse`."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        example = f"data/{{{next(iter(parameters), 'x')}}}.json"
        raise DefinitionTypeError(
            f"{task_subject(task)}: {option} takes a str or a path, not {short(text)}; "
            f"write for example {option}={example!r}"
        )
    refuse = _Refuse(task, text, option)
    _check_text(text, refuse)
    pieces = list(_pieces(text, parameters, refuse))
    if sum(isinstance(piece, Field) and piece.name == STAR for piece in pieces) > 1:
        refuse("has two `*`; keep one, which is the hash of all arguments")
    components = _split(pieces, refuse)
    for component in components:
        _check_length(component, refuse)
    end = components[-1][-1]
    if isinstance(end, str) and end.lower().endswith(RESERVED_ENDS):
        refuse(
            f"ends in {end[end.rindex('.') :]!r}, which asflow keeps for its own files; use another suffix"
        )
    return tuple(_with_stops(component, refuse, keyed=keyed) for component in components)


def _check_text(text: str, refuse: _Refuse) -> None:
    if not text:
        refuse("is empty; write a path such as 'data/*.json', or leave on out")
    if "\\" in text:
        refuse("has a backslash; separate folders with '/', on Windows too")
    bad = re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text)
    if bad:
        refuse(f"has the character {bad[0]!r} at position {bad.start()}, which a path can't hold; remove it")
    if "://" in text or re.match("[A-Za-z][A-Za-z0-9+.-]+:/", text):  # a Path makes one slash of two
        refuse(
            "holds a URL; give that to the flow, as in Flow('s3://bucket/prefix'), and a path below it here"
        )
    if text.startswith("/") or re.match("[A-Za-z]:", text):
        refuse("is an absolute path; make it relative and put the folder in the flow's `base`")
    if text == "~" or text.startswith("~/"):
        refuse("starts with '~', which is not expanded here; put the folder in the flow's `base`")


def _pieces(text: str, parameters: Sequence[str], refuse: _Refuse) -> Iterator[str | Field]:
    """Yield literals and fields. Literals are not empty and have no `*`."""
    import string

    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        refuse(f"has unbalanced braces ({error}); write a literal brace twice, as '{{{{' or '}}}}'")
    for literal, name, spec, conversion in parsed:
        first, *others = literal.split(STAR)
        if first:
            yield first
        for other in others:
            yield Field(STAR)
            if other:
                yield other
        if name is not None:
            yield _field(name, spec or "", conversion, parameters, refuse)


def _field(name: str, spec: str, conversion: str | None, parameters: Sequence[str], refuse: _Refuse) -> Field:
    if not name:
        refuse(f"has a placeholder without a name; {_choice(parameters)}")
    if conversion:
        refuse(f"has the conversion '!{conversion}' in '{{{name}}}'; remove it")
    if "{" in spec or "}" in spec:
        refuse(f"has a placeholder inside the format spec of '{{{name}}}'; write the spec out")
    if STAR in spec:
        refuse(f"has a '*' inside the format spec of '{{{name}}}'; use another character")
    if "/" in spec:
        refuse(
            f"has a '/' inside the format spec of '{{{name}}}', which does not make a folder; "
            f"write one placeholder per folder, such as '{{{name}:%Y}}/{{{name}:%m}}'"
        )
    if name not in parameters:
        _refuse_unknown(name, parameters, refuse)
    return Field(name, spec)


def _refuse_unknown(name: str, parameters: Sequence[str], refuse: _Refuse) -> NoReturn:
    base = re.split(r"[.\[]", name, maxsplit=1)[0]
    if base != name and base in parameters:
        refuse(
            f"looks inside an argument with '{{{name}}}'; "
            f"write '{{{base}}}' or '*', or pass what you need as a parameter of its own"
        )
    from difflib import get_close_matches

    near = get_close_matches(name, parameters, n=1, cutoff=0.5)
    if name == "hash":  # AsFlow 0.0.x had it
        hint = "write '*' for the hash of a call's arguments"
    elif near:
        hint = f"did you mean '{{{near[0]}}}'? (parameters: {', '.join(parameters)})"
    else:
        hint = _choice(parameters)
    refuse(f"names the unknown parameter '{{{name}}}'; {hint}")


def _choice(parameters: Sequence[str]) -> str:
    if not parameters:
        return "remove it, as the task has no parameters"
    return f"name one of the parameters ({', '.join(parameters)})"


def _split(pieces: Sequence[str | Field], refuse: _Refuse) -> list[Component]:
    """Split at `/`, drop empty components and `.`, refuse `..`."""
    split: list[list[str | Field]] = [[]]
    for piece in pieces:
        if isinstance(piece, Field):
            split[-1].append(piece)
            continue
        first, *others = piece.split("/")
        if first and split[-1] and isinstance(split[-1][-1], str):
            split[-1][-1] += first  # a literal brace is a literal of its own
        elif first:
            split[-1].append(first)
        split.extend(list[str | Field]([other] if other else []) for other in others)
    if split[-1] in ([], ["."], [".."]):
        refuse("names a folder; add the name of a file, such as '*.json'")
    if [".."] in split:
        refuse("leaves the flow's `base` with '..'; write a path below it, or choose another `base`")
    return [tuple(component) for component in split if component not in ([], ["."])]


def _check_length(component: Component, refuse: _Refuse) -> None:
    literals = [piece for piece in component if isinstance(piece, str)]
    most = MAX_LITERAL if len(literals) == len(component) else MAX_LITERAL_BESIDE_VALUES
    length = len("".join(literals).encode())
    if length > most:
        refuse(f"has {length} bytes of literal text in one path component; use at most {most}")


def _with_stops(component: Component, refuse: _Refuse, *, keyed: bool) -> Component:
    """Set the character that ends each field's value; refuse values with nothing between them."""
    pieces = list(component)
    for index, piece in enumerate(pieces[:-1]):
        following = pieces[index + 1]
        if isinstance(piece, str):
            continue
        if isinstance(following, Field):
            # A hash has a fixed length, and a value with a spec may have one (`{year:04d}{month:02d}`).
            hashed = STAR in (piece.name, following.name) and not keyed
            if not (piece.spec or following.spec or hashed):
                refuse(
                    f"has nothing between '{piece.name}' and '{following.name}', so that different arguments "
                    "can share a name; put a character such as '_' between them"
                )
        elif any(isinstance(later, Field) for later in pieces[index + 2 :]):
            if following[0] == "%":
                refuse(f"has a '%' after '{piece.name}', which begins an encoded character; use another one")
            pieces[index] = replace(piece, stop=following[0])
    return tuple(pieces)
