"""The changelog, the version and what is built belong together."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from docs.pages import ROOT

import asflow

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_section_on_top_is_that_of_the_version() -> None:
    """It has a date, or is not released yet."""
    version, date = re.findall(r"^## (\S+) - (.*)$", CHANGELOG, re.M)[0]
    assert version == asflow.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d|unreleased", date)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_archive_builds_and_its_wheel_is_complete(tmp_path: Path) -> None:
    """The wheel is made from the archive, as `make wheel` does, and has types, metadata and license."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*-py3-none-any.whl")
    [archive] = tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as built:
        names = set(built.namelist())
        info = f"asflow-{asflow.__version__}.dist-info"
        metadata = HeaderParser().parsestr(built.read(f"{info}/METADATA").decode())
    assert {"asflow/py.typed", f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"} <= names
    assert {name.split("/")[0] for name in names} == {"asflow", info}
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "asflow").rglob("*.py")}
    assert sources <= names
    assert metadata["Version"] == asflow.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert {"CHANGELOG.md", "RELEASING.md", "docs/index.md", "tests/smoke/smoke.py", "Makefile"} <= inside
