"""`HistorySink`: one file of JSON lines a run, which SQL reads, whole after a kill, clean and bounded."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Secret
from asflow.sinks import HistorySink

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def run(base: Path, folder: Path, token: str = "hush") -> None:
    """A run with an inner flow, an output that exists, a retry, and each kind of failure."""
    flow = Flow(base, sink=HistorySink(folder))
    tried: set[int] = set()

    @flow.task(on="{n}.txt", skip=KeyError, suppress=IndexError, retry=1, retry_exceptions=EOFError)
    async def fetch(n: int, token: Secret[str]) -> None:
        if n == 1:
            raise KeyError("no \x1b[31m rows")
        if n == 2:
            raise IndexError("gone")
        if n == 3:
            raise ValueError(f"</script>\u202e{n}")
        if n == 4 and n not in tried:
            tried.add(n)
            raise EOFError
        flow.task.write("text\n")

    @flow
    async def inner(n: int) -> None:
        await fetch(n, token)

    @flow
    async def main(what: str) -> None:
        for n in (0, 0, 1, 2, 2, 4):
            await fetch(n, token)
        with pytest.raises(ValueError, match="script"):
            await inner(3)

    await main("all")


async def test_a_row_for_each_call_that_was_made_and_one_for_each_flow(tmp_path: Path) -> None:
    await run(tmp_path / "data", tmp_path / "new/history")
    [path] = (tmp_path / "new/history").iterdir()
    start, *rows = read(path)
    assert (start["kind"], start["flow"], start["label"]) == ("start", "main", "'all'")
    assert path.name.endswith(f"-{start['run_id']}.jsonl")
    assert {row["run_id"] for row in rows} == {start["run_id"]}
    assert all(row.keys() == start.keys() for row in rows)

    calls = [row for row in rows if row["kind"] == "call"]
    assert [(row["outcome"], row["error_type"], row["attempts"]) for row in calls] == [
        ("completed", None, 1),
        ("skipped", "KeyError", 1),
        ("suppressed", "IndexError", 1),
        ("completed", None, 2),
        ("failed", "ValueError", 1),
    ]
    assert (calls[0]["output"], calls[0]["size"]) == ("0.txt", 5)
    assert calls[1]["error"] == "'no \\x1b[31m rows'"
    assert json.loads(calls[0]["arguments"]) == {"n": "0", "token": "***"}
    assert all(start["started"] <= row["started"] <= row["ended"] for row in calls)

    inner, main = (row for row in rows if row["kind"] == "flow")
    assert (inner["flow"], inner["outcome"], inner["failed"]) == ("inner", "failed", 1)
    assert inner["parent_id"] == main["flow_id"] == start["flow_id"]
    assert rows[-1] == main
    counts = {name: main[name] for name in ("completed", "cached", "skipped", "suppressed", "retries")}
    assert counts == {"completed": 2, "cached": 1, "skipped": 1, "suppressed": 2, "retries": 1}
    assert main["calls"] == 6


async def test_secrets_and_control_characters_are_not_in_the_file(tmp_path: Path) -> None:
    await run(tmp_path / "data", tmp_path / "history", token="s3same")
    [path] = (tmp_path / "history").iterdir()
    text = path.read_text("utf-8")
    assert "s3same" not in text
    assert "***" in text
    assert not {character for character in text if character != "\n" and not character.isprintable()}


async def test_duckdb_and_polars_read_all_runs_as_one_table(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    for name in ("a", "b"):
        await run(tmp_path / name, tmp_path / "history")
    pattern = str(tmp_path / "history/*.jsonl")
    query = "select outcome, count(*), sum(seconds) > 0 from read_json_auto(?) where kind = 'call' group by 1"
    found = duckdb.execute(query, [pattern]).fetchall()
    assert sorted(found) == [
        ("completed", 4, True),
        ("failed", 2, True),
        ("skipped", 2, True),
        ("suppressed", 2, True),
    ]
    described = duckdb.execute("describe select * from read_json_auto(?)", [pattern]).fetchall()
    types = {name: kind for name, kind, *_ in described}
    assert (types["task"], types["size"], types["seconds"]) == ("VARCHAR", "BIGINT", "DOUBLE")
    table = polars.scan_ndjson(pattern).collect()
    assert (table["size"].dtype, table["error"].dtype) == (polars.Int64, polars.String)
    assert table.filter(polars.col("kind") == "flow")["suppressed"].sum() == 4


PROGRAM = """
import os, signal, sys
from asflow import Flow
from asflow.sinks import HistorySink

