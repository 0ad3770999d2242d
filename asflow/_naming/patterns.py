"""The pattern in a task's `on=`: checked and parsed once, at decoration.

    data/{channel}/{day:%Y-%m-%d}-*.jsonl.zst

Components are separated by `/`; `{param}` and `{param:spec}` are arguments, `*` is the call's hash, `{{` and
`}}` are braces. The pattern's *suffix* is the literal text after the last placeholder of the last component;
if that component has none, the suffix begins at its first dot (a leading one not counted). The text of an
argument is never part of the suffix. The name of a suppressed failure has `.err` instead of the suffix.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from asflow._naming.escaping import CUT_MARK, EMPTY, UNSAFE
from asflow._naming.parsing import FAILURE, RESERVED_ENDS, STAR, Component, Field, parse_components

if TYPE_CHECKING:
    from collections.abc import Sequence
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A valid output pattern, made by `Pattern.parse`.

    Attributes:
        text: as the user wrote it.
        components: the path, one tuple of literals and fields per component; `.` and empty ones are left out.
        placeholders: names of the parameters in it, each once, in order; without `*`.
        has_hash: whether it has a `*`.
        keyed: whether the task's `key=` returns the text for `*`.
        prefix: the literal text before the first placeholder or `*`: the start of all outputs' names.
        suffix: the literal end of all outputs' names; "" if there is none.
        shape: the pattern with `{}` for each parameter and a keyed `*`, and `*` for the hash. Two tasks of
            equal shape can own one output, unless the hash keeps them apart.
        failure_shape: the same with `.err` for the suffix: they can record a failure under one name.
    """

    text: str
    components: tuple[Component, ...]
    placeholders: tuple[str, ...]
    has_hash: bool
    keyed: bool
    prefix: str
    suffix: str
    shape: str
    failure_shape: str

    @classmethod
    def parse(
        cls, text: str, *, parameters: Sequence[str], task: str, keyed: bool = False, option: str = "on"
    ) -> Pattern:
        """Check and parse a task's `on=` or `save=`.

        Args:
            text: the pattern: a relative path with `/`.
            parameters: the names of the task's parameters, `*args` and `**kwargs` without their stars.
            task: the task's qualified name, for messages.
            keyed: whether the task has a `key=`; then `*` may be replaced by any text.
            option: the option's name, for messages.

        Raises:
            DefinitionTypeError: *text* is not a str.
            DefinitionValueError: the pattern can't work; the message says why and what to write instead.
        """
        components = parse_components(text, parameters, task, keyed=keyed, option=option)
        fields = [piece for component in components for piece in component if isinstance(piece, Field)]
        flat = _flatten(components)
        suffix = _suffix(components[-1])
        stems = (*flat[:-1], *_without(flat[-1], suffix))
        return cls(
            text=text,
            components=components,
            placeholders=tuple(dict.fromkeys(field.name for field in fields if field.name != STAR)),
            has_hash=any(field.name == STAR for field in fields),
            keyed=keyed,
            prefix=flat[0] if isinstance(flat[0], str) else "",
            suffix=suffix,
            shape="".join(_shape(piece, keyed=keyed) for piece in flat),
            failure_shape="".join(_shape(piece, keyed=keyed) for piece in stems) + FAILURE,
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every placeholder and `*` from left to right, with repetitions."""
        return tuple(p for component in self.components for p in component if isinstance(p, Field))

    @property
    def pieces(self) -> tuple[str | Field, ...]:
        """Literals and fields from left to right, over all components, with `/` in the literals."""
        return _flatten(self.components)

    def failure_name(self, name: str) -> str:
        """Return the name under which a suppressed failure of the output *name* is recorded."""
        return name[: len(name) - len(self.suffix)] + FAILURE

    def match(self, name: str) -> bool:
        """Return whether *name*, relative to `base`, could be an output of this pattern. Cut names count."""
        if name.lower().endswith(RESERVED_ENDS):
            return False
        return _compiled(self).fullmatch(name) is not None


def _flatten(components: Sequence[Component]) -> tuple[str | Field, ...]:
    """Join components into one run of literals and fields, without two adjacent literals."""
    flat: list[str | Field] = []
    for index, component in enumerate(components):
        for piece in ("/", *component) if index else component:
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                flat[-1] += piece
            else:
                flat.append(piece)
    return tuple(flat)


def _suffix(last: Component) -> str:
    end = last[-1]
    if isinstance(end, Field):
        return ""
    if len(last) > 1:
        return end
    dot = end.find(".", 1)
    return end[dot:] if dot > 0 else ""


def _without(piece: str | Field, suffix: str) -> tuple[str | Field, ...]:
    return (piece,) if isinstance(piece, Field) else (piece[: len(piece) - len(suffix)],)


def _shape(piece: str | Field, *, keyed: bool) -> str:
    """Return a piece as in a pattern, without the parameter's name."""
    if isinstance(piece, str):
        return piece.replace("{", "{{").replace("}", "}}")
    return STAR if piece.name == STAR and not keyed else "{}"


@lru_cache(maxsize=256)
def _compiled(pattern: Pattern) -> re.Pattern[str]:
    return re.compile("/".join(_component(component, pattern) for component in pattern.components))


def _component(component: Component, pattern: Pattern) -> str:
    plain = "".join(re.escape(p) if isinstance(p, str) else _value(p, pattern) for p in component)
    if all(isinstance(piece, str) for piece in component):
        return plain
    tail = re.escape(component[-1]) if isinstance(component[-1], str) else ""
    return f"(?:{plain}|[^/]*{CUT_MARK}[0-9a-f]{{32}}{tail})"


def _value(field: Field, pattern: Pattern) -> str:
    if field.name == STAR and not pattern.keyed:
        return "[0-9a-f]{32}"
    return rf"(?:{EMPTY}|(?!\.)(?:%[0-9A-F]{{2}}|[^{re.escape(UNSAFE)}])+(?<![. ]))"
