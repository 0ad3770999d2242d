"""Formats of a user's own: registered, read back, refused, offered by packages."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import pydantic
import pytest

from asflow import Flow, Format, MemoryStore, add_format
from asflow.errors import CorruptOutputError, DefinitionTypeError, DefinitionValueError, RecordValueError
from asflow.protocols import ByteStream
from asflow.sinks import NullSink
from asflow.testing import check_writer
from asflow.writers import as_file, by_path, split_suffixes
from asflow.writers._suffixes import REGISTERED, offered


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Each test begins and ends without registered formats."""
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)
    split_suffixes.cache_clear()


class JsonSeq:
    """JSON text sequences (RFC 7464): a record separator before each."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream

    def write(self, record: object) -> None:
        self.stream.write(b"\x1e" + msgspec.json.encode(record) + b"\n")

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def read_json_seq(file: BinaryIO) -> Iterator[Any]:
    for part in file.read().split(b"\x1e")[1:]:
        yield msgspec.json.decode(part)


JSON_SEQ = Format(".json-seq", JsonSeq, read_json_seq)


@dataclass
class Row:
    city: str
    celsius: float


class Pair(NamedTuple):
    city: str
    celsius: float


class Struct(msgspec.Struct):
    city: str
    celsius: float


class Model(pydantic.BaseModel):
    city: str
    celsius: float


def flow() -> Flow:
    return Flow(store=MemoryStore(), sink=NullSink())


def test_the_kit_takes_a_format_and_reads_with_it() -> None:
    check_writer(JSON_SEQ, records=[{"a": 1}, {"b": None}])


@pytest.mark.parametrize("end", ["", ".gz", ".zst"])
@pytest.mark.parametrize("kind", [Row, Struct, Pair])
def test_records_of_any_class_come_back(kind: Any, end: str) -> None:
    add_format(JSON_SEQ)
    work, made = flow(), [kind("Rome", 21.5), kind("Oslo", -3.0)]
    calls: list[str] = []

    def listed() -> Any:
        calls.append("listed")
        return made

    def streamed() -> Any:
        yield from made

    def only() -> Any:
        return made[0]

    listed.__annotations__["return"] = list[kind]
    streamed.__annotations__["return"] = Iterator[kind]
    only.__annotations__["return"] = kind
    rows = work.task(save=f"listed.json-seq{end}")(listed)
    stream = work.task(save=f"streamed.json-seq{end}")(streamed)
    one = work.task(save=f"only.json-seq{end}")(only)
    for _ in range(2):
        assert rows() == made
        assert list(stream()) == made
        assert one() == made[0]
    assert calls == ["listed"]
    assert work.task.output(rows).value() == made
    assert list(work.task.output(rows).records(kind)) == made


def test_a_model_comes_back_and_a_wrong_value_is_refused_before_it_is_published() -> None:
    add_format(JSON_SEQ)
    work = flow()

    @work.task(save="{name}.json-seq")
    def fetch(name: str) -> list[Row]:
        return [Row("Rome", 1.0), "Oslo"]  # type: ignore[list-item]  # pyright: ignore[reportReturnType]

    with pytest.raises(RecordValueError, match=r"^task .*fetch\(\): the value 'Oslo' .* would not come back"):
        fetch("a")
    assert work.task.output(fetch, "a").status == "absent"


def test_what_is_written_is_read_as_plain_values_or_as_a_type() -> None:
    add_format(JSON_SEQ)
    work = flow()

    @work.task(on="{name}.json-seq.zst")
    def download(name: str) -> None:
        work.task.write({"city": name, "celsius": 3})
        work.task.write_all([{"city": name, "celsius": 4}])

    download("Oslo")
    output = work.task.output(download, "Oslo")
    assert list(output.records()) == [{"city": "Oslo", "celsius": 3}, {"city": "Oslo", "celsius": 4}]
    assert list(output.records(Model)) == [Model(city="Oslo", celsius=3), Model(city="Oslo", celsius=4)]
    with pytest.raises(CorruptOutputError, match="record 1: "):
        list(output.records(dict[str, int]))


def test_a_task_of_its_own_format_whatever_its_suffix() -> None:
    work = flow()

    @work.task(on="{name}.dat", writer=JSON_SEQ)
    def download(name: str) -> None:
        work.task.write({"city": name})

    download("Oslo")
    assert list(work.task.output(download, "Oslo").records()) == [{"city": "Oslo"}]
    assert split_suffixes("Oslo.dat").format == "raw"


@pytest.mark.parametrize(("count", "reason"), [(0, "it holds no record, not"), (2, "more than one record")])
def test_an_output_of_one_value_holds_one_record(count: int, reason: str) -> None:
    add_format(JSON_SEQ)
    store = MemoryStore()

    def listed() -> list[Row]:
        return [Row("Rome", 1.0)] * count

    def only() -> Row:
        raise AssertionError("the output exists")

    Flow(store=store, sink=NullSink()).task(save="x.json-seq")(listed)()
    with pytest.raises(CorruptOutputError, match=reason):
        Flow(store=store, sink=NullSink()).task(save="x.json-seq")(only)()


# ------------------------------------------------------------------ refusals


def broken(file: BinaryIO) -> Iterator[int]:
    raise UnboundLocalError("a mistake in the reader")
    yield 1


def picky(file: BinaryIO) -> list[int]:
    raise ValueError("no such magic number")


@pytest.mark.parametrize(
    ("reader", "error", "text"),
    [
        (picky, CorruptOutputError, "its reader refuses it .*no such magic number"),
        (broken, UnboundLocalError, "a mistake in the reader"),
        (None, TypeError, r"Format\('.other', JsonSeq, None\) has no reader; give it one"),
    ],
)
def test_a_reader_that_raises(reader: Any, error: type[Exception], text: str) -> None:
    """A file that it refuses is corrupt; a mistake in the reader is not the file's."""
    add_format(Format(".other", JsonSeq, reader))
    work = flow()

    @work.task(on="x.other")
    def download() -> None:
        work.task.write(1)

    download()
    with pytest.raises(error, match=text):
        list(work.task.output(download).records())
    assert work.task.output(download).bytes() == b"\x1e1\n"


