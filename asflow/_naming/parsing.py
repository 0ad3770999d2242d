"""Takes the text of an `on=` pattern apart, and refuses the ones that can't work."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FAILURE", "RESERVED_ENDS", "STAR", "Component", "Field", "parse_components"]

STAR = "*"
FAILURE = ".err"
RESERVED_ENDS = (".part", FAILURE)
"""What no output's name ends in, in any case: work in progress and recorded failures do."""

MAX_LITERAL = 250
"""Bytes of a component without a placeholder: `.part` is added to it, and NAME_MAX is 255."""

MAX_LITERAL_BESIDE_VALUES = 160
"""Bytes of all literal text in a component with a placeholder: a value may be cut, a literal never is."""


@dataclass(frozen=True, slots=True)
class Field:
    """A placeholder in a pattern, or its `*`.

    Attributes:
        name: the parameter's name, or `*`.
        spec: the format spec, "" if there is none.
        stop: the first character of the literal between this field and the next one of the same component; ""
            if none follows. See `asflow._naming.escaping`.
    """

    name: str
    spec: str = ""
    stop: str = ""


Component: TypeAlias = "tuple[str | Field, ...]"


class _Refuse:
    """Says which task and pattern is refused, in one place."""

    def __init__(self, task: str, text: str) -> None:
        self.task = task
        self.text = text

    def __call__(self, reason: str) -> NoReturn:
        raise DefinitionValueError(f"task {self.task!r}: on={short(self.text, 120)} {reason}") from None


def parse_components(
    text: str, parameters: Sequence[str], task: str, *, keyed: bool
) -> tuple[Component, ...]:
    """Check a pattern and split it into components. See `asflow._naming.patterns.Pattern.parse`."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DefinitionTypeError(
            f"task {task!r}: on={short(text)} is of type {type(text).__qualname__}: "
            "give a str such as 'data/{" + next(iter(parameters), "x") + "}.json'"
        )
    refuse = _Refuse(task, text)
    _check_text(text, refuse)
    pieces = list(_pieces(text, parameters, refuse))
    if sum(isinstance(piece, Field) and piece.name == STAR for piece in pieces) > 1:
        refuse("holds two `*`: one stands for all arguments of the call, keep one")
    components = _split(pieces, refuse)
    for component in components:
        _check_length(component, refuse)
    end = components[-1][-1]
    if isinstance(end, str) and end.lower().endswith(RESERVED_ENDS):
        refuse(
            f"ends in {end[end.rindex('.') :]!r}, which asflow keeps for its own files: use another suffix"
        )
    return tuple(_with_stops(component, refuse, keyed=keyed) for component in components)


def _check_text(text: str, refuse: _Refuse) -> None:
    if not text:
        refuse("is empty: give a path such as 'data/*.json', or leave `on` out")
    if "\\" in text:
        refuse("holds a backslash: separate folders with '/', on Windows too")
    bad = re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text)
    if bad:
        refuse(f"holds the character {bad[0]!r} at position {bad.start()}, no part of a path: take it out")
    if text.startswith("/") or re.match("[A-Za-z]:", text):
        refuse("is an absolute path: make it relative, and put the folder into the flow's `base`")
    if text == "~" or text.startswith("~/"):
        refuse("starts with '~', which is not expanded here: put the folder into the flow's `base`")


def _pieces(text: str, parameters: Sequence[str], refuse: _Refuse) -> Iterator[str | Field]:
    """Yield literals and fields. Literals are not empty and hold no `*`."""
    import string

    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        refuse(f"has unbalanced braces ({error}): a literal brace is written twice, '{{{{' or '}}}}'")
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
    """Check one placeholder."""
    if not name:
        refuse(f"has a placeholder without a name: name one of the parameters ({_listed(parameters)})")
    if conversion:
        refuse(f"has the conversion '!{conversion}' in '{{{name}}}': leave it out")
    if "{" in spec or "}" in spec:
        refuse(f"has a placeholder inside the format spec of '{{{name}}}': write the spec out")
    if STAR in spec:
        refuse(f"has a '*' inside the format spec of '{{{name}}}': use another character")
    if "/" in spec:
        refuse(
            f"has a '/' inside the format spec of '{{{name}}}', where it makes no folder: write one "
            f"placeholder a folder, such as '{{{name}:%Y}}/{{{name}:%m}}'"
        )
    if name not in parameters:
        _refuse_unknown(name, parameters, refuse)
    return Field(name, spec)


def _refuse_unknown(name: str, parameters: Sequence[str], refuse: _Refuse) -> NoReturn:
    base = re.split(r"[.\[]", name, maxsplit=1)[0]
    if base != name and base in parameters:
        refuse(
            f"looks inside an argument with '{{{name}}}': only whole arguments can be named; "
            f"write '{{{base}}}' or '*', or pass what you need as a parameter of its own"
        )
    from difflib import get_close_matches

    near = get_close_matches(name, parameters, n=1, cutoff=0.5)
    hint = f"did you mean '{{{near[0]}}}'? The" if near else "the"
    refuse(f"names no parameter with '{{{name}}}': {hint} parameters are {_listed(parameters)}")


def _listed(parameters: Sequence[str]) -> str:
    return ", ".join(parameters) or "none"


def _split(pieces: Sequence[str | Field], refuse: _Refuse) -> list[Component]:
    """Split at `/`, drop components that say nothing, refuse those that lead elsewhere."""
    split: list[list[str | Field]] = [[]]
    for piece in pieces:
        if isinstance(piece, Field):
            split[-1].append(piece)
            continue
        first, *others = piece.split("/")
        if first and split[-1] and isinstance(split[-1][-1], str):
            split[-1][-1] += first  # a literal brace comes as a literal of its own
        elif first:
            split[-1].append(first)
        split.extend(list[str | Field]([other] if other else []) for other in others)
    if split[-1] in ([], ["."], [".."]):
        refuse("names a folder: add the name of a file, such as '*.json'")
    if [".."] in split:
        refuse("leaves the flow's `base` with '..': give a path below it, or another `base`")
    return [tuple(component) for component in split if component not in ([], ["."])]


def _check_length(component: Component, refuse: _Refuse) -> None:
    literals = [piece for piece in component if isinstance(piece, str)]
    most = MAX_LITERAL if len(literals) == len(component) else MAX_LITERAL_BESIDE_VALUES
    length = len("".join(literals).encode())
    if length > most:
        refuse(f"has {length} bytes of literal text in one path component: use at most {most}")


def _with_stops(component: Component, refuse: _Refuse, *, keyed: bool) -> Component:
    """Tell each field which character ends its value; refuse values with nothing between them."""
    pieces = list(component)
    for index, piece in enumerate(pieces[:-1]):
        following = pieces[index + 1]
        if isinstance(piece, str):
            continue
        if isinstance(following, Field):
            # A hash has a fixed length; a spec may give one (`{year:04d}{month:02d}`).
            hashed = STAR in (piece.name, following.name) and not keyed
            if not (piece.spec or following.spec or hashed):
                refuse(
                    f"has nothing between '{piece.name}' and '{following.name}', so that different arguments "
                    "can give one name: put a character such as '_' between them"
                )
        elif any(isinstance(later, Field) for later in pieces[index + 2 :]):
            if following[0] == "%":
                refuse(
                    f"has a '%' after '{piece.name}', with which encoded characters begin: use another one"
                )
            pieces[index] = replace(piece, stop=following[0])
    return tuple(pieces)
