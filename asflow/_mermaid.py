"""Flowcharts as Mermaid text, for functions with any name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from asflow._labels import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = frozenset(" _-.,×")


_SHAPES = {"box": ("[", "]"), "round": ("([", "])"), "double": ("[[", "]]")}


def flowchart(lines: Iterable[str]) -> str:
    """Return *lines* as a flowchart from left to right."""
    return "".join(["flowchart LR\n", *(f"    {line}\n" for line in lines)])


def node(name: str, *lines: str, shape: Literal["box", "round", "double"] = "box") -> str:
    """Return the line of the node *name*, an identifier, that shows the *lines*."""
    opening, closing = _SHAPES[shape]
    return f"{name}{opening}{label(*lines)}{closing}"


def connection(start: str, end: str, *, thick: bool = False) -> str:
    """Return the line of an arrow between two nodes."""
    return f"{start} {'==>' if thick else '-->'} {end}"


def label(*lines: str) -> str:
    """Return *lines* as one label in quotes that Mermaid shows as they are, below each other.

    Letters and digits stay readable. Anything else could be read as syntax, HTML, Markdown, an icon or a
    comment, and becomes a numeric entity code; what can't be printed becomes a space.
    Source: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
    """
    # Without text the quotes are a syntax error.
    return f'"{"<br/>".join(map(_spelled, lines)) or " "}"'


def _spelled(text: str) -> str:
    return "".join(_character(one) if one.isprintable() else " " for one in clean(text))


def _character(one: str) -> str:
    return one if one.isalnum() or one in _PLAIN else f"#{ord(one)};"
