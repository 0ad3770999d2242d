"""The frame and the arrows of the SVG pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NORMAL = "#4c6ef5"
QUIET = "#868e96"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a picture of *parts*, with a size in pixels. It needs no network, and has heads for `arrow`."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
            f' height="{height}" font-family="sans-serif" font-size="12" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            '<defs><marker id="asflow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6"'
            ' markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>',
            *parts,
            "</svg>",
        ]
    )


def arrow(
    start: tuple[float, float], end: tuple[float, float], *, color: str = QUIET, stroke: int = 1
) -> str:
    """Return a curve that leaves *start* and reaches *end* from left to right."""
    (x1, y1), (x2, y2) = start, end
    bend = max(14.0, (x2 - x1) / 2)
    curve = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return (
        f'<path d="{curve}" fill="none" stroke="{color}" stroke-width="{stroke}"'
        ' marker-end="url(#asflow-arrow)"/>'
    )
