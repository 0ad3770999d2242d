"""The formats of the page with the real libraries: they pass the kit, and the libraries read the files."""

from __future__ import annotations

import ast
import gzip
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import h5py  # type: ignore[import-untyped]
import msgpack  # type: ignore[import-untyped]
import numpy as np
import openpyxl
import pandas
import pytest
from docs.pages import ROOT, blocks
from PIL import Image
from warcio.archiveiterator import ArchiveIterator  # type: ignore[import-untyped]

from asflow import Flow
from asflow.sinks import NullSink
from asflow.testing import check_writer
from asflow.writers import split_suffixes
from asflow.writers._suffixes import REGISTERED

PAGE = ROOT / "docs" / "howto" / "formats.md"
ROWS = [{"city": "Oslo", "celsius": -3.5}, {"city": "Rome", "celsius": 21.0}]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the page; its formats are registered during the test."""
    monkeypatch.chdir(tmp_path)
    before = dict(REGISTERED)
    names: dict[str, Any] = {"__name__": "formats"}
    for block in blocks(PAGE.read_text()):
        if block.language == "python":
            exec(compile(block.text, f"{PAGE.name}:{block.line}", "exec"), names)
    yield names
    REGISTERED.clear()
    REGISTERED.update(before)
    split_suffixes.cache_clear()


RECORDS: dict[str, list[Any]] = {
    ".msgpack": ROWS,
    ".sqlite": ROWS,
    ".xlsx": ROWS,
    ".avro": ROWS,
    ".h5": [[1.5, 2.5], [3.5]],
    ".warc": [("https://example.org/a", b"<p>a"), ("https://example.org/b", b"")],
}


# openpyxl's own, of a sheet whose file is gone, as an output that fails leaves it.
@pytest.mark.filterwarnings("ignore:.*WriteOnlyWorksheet:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", RECORDS)
@pytest.mark.parametrize("times", [1, 40])
def test_it_passes_the_kit(page: dict[str, Any], suffix: str, times: int) -> None:
    """Also with more records than are held at once."""
    form = REGISTERED[suffix]

    def read(data: bytes) -> list[Any]:
        assert form.reader is not None
        found = list(form.reader(io.BytesIO(data)))
        return [each.tolist() for each in found] if suffix == ".h5" else found

    same_bytes = suffix not in (".avro", ".warc", ".xlsx")
    check_writer(form, records=RECORDS[suffix] * times, read=read, same_bytes=same_bytes)


def test_an_image_passes_the_kit(page: dict[str, Any]) -> None:
    check_writer(REGISTERED[".png"], records=[Image.new("RGB", (4, 3), "red")])


@pytest.mark.parametrize("end", ["", ".gz", ".zst"])
@pytest.mark.parametrize("suffix", RECORDS)
def test_it_is_written_and_read_in_a_flow(
    page: dict[str, Any], suffix: str, end: str, tmp_path: Path
) -> None:
    flow = Flow(tmp_path / "own", sink=NullSink())
    records = RECORDS[suffix] * 50

    @flow.task(on=f"{{name}}{suffix}{end}")
    def download(name: str) -> None:
        flow.task.write_all(iter(records))

    download("a")
    output = flow.task.output(download, "a")
    found: list[Any] = list(output.records(np.ndarray if suffix == ".h5" else type(records[0])))
    assert [each.tolist() if suffix == ".h5" else each for each in found] == records
    assert {path.name for path in (tmp_path / "own").iterdir()} == {f"a{suffix}{end}"}


def kept(page: dict[str, Any], suffix: str, records: list[Any], folder: Path) -> Path:
    """Write *records* in a task; return the file."""
    flow = Flow(folder, sink=NullSink())

    @flow.task(on=f"{{name}}{suffix}")
    def download(name: str) -> None:
        flow.task.write_all(records)

    download("kept")
    return flow.task.output(download, "kept").path


def test_the_libraries_read_the_files(page: dict[str, Any], tmp_path: Path) -> None:
    with sqlite3.connect(kept(page, ".sqlite", ROWS, tmp_path)) as database:
        assert database.execute("select max(celsius) from readings").fetchone() == (21.0,)
    database.close()
    sheet = openpyxl.load_workbook(kept(page, ".xlsx", ROWS, tmp_path)).worksheets[0]
    assert [cell.value for cell in sheet[1]] == ["city", "celsius"]
    assert pandas.read_excel(kept(page, ".xlsx", ROWS, tmp_path))["celsius"].tolist() == [-3.5, 21.0]
    with h5py.File(kept(page, ".h5", RECORDS[".h5"], tmp_path)) as data:
        stored: Any = data["0"]
        assert stored[1] == 2.5
    with kept(page, ".avro", ROWS, tmp_path).open("rb") as file:
        assert list(fastavro.reader(file)) == ROWS
    with kept(page, ".msgpack", ROWS, tmp_path).open("rb") as file:
        assert list(msgpack.Unpacker(file)) == ROWS
    with kept(page, ".warc", RECORDS[".warc"], tmp_path).open("rb") as file:
        found = [record.rec_headers["WARC-Target-URI"] for record in ArchiveIterator(file)]
    assert found == ["https://example.org/a", "https://example.org/b"]
    image = Image.new("RGB", (4, 3), "red")
    with Image.open(kept(page, ".png", [image], tmp_path)) as opened:
        assert opened.size == (4, 3)
        assert opened.getpixel((0, 0)) == (255, 0, 0)


def test_a_second_image_and_none_are_refused(page: dict[str, Any], tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 3), "red")
    for images in ([], [image, image]):
        with pytest.raises(ValueError, match="values to unpack"):
            kept(page, ".png", images, tmp_path)
    assert not (tmp_path / "kept.png").exists()


def test_a_cut_file_is_corrupt(page: dict[str, Any], tmp_path: Path) -> None:
    """A library that notices it; MessagePack and WARC just end."""
    from asflow.errors import CorruptOutputError

    for suffix in (".sqlite", ".xlsx", ".avro", ".h5", ".png"):
        flow = Flow(tmp_path, sink=NullSink())
        whole = kept(
            page, suffix, [Image.new("RGB", (400, 3))] if suffix == ".png" else RECORDS[suffix], tmp_path
        )
        (tmp_path / f"cut{suffix}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

        @flow.task(on=f"{{name}}{suffix}")
        def download(name: str) -> None: ...

        with pytest.raises(CorruptOutputError, match=r"its reader refuses it"):
            list(flow.task.output(download, "cut").records(object))


def test_each_is_written_in_at_most_ten_lines() -> None:
    """The bodies of the function, or of the methods."""
    counts: dict[str, int] = {}
    for block in blocks(PAGE.read_text()):
        if block.language != "python":
            continue
        for node in ast.parse(block.text).body:
            if isinstance(node, ast.ClassDef):
                counts[node.name] = sum(_lines(method) for method in node.body)
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("write_"):
                counts[node.name] = _lines(node)
    assert counts == {
        "MsgpackWriter": 2, "write_sqlite": 4, "write_excel": 7, "write_png": 2,
        "Hdf5Writer": 7, "AvroWriter": 4, "WarcWriter": 5,
    }  # fmt: skip


def _lines(function: ast.stmt) -> int:
    assert isinstance(function, ast.FunctionDef)
    does_nothing = isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant)
    return 0 if does_nothing else (function.end_lineno or 0) - function.lineno


def test_gzip_reads_a_compressed_archive(page: dict[str, Any], tmp_path: Path) -> None:
    with gzip.open(kept(page, ".warc.gz", RECORDS[".warc"], tmp_path)) as file:
        assert len(list(ArchiveIterator(file))) == 2
