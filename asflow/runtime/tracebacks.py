"""Tracebacks that begin where the user's own code does."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["without_ours"]

E = TypeVar("E", bound=Exception)


def without_ours(error: E) -> E:
    """Drop the catching driver's own frames from the start of *error*'s traceback; return *error* itself.

    Where nothing else is left (the body could not even be called), the traceback stays as it is.
    """
    rest = error.__traceback__
    while rest is not None and rest.tb_frame.f_globals.get("__name__", "").startswith("asflow.runtime."):
        rest = rest.tb_next
    return error if rest is None else error.with_traceback(rest)
