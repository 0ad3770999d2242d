"""What helps to find a page: weights for the search, and `llms.txt`, a list of all pages for language models.

Source of the format: https://llmstxt.org.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

WEIGHTS = {"howto/": 3.0, "learn/": 2.0, "reference/": 1.5, "benchmarks": 0.3, "departures": 0.3}
"""By the beginning of a page's name: a person who searches wants to do something."""

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"[*`]")


def on_page_markdown(markdown: str, page: Any, **_: object) -> None:
    """Set the page's weight in the search; mkdocs calls this for each page."""
    name: str = page.file.src_uri
    weight = next((weight for start, weight in WEIGHTS.items() if name.startswith(start)), 1.0)
    page.meta.setdefault("search", {})["boost"] = weight


def on_post_build(config: Any, **_: object) -> None:
    """Write `llms.txt`; mkdocs calls this when the site is there."""
    Path(config["site_dir"], "llms.txt").write_text(
        listing(config["nav"], Path(config["docs_dir"]), config["site_description"]), encoding="utf-8"
    )


def listing(nav: list[Any], docs: Path, description: str) -> str:
    """Return the text of `llms.txt` for a navigation of mkdocs."""
    lines = ["# asflow", "", f"> {description}", ""]
    for entry in nav:
        [(title, target)] = entry.items()
        if isinstance(target, str):
            lines.append(line(title, target, docs))
        else:
            lines += ["", f"## {title}", ""]
            for child in target:
                [(name, path)] = child.items()
                # A module's page comes with those of its objects, which are made when the site is built.
                lines.append(line(name, path if isinstance(path, str) else path[0], docs))
    return "\n".join(lines) + "\n"


def line(title: str, path: str, docs: Path) -> str:
    """Return the line of one page, with its first sentence."""
    text = _FENCE.sub("", (docs / path).read_text(encoding="utf-8"))
    paragraphs = [
        each.strip() for each in text.split("\n\n") if each.strip() and each.strip()[0] not in "#|!<:-"
    ]
    first = _MARKS.sub("", _LINK.sub(r"\1", " ".join(paragraphs[0].split()))) if paragraphs else ""
    sentence = re.split(r"(?<=[.:])\s", first)[0].rstrip(":")
    address = path.removesuffix(".md") + ".html"
    return f"- [{title}]({address})" + (f": {sentence}" if sentence else "")
