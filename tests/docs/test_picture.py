"""The moving picture of the first page shows what was recorded, and loads nothing from other hosts."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET

from docs.pages import ROOT

ASSETS = ROOT / "docs" / "assets"


def test_the_moving_picture_is_made_of_the_recording() -> None:
    module = runpy.run_path(str(ROOT / "docs" / "moving_picture.py"))
    recording = (ASSETS / "terminal.cast").read_text()
    drawn = module["svg_of"](module["frames"](recording), module["interrupts"](recording))
    assert drawn == (ASSETS / "demo.svg").read_text(), "make pictures"


def test_the_moving_picture_shows_a_run_that_is_stopped_and_one_that_asks_for_nothing() -> None:
    picture = (ASSETS / "demo.svg").read_text()
    for words in ("again in", "503", ">Ctrl-C<", "cancelled", "on disk", "and 0 requests"):
        assert words in picture
    assert 10 < float(re.findall(r"([\d.]+)s step-end", picture)[0]) < 30, "seconds"


def test_the_moving_picture_moves() -> None:
    picture = (ASSETS / "demo.svg").read_text()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert len(re.findall(r'class="f"', picture)) >= 8
    assert "<script" not in picture
    assert re.findall(r'(?:href|src)="(?!#)', picture) == []
