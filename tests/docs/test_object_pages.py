"""The site has a page for each public object: since when it is there, its signature, where it is used."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from docs.pages import ROOT, module
from docs.test_reference import MODULES, public

SITE = ROOT / "docs" / "site"
PAGES = module("site/reference.py")
SECTIONS = {"asflow.flow", "asflow.Ignored", "asflow.Secret", "asflow.__version__"}
"""These are explained on the module's own page."""


def entries() -> dict[str, Any]:
    return {entry.path: entry for index in PAGES.indexes().values() for entry in index.entries}


def navigation() -> list[Any]:
    nav: list[Any] = yaml.safe_load((SITE / "mkdocs.yml").read_text())["nav"]
    return nav


def page(path: str) -> str:
    entry = entries()[path]
    index = next(each for each in PAGES.indexes().values() if entry in each.entries)
    text: str = PAGES.text(entry, index, navigation())
    return text


def thing(path: str) -> int:
    """Return the identity of a public object: a name may be importable from two modules."""
    place, _, name = path.rpartition(".")
    return id(getattr(importlib.import_module(place), name))


def test_every_public_object_has_one_page() -> None:
    listed = {f"{place}.{name}" for place in MODULES for name in public(place)} - SECTIONS
    made = [thing(path) for path in entries()]
    assert set(entries()) <= listed
    assert len(made) == len(set(made))
    assert {path for path in listed if thing(path) not in made} == set()


def test_no_two_pages_are_one_file_on_a_disk_that_ignores_case() -> None:
    places = [entry.page.lower() for entry in entries().values()]
    assert len(places) == len(set(places)) > 150


def test_each_object_has_a_sentence_and_a_version_that_the_changelog_has() -> None:
    assert [path for path, entry in entries().items() if not entry.summary] == []
    since = PAGES.since()
    assert set(since) == set(entries())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert set(since.values()) <= set(re.findall(r"^## ([\d.]+) - ", changelog, re.M))


def test_a_page_says_since_when_where_and_how() -> None:
    text = page("asflow.Limit")
    assert text.startswith(
        "# Limit\n\nNew in version 0.1.0, in [`asflow`](../asflow.md). How to: [Limits and rates]("
    )
    assert "(../../howto/limits.md)" in text
    assert "\n::: asflow.Limit\n" in text
    assert "merge_init_into_class: false" in page("asflow.Output")
    assert "(../../howto/formats.md)" in page("asflow.writers.open_reader"), (
        "else what its module's page names"
    )


def test_the_guides_of_a_page_exist() -> None:
    for path in entries():
        for target in re.findall(r"\]\(\.\./\.\./([\w/-]+\.md)\)", page(path)):
            assert (ROOT / "docs" / target).is_file(), path


@pytest.mark.parametrize(
    ("source", "link", "leads_to"),
    [
        ("typing.md", "reference/asflow.md#asflow.Records", "reference/asflow/Records.md#asflow.Records"),
        ("howto/naming.md", "../reference/asflow.md#asflow.TaskDecorator.write",
         "../reference/asflow/TaskDecorator.md#asflow.TaskDecorator.write"),
        ("howto/store.md", "../reference/protocols.md#asflow.protocols.Store",
         "../reference/protocols/Store.md#asflow.protocols.Store"),
        ("reference/asflow.md", "#asflow.Flow", "asflow/Flow.md#asflow.Flow"),
        ("reference/asflow.md", "#asflow.flow", "#asflow.flow"),
        ("howto/naming.md", "retries.md#delays", "retries.md#delays"),
    ],
)  # fmt: skip
def test_links_to_a_name_lead_to_its_page(source: str, link: str, leads_to: str) -> None:
    assert PAGES.moved(f"[it]({link})", source) == f"[it]({leads_to})"


def test_a_modules_page_lists_its_objects_and_keeps_its_own_text() -> None:
    errors = PAGES.indexes()["reference/errors.md"].text
    assert "::: asflow.errors\n" in errors
    assert "members: false" in errors
    assert "- [`DeadlockError`](errors/DeadlockError.md): The call would wait" in errors
    own = PAGES.indexes()["reference/asflow.md"].text
    assert "::: " not in own
    assert "## Ignored, Secret { #asflow.Ignored }" in own
