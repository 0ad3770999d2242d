"""Labels in Mermaid text, for functions with any name."""

from __future__ import annotations

from asflow._labels import clean

_PLAIN = frozenset(" _-.,×")


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
