"""Links and anchors within the repository exist; pages load nothing from other hosts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.pages import PAGES, ROOT, without_code
from markdown.extensions.toc import slugify

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*?) *(?:\{ *#([\w.-]+) *\})? *$", re.M)
DIRECTIVE = re.compile(r"^::: +([\w.]+)", re.M)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: headings and documented names."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    found = {name or slugify(re.sub(r"[`*]", "", title), "-") for title, name in HEADING.findall(text)}
    return found | set(DIRECTIVE.findall(text))


def links(page: Path) -> list[str]:
    return LINK.findall(without_code(page.read_text()))


def problem(page: Path, link: str) -> str | None:
    """Return what is wrong with a link of *page*, or None."""
    if link.startswith(("https://", "mailto:")):
        return "a picture from another host" if f"![{link}" in page.read_text() else None
    if "://" in link:
        return "neither https nor a path"
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return "no such file"
    if not target.is_relative_to(ROOT):
        return "leaves the repository"
    if page.is_relative_to(ROOT / "docs") and not target.is_relative_to(ROOT / "docs"):
        return "leaves the site"
    if anchor and target.suffix == ".md" and not documented(target, anchor):
        return "no such heading"
    return None


def documented(page: Path, anchor: str) -> bool:
    """Whether *anchor* is a heading of *page*, a name that it documents, or a member of one."""
    there = anchors(page)
    return anchor in there or any(anchor.startswith(f"{name}.") for name in there if "." in name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    wrong = {link: problem(page, link) for link in links(page)}
    assert {link: why for link, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_are_in_the_repository(page: Path) -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=[\"']([^\"']+)", page.read_text())
    assert [link for pair in shown for link in pair if "://" in link] == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    assert problem(page, "docs/nowhere.md") == "no such file"
    assert problem(page, "docs/graphs.md#nowhere") == "no such heading"
    assert problem(page, "docs/graphs.md#nodes") is None
    assert problem(page, "../elsewhere") is not None


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "docs" / "site" / "mkdocs.yml").read_text()
    listed = set(re.findall(r": ([\w/-]+\.md)$", navigation, re.M))
    there = {
        page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")
    }
    assert listed == there
