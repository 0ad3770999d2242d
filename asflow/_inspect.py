"""Looking at a function without evaluating its annotations: names that only checkers see stop nobody."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["annotations_of", "signature_of"]


def signature_of(function: Callable[..., object], *, follow_wrapped: bool = True) -> inspect.Signature:
    """Return the signature of *function*, with annotations as far as they can be had (PEP 649).

    Raises:
        TypeError, ValueError: it has none that Python knows.
    """
    if sys.version_info >= (3, 14):
        import annotationlib

        form = annotationlib.Format.FORWARDREF
        return inspect.signature(function, follow_wrapped=follow_wrapped, annotation_format=form)
    return inspect.signature(function, follow_wrapped=follow_wrapped)


def annotations_of(function: object) -> Mapping[str, object]:
    """Return the annotations of *function*, strings and forward references as they are; empty for none."""
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
        except TypeError:  # no function, class or module
            return {}
    return cast("Mapping[str, object]", getattr(function, "__annotations__", None) or {})
