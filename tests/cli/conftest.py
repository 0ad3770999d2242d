"""The command, called in this process in its own folder, and a flow that writes outputs there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from asflow import Flow, _reporter
from asflow._cli import main
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Answer(NamedTuple):
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current directory of the test."""
    monkeypatch.chdir(tmp_path)
    # Not the system's: killed processes of other tests leave folders there, which `clean` shows.
    (temporary := tmp_path.with_name(tmp_path.name + "-temporary")).mkdir()
    monkeypatch.setattr("asflow._cli.clean.places", lambda: [str(temporary)])
    return tmp_path


@pytest.fixture
def asflow(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Answer]]:
    """Run the command in the test's folder; modules that it imports are dropped afterwards."""
    assert folder.is_dir()
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        assert "asflow/_cli" not in err, err  # never a traceback of ours
        return Answer(code, out, err)

    yield run
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def filled(folder: Path) -> Path:
    """A folder with three complete outputs, of 0, 1 and 2 records, and a suppressed failure."""
    flow = Flow(sink=NullSink())

    @flow.task(on="data/{n}.jsonl.zst", suppress=LookupError)
    def fetch(n: int) -> None:
        if n == 3:
            raise LookupError("gone for good")
        for i in range(n):
            flow.task.write({"n": n, "i": i, "text": "é"})

    for n in range(4):
        fetch(n)
    return folder


@pytest.fixture(autouse=True)
def added_sinks() -> Iterator[None]:
    """Take back what `asflow run --sink` adds until its process ends, which here goes on."""
    before = list(_reporter._added)
    yield
    _reporter._added[:] = before
    _reporter._rebuild_all()
    _reporter._default.replaced = False
