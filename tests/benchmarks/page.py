"""The output: a row in words, and the page of the docs, made from the runs that are kept."""

# ruff: noqa: E501 - prose

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from benchmarks import outputs
from benchmarks.measuring import ASFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measuring import Result
    from benchmarks.results import Line, Point, Run

__all__ = ["page", "shown"]


def _compared(line: Line, name: str) -> str:
    value = line.numbers[name].compared
    if line.compare == "ratio":
        return f"{value:.2f}x"
    return f"{value:+.2f} {line.unit}" if line.compare == "difference" else f"{value:.3g} {line.unit}"


def _verdict(line: Line) -> str:
    return {None: "-", True: "held", False: "**missed**"}[line.holds]


def _bound(line: Line) -> str:
    if line.bound is None:
        return "-"
    return f"<= {line.bound:g}{'x' if line.compare == 'ratio' else f' {line.unit}'}"


def _number(line: Line, name: str) -> str:
    number = line.numbers[name]
    return f"left out, {number.error}" if number.error else f"{number.value:.3g} {line.unit}"


def shown(result: Result, line: Line) -> str:
    """Return one measured row as text for the terminal."""
    parts = [f"{line.key:18} {_bound(line):>14}  {_verdict(line).strip('*'):6}"]
    for name, number in line.numbers.items():
        if number.error:
            parts.append(f"{name}: left out")
            continue
        wall = f", wall {result.compared(name, 'wall'):.2f}" if result.row.judge == "cpu" else ""
        parts.append(f"{name}: {number.value:.3f} {line.unit} ({_compared(line, name)}{wall})")
    return "\n    ".join(parts)


def page(runs: Sequence[Run]) -> str:
    """Return docs/benchmarks.md: the first run in full, the others beside it."""
    first = runs[0]
    parts = [
        *_head(first),
        *_table(first),
        *(_side_by_side(runs) if len(runs) > 1 else ()),
        *_growth(first),
        *_details(first),
        *_scripts(),
        _TRIED,
    ]
    return "\n".join(parts).rstrip() + "\n"


def _head(run: Run) -> Iterator[str]:
    names = ", ".join(
        f"{name} {version}" for name, version in run.versions.items() if name not in run.missing
    )
    yield "# Benchmarks\n"
    yield "`make bench` writes this page; don't edit it by hand. No test asserts a time: the numbers are for reading.\n"
    yield f"Python {run.python}, {run.machine}; {names}{_absent(run)}. Measured {run.measured}.\n"
    yield (
        "Every row runs beside its floor and its peers in one process: interleaved, in rotating order, up to "
        f"{run.rounds} rounds (fewer of rows that take long or start processes). A ratio is the median over the "
        "rounds of *this round's* number over "
        "*this round's* floor. Rows of plain computation compare process CPU time, as machines are shared; rows "
        "that wait for a disk compare wall time. Peers do what they are made for, which is not always the same: the "
        "table shows what a line of yours costs, not which library is better.\n"
    )
    yield f"**{run.bounds()} in this run.**\n"


def _absent(run: Run) -> str:
    return "".join(f"; {name} is absent: not installed" for name in run.missing)


