"""A finished job that is run again: `python -m benchmarks.second_run LIBRARY FOLDER COUNT`.

The first run in a folder does the work and leaves the file `finished`; later ones must not do an item again.
Each prints the CPU microseconds of this process for an item, without imports and the start of a library.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers import peer

if TYPE_CHECKING:
    from collections.abc import Callable

_finished = False


def _item(number: int) -> int:
    """The work: it must not be done twice."""
    if _finished:
        raise AssertionError(f"item {number} was done in the first run")
    return number


def _each(call: Callable[[int], object], count: int) -> float:
    """Call *call* with each number; return CPU microseconds a call."""
    start = time.process_time()
    for number in range(count):
        call(number)
    return (time.process_time() - start) / count * 1e6


def by_hand(folder: Path, count: int) -> float:
    """Look whether each file exists, with `os.stat`."""
    paths = [str(folder / f"{number}.txt") for number in range(count)]
    if not _finished:
        for path in paths:
            Path(path).touch()
    stat, start = os.stat, time.process_time()
    for path in paths:
        stat(path)
    return (time.process_time() - start) / count * 1e6


def asflow(folder: Path, count: int) -> float:
    """Call a sync task for each output."""
    from asflow import Flow, LocalStore
    from asflow.sinks import NullSink

    flow = Flow(folder, store=LocalStore(durability="atomic"), sink=NullSink())

    @flow.task(on="{number}.txt")
    def download(number: int) -> None:
        flow.task.write(f"{_item(number)}\n")

    return _each(download, count)


def joblib(folder: Path, count: int) -> float:
    """Call a function of `Memory.cache`."""
    return _each(peer("joblib").Memory(folder, verbose=0).cache(_item), count)


def diskcache(folder: Path, count: int) -> float:
    """Call a memoized function."""
    return _each(peer("diskcache").Cache(str(folder)).memoize()(_item), count)


def pipefunc(folder: Path, count: int) -> float:
    """Map a function with `resume=True`."""
    library = peer("pipefunc")
    if importlib.util.find_spec("pandas"):
        peer("pandas")  # it compares inputs, and knows pandas' own if it can be imported
    pipeline = library.Pipeline([library.pipefunc(output_name="y", mapspec="number[i] -> y[i]")(_item)])
    inputs, options = {"number": list(range(count))}, {"parallel": False, "show_progress": False}
    start = time.process_time()
    pipeline.map(inputs, run_folder=folder / "run", resume=True, **options)
    return (time.process_time() - start) / count * 1e6


def dbos(folder: Path, count: int) -> float:
    """Run a workflow that is killed after its last step: another run recovers it, step by step."""
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise RuntimeError(f"needs SQLite 3.42 from Python 3.12 on, not {sqlite3.sqlite_version}")
    library = peer("dbos")
    database = f"sqlite:///{folder / 'state.sqlite'}"
    library.DBOS(config={"name": "benchmark", "system_database_url": database, "log_level": "ERROR"})
    step = library.DBOS.step()(_item)

    def workflow() -> None:
        took = _each(step, count)
        (folder / "finished").touch()
        print(took, flush=True)
        os._exit(0)

    pipeline = library.DBOS.workflow()(workflow)
    library.DBOS.launch()
    with library.SetWorkflowID("once"):
        pipeline()
    raise AssertionError("the workflow has ended, so its steps were not looked up")


def datachain(folder: Path, count: int) -> float:
    """Map a function over files, into a dataset: another run finds that it was saved."""
    os.environ.update(DATACHAIN_ROOT_DIR=str(folder / "state"), DATACHAIN_NO_ANALYTICS="1", HOME=str(folder))
    files = folder / "files"
    files.mkdir(exist_ok=True)
    for number in range(0 if _finished else count):
        (files / f"{number}.txt").write_text("{}\n")
    chain = peer("datachain").read_storage(files.as_uri())
    start = time.process_time()
    chain.map(lambda file: _item(len(file.path)), output={"size": int}).save("sizes")
    return (time.process_time() - start) / count * 1e6


def prefect(folder: Path, count: int) -> float:
    """Call tasks whose results persist, in a flow with a temporary server, which is a process of its own."""
    os.environ.update(PREFECT_HOME=str(folder), PREFECT_LOCAL_STORAGE_PATH=str(folder / "results"))
    os.environ.update(PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_SERVER_ANALYTICS_ENABLED="false")
    library = peer("prefect")
    inputs = peer("prefect.cache_policies").INPUTS
    task = library.task(cache_policy=inputs, persist_result=True)(_item)

    def pipeline() -> float:
        task(-1)  # the server has started
        return _each(task, count)

    took: float = library.flow(pipeline)()
    return took


def main(library: str, folder: str, count: str) -> None:
    """Do or resume the work with one library."""
    global _finished
    mark = Path(folder, "finished")
    _finished = mark.exists()
    took = globals()[library](Path(folder), int(count))
    mark.touch()
    print(took)


if __name__ == "__main__":
    main(*sys.argv[1:])
