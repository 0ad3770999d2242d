"""`asflow ls` and `asflow show`."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]


def test_ls_shows_status_size_records_age_and_error(asflow: Command, filled: Path) -> None:
    old = time.time() - 7300
    os.utime(filled / "data/1.jsonl.zst", (old, old))
    answer = asflow("ls")
    assert answer.code == 0
    head, *rows = [line.split() for line in answer.out.splitlines()]
    assert head == ["STATUS", "SIZE", "RECORDS", "AGE", "NAME"]
    size = str((filled / "data/1.jsonl.zst").stat().st_size)
    assert rows[1] == ["complete", size, "bytes", "1", "2", "h", "data/1.jsonl.zst"]
    assert [row[3] for row in rows] == ["0", "1", "2", "-"]
    assert rows[3][0] == "suppressed"
    assert rows[3][-5:] == ["data/3.err", "LookupError:", "gone", "for", "good"]
    assert answer.err.startswith("3 complete, 1 suppressed; ")
    assert answer.err.endswith(", 3 records\n")


def test_ls_as_json_is_one_array(asflow: Command, filled: Path) -> None:
    rows = json.loads(asflow("ls", "data", "--json").out)
    assert [(row["name"], row["status"], row["records"]) for row in rows] == [
        ("data/0.jsonl.zst", "complete", 0),
        ("data/1.jsonl.zst", "complete", 1),
        ("data/2.jsonl.zst", "complete", 2),
        ("data/3.err", "suppressed", None),
    ]
    assert rows[0]["size"] == (filled / "data/0.jsonl.zst").stat().st_size
    assert rows[3]["error"] == "LookupError: gone for good"
    assert rows[0]["modified"].endswith("+00:00")


def test_ls_of_an_empty_folder(asflow: Command) -> None:
    assert json.loads(asflow("ls", "--json").out) == []
    answer = asflow("ls")
    assert (answer.code, len(answer.out.splitlines())) == (0, 1)
    assert answer.err == "nothing; 0 bytes, 0 records\n"


def test_ls_counts_the_records_of_every_format(asflow: Command, folder: Path) -> None:
    flow = Flow(sink=NullSink())
    for suffix in (".jsonl", ".jsonl.gz", ".ndjson.zst", ".csv", ".tsv.gz", ".parquet"):

        @flow.task(on=f"rows{suffix}")
        def rows() -> None:
            for i in range(3):
                flow.task.write({"i": i, "text": "two\nlines"})

        rows()

    @flow.task(on="list.json.zst")
    def items() -> None:
        flow.task.write([1, 2, 3])

    @flow.task(on="text.txt.gz")
    def text() -> None:
        flow.task.write("no format, so no records")

    items()
    text()
    counts = {row["name"]: row["records"] for row in json.loads(asflow("ls", "--json").out)}
    assert counts.pop("text.txt.gz") is None
    assert len(counts) == 7
    assert set(counts.values()) == {3}
    lines = asflow("ls", "--no-records", "--json").out
    assert {row["records"] for row in json.loads(lines)} == {None}
    assert ", 21 records" in "".join(asflow("ls")[1:])
    assert " records" not in "".join(asflow("ls", "--no-records")[1:])


def test_ls_leaves_out_what_asflow_did_not_write(asflow: Command, filled: Path) -> None:
    """Files of other kinds and hidden folders, unless `--all` asks for them."""
    (filled / "main.py").write_text("")
    (filled / ".venv").mkdir()
    (filled / ".venv" / "x.json").write_text("{}")
    names = [row["name"] for row in json.loads(asflow("ls", "--json").out)]
    assert len(names) == 4
    every = [row["name"] for row in json.loads(asflow("ls", "--all", "--json").out)]
    assert {*every} - {*names} == {"main.py", ".venv/x.json"}


def test_ls_shows_broken_and_unfinished_files(asflow: Command, filled: Path) -> None:
    whole = (filled / "data/2.jsonl.zst").read_bytes()
    (filled / "data/cut.jsonl.zst").write_bytes(whole[:-3])
    (filled / "data/empty.jsonl.gz").write_bytes(b"")
    (filled / "data/new.jsonl.zst.part").write_bytes(whole[:5])
    answer = asflow("ls", "--json")
    assert answer.code == 1
    rows = {row["name"]: row for row in json.loads(answer.out)}
    assert rows["data/cut.jsonl.zst"]["status"] == "broken"
    assert "cut short" in rows["data/cut.jsonl.zst"]["error"]
    assert rows["data/empty.jsonl.gz"]["status"] == "broken"
    assert rows["data/new.jsonl.zst.part"]["status"] == "unfinished"


def test_ls_follows_links_to_folders_but_not_in_circles(asflow: Command, filled: Path) -> None:
    (filled / "data/up").symlink_to(filled, target_is_directory=True)
    (filled / "other").mkdir()
    (filled / "other/link").symlink_to(filled / "data", target_is_directory=True)
    assert len(json.loads(asflow("ls", "data", "--json").out)) == 4
    assert len(json.loads(asflow("ls", "other", "--json").out)) == 4


def test_ls_shows_any_name(asflow: Command, folder: Path) -> None:
    """Control characters don't move the cursor, and bytes that are not UTF-8 don't end the listing."""
    (folder / "a\x1b[31m\nb.json").write_text("1")
    (folder / os.fsdecode(b"c\xff.json")).write_text("1")
    answer = asflow("ls")
    assert (answer.code, len(answer.out.splitlines())) == (0, 3)
    assert "\x1b" not in answer.out
    assert "c\\udcff.json" in answer.out
    assert len(json.loads(asflow("ls", "--json").out)) == 2


def test_a_folder_that_is_deleted_while_listing_is_a_problem(
    asflow: Command, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (filled / "gone").mkdir()
    stat = os.stat

    def gone(path: str) -> os.stat_result:  # deleted between listing and stat
        if path == "./gone":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return stat(path)

    monkeypatch.setattr("asflow._cli.files.os.stat", gone)
    answer = asflow("ls")
    assert answer.code == 1
    assert "asflow: './gone': No such file or directory" in answer.err
    assert len(answer.out.splitlines()) == 5


def test_a_folder_without_permission_is_a_problem(
    asflow: Command, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (filled / "secret").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:  # as the system does, but for root too
        if path == "./secret":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    answer = asflow("ls")
    assert answer.code == 1
    assert "asflow: './secret': Permission denied" in answer.err
    assert len(answer.out.splitlines()) == 5


def test_show_prints_one_line_of_json_per_record(asflow: Command, filled: Path) -> None:
    answer = asflow("show", "data/2.jsonl.zst")
    assert answer == (0, '{"n":2,"i":0,"text":"é"}\n{"n":2,"i":1,"text":"é"}\n', "")
    assert asflow("show", "data/2.jsonl.zst", "--head", "1").out.count("\n") == 1
    assert asflow("show", "data/2.jsonl.zst", "-n", "0") == (0, "", "")
    assert asflow("show", "data/0.jsonl.zst") == (0, "", "")


def test_show_reads_every_format(asflow: Command, folder: Path) -> None:
    flow = Flow(sink=NullSink())
    for suffix in (".jsonl.gz", ".json", ".csv.zst", ".tsv", ".parquet"):

        @flow.task(on=f"row{suffix}")
        def row() -> None:
            flow.task.write({"a": "1", "b": "x"})

        row()
        assert asflow("show", f"row{suffix}") == (0, '{"a":"1","b":"x"}\n', "")
    (folder / "x.txt").write_text("one\t1\ntwo\n")
    assert asflow("show", "x.txt").out == "one\t1\ntwo\n"
    assert asflow("show", "x.txt", "--json").out == '"one\\t1"\n"two"\n'


def test_show_puts_an_indented_document_on_one_line(asflow: Command, folder: Path) -> None:
    (folder / "x.json").write_text('[\n  {\n    "a": 1.50\n  },\n  2\n]\n')
    assert asflow("show", "x.json").out == '{"a":1.50}\n2\n'


def test_show_prints_values_that_json_lacks(asflow: Command, folder: Path) -> None:
    """Times, decimals and bytes of a Parquet file are shown as strings."""
    import datetime
    from decimal import Decimal

    flow = Flow(folder, sink=NullSink())

    @flow.task(on="row.parquet")
    def row() -> None:
        flow.task.write({"at": datetime.datetime(2024, 1, 2), "cost": Decimal("1.50"), "raw": b"\x00"})

    row()
    [line] = asflow("show", "row.parquet").out.splitlines()
    assert json.loads(line) == {"at": "2024-01-02T00:00:00", "cost": "1.50", "raw": "AA=="}


def test_show_prints_what_tasks_have_saved(asflow: Command, folder: Path) -> None:
    """A value on one line, each item of a list on its own, also of one that has been compressed."""
    flow = Flow(sink=NullSink())
    values: dict[str, object] = {"one": {"a": None}, "none": None, "number": 3, "list": [{"a": 1}, {"a": 2}]}

    @flow.task(save="{name}.json.zst")
    def value(name: str) -> dict[str, int | None] | list[dict[str, int]] | int | None:
        found: Any = values[name]
        return found  # type: ignore[no-any-return]

    @flow.task(save="{name}.jsonl")
    def rows(name: str) -> Iterator[int]:
        yield from (1, 2)

    for name in values:
        value(name)
    rows("rows")
    shown = {name: asflow("show", f"{name}.json.zst").out for name in values}
    assert shown == {
        "one": '{"a":null}\n',
        "none": "null\n",
        "number": "3\n",
        "list": '{"a":1}\n{"a":2}\n',
    }
    assert asflow("show", "rows.jsonl").out == "1\n2\n"


def test_show_of_a_failure_is_its_traceback(asflow: Command, filled: Path) -> None:
    answer = asflow("show", "data/3.err")
    assert answer.out == (filled / "data/3.err").read_text()
    assert answer.out.splitlines()[1] == "Traceback (most recent call last):"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("nope.jsonl", 2, "there is no file 'nope.jsonl'; see asflow ls"),
        ("data", 2, "'data' is a folder; list it with: asflow ls data"),
        ("x.jsonl.part", 2, "is work in progress; show it when"),
        ("cut.jsonl.zst", 1, "cut short"),
        ("empty.parquet", 1, "'empty.parquet' is empty, so it is not a whole file of its format; delete it"),
        ("bad.parquet", 1, "not a whole Parquet file"),
        ("binary.bin", 1, "record 1"),
        ("fifo.jsonl", 1, "a file is expected here, not a FIFO"),
    ],
)
def test_show_says_what_is_wrong_with_a_file(
    asflow: Command, filled: Path, name: str, code: int, says: str
) -> None:
    whole = (filled / "data/2.jsonl.zst").read_bytes()
    (filled / "cut.jsonl.zst").write_bytes(whole[:-3])
    (filled / "x.jsonl.part").write_bytes(b"{}")
    (filled / "empty.parquet").write_bytes(b"")
    (filled / "bad.parquet").write_bytes(b"PAR1 and no more")
    (filled / "binary.bin").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(filled / "fifo.jsonl")
    answer = asflow("show", name)
    assert answer.code == code
    assert answer.err.startswith("asflow: ")
    assert says in answer.err