def _table(run: Run) -> Iterator[str]:
    yield "| work | floor | asflow | against the floor | bound | | nearest peer |"
    yield "|---|---|---|---|---|---|---|"
    for line in run.lines:
        floor = line.floor_name
        peer = line.best_peer()
        cells = (
            line.title,
            "" if floor == ASFLOW else f"{floor}: {_number(line, floor)}",
            _number(line, ASFLOW),
            _compared(line, ASFLOW),
            _bound(line),
            _verdict(line),
            "" if peer is None else f"{peer}: {_number(line, peer)}, {_compared(line, peer)}",
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _side_by_side(runs: Sequence[Run]) -> Iterator[str]:
    first, *others = runs
    yield "## On other Pythons\n"
    yield "Runs of their own, as in `make bench PYTHON=python3.13`: asflow against the floor, and the bound.\n"
    for run in others:
        changed = [f"{name} {version}" for name, version in run.versions.items()
                   if version not in ("not installed", first.versions.get(name))]  # fmt: skip
        where = "the same machine" if run.machine == first.machine else run.machine
        yield (
            f"Python {run.python}, {where}{''.join(f', {name}' for name in changed)}{_absent(run)}. Measured "
            f"{run.measured}, up to {run.rounds} rounds{_left_out(run)}. **{run.bounds()}.**\n"
        )
    yield f"| work | {' | '.join(f'{run.python} | ' for run in runs)} |"
    yield "|---|" + "---|---|" * len(runs)
    found = [{line.key: line for line in run.lines} for run in runs]
    titles = {line.key: line.title for run in runs for line in run.lines}
    for key, title in titles.items():
        cells = (_beside(lines.get(key)) for lines in found)
        yield f"| {title} | {' | '.join(cells)} |"
    yield ""


def _left_out(run: Run) -> str:
    errors = (
        f"; {name} was left out of `{line.key}`: {number.error}"
        for line in run.lines
        for name, number in line.numbers.items()
        if number.error
    )
    return "".join(errors)


def _beside(line: Line | None) -> str:
    if line is None:
        return " | "
    limit = f"{line.bound:g}{'x' if line.compare == 'ratio' else ''}" if line.bound is not None else ""
    return f"{_compared(line, ASFLOW)}{limit and f' (<= {limit})'} | {_verdict(line)}"


def _growth(run: Run) -> Iterator[str]:
    yield "## How it grows\n"
    yield (
        "The cost of one unit at three sizes, each ten times the one before; a ratio compares it with the floor of the "
        "row of that work, which was measured beside it.\n"
    )
    yield "![cost per unit at three sizes](benchmarks.svg)\n"
    yield "| work | " + " | | ".join(["size"] * 3) + " | |"
    yield "|---|" + "---|" * 6
    for name, points in run.growth.items():
        yield f"| {name} | {' | '.join(map(_point, points))} |"
    yield ""


def _point(point: Point) -> str:
    ratio = "" if point.ratio is None else f", {point.ratio:.2f}x"
    return f"{point.size:,} | {point.cost:.2f} us{ratio}"


def _details(run: Run) -> Iterator[str]:
    yield "## What each row consists of\n"
    for line in run.lines:
        yield f"### {line.title}\n\nCost: {line.cost}\n\nFloor: {line.floor}\n"
        yield from (f"- {name}: {_number(line, name)}" for name in line.numbers)
        yield ""


def _scripts() -> list[str]:
    """Return the by-hand scripts that small outputs in flight are compared with, in full."""
    functions = (outputs._write, outputs._publish, outputs.synced_in_flight, outputs._script)
    source = "\n\n".join(inspect.getsource(function) for function in functions)
    text = "What small outputs in flight are compared with; `_BYTES` are 2 KB, `times` is 100 for those of 200 KB."
    return [
        "## The scripts by hand",
        "",
        text,
        "",
        "<!-- skip: a part of the benchmarks -->",
        "```python",
        source.rstrip(),
        "```",
        "",
    ]


_TRIED = """\
## Tried, and left out

Measured separately, on two cores with Python 3.11; not part of this run.

- *isal for gzip*: 0.25 us a record instead of 3.0, files 6 % larger. But then the bytes of a `.gz` would depend on
  which other packages are installed, and `.zst` costs 0.9 us.
- *A map over outputs that exist*: with a look for each file it ends at 1.5 of `os.stat`. With one scan of the folder, and a
  function called for each item and each result, 0.95; with a scan, and batches that are named, looked for and handed on in
  C, 0.80; with the texts of the scan's names instead of names of the items, 0.58, which was kept: reading the folder is 0.3
  of it. `os.listdir` instead of `os.scandir` would save 0.03, and can't distinguish links from files. `dir_fd` saves nothing.
- *Syncing a batch of sixteen files*, against sixteen threads by hand: `fsync` one after the other takes 9.6 times as long; after
  `posix_fadvise` has started the writing 6.4; with four helping threads 1.0 to 1.5, with eight 1.0 to 1.3, with fifteen
  0.9; by libaio 1.0, which Python reaches through raw system calls only. A disk empties its cache once for all that ask at
  that moment, so the waits are in threads that do nothing else. `syncfs` waits for what other programs have written.
- *Commits in the loop's thread pool*, and *all of them in one thread, which has fifteen others sync*: each step takes the GIL
  from the event loop at a dozen system calls. On a file system in memory, where only that counts, an output took 820 us of
  CPU in one thread's group and took 170 on the loop, 940 and 400 with a sync. The rest of the latter were changes of the
  GIL: see the next line.
- *Each sync begun when it is asked for, and each output gone on with when its sync has ended*: then some thread wants the GIL
  at any time, and each of the loop's system calls is a change of threads, 11,500 of them for 2,000 outputs. Syncs that
  begin and end together, sixteen at once, leave 330. In turns on ext4, 16 in flight, against threads: 2.12 before, 1.78 so,
  566 and 336 us of CPU an output, the loop late by 4.4 and 1.8 ms (p99). With eight at once, so that
  the loop could work meanwhile, 1.92, with four 2.00, where sixteen took 1.70. Threads that wake each other in
  a row 1.83, all woken by the loop 1.89, two by each 1.65, which was kept.
- *All commits whose syncs have ended go on in one turn of the loop*: on a disk that was busy with other work, 2 KB and 16 in
  flight, the loop was late by 42 and 46 ms (p99, two runs); with four in a turn by 25 and 13, with two by 14 and 11; with
  all of them in one thread by 38 and 37. Ending each commit in the thread that has synced it: 49 and 50; with syncs that
  begin together 1.6 ms instead of 3.7, but no more outputs in the same time (1.71 and 1.68 of threads).
- *One look for an output that is not there*: 138 us of CPU an output of a map on a file system in memory; with two looks it was
  147, with three 172. One was kept. What is left of `data` against threads is the loop's own thread, which does all that is not
  waiting: 5,700 bytecodes and thirteen system calls an output, where a script by hand has five calls, on two cores.
- *One output at a time, with a sync*: it takes 180 us beyond the write by hand, and 145 without a sync, of which some 10 are the
  claim's system calls (see the last line). Its bound leaves 105.
- *Lateness while 300 MB are written* is that of the same pages by hand, inline, within 0.3 ms, and that is beyond the bound. A
  page takes 1.0 ms of CPU; what the rest is was not found out: neither a file system in memory nor a run without garbage
  collection was better. A thread that compresses would need up to 1.05 of the CPU (see below).
- *Importing less*: `import asflow` takes 49 million instructions instead of 101, as half of the modules are imported with the
  first use of what they do: outputs, retries, maps, searches for deadlocks. With the first task that has an output it is
  109 instead of 122. Left are 47 modules at some 0.1 ms each; the second class of each event costs 0.06 ms in all, and a
  named tuple 0.05. An installed copy with its own byte code takes as long as a checkout with byte code elsewhere, 11.3 and 10.9 ms
  at the least; both took 14 to 16 while two other programs ran.
- *A waiting call with its run*, but without a coroutine for the queue: 1.16 times the memory of a coroutine and a semaphore.
  With that coroutine, but without the run: 1.14. Without both it is 0.97, and a task that waits its turn takes
  1.0 to 1.1 times as long as with the semaphore, instead of 1.1 to 1.2.
- *Events whose common fields are shared by the three of a call*: would save 0.2 us, and each first read of one would cost
  as much. What had cost most was that reading any attribute of a class with `__getattr__` takes 40 ns more.
- *Encoding into one shared buffer*: saves 20 of the 185 ns that `write` cost beyond a hand-written loop, and needs a
  lock, which costs 75. One call of a Python function instead of two saved 70, and was kept.
- *A batch of `write_all` below 0.6 of the hand loop*: by hand, a loop over batches that does nothing but encode and write
  them takes 0.91 of it with 128 records at once, 0.76 with 512, and 0.70 with 2,048, as the kernel copies 256 KiB for three
  quarters of what four times 64 KiB cost. One call for a JSON list into a warm buffer takes 0.69, but has commas between
  records. All of ours takes 0.80, 0.09 of it the sync, which the hand loop lacks; it was 0.92 with 512. Larger batches of
  records that a generator makes cost more, not less: 0.58 us a record in batches of 64 to 256, 1.2 in batches of 2,048,
  for which Python collects garbage again and again. So a batch grows only while few containers are alive. By hand, without
  the write, batches of 2,048 take 0.56: the copy into the kernel is the rest. `writev` of 4 or 16 batches of 128 or 512, without
  a join, takes 0.70 to 0.74, batches copied into one warm buffer that is written through a view 0.74, `encode_into` at an offset,
  record by record, 1.01, and 8,192 records in 1 MiB 0.66.
- *Less processor time for `.zst`*: two thirds of the hand loop are compression. Pieces of 16 KiB to 1 MiB, `chunker`,
  `stream_writer` and a size known before are within 3 % of each other, as is gathering 256 KiB of lines for `write`. By hand, batches
  of 512 or 2,048 records that are encoded and compressed take 0.91, which leaves nothing for a look at each type and the sync. A
  helper thread that compresses, in order, needs as much (0.91 to 1.05), and 0.83 to 1.25 of the time on two busy cores. A
  frame for each 64 KiB, by `multi_compress_to_buffer`, takes 0.78, for files that are 20 % larger. Tables that fit into a core's cache
  (`hash_log` and `chain_log` of 15 instead of 17 and 16) take 0.79 for files that are 0.3 to 1.6 % larger; but then a `.zst` would not
  be of zstd's level 3, as is documented. The lines in objects of their own, joined, are 1.04 of the hand loop, in one function.
- *Remembered decisions of the engine*: all seven steps of an output take 4 of its 90 us; a table would save 2.
- *A skip that is awaited, below 1.4 of `os.stat`*: it was at 1.46, with 6,860 instructions beyond the 6,220 of `os.stat` in its
  loop. Kept, 6,200: a single argument that is not packed and unpacked, a look by the store that compares with literals, and
  literals in the function that names. A wrapper that is generated with the task's own parameters needs 6,090 in place of the first
  (1.40), with the name made in it 5,730 (1.38), and with the store's rules in it, too, 5,000 (1.36). But then wrong arguments would raise
  at the call, not where it is awaited, as of no other task. Looking without a coroutine, and returning an object that is done when
  it is awaited: 1.47 to 1.59, and `create_task` refuses it. Also no faster: a closure instead of the store's method, one call for
  the four items of a `stat`, arguments unpacked from their tuple by the function that names, and `stat` instead of `lstat`.
- *`os.access` instead of the `stat` of a skip*: half the cost, but a folder or an empty `.zst` would count as done.
- *A worker of `map` that drives the body itself*, without a generator in between: 2 to 4 %, in twice the code.
- *Fewer calls for a small output*: a claim by hand (open, flock, fstat, access, write, link, unlink, close) takes 2.0
  times as long as the write in place, 21 us instead of 11, so its bound leaves 7 us for everything in Python, where one
  call of a task takes 22. A look that was repeated was dropped since; thirteen calls are left.
"""
