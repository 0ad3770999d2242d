"""The notebook editions are those of the pages; their cells run, and print what they show."""

from __future__ import annotations

import shutil
from copy import deepcopy
from typing import Any

import nbformat
import pytest
from docs.pages import ROOT, module, same_output
from docs.test_code import DEMO, environment
from nbclient import NotebookClient

LEARN = ROOT / "docs" / "learn"
MADE = module("notebook_editions.py")
EDITIONS: tuple[str, ...] = MADE.EDITIONS

VARIES = ("asflow check",)
"""Commands whose output depends on when a process was killed."""


@pytest.mark.parametrize("name", EDITIONS)
def test_a_notebook_is_made_from_its_page(name: str) -> None:
    """When this fails: `python docs/notebook_editions.py`."""
    assert (LEARN / f"{name}.ipynb").read_text("utf-8") == MADE.edition(name)


@pytest.mark.slow  # the pages themselves run in the quick tests
@pytest.mark.timeout(240)
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning"
)  # of jupyter_client and ipykernel
@pytest.mark.parametrize("name", EDITIONS)
def test_the_cells_run_and_print_what_they_show(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(DEMO, tmp_path / "api.py")
    for variable, value in environment(tmp_path).items():
        monkeypatch.setenv(variable, value)
    for variable in ("CI", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    read: Any = nbformat.reads
    shown: Any = read((LEARN / f"{name}.ipynb").read_text("utf-8"), as_version=4)
    nbformat.validate(shown)
    # No package index is asked here.
    shown.cells = [cell for cell in shown.cells if not cell.source.startswith("%pip")]
    ran = deepcopy(shown)
    NotebookClient(ran, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    compared = 0
    for cell, expected in zip(ran.cells, shown.cells, strict=True):
        if cell.cell_type == "code" and cell.source.startswith("%%sh"):
            command = cell.source.splitlines()[-1]
            if not command.startswith(VARIES):
                assert same_output(printed(expected), printed(cell)), f"{command}\n{printed(cell)}"
                compared += 1
    assert compared > 5


def printed(cell: Any) -> str:
    return "".join(output["text"] for output in cell.outputs)
