"""Labels in Mermaid text, whatever a user's function is called."""

from __future__ import annotations

__all__ = ["label"]

_PLAIN = frozenset(" _-.,×")


def label(*lines: str) -> str:
    """Return *lines* as one label in quotes that Mermaid shows as they are, below each other.

    Letters and digits stay readable. All else might be read as syntax, HTML, Markdown, an icon or a comment,
    and is spelled as a numeric entity code; what can't be printed is a space.
    Source: https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
    """
    # Without any text the quotes are a syntax error.
    return f'"{"<br/>".join(map(_spelled, lines)) or " "}"'


def _spelled(text: str) -> str:
    return "".join(_character(one) if one.isprintable() else " " for one in text)


def _character(one: str) -> str:
    return one if one.isalnum() or one in _PLAIN else f"#{ord(one)};"