def test_a_suffix_has_one_format() -> None:
    add_format(JSON_SEQ)
    add_format(Format(".json-seq", JsonSeq, read_json_seq))  # the same functions, as a cell that runs again
    with pytest.raises(
        DefinitionValueError, match=r"^add_format\(\): the suffix \.json-seq has a format already, Format"
    ):
        add_format(Format(".json-seq", JsonSeq, picky))
    with pytest.raises(
        DefinitionValueError, match=r"^add_format\(\): the suffix \.csv has a format already, asflow's own"
    ):
        add_format(Format(".csv", JsonSeq))
    add_format(Format(".JSON-seq", JsonSeq, picky), replace=True)
    assert REGISTERED[".json-seq"].reader is picky
    add_format(Format(".csv", JsonSeq, read_json_seq), replace=True)
    add_format(Format(".csv", JsonSeq, read_json_seq))
    work = flow()

    @work.task(save="x.csv")
    def fetch() -> list[Row]:
        return [Row("Rome", 1.0)]

    assert fetch() == [Row("Rome", 1.0)]
    assert work.task.output(fetch).bytes().startswith(b"\x1e")


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Any, "annotate the type that the body returns"),
        (None, "use on= for a body that writes its output"),
        (list[Any], "annotate the type that a record has"),
        (list[Mapping[bytes, int] | Mapping[str, int]], "annotate a type that msgspec converts to"),
    ],
)
def test_what_a_format_can_not_return_is_refused_at_decoration(annotation: Any, reason: str) -> None:
    add_format(JSON_SEQ)

    def fetch() -> Any: ...

    fetch.__annotations__["return"] = annotation
    with pytest.raises(DefinitionTypeError, match=reason):
        flow().task(save="x.json-seq")(fetch)


def test_a_format_without_a_reader_keeps_nothing() -> None:
    add_format(Format(".json-seq", JsonSeq))

    def fetch() -> Row:
        return Row("Rome", 1.0)

    with pytest.raises(DefinitionTypeError, match=r"give Format\(.*\) a reader, or use on="):
        flow().task(save="x.json-seq")(fetch)


# ------------------------------------------------------------------ other processes


