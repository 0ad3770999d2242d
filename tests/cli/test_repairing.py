"""`asflow errors`, `asflow retry`, `asflow check` and `asflow clean`."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asflow import Flow, LocalStore
from asflow._cli.failures import reason
from asflow._ledger import header
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.conftest import Answer

    Command = Callable[..., Answer]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data").iterdir())


def test_errors_lists_what_was_suppressed_and_why(asflow: Command, filled: Path) -> None:
    answer = asflow("errors")
    assert answer.code == 0
    heading, line = answer.out.splitlines()
    assert heading == "fetch: LookupError  1"
    assert line.split() == ["0", "s", "fetch(3)", "data/3.err", "gone", "for", "good"]
    assert answer.err == "1 suppressed\n"
    full = asflow("errors", "data", "--full").out
    _, _, traceback = (filled / "data/3.err").read_text().partition("\n")
    assert "fetch(3)" in full
    assert traceback in full
    [row] = json.loads(asflow("errors", "data/3.err", "--json").out)
    assert (row["name"], row["error"]) == ("data/3.err", "LookupError: gone for good")
    assert row["traceback"] == traceback
    assert (row["task"], row["label"], row["arguments"], row["values"]) == (
        "fetch",
        "3",
        {"n": "3"},
        {"n": 3},
    )


TRACEBACK = """\
Traceback (most recent call last):
  File "x.py", line 1, in fetch
{}: why
"""


def test_errors_are_grouped_and_the_latest_of_a_group_come_first(asflow: Command, tmp_path: Path) -> None:
    """A record without a line about its call, as of old, is one of a group without a task."""
    for number in range(7):
        path = tmp_path / f"{number}.err"
        path.write_text(header("fetch", "m.fetch", str(number), {"n": number}) + TRACEBACK.format("KeyError"))
        os.utime(path, (1e9 + number, 1e9 + number))
    (tmp_path / "old.err").write_text(TRACEBACK.format("OSError"))
    lines = asflow("errors", str(tmp_path)).out.splitlines()
    assert lines[0] == "fetch: KeyError  7"
    assert [re.findall(r"fetch\(\d\)", line) for line in lines[1:6]] == [
        [f"fetch({n})"] for n in (6, 5, 4, 3, 2)
    ]
    assert lines[6].strip() == "... 2 more, with --all"
    assert lines[7] == "OSError  1"
    assert asflow("errors", str(tmp_path), "--all").out.count("fetch(") == 7


def test_errors_of_a_file_that_is_not_a_failure(asflow: Command, filled: Path) -> None:
    answer = asflow("errors", "data/1.jsonl.zst")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asflow: 'data/1.jsonl.zst' is not a recorded failure; give a file")


def _raised(kind: str) -> BaseException:
    """Return a raised exception of a *kind* whose traceback has its own form."""
    try:
        if kind == "chain":
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        if kind == "notes":
            noted = ValueError("with\nmore lines")
            noted.add_note("a note")
            raise noted
        if kind == "syntax":
            compile("a b", "<text>", "exec")
        if kind == "group":
            raise ExceptionGroup("several", [KeyError("x"), ExceptionGroup("inner", [OSError("y")])])
        if kind == "group in a chain":
            try:
                raise ExceptionGroup("several", [KeyError("x")])
            except ExceptionGroup as group:
                raise ValueError("second") from group
    except Exception as error:
        return error
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("chain", "ValueError: second"),
        ("notes", "ValueError: with"),
        ("syntax", "SyntaxError: invalid syntax"),
        ("group", "ExceptionGroup: several (2 sub-exceptions)"),
        ("group in a chain", "ValueError: second"),
    ],
)
def test_the_reason_is_the_line_that_names_the_exception(kind: str, line: str) -> None:
    import traceback

    assert reason("".join(traceback.format_exception(_raised(kind)))) == line


def test_text_that_is_not_a_traceback_has_no_reason() -> None:
    assert reason("") is None
    assert reason("some log\nError: x\n") is None
    assert reason("Traceback (most recent call last):\n") is None


def test_retry_deletes_failures_and_nothing_else(asflow: Command, filled: Path) -> None:
    before = names(filled)
    answer = asflow("retry", "data", "--dry-run")
    assert (answer.out, names(filled)) == ("would forget data/3.err\n", before)
    answer = asflow("retry", "data")
    assert (answer.code, answer.out, answer.err) == (0, "forgot data/3.err\n", "1 suppressed failure\n")
    assert names(filled) == [name for name in before if name != "3.err"]
    assert asflow("retry", "data") == (0, "", "0 suppressed failures\n")


def test_retry_takes_a_failure_that_is_named_twice(asflow: Command, filled: Path) -> None:
    answer = asflow("retry", "data", "data/3.err", "./data/3.err")
    assert answer == (0, "forgot data/3.err\n", "1 suppressed failure\n")
    assert "3.err" not in names(filled)


def test_what_was_forgotten_runs_again(asflow: Command, folder: Path) -> None:
    flow = Flow(sink=NullSink())
    calls: list[int] = []

    @flow.task(on="data/{n}.txt", suppress=LookupError)
    def fetch(n: int) -> None:
        calls.append(n)
        raise LookupError

    fetch(1)
    fetch(1)
    assert calls == [1]
    assert asflow("retry", "data/1.err").code == 0
    fetch(1)
    assert calls == [1, 1]
    assert names(folder) == ["1.err"]


def test_retry_leaves_err_files_of_others_alone(asflow: Command, filled: Path) -> None:
    (filled / "data/compiler.err").write_text("warning: unused variable\n")
    answer = asflow("retry", "data/3.err", "data/compiler.err")
    assert answer.code == 1
    assert "holds no traceback, so it is not deleted; delete it yourself" in answer.err
    assert names(filled)[-1:] == ["compiler.err"]


@pytest.mark.parametrize("argument", ["data/1.jsonl.zst", "nope.jsonl", "data/nope.err"])
def test_retry_refuses_other_files_before_it_deletes(asflow: Command, filled: Path, argument: str) -> None:
    answer = asflow("retry", "data/3.err", argument)
    assert answer.code == 2
    assert repr(argument) in answer.err
    assert "3.err" in names(filled)


def test_check_reads_every_file(asflow: Command, filled: Path) -> None:
    answer = asflow("check", "data")
    assert answer.code == 0
    assert answer.err == "3 whole, 0 not whole\n"
    assert answer.out.splitlines() == [f"whole      data/{n}.jsonl.zst" for n in range(3)]
    assert asflow("check", "data", "--quiet").out == ""
    rows = json.loads(asflow("check", "data", "--json").out)
    assert rows[2] == {"name": "data/2.jsonl.zst", "whole": True, "records": 2, "problem": None}


def _outputs(folder: Path) -> dict[str, bytes]:
    """Write an output of each format and compression; return their bytes by name."""
    flow = Flow(folder, sink=NullSink())
    formats = [".jsonl", ".json", ".csv", ".tsv"]
    suffixes = [first + last for first in formats for last in ("", ".gz", ".zst")]
    for suffix in [*suffixes, ".parquet", ".txt.gz", ".txt.zst"]:

        @flow.task(on=f"x{suffix}")
        def write(suffix: str) -> None:
            if suffix.startswith(".txt"):
                flow.task.write("some text " * 100)
                return
            for i in range(1 if suffix.startswith(".json.") or suffix == ".json" else 40):
                flow.task.write({"a": i, "b": f"text {i}", "c": i / 3})

        write(suffix)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_check_finds_a_cut(asflow: Command, folder: Path) -> None:
    """Anywhere in a compressed file or Parquet, and within a record of plain text; the exit code is 1."""
    outputs = _outputs(folder)
    assert len(outputs) == 15
    assert asflow("check").code == 0
    for name, data in outputs.items():
        cuts = {0, 1, len(data) // 2, len(data) - 5, len(data) - 1}
        if name.endswith((".jsonl", ".json", ".csv", ".tsv")):
            cuts = {data.rfind(b"\n", 0, -1) + 2}
        for cut in cuts:
            (folder / name).write_bytes(data[:cut])
            answer = asflow("check", name)
            assert (answer.code, answer.out[:9]) == (1, "not whole"), (name, cut)
            assert name in answer.out
        (folder / name).write_bytes(data)
    assert asflow("check").code == 0


def test_check_decodes_strings(asflow: Command, folder: Path) -> None:
    """Bytes that are not UTF-8 within a JSON string, which counting alone accepts."""
    (folder / "x.jsonl").write_bytes(b'{"a": "\xff"}\n')
    assert asflow("check", "x.jsonl").code == 1
    shown = asflow("show", "x.jsonl")
    assert (shown.code, shown.out) == (1, "")
    assert "not UTF-8" in shown.err


def test_check_goes_on_after_a_broken_file(asflow: Command, filled: Path) -> None:
    (filled / "data/0.jsonl.zst").write_bytes(b"not zstd")
    answer = asflow("check", "data")
    assert answer.code == 1
    assert answer.err == "2 whole, 1 not whole\n"
    quiet = asflow("check", "data", "-q")
    assert quiet.out.splitlines() == answer.out.splitlines()[:1]


def test_clean_deletes_work_of_killed_runs_only(asflow: Command, filled: Path) -> None:
    """A locked `.part` file stays, and its task can still publish it."""
    claim = LocalStore().claim("data/alive.jsonl", "data/alive.err")
    assert not isinstance(claim, str)
    claim.write(b"{}\n")
    (filled / "data/dead.jsonl.zst.part").write_bytes(b"half")
    (filled / "data/dead.jsonl.zst.part.part").write_bytes(b"half")
    (filled / "data/film.mp4.part").write_bytes(b"a download of another program")
    before = names(filled)
    rows = json.loads(asflow("clean", "--dry-run", "--json").out)
    assert rows[0] == {"name": "data/dead.jsonl.zst.part", "size": 4, "deleted": False}
    assert (len(rows), names(filled)) == (2, before)
    answer = asflow("clean")
    assert answer.code == 0
    assert "deleted data/dead.jsonl.zst.part  4 bytes" in answer.out.splitlines()
    assert answer.err == "2 files, 8 bytes\n"
    assert set(before) - set(names(filled)) == {"dead.jsonl.zst.part", "dead.jsonl.zst.part.part"}
    claim.publish()
    assert (filled / "data/alive.jsonl").read_bytes() == b"{}\n"
    assert "film.mp4.part" in names(filled)
    assert json.loads(asflow("clean", "--all", "--json").out)[0]["name"] == "data/film.mp4.part"


def test_clean_removes_the_second_name_of_a_published_file(asflow: Command, filled: Path) -> None:
    """A writer that was killed just after publishing leaves it behind; the output itself stays."""
    os.link(filled / "data/1.jsonl.zst", filled / "data/1.jsonl.zst.part")
    whole = (filled / "data/1.jsonl.zst").read_bytes()
    assert asflow("clean").code == 0
    assert names(filled) == ["0.jsonl.zst", "1.jsonl.zst", "2.jsonl.zst", "3.err"]
    assert (filled / "data/1.jsonl.zst").read_bytes() == whole


def test_clean_takes_files_only(asflow: Command, filled: Path) -> None:
    """asflow never makes a link, a folder or a FIFO of such a name."""
    (filled / "data/link.jsonl.part").symlink_to("1.jsonl.zst")
    (filled / "data/folder.jsonl.part").mkdir()
    os.mkfifo(filled / "data/fifo.jsonl.part")
    before = names(filled)
    assert asflow("clean") == (0, "", "0 files, 0 bytes\n")
    assert names(filled) == before


def test_clean_follows_no_links(asflow: Command, filled: Path, tmp_path: Path) -> None:
    """They may lead to another program's downloads in progress; a link that is asked for is gone into."""
    theirs = tmp_path.with_name(tmp_path.name + "-theirs")
    theirs.mkdir()
    (theirs / "export.csv.gz.part").write_bytes(b"half")
    (filled / "data/shared").symlink_to(theirs)
    (filled / "data/dead.csv.gz.part").write_bytes(b"ours")
    answer = asflow("clean", "data")
    assert answer.out.splitlines() == ["deleted data/dead.csv.gz.part  4 bytes"]
    assert (theirs / "export.csv.gz.part").read_bytes() == b"half"
    assert "data/shared/export.csv.gz.part" in asflow("clean", "data/shared", "--dry-run").out


