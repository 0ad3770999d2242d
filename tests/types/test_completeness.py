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
    "Console": "rich: attributes such as Console.quiet have no annotation",
    "Table": "rich: attributes such as Table.header_style have no annotation",
    "ObjectStoreMethods": "obstore: `list` returns a ListStream of an unknown type",
}
"""Types of other libraries that asflow's signatures name, and that are not complete themselves."""

_OBSTORE = {"AzureStore", "GCSStore", "HTTPStore", "S3Store"}
_TYPE = re.compile(r'(?:[Tt]ype is|base class) "([^"]*)"')


@cache
def incomplete(*options: str) -> dict[str, list[str]]:
    """Ask pyright; return the incomplete symbols of asflow's public interface, with what is said of each."""
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
    # What a private module defines counts as "other", also where a public module exports it.
    counts: list[dict[str, int]] = [answer["exportedSymbolCounts"], answer["otherSymbolCounts"]]
    assert sum(count["withKnownType"] for count in counts) > 800, "it looked at something else"
    return {
        symbol["name"]: [each["message"] for each in symbol["diagnostics"]]
        for symbol in answer["symbols"]
        if symbol["name"].startswith("asflow.") and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
    }


def test_all_of_asflow_is_complete() -> None:
    found = incomplete("--ignoreexternal")
    assert not found, "\n".join(f"{name}: {' '.join(said)}" for name, said in found.items())


def test_what_is_not_complete_is_of_another_library() -> None:
    """Without --ignoreexternal: each message leads to an asflow class that has one, or to EXTERNAL."""
    found = incomplete()
    ours = {name.rpartition(".")[2] for name in found} | {name.split(".")[-2] for name in found}
    named: set[str] = set()
    for name, messages in found.items():
        for message in messages:
            types = {each for text in _TYPE.findall(message) for each in re.findall(r"[A-Z]\w+", text)}
            types = {"ObjectStoreMethods" if each in _OBSTORE else each for each in types}
            if not types & (ours - set(EXTERNAL) - {"ObjectStoreMethods"}):
                assert types & set(EXTERNAL), f"{name}: {message}"
                named |= types & set(EXTERNAL)
    assert named == set(EXTERNAL), "one is complete now: take it out of EXTERNAL and of docs/typing.md"
