"""A small file that unpacks to a record without an end is refused in little memory; the limit can be set."""

from __future__ import annotations

import gzip
import io
import itertools
import tracemalloc
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest
import zstandard

from asflow import Flow
from asflow._cli import main
from asflow.errors import DefinitionValueError, RecordLimitError
from asflow.sinks import NullSink
from asflow.writers import read_records, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 24_000_000  # bytes that a bomb unpacks to
LIMIT = 1_000_000
MOST = 12_000_000  # bytes of memory, whatever a bomb unpacks to

BOMBS: dict[str, tuple[bytes, bytes, Any]] = {
    # suffix: how it begins, what is repeated, how it is read
    ".jsonl": (b'{"id": 1}\n"', b"a", Any),
    ".json": (b'{"text": "', b"a", Any),
    ".csv": (b'id,text\n1,"', b"a", dict[str, str]),
    ".tsv": (b"id\ttext\n1\t", b"a", dict[str, str]),
    ".txt": (b"one line\n", b"a", str),
    ".log": (b"one line\n", b"a", bytes),
}
LINES_IN_QUOTES = b'id,text\n1,"', b"a\n", dict[str, str]


def packed(begin: bytes, repeated: bytes, compression: str) -> bytes:
    """Return a compressed file of SIZE bytes, made in little memory."""
    piece = repeated * (1_000_000 // len(repeated))
    pieces: Iterator[bytes] = itertools.chain([begin], itertools.repeat(piece, SIZE // len(piece)))
    out = io.BytesIO()
    if compression == ".gz":
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as file:
            for each in pieces:
                file.write(each)
    else:
        with zstandard.ZstdCompressor(level=1).stream_writer(out, closefd=False) as file:
            for each in pieces:
                file.write(each)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", str(LIMIT))


@pytest.mark.parametrize("compression", [".gz", ".zst"])
@pytest.mark.parametrize(
    ("suffix", "bomb"), [*BOMBS.items(), (".csv", LINES_IN_QUOTES)], ids=[*BOMBS, "lines in quotes"]
)
def test_a_bomb_is_refused_in_little_memory(suffix: str, bomb: Any, compression: str) -> None:
    begin, repeated, record_type = bomb
    raw = io.BytesIO(packed(begin, repeated, compression))
    tracemalloc.start()
    try:
        with pytest.raises(RecordLimitError, match=r"more than 1,000,000 bytes.*; set ASFLOW_RECORD_LIMIT"):
            for _ in read_records(f"bomb{suffix}{compression}", cast("BinaryIO", raw), record_type):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert raw.closed
    assert peak < MOST


@pytest.mark.parametrize("suffix", BOMBS)
@pytest.mark.parametrize("command", [("ls",), ("ls", "--json"), ("check",), ("check", "--json"), ("show",)])
def test_no_command_unpacks_a_bomb(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    suffix: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"bomb{suffix}.zst"
    begin, repeated, _ = BOMBS[suffix]
    (tmp_path / name).write_bytes(packed(begin, repeated, ".zst"))
    tracemalloc.start()
    try:
        code = main([*command, name] if command == ("show",) else [*command])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST
    err = capsys.readouterr().err
    # Lines of other texts are neither counted nor kept, so they are whole.
    lines_only = suffix in (".txt", ".log") and command != ("show",)
    assert (code, "ASFLOW_RECORD_LIMIT" in err) == ((0, False) if lines_only else (1, True))


@pytest.mark.parametrize("suffix", BOMBS)
def test_many_records_are_no_bomb(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """The limit is of one record: a file may be longer by any factor."""
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", "200000")
    row = {".json": b"1", ".jsonl": b'{"id": 1}', ".tsv": b"1\t2"}.get(suffix, b"1,2") + b"\n"
    count = 1 if suffix == ".json" else 3 * 200_000 // len(row)
    raw = io.BytesIO(gzip.compress(row * count))
    record_type = BOMBS[suffix][2]
    read = read_records(f"x{suffix}.gz", cast("BinaryIO", raw), record_type)
    assert sum(1 for _ in read) == count - (suffix in (".csv", ".tsv"))


@pytest.mark.parametrize("limit", [10, 100])
@pytest.mark.parametrize("length", [9, 10, 11, 99, 100, 101])
def test_the_limit_is_exact_for_lines_and_documents(
    monkeypatch: pytest.MonkeyPatch, limit: int, length: int
) -> None:
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", str(limit))
    text = b'"' + b"a" * (length - 2) + b'"'
    for name, data in (("a.jsonl", b"1\n" + text + b"\n2\n"), ("a.json", text)):
        read = read_records(name, cast("BinaryIO", io.BytesIO(data)), object)
        if length <= limit:
            assert text[1:-1].decode() in list(read)
        else:
            with pytest.raises(RecordLimitError):
                list(read)


def test_a_kept_document_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(save="a.json.gz")
    def make() -> str:
        return "made"

    (tmp_path / "a.json.gz").write_bytes(packed(b'"', b"a", ".gz"))
    with pytest.raises(RecordLimitError):
        make()
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", "1000000000")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'"found"'))
    assert make() == "found"


@pytest.mark.parametrize("suffix", [".json", ".json.zst"])
def test_a_small_kept_document_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(save="{name}" + suffix)
    def make(name: str) -> str:
        return name * 10

    assert make("ab") == make("ab") == "ab" * 10
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", "22")
    with pytest.raises(RecordLimitError, match="more than 22 bytes"):
        make("ab")
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", "23")
    assert make("ab") == "ab" * 10


def test_all_text_is_read_whatever_the_limit() -> None:
    raw = io.BytesIO(gzip.compress(b"a" * (2 * LIMIT)))
    assert len(read_text("a.txt.gz", cast("BinaryIO", raw))) == 2 * LIMIT


@pytest.mark.parametrize("wrong", ["1 GiB", "-1", "0", "1e9", "inf", "\u0661", "9" * 19])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_a_wrong_limit_is_refused(monkeypatch: pytest.MonkeyPatch, wrong: str, name: str) -> None:
    monkeypatch.setenv("ASFLOW_RECORD_LIMIT", wrong)
    raw = cast("BinaryIO", io.BytesIO(b"1\n"))
    with pytest.raises(DefinitionValueError, match="ASFLOW_RECORD_LIMIT takes a number of bytes"):
        list(read_records(name, raw, str if name == "a.txt" else Any))
