"""Run on an installed wheel, with the required dependencies only and without pytest: `python smoke.py`.

It works in a temporary folder, prints OK and the number of checks, and stops at the first failure.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import importlib.metadata
import importlib.util
import io
import json
import os
import sys
import tempfile
from pathlib import Path

import asflow
from asflow import Flow, Limit, Retry, flow

calls: list[str] = []
checks = 0
running = 0
most_running = 0


def check(condition: bool, what: str) -> None:
    """Check and count *condition*, also under -O, which removes `assert`."""
    global checks
    if not condition:
        raise SystemExit(f"smoke test failed: {what}")
    checks += 1


class FlakyError(Exception):
    """Solved by a retry."""


class GoneError(Exception):
    """Permanent."""


class OddError(Exception):
    """Perhaps solved in the next run."""


@flow.task(on="data/rows-{n}.jsonl")
async def plain_rows(n: int) -> None:
    calls.append("plain_rows")
    for i in range(n):
        flow.task.write({"i": i, "text": "é\n"})


@flow.task(on="data/rows-{n}.jsonl.gz")
def gzip_rows(n: int) -> None:
    calls.append("gzip_rows")
    for i in range(n):
        flow.task.write({"i": i})


@flow.task(on="data/rows-{n}.jsonl.zst", limit=4)
async def zstd_rows(n: int) -> None:
    global running, most_running
    running += 1
    most_running = max(most_running, running)
    calls.append("zstd_rows")
    await asyncio.sleep(0)
    for i in range(n):
        flow.task.write({"i": i})
    running -= 1


@flow.task(on="data/document.json")
def document() -> None:
    calls.append("document")
    flow.task.write({"a": [1, 2.5, None, True]})


@flow.task(on="data/table.csv.gz")
def table() -> None:
    calls.append("table")
    flow.task.write({"name": "a, b", "n": 1})
    flow.task.write({"name": 'say "c"', "n": 2})


@flow.task(on="data/table.tsv")
def tsv() -> None:
    calls.append("tsv")
    flow.task.write(["a", "b"])


@flow.task(on="data/text-*.txt.zst")
def text(word: str) -> None:
    calls.append("text")
    flow.task.write(word)
    flow.task.write(b"!")


@flow.task(on="data/flaky.jsonl", retry=Retry(total=2, exceptions=(FlakyError,), backoff_factor=0.001))
async def flaky() -> None:
    calls.append("flaky")
    flow.task.write({"attempt": calls.count("flaky")})
    if calls.count("flaky") < 3:
        raise FlakyError


@flow.task(on="data/odd.jsonl", skip=(OddError,))
async def odd() -> None:
    calls.append("odd")
    raise OddError


@flow.task(on="data/gone-{n}.jsonl", suppress=(GoneError,))
def gone(n: int) -> None:
    calls.append("gone")
    raise GoneError(f"number {n} is gone")


shared = Limit(1)


@flow.task(limit=shared)
async def double(n: int) -> int:
    return 2 * n


@flow
async def pipeline() -> list[int]:
    await plain_rows(3)
    gzip_rows(3)
    document()
    table()
    tsv()
    await asyncio.to_thread(text, "../../word")
    async with asyncio.TaskGroup() as group:
        group.create_task(flaky())
        group.create_task(odd())
        for n in range(10):
            group.create_task(zstd_rows(n))
    gone(7)
    return await flow.task.map(double, range(5))


def look_at_the_files() -> None:
    files = sorted(path.name for path in Path("data").iterdir())
    check(not [name for name in files if name.endswith(".part")], f"work in progress left in {files}")
    check("odd.jsonl" not in files, "a skipped task leaves nothing behind")
    check(
        Path("data/rows-3.jsonl").read_text("utf-8").splitlines()
        == [json.dumps({"i": i, "text": "é\n"}, ensure_ascii=False, separators=(",", ":")) for i in range(3)],
        "JSON Lines",
    )
    check(
        gzip.decompress(Path("data/rows-3.jsonl.gz").read_bytes()) == b'{"i":0}\n{"i":1}\n{"i":2}\n', "gzip"
    )
    check(json.loads(Path("data/document.json").read_bytes()) == {"a": [1, 2.5, None, True]}, "JSON")
    rows = gzip.decompress(Path("data/table.csv.gz").read_bytes()).decode()
    expected = [["name", "n"], ["a, b", "1"], ['say "c"', "2"]]
    check(list(csv.reader(io.StringIO(rows, newline=""))) == expected, "CSV")
    check(Path("data/table.tsv").read_text().split() == ["a", "b"], "TSV")
    check(Path("data/flaky.jsonl").read_bytes() == b'{"attempt":3}\n', "a retry begins with a fresh output")
    check("number 7 is gone" in Path("data/gone-7.err").read_text("utf-8"), "the .err holds the traceback")
    check(most_running == 4, f"limit=4 ran {most_running} at once")


def look_through_handles() -> None:
    rows = flow.task.output(zstd_rows, 9)
    check(rows.status == "complete", "status of an output")
    check([row["i"] for row in rows.records(dict[str, int])] == list(range(9)), "records through a handle")
    check(flow.task.output(text, "../../word").text() == "../../word!", "text through a handle")
    failed = flow.task.output(gone, 7)
    check(failed.status == "suppressed", "status of a suppressed failure")
    check("GoneError" in (failed.error() or ""), "error through a handle")
    check(flow.task.output(odd).status == "absent", "status of a skipped output")
    check(len(list(flow.task.outputs(zstd_rows))) == 10, "listing of a task's outputs")
    check(rows.path.is_file(), "path of an output")
    rows.delete()
    check(rows.status == "absent", "an output can be deleted")


def main() -> None:
    installed = Path(asflow.__file__)
    if "--installed" in sys.argv:
        check(Path(sys.prefix) in installed.parents, f"{installed} is not the installed package")
        names = sorted(dist.metadata["Name"].lower() for dist in importlib.metadata.distributions())
        check(not {"pytest", "polars", "pyarrow", "httpx", "tqdm"} & set(names), f"more than needed: {names}")
    check(importlib.util.find_spec("asflow") is not None, "find_spec")
    check((installed.parent / "py.typed").is_file(), "py.typed is installed")

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check(asyncio.run(pipeline()) == [0, 2, 4, 6, 8], "values of a flow")
        look_at_the_files()
        first = list(calls)
        check(asyncio.run(pipeline()) == [0, 2, 4, 6, 8], "values of the second run")
        check(calls[len(first) :] == ["odd"], f"the second run called {calls[len(first) :]}, not just odd")
        look_through_handles()

        other = Flow(base="elsewhere", verbose=False)

        @other.task(on="{n}.jsonl")
        def own(n: int) -> None:
            other.task.write({"n": n})

        own(1)
        check(Path("elsewhere/1.jsonl").read_bytes() == b'{"n":1}\n', "another flow, with a base")
        os.chdir("/")
    print(f"OK: {checks} checks on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
