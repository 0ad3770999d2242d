"""Zstandard by the standard library (Python 3.14 on) and by the package zstandard."""

import subprocess
import sys
from importlib import import_module
from itertools import product
from typing import Any

import pytest

STDLIB = sys.version_info >= (3, 14)
LIBRARIES = ["_zstd_package", "_zstd_stdlib"] if STDLIB else ["_zstd_package"]
PARTS = [b"", b"a", b"z" * 300_000, bytes(range(256)) * 300]


def library(name: str) -> Any:
    return import_module(f"asflow.writers.{name}")


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(("writes", "reads"), list(product(LIBRARIES, repeat=2)))
def test_each_reads_what_each_writes(writes: str, reads: str) -> None:
    for level, data in product((-5, 1, 3, 19), PARTS):
        compressor = library(writes).compressor(level)
        pieces = [compressor.compress(bytearray(data[start : start + 999])) for start in range(0, 3000, 999)]
        for frame, whole in (
            (b"".join(pieces) + compressor.flush(), data[:3996]),
            (library(writes).whole_compressor(level)(bytearray(data)), data),
        ):
            decompressor = library(reads).decompressor(27)
            assert decompressor.decompress(frame[:-1]) + decompressor.decompress(frame[-1:]) == whole
            assert decompressor.eof


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_compressor_of_whole_frames_is_used_again(name: str) -> None:
    compress = library(name).whole_compressor(3)
    frames = [compress(bytearray(part)) for part in PARTS]
    assert frames == [compress(bytearray(part)) for part in PARTS]
    for frame, part in zip(frames, PARTS, strict=True):
        assert library(name).decompressor(27).decompress(frame) == part


@pytest.mark.parametrize("name", LIBRARIES)
def test_what_does_not_decompress_is_its_error(name: str) -> None:
    frame = bytearray(library(name).whole_compressor(3)(bytearray(range(256))))
    frame[100] ^= 1
    with pytest.raises(library(name).ZstdError):
        library(name).decompressor(27).decompress(bytes(frame))


def test_the_standard_library_is_used_where_it_has_it() -> None:
    both = "{'compression.zstd', 'zstandard'}"
    code = f"import sys, asflow.writers._zstd; print(sorted({both} & set(sys.modules)))"
    assert run(code).stdout.strip() == str(["compression.zstd" if STDLIB else "zstandard"])


def test_a_python_without_libzstd_takes_the_package() -> None:
    code = (
        "import sys; sys.modules['compression.zstd'] = None\n"
        "import asflow.writers._zstd as used; print(used.ZstdError.__module__)"
    )
    assert run(code).stdout.startswith("zstandard")


def test_with_neither_the_error_says_what_to_do() -> None:
    code = (
        "import sys; sys.modules['compression.zstd'] = sys.modules['zstandard'] = None\n"
        "import io\nfrom asflow.writers import open_writer\n"
        "writer = open_writer('x.zst', io.BytesIO()); writer.write('text'); writer.commit()"
    )
    last = run(code).stderr.strip().splitlines()[-1]
    assert last.endswith("the package zstandard is not installed; run pip install zstandard")
    assert last.startswith("asflow.errors.MissingExtraError: ")
