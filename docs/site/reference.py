"""A page for each public object, made when the site is built; a module's page becomes the index of its own.

The pages in `docs/reference/` list what there is, with `::: asflow.NAME` for an object, `::: asflow.MODULE`
for all of a module. Links to the anchors of these become links to the pages that are made here.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import griffe

HERE = Path(__file__).parent
DOCS = HERE.parent

DIRECTIVE = re.compile(r"^::: (?P<path>asflow[\w.]*)\n(?P<options>(?: +.*\n)*)", re.MULTILINE)
LINK = re.compile(r"\]\((?P<page>[\w./-]*)#(?P<anchor>asflow\.[\w.]+)\)")
GUIDES = {"How to", "Other ways to write a pipeline"}
"""The parts of the navigation that say how something is used."""

SPELLED = {
    "AddedSink": r"\badd_sink\b",
    "FlowGraph": r"\bflow\.graph\b",
    "FlowReport": r"\breport\(\)",
    "FlowRun": r"\bflow\.run\b",
    "Problem": r"\breport\(\)",
    "Progress": r"\bflow\.task\.(?:progress|track)\b",
    "SyncTaskMap": r"\bflow\.task\.map\b",
    "TaskDecorator": r"@flow\.task\b",
    "TaskMap": r"\bflow\.task\.map\b",
    "run": r"\basflow\.run\(",
    "TaskReport": r"\breport\(\)",
    "TaskRun": r"\bflow\.task\.run\b",
}
"""How guides write what is obtained from a flow."""


@dataclass
class Entry:
    """One public object and its page.

    Attributes:
        path: its name with the module's, as in `asflow.events.TaskFailed`.
        options: the options of its directive, indented, or nothing.
        summary: the first sentence of its docstring.
        page: where its page is, relative to `docs/`.
    """

    path: str
    options: str
    summary: str
    page: str

    @property
    def name(self) -> str:
        """The name without the module's."""
        return self.path.rpartition(".")[2]


@dataclass
class Index:
    """The page of a module: its text, with links in the place of directives, and the objects."""

    page: str
    text: str = ""
    entries: list[Entry] = field(default_factory=list[Entry])


@cache
def package() -> griffe.Module:
    """Return what griffe reads of asflow, without importing it."""
    loaded = griffe.load(
        "asflow", search_paths=[DOCS.parent], docstring_parser="google", resolve_aliases=True
    )
    assert isinstance(loaded, griffe.Module)
    return loaded


@cache
def since() -> dict[str, str]:
    """Return the version in which each public name came."""
    versions = tomllib.loads((HERE / "since.toml").read_text("utf-8"))
    return {
        f"{module}.{name}": version
        for version, modules in versions.items()
        for module, listed in modules.items()
        for name in listed
    }


@cache
def indexes() -> dict[str, Index]:
    """Return the pages of the modules, by their places."""
    return {(each := index(path)).page: each for path in sorted((DOCS / "reference").glob("*.md"))}


def index(path: Path) -> Index:
    """Return one module's page."""
    made = Index(f"reference/{path.name}")

    def listed(directive: re.Match[str]) -> str:
        place, options = directive["path"], directive["options"]
        target = package()[place.removeprefix("asflow.")]
        if not target.is_module:
            return line(add(made, place, "" if "show_root" in options else options))
        lines = [line(add(made, f"{place}.{name}", "")) for name in names(target)]
        return f"{directive[0].rstrip()}\n      members: false\n\n{''.join(lines)}"

    made.text = DIRECTIVE.sub(listed, path.read_text("utf-8") + "\n")
    return made


def names(module: Any) -> list[str]:
    """Return the public names of a module, in its order."""
    return [str(name) for name in module.exports if str(name) not in module.modules]


def add(made: Index, path: str, options: str) -> Entry:
    """Add an object to its module's page."""
    folder, name = made.page.removesuffix(".md"), path.rpartition(".")[2]
    page = f"{folder}/{name}.md"
    # On some disks `Node.html` and `node.html` are one file.
    if page.lower() in {entry.page.lower() for entry in made.entries}:
        page = f"{folder}/{name}_.md"
    entry = Entry(path, options, summary(path), page)
    made.entries.append(entry)
    return entry