def test_clean_removes_temporary_folders_of_processes_that_are_gone(
    asflow: Command, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of executors and of `flow.task.path()`; the folder of a process that lives stays, and any other."""
    place = tmp_path.with_name(tmp_path.name + "-temporary")
    monkeypatch.setattr("asflow.stores._temporary.places", lambda: [str(place)])
    command = [sys.executable, "-c", LEAVE_A_FOLDER]
    processes, folders = list[subprocess.Popen[bytes]](), list[str]()
    for _ in range(2):
        process = subprocess.Popen(
            command, env={**os.environ, "TMPDIR": str(place)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        processes.append(process)
        folders.append(process.stdout.readline().decode().strip())
        (Path(folders[-1]) / "bytes").write_bytes(b"12345")
    processes[1].kill()
    processes[1].communicate()
    alive, gone = folders
    others = [place / "asflow-of-another-program", place / "asflow-file"]
    others[0].mkdir()
    others[1].write_text("owner")
    (place / "asflow-link").symlink_to(filled)
    (filled / "owner").touch()
    left = {*others, place / "asflow-link", Path(alive)}
    assert asflow("clean", "--dry-run").out == f"would delete {gone}  5 bytes\n"
    assert {Path(gone), *left} == set(place.iterdir())
    assert asflow("clean").out == f"deleted {gone}  5 bytes\n"
    assert set(place.iterdir()) == left
    processes[0].communicate()
    assert set(place.iterdir()) == left - {Path(alive)}


LEAVE_A_FOLDER = """
import sys
from asflow.stores._temporary import TemporaryFolders
print(TemporaryFolders().path(), flush=True)
sys.stdin.read()
"""


def test_clean_and_a_claim_at_the_same_moment(asflow: Command, filled: Path) -> None:
    """`clean` of a claimed file does nothing; after abort there is no file."""
    claim = LocalStore().claim("data/x.jsonl", "data/x.err")
    assert not isinstance(claim, str)
    assert asflow("clean", "data/x.jsonl.part").out == ""
    claim.abort()
    answer = asflow("clean", "data/x.jsonl.part")
    assert (answer.code, answer.err) == (
        2,
        "asflow: there is no file or folder 'data/x.jsonl.part'; see asflow ls\n",
    )


def test_clean_of_something_else(asflow: Command, filled: Path) -> None:
    answer = asflow("clean", "data/1.jsonl.zst")
    assert (answer.code, answer.out) == (2, "")
    assert "is not work in progress; give a file whose name ends in .part" in answer.err
    assert len(names(filled)) == 4


@pytest.mark.parametrize("command", ["ls", "show", "errors", "retry", "check", "clean"])
def test_a_path_that_does_not_exist(asflow: Command, command: str) -> None:
    for path in ("nope", "nope/nope.err", "a\0b.err"):
        answer = asflow(command, path)
        assert (answer.code, answer.out) == (2, ""), (command, path)
        assert answer.err.startswith("asflow: ")
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize("text", [b"", b"\n", b" \t\r\n"])
@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_check_wants_a_document_in_json(asflow: Command, folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    (folder / "list.json").write_bytes(b"[]")
    answer = asflow("check", "--quiet")
    assert answer.code == 1
    assert answer.out.startswith(f"not whole  {name}  ")
    assert answer.out.count("\n") == 1
