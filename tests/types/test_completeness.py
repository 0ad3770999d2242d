"""`pyright --verifytypes`: everything public has a declared type, for whoever reads asflow's py.typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXTERNAL = {
    "Console": "rich.console: attributes without annotations",
    "Table": "rich.table: attributes without annotations",
    "ScriptRunContext": "streamlit.runtime: fields of types that its optional dependencies have",
    "DeltaGenerator": "streamlit: methods that take data frames of libraries without types",
    "Encoder": "msgspec.json: takes a Decimal, whose type is partially unknown in the standard library's stubs",
}
"""Types of other libraries that asflow's signatures name, and that are not complete themselves."""


@cache
def incomplete(*options: str) -> dict[str, list[str]]:
    """Ask pyright; return the incomplete symbols that asflow exports, each with what is said of it."""
    # It looks for the package in the first Python on the path, whatever --pythonpath says.
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        [BIN / "pyright", "--verifytypes", "asflow", "--outputjson", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    answer: dict[str, Any] = json.loads(result.stdout)["typeCompleteness"]
    assert answer["exportedSymbolCounts"]["withKnownType"] > 1000, "it looked at something else"
    return {
        symbol["name"]: [each["message"] for each in symbol["diagnostics"]]
        for symbol in answer["symbols"]
        if symbol["isExported"] and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
    }


def test_all_of_asflow_is_complete() -> None:
    found = incomplete("--ignoreexternal")
    assert not found, "\n".join(f"{name}: {' '.join(said)}" for name, said in found.items())


def test_what_is_not_complete_is_of_another_library() -> None:
    """Without --ignoreexternal: each symbol left leads to one of the types named above."""
    found = incomplete()
    ours = {name.rpartition(".")[2] for name in found} | {name.split(".")[-2] for name in found}
    roots: dict[str, set[str]] = {}
    for name, said in found.items():
        types = set(re.findall(r"\b[A-Z]\w+", " ".join(re.findall(r'(?:type|Type) is "([^"]*)"', " ".join(said)))))
        for each in types - ours - {"None", "Any", "Unknown", "Callable"}:
            roots.setdefault(each, set()).add(name)
    assert set(roots) <= set(EXTERNAL), roots
    assert set(EXTERNAL) <= set(roots), "one is complete now: take it out of EXTERNAL and of the docs"
