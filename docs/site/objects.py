"""Reference pages: one for each public object, made when the site is built; a module's page lists them.

The pages under `reference/` say what belongs to a module, as `::: asflow.sinks` or one line per object, and
stay readable where they are. Links to `reference/sinks.md#asflow.sinks.RichSink` lead to the object's page.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import griffe
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"

FIRST = "0.1.0"
SINCE: dict[str, str] = {}
"""What came in a later version than `FIRST`, by its path, as in `asflow.sinks.RichSink`."""

_BLOCK = re.compile(r"^::: (asflow[\w.]*)\n((?: {4}.*\n?)*)", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<page>[\w./-]*\.md)?#(?P<path>asflow\.[\w.]+)\)")


class Entry(NamedTuple):
    """An object with a page of its own.

    Attributes:
        path: as it is imported, `asflow.sinks.RichSink`.
        page: of the site, `reference/sinks/RichSink.md`.
        options: of mkdocstrings, as the module's page has them.
        summary: the first line of its docstring.
    """

    path: str
    page: str
    options: str
    summary: str

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def text(self) -> str:
        """The page."""
        since = SINCE.get(self.path, FIRST)
        module = self.path.rpartition(".")[0]
        return (
            f"# {self.name}\n\nNew in version {since}. Import it as `from {module} import {self.name}`.\n\n"
            f"::: {self.path}\n    options:\n      show_root_toc_entry: false\n{self.options}"
        )


@cache
def package() -> griffe.Object | griffe.Alias:
    """Return what the source defines; nothing is imported."""
    return griffe.load("asflow", search_paths=[ROOT], docstring_parser="google", resolve_aliases=True)


def entries_of(path: str, options: str, folder: str) -> Iterator[Entry]:
    """Yield the entries of a block `::: path`: the object, or the objects of the module."""
    found = package() if path == "asflow" else package()[path.removeprefix("asflow.")]
    if found.is_module:
        for name in found.exports or ():
            yield from entries_of(f"{path}.{name}", "", folder)
        return
    summary = found.docstring.value.splitlines()[0] if found.docstring else ""
    kept = "".join(f"{line}\n" for line in options.splitlines() if line.strip() != "options:")
    yield Entry(path, f"reference/{folder}/{path.rpartition('.')[2]}.md", kept, summary)


def entries_on(page: Path) -> list[Entry]:
    """Return the entries of a module's page."""
    blocks = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [entry for block in blocks for entry in entries_of(block[1], block[2], page.stem)]


@cache
def all_entries() -> dict[str, Entry]:
    """Return every entry by its path."""
    return {entry.path: entry for page in sorted(REFERENCE.glob("*.md")) for entry in entries_on(page)}


def on_config(config: Any, **_: object) -> None:
    """Put the objects below their modules in the navigation; mkdocs calls this first."""
    for section in config["nav"]:
        for child in section.get("Reference", ()):
            [(title, page)] = child.items()
            child[title] = [page, *({each.name: each.page} for each in entries_on(ROOT / "docs" / page))]


def on_files(files: Any, config: Any, **_: object) -> None:
    """Add the pages; mkdocs calls this when it has found its files."""
    for entry in all_entries().values():
        files.append(File.generated(config, entry.page, content=entry.text))


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Lead links to the objects' pages, and list these on a module's page; mkdocs calls this for each."""
    here: str = page.file.src_uri
    if here.startswith("reference/") and here.count("/") == 1:
        markdown = _BLOCK.sub(_listed, markdown)
    return _LINK.sub(lambda link: _led(link, os.path.dirname(here)), markdown)


def _listed(block: re.Match[str]) -> str:
    path = block[1]
    found = package() if path == "asflow" else package()[path.removeprefix("asflow.")]
    entries = [
        each for each in all_entries().values() if each.path == path or each.path.startswith(f"{path}.")
    ]
    paragraphs = found.docstring.value.split("\n\n") if found.is_module and found.docstring else []
    # A list of the names would be there twice.
    about = "".join(f"{each}\n\n" for each in paragraphs if not each.startswith("- "))
    lines = [f"- [`{each.name}`](#{each.path}): {each.summary}\n" for each in entries]
    return about + "".join(lines)


def _led(link: re.Match[str], folder: str) -> str:
    path = link["path"]
    while path and path not in all_entries():
        path = path.rpartition(".")[0]
    if not path:
        return link[0]
    target = os.path.relpath(all_entries()[path].page, folder)
    return f"]({target}#{link['path']})" if path != link["path"] else f"]({target})"