def summary(path: str) -> str:
    """Return the first sentence of an object's docstring."""
    docstring = package()[path.removeprefix("asflow.")].docstring
    first = docstring.value.strip().split("\n\n")[0] if docstring else ""
    return re.split(r"(?<=\.)\s", " ".join(first.split()))[0]


def line(entry: Entry) -> str:
    """Return the line of an object on its module's page."""
    address = posixpath.relpath(entry.page, "reference")
    return f"- [`{entry.name}`]({address}): {entry.summary}\n"


def text(entry: Entry, made: Index, nav: list[Any]) -> str:
    """Return the page of an object."""
    folder = posixpath.dirname(entry.page)
    module = f"[`{entry.path.rpartition('.')[0]}`]({posixpath.relpath(made.page, folder)})"
    found = ", ".join(f"[{title}]({posixpath.relpath(page, folder)})" for title, page in guides(entry, nav))
    how = f" How to: {found}." if found else ""
    options = entry.options or "    options:\n"
    return (
        f"# {entry.name}\n\nNew in version {since()[entry.path]}, in {module}.{how}\n\n"
        f"::: {entry.path}\n{options}      heading_level: 2\n"
    )


def guides(entry: Entry, nav: list[Any]) -> list[tuple[str, str]]:
    """Return the titles and places of the three guides that use an object most, or else of its module's."""
    name = entry.name
    spelled = SPELLED.get(name, rf"\b{name}\b" if name[0].isupper() else rf"\b{name}\(")
    module = entry.path.split(".")[-2]
    counted: list[tuple[int, str, str]] = []
    linked: list[tuple[str, str]] = []
    introduction = (DOCS / f"reference/{module}.md").read_text("utf-8")
    for title, page, guide in pages(nav):
        count = len(re.findall(spelled, guide)) if re.search(rf"\b{module}\b", guide) else 0
        counted += [(-count, title, page)] if count else []
        linked += [(title, page)] if module != "asflow" and f"](../{page}" in introduction else []
    return [(title, page) for _, title, page in sorted(counted)[:3]] or linked


def pages(nav: list[Any]) -> list[tuple[str, str, str]]:
    """Return title, place and text of the guides in a navigation of mkdocs."""
    parts = [entry[part] for entry in nav for part in entry if part in GUIDES]
    found = [pair for part in parts for child in part for pair in child.items()]
    return [(title, page, (DOCS / page).read_text("utf-8")) for title, page in found]


def moved(markdown: str, source: str) -> str:
    """Return a page's text; its links to what a module's page documents lead to the objects' pages."""
    folder = posixpath.dirname(source)

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["page"])) if link["page"] else source
        for entry in indexes()[target].entries if target in indexes() else ():
            if f"{link['anchor']}.".startswith(f"{entry.path}."):
                return f"]({posixpath.relpath(entry.page, folder)}#{link['anchor']})"
        return link[0]

    return LINK.sub(lead, markdown)


def on_config(config: Any, **_: object) -> None:
    """Put the pages of the objects below their modules' in the navigation; mkdocs calls this first."""
    [reference] = [entry["Reference"] for entry in config["nav"] if "Reference" in entry]
    for each in reference:
        for title, page in each.items():
            each[title] = [page, *({entry.name: entry.page} for entry in indexes()[page].entries)]


def on_files(files: Any, config: Any, **_: object) -> Any:
    """Add the pages of the objects; mkdocs calls this once it has found the others."""
    from mkdocs.structure.files import File

    for made in indexes().values():
        for entry in made.entries:
            files.append(File.generated(config, entry.page, content=text(entry, made, config["nav"])))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Replace a module's page by its index, and mend the links of all; mkdocs calls this for each page."""
    source: str = page.file.src_uri
    return moved(indexes()[source].text if source in indexes() else markdown, source)