flow = Flow(sink=HistorySink(sys.argv[1]))

@flow.task
def work(n: int) -> None: ...

@flow
def main() -> None:
    for n in range(500):
        work(n)
    os.kill(os.getpid(), signal.SIGKILL)

main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_kill_leaves_whole_lines_and_all_calls_that_ended(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "history")], check=False)
    assert done.returncode == -signal.SIGKILL
    [path] = (tmp_path / "history").iterdir()
    assert path.read_bytes().endswith(b"}\n")
    assert [row["label"] for row in read(path)[1:]] == [str(n) for n in range(500)]


async def test_runs_at_the_same_time_have_a_file_each(tmp_path: Path) -> None:
    flow = Flow(sink=HistorySink(tmp_path))
    both = asyncio.Barrier(2)

    @flow.task
    async def work(n: int) -> None:
        await both.wait()

    @flow
    async def main(n: int) -> None:
        await work(n)

    await asyncio.gather(main(1), main(2))
    files = [read(path) for path in list(tmp_path.iterdir())]  # noqa: ASYNC240 - a test
    assert [len(rows) for rows in files] == [3, 3]
    assert sorted({row["label"] for row in rows}.pop() for rows in files) == ["1", "2"]
    assert all(len({row["label"] for row in rows}) == 1 for rows in files)


def test_keep_deletes_the_oldest_runs_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "0.jsonl").write_text("mine")
    flow = Flow(sink=HistorySink(tmp_path, keep=2))

    @flow
    def main(n: int) -> None: ...

    for n in range(5):
        main(n)
    mine, *runs = sorted(tmp_path.iterdir())
    assert mine.name == "0.jsonl"
    assert [read(path)[0]["label"] for path in runs] == ["3", "4"]


def test_runs_that_have_ended_leave_nothing_in_memory(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    flow = Flow(sink=sink)

    @flow
    def main() -> None: ...

    main()
    assert not sink._runs


async def test_a_call_that_its_flow_did_not_wait_for_leaves_nothing_in_memory(tmp_path: Path) -> None:
    sink = HistorySink(tmp_path)
    flow = Flow(sink=sink)
    running, left = asyncio.Event(), set[asyncio.Task[None]]()

    @flow.task
    async def endless() -> None:
        running.set()
        await asyncio.Event().wait()

    @flow
    async def inner() -> None:
        left.add(asyncio.create_task(endless()))
        await running.wait()

    @flow
    async def main() -> int:
        await inner()
        [run] = sink._runs.values()
        return len(run.starts)

    assert await main() == 0
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    [path] = list(tmp_path.iterdir())  # noqa: ASYNC240 - a test
    assert [row["flow"] for row in read(path)] == ["main", "inner", "main"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_row_that_does_not_fit_is_not_left_in_part(tmp_path: Path) -> None:
    """The file's size is limited in the middle of a row, as on a full disk."""
    import resource

    sink = HistorySink(tmp_path)
    flow = Flow(sink=sink)

    @flow.task
    def work(n: int) -> None: ...

    @flow
    def main() -> None:
        [path] = tmp_path.iterdir()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
        try:
            work(1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        work(2)

    main()
    [path] = tmp_path.iterdir()
    assert [row["label"] for row in read(path) if row["kind"] == "call"] == ["2"]
