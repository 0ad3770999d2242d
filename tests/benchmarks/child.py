"""Measurements that need a fresh process: `python -m benchmarks.child NAME ARGUMENT...`.

The last line of the output is one number: bytes, KiB, MB, milliseconds, or microseconds per task.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_child"]

_TESTS = Path(__file__).resolve().parents[1]


def run_child(name: str, *arguments: object, pty: bool = False, module: str = "benchmarks.child") -> float:
    """Run a function of *module* in a fresh process, with *pty* on a terminal; return its number."""
    command = [sys.executable, "-m", module, name, *map(str, arguments)]
    path = os.pathsep.join([str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "TERM": "xterm-256color"}
    # Imports are measured with compiled files, as users have them.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = os.path.join(tempfile.gettempdir(), f"asflow-bench-{os.getuid()}")
    if not pty:
        done = subprocess.run(
            command, env=environment, cwd=_TESTS, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise RuntimeError(f"{name}: {lines[-1].removeprefix('RuntimeError: ')}")
        return float(done.stdout.splitlines()[-1])
    return _on_a_terminal(command, environment)


def _on_a_terminal(command: list[str], environment: dict[str, str]) -> float:
    """Run *command* with stderr on a pseudo-terminal that is read continuously."""
    import threading

    ours, theirs = os.openpty()

    def swallow() -> None:
        while True:
            try:
                if not os.read(ours, 65536):
                    return
            except OSError:
                return

    reader = threading.Thread(target=swallow)
    reader.start()
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=_TESTS,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
        )
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    return float(done.stdout.splitlines()[-1])


# ------------------------------------------------------------------ memory


def _pending(start: Callable[[int], asyncio.Task[object]], count: int) -> float:
    """Return the bytes that one pending task holds, by tracemalloc."""

    async def main() -> float:
        gc.collect()
        tracemalloc.start()
        tasks = [start(index) for index in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return held / count

    return asyncio.run(main())


async def _forever(_index: int) -> None:
    await asyncio.Event().wait()


def pending_semaphore(count: str) -> float:
    """Return the bytes of a coroutine that waits for a semaphore."""
    semaphores: list[asyncio.Semaphore] = []

    async def bounded(index: int) -> None:
        if not semaphores:
            semaphores.append(asyncio.Semaphore(4))
        async with semaphores[0]:
            await _forever(index)

    return _pending(lambda index: asyncio.ensure_future(bounded(index)), int(count))


def pending_asflow(count: str) -> float:
    """Return the bytes of a call that waits for its limit."""
    from asflow import Flow
    from asflow.sinks import NullSink

    task = Flow(sink=NullSink()).task(limit=4)(_forever)
    return _pending(lambda index: asyncio.ensure_future(task(index)), int(count))


def finished_tasks(count: str) -> float:
    """Return the KiB that a flow grows from a tenth of *count* finished tasks to all of them."""
    from asflow import Flow
    from asflow.sinks import NullSink

    flow = Flow(sink=NullSink())
    held: list[int] = []

    @flow.task
    async def task(_index: int) -> None:
        await asyncio.sleep(0)

    @flow
    async def many() -> None:
        for part in (int(count) // 10, int(count) - int(count) // 10):
            async for _ in flow.task.map(task, range(part)):
                pass
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    asyncio.run(many())
    return (held[1] - held[0]) / 1024


def finished_flows(count: str) -> float:
    """KiB that the process holds more after *count* flows than after a tenth of them."""
    from asflow import Flow
    from asflow.sinks import NullSink

    flow = Flow(sink=NullSink())

    @flow.task
    async def task(_index: int) -> None:
        pass

    @flow
    async def small() -> None:
        for index in range(10):
            await task(index)

    def held_after(runs: int) -> int:
        for _ in range(runs):
            asyncio.run(small())
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    few = held_after(int(count) // 10)
    return (held_after(int(count) - int(count) // 10) - few) / 1024


def failed_tasks(count: str) -> float:
    """Return the KiB that a flow keeps for a failed task whose frame holds 1 MB, after a tenth of *count*."""
    from asflow import Flow
    from asflow.sinks import NullSink

    flow = Flow(sink=NullSink())
    held: list[int] = []

    @flow.task(skip=OSError)
    async def task(_index: int) -> None:
        page = bytearray(1_000_000)
        raise OSError(f"a page of {len(page)} bytes")

    @flow
    async def many() -> None:
        for part in (int(count) // 10, int(count) - int(count) // 10):
            async for _ in flow.task.map(task, range(part)):
                pass
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    asyncio.run(many())
    return (held[1] - held[0]) / 1024 / (int(count) * 0.9)


def big_output(megabytes: str) -> float:
    """Return the MB of peak memory while writing one output of *megabytes* MB of JSON."""
    from asflow import Flow
    from asflow.sinks import NullSink
    from benchmarks.writes import BYTES_A_RECORD, records

    folder = tempfile.mkdtemp(prefix="asflow-bench-")
    flow = Flow(folder, sink=NullSink())

    @flow.task(on="big.jsonl.zst")
    async def write() -> None:
        for record in records(int(megabytes) * 1_000_000 // BYTES_A_RECORD):
            flow.task.write(record)

    try:
        asyncio.run(write())
    finally:
        for path in Path(folder).iterdir():
            path.unlink()
        os.rmdir(folder)
    return _peak()


def _peak() -> float:
    """Return the MB of this process's peak memory; `ru_maxrss` may be that of the parent process."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:  # no /proc: ru_maxrss is in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


# ------------------------------------------------------------------ import


def importing(module: str) -> float:
    """Return CPU milliseconds of importing *module* after asyncio."""
    start = time.process_time()
    importlib.import_module(module)
    return (time.process_time() - start) * 1e3


def decorating() -> float:
    """Return CPU milliseconds of importing asflow after asyncio, and decorating a task with an output."""
    start = time.process_time()
    from asflow import flow

    @flow.task(on="{name}.txt")
    async def task(name: str) -> None:
        flow.task.write(name)

    return (time.process_time() - start) * 1e3


def imported(module: str) -> float:
    """Return the number of modules that *module* imports beyond asyncio's."""
    before = set(sys.modules)
    importlib.import_module(module)
    new = sorted(set(sys.modules) - before)
    print(" ".join(new))
    return len(new)


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
