"""Reading names back, as the tests do to see that a name keeps all of a value."""

from urllib.parse import unquote

__all__ = ["decoded"]


def decoded(name: str) -> str:
    """Return the text that was encoded as *name*, by the standard library's own decoder."""
    return "" if name == "%_" else unquote(name, errors="surrogatepass")
