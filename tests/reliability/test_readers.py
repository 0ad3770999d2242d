"""Readers meet files that nobody published: cut at any byte, empty, or no files at all."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.errors import CorruptOutputError, OutputPlaceError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asflow import Output

ROWS = [{"number": number, "text": "ab" * number} for number in range(12)]


def made(folder: Path, suffix: str) -> tuple[Callable[[], None], Output]:
    flow = Flow(folder, sink=NullSink())

    @flow.task(on="x" + suffix)
    def make() -> None:
        if suffix.startswith(".json") and not suffix.startswith(".jsonl"):
            flow.task.write(ROWS)
        else:
            for row in ROWS:
                flow.task.write(row)

    make()
    return make, flow.task.output(make)


@pytest.mark.parametrize(
    "suffix", [".jsonl.zst", ".jsonl.gz", ".json.zst", ".json.gz", ".csv.zst", ".csv.gz", ".parquet", ".json"]
)
def test_a_file_that_is_cut_at_any_byte(tmp_path: Path, suffix: str) -> None:
    """Refused wherever it is cut; an empty file of these formats counts as absent and is made anew."""
    make, output = made(tmp_path, suffix)
    whole = output.path.read_bytes()
    assert [dict(row) for row in output.records(dict[str, object])] != []
    # A document that lacks nothing but its final newline is whole; an empty one is that of a silent body.
    sizes = range(1, len(whole.rstrip())) if suffix == ".json" else range(len(whole))
    for size in sizes:
        output.path.write_bytes(whole[:size])
        if size == 0:
            assert output.status == "absent"
            with pytest.raises(FileNotFoundError):
                list(output.records(dict[str, object]))
            continue
        with pytest.raises(CorruptOutputError) as caught:
            list(output.records(dict[str, object]))
        assert "x" + suffix in str(caught.value)
    if suffix != ".json":
        output.path.write_bytes(b"")
        make()
        assert output.status == "complete"
        assert list(output.records(dict[str, object]))


def test_a_plain_text_file_is_cut_where_nobody_can_tell(tmp_path: Path) -> None:
    """Lines without compression: a cut inside a record is refused, one between two records can't be seen."""
    _, output = made(tmp_path, ".jsonl")
    whole = output.path.read_bytes()
    for size in range(len(whole)):
        output.path.write_bytes(whole[:size])
        if size == 0 or whole[:size].endswith(b"\n") or whole[size : size + 1] == b"\n":
            assert list(output.records(dict[str, object])) == ROWS[: len(whole[:size].splitlines())]
        else:
            with pytest.raises(CorruptOutputError):
                list(output.records(dict[str, object]))


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".txt.gz"])
def test_more_bytes_than_were_published(tmp_path: Path, suffix: str) -> None:
    """Rubbish after the end is refused too."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="x" + suffix)
    def make() -> None:
        flow.task.write("text" if suffix == ".txt.gz" else {"a": 1})

    make()
    output = flow.task.output(make)
    with output.path.open("ab") as file:
        file.write(b"rubbish")
    with pytest.raises(CorruptOutputError):
        output.text() if suffix == ".txt.gz" else list(output.records(dict[str, int]))


def place(path: Path, what: str) -> None:
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "dangling":
        path.symlink_to("nowhere")
    else:
        path.symlink_to(path.name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
@pytest.mark.parametrize("what", ["folder", "fifo", "dangling", "circle"])
@pytest.mark.parametrize("where", ["x.txt", "x.err", "x.txt.part"])
def test_something_else_in_the_place_of_a_file(tmp_path: Path, what: str, where: str) -> None:
    """A clear error that names it, at once, and the body is not called; what stands there is left alone."""
    flow = Flow(tmp_path, sink=NullSink())
    bodies: list[int] = []

    @flow.task(on="x.txt", suppress=KeyError)
    def make() -> None:
        bodies.append(1)

    place(tmp_path / where, what)
    output = flow.task.output(make)
    signal.alarm(20)  # a reader that opened the FIFO would wait for ever
    try:
        with pytest.raises(OutputPlaceError) as caught:
            make()
        assert caught.value.filename == str(tmp_path / where)
        assert "move it away" in str(caught.value)
        if where == "x.txt":
            for ask in (lambda: output.status, output.text, lambda: list(output.records(str))):
                with pytest.raises(OutputPlaceError if what in {"folder", "fifo"} else OSError):
                    ask()
    finally:
        signal.alarm(0)
    assert bodies == []
    assert os.listdir(tmp_path) == [where]
    (tmp_path / where).rmdir() if what == "folder" else (tmp_path / where).unlink()
    make()
    assert bodies == [1]
    assert os.listdir(tmp_path) == ["x.txt"]
