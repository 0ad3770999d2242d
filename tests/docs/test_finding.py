"""`llms.txt` lists every page of the site, with a sentence about it."""

from __future__ import annotations

import re

import yaml  # type: ignore[import-untyped]
from docs.pages import ROOT, module

SITE = ROOT / "docs" / "site"
FINDING = module("site/finding.py")


def test_every_page_is_listed_with_a_sentence() -> None:
    config = yaml.safe_load((SITE / "mkdocs.yml").read_text())
    text = FINDING.listing(config["nav"], ROOT / "docs", config["site_description"])
    lines = [line for line in text.splitlines() if line.startswith("- [")]
    pages = re.findall(r": ([\w/-]+\.md)$", (SITE / "mkdocs.yml").read_text(), re.M)
    assert len(lines) == len(pages) > 50
    guides = [line for line in lines if "](howto/" in line or "](learn/" in line]
    assert all(re.search(r"\.html\): \w.{15,}", line) for line in guides), guides


def test_a_search_finds_what_to_do_before_what_was_measured() -> None:
    weights = FINDING.WEIGHTS
    assert weights["howto/"] > weights["reference/"] > 1 > weights["benchmarks"]