def test_a_format_and_what_keeps_its_values_can_be_pickled() -> None:
    from asflow.writers._kept import Kept

    again = pickle.loads(pickle.dumps(JSON_SEQ))
    assert (again.suffix, again.writer, again.reader) == (".json-seq", JsonSeq, read_json_seq)
    kept = pickle.loads(pickle.dumps(Kept("fetch", ".dat", list[Row], JSON_SEQ)))
    assert kept.shape == "list"
    assert b"asflow._" not in pickle.dumps(JSON_SEQ)


PLUGIN = """
import msgspec
from asflow import Format

class Lines:
    def __init__(self, stream):
        self.stream = stream
    def write(self, record):
        self.stream.write(msgspec.json.encode(record) + b"\\n")
    def commit(self): ...
    def abort(self): ...

def read(file):
    yield from map(msgspec.json.decode, file)

FORMAT = Format(".lns", Lines, read)
WRONG = 3
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """A package that offers a format; returns the environment in which it is installed."""
    (tmp_path / "the_plugin.py").write_text(PLUGIN)
    folder = tmp_path / "the_plugin-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: the-plugin\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[asflow.formats]\nlns = the_plugin:FORMAT\nwrong = the_plugin:WRONG\ngone = the_plugin:GONE\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def python(code: str, env: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


USE = """
import sys
from asflow import Flow
flow = Flow("data", verbose=False)
print("the_plugin" in sys.modules)

@flow.task(save="{name}.lns.gz")
def fetch(name: str) -> list[dict[str, int]]:
    return [{"a": 1}, {"a": 2}]

print(fetch("x"), fetch("x"), "the_plugin" in sys.modules)

def refused(suffix: str) -> None:
    try:
        @flow.task(save="{name}" + suffix)
        def other(name: str) -> list[int]: ...
    except Exception as error:
        print(type(error).__name__, error)

refused(".wrong")
refused(".gone")
"""


def test_a_package_offers_a_format(plugin: dict[str, str], tmp_path: Path) -> None:
    printed = python(USE, plugin, tmp_path).splitlines()
    assert printed[:2] == ["False", "[{'a': 1}, {'a': 2}] [{'a': 1}, {'a': 2}] True"]
    assert "of package the-plugin is 3, not a Format of .wrong; repair or remove" in printed[2]
    assert "of package the-plugin, which does not load: AttributeError" in printed[3]
    shown = subprocess.run(
        [sys.executable, "-m", "asflow", "show", "--json", "data/x.lns.gz"],
        env=plugin, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [{"a": 1}, {"a": 2}]
    checked = subprocess.run(
        [sys.executable, "-m", "asflow", "check", "data"],
        env=plugin, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.split() == ["whole", "data/x.lns.gz"]


def test_plain_suffixes_search_no_package() -> None:
    offered.cache_clear()
    split_suffixes.cache_clear()
    assert split_suffixes("a.txt").format == split_suffixes("a.html.gz").format == "raw"
    assert split_suffixes("a").format == "raw"
    assert offered.cache_info().currsize == 0
    assert split_suffixes("a.unknown").format == "raw"
    assert offered.cache_info().currsize == 1


# ------------------------------------------------------------------ worker processes


@by_path
def write_numbers(path: Path, records: Iterator[int]) -> None:
    path.write_text("".join(f"{record}\n" for record in records))


class Upper:
    """Uses a file of its stream."""

    def __init__(self, stream: ByteStream) -> None:
        self.file = as_file(stream)

    def write(self, record: int) -> None:
        self.file.write(f"{record}\n".encode())

    def commit(self) -> None:
        self.file.close()

    def abort(self) -> None:
        self.file.abort()


def read_numbers(file: BinaryIO) -> Iterator[int]:
    yield from map(int, file)


NUMBERS = Format(".numbers", write_numbers, read_numbers)
UPPER = Format(".upper", Upper, read_numbers)


def squares(count: int) -> Iterator[int]:
    yield from (number * number for number in range(count))


@pytest.mark.parametrize("form", [NUMBERS, UPPER])
def test_a_worker_process_encodes_with_it(form: Format[int]) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    add_format(form)  # here alone: the worker gets it with the call
    work = flow()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        task = work.task(save=f"{{count}}{form.suffix}", executor=pool)(squares)
        assert list(task(100)) == [number * number for number in range(100)]
        assert list(task(3)) == [0, 1, 4]
