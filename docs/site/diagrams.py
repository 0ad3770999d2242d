"""Draw Mermaid diagrams when the site is built, so that pages need no script for them."""

from __future__ import annotations

import re
from hashlib import sha256

import mermaidx  # type: ignore[import-untyped]

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace Mermaid's fences with drawings; mkdocs calls this for each page."""
    return FENCE.sub(lambda fence: draw(fence[1]), markdown)


def draw(source: str) -> str:
    """Return the diagram as SVG within a block of HTML."""
    # Each drawing has the id "my-svg": two on one page would share their styles and arrowheads.
    name = f"diagram-{sha256(source.encode()).hexdigest()[:8]}"
    svg = str(mermaidx.render(source).svg()).replace("my-svg", name).replace("\n", " ")
    return f'<div class="diagram">{svg}</div>'
