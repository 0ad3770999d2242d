"""Flows in the cells of a notebook, run by a real IPython kernel."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Generator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

# jupyter_client and ipykernel leave a socket to the garbage collector, and warn about their own calls.
pytestmark = [
    pytest.mark.timeout(180),  # a kernel of its own for each test
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning"
    ),
]


class Cells:
    """A kernel that runs one cell after the other."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def send(self, code: str) -> None:
        """Start to run *code* as a cell."""
        self.client.execute(code)

    def outcome(self) -> tuple[str, str]:
        """Wait for the end of the cell: what it printed, and the name of its exception (or nothing)."""
        printed, error = "", ""
        while True:
            message = self.client.get_iopub_msg(timeout=30)
            content = message["content"]
            match message["msg_type"]:
                case "stream" if content["name"] == "stdout":
                    printed += content["text"]
                case "execute_result":
                    printed += content["data"]["text/plain"] + "\n"
                case "error":
                    error = content["ename"]
                case "status" if content["execution_state"] == "idle":
                    return printed, error
                case _:
                    pass

    def prints(self, text: str) -> None:
        """Wait until the cell that runs has printed *text*."""
        while True:
            message = self.client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "stream" and text in message["content"]["text"]:
                return

    def __call__(self, code: str) -> str:
        """Run *code* as a cell and return what it printed."""
        self.send(code)
        printed, error = self.outcome()
        assert not error, f"{error}: {printed}"
        return printed


@contextmanager
def kernel(folder: Path) -> Generator[tuple[Any, Cells]]:
    """A kernel that works in *folder*."""
    manager, client = start_new_kernel(cwd=str(folder))
    try:
        yield manager, Cells(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


SETUP = """
import asyncio, os
from contextvars import ContextVar
from asflow import flow
from asflow._run import run

@flow.task(on="data/{number}.jsonl", limit=2)
async def download(number):
    await asyncio.sleep(0)
    flow.task.write({"number": number})

@flow
async def pipeline(numbers=range(5)):
    await flow.task.map(download, numbers)
    return sorted(os.listdir("data"))
"""


def test_cells(tmp_path: Path) -> None:
    """Top-level await; `run` inside the kernel's loop; a cell that decorates a task is run again."""
    with kernel(tmp_path) as (_, cell):
        cell(SETUP)
        files = str([f"{number}.jsonl" for number in range(5)]) + "\n"
        assert cell("await pipeline()") == files
        assert cell("run(pipeline())") == files
        for _ in range(3):
            cell(SETUP)
            cell(SETUP.replace("limit=2", "limit=3"))
        assert cell("run(pipeline(range(6)))") == files.replace("]", ", '5.jsonl']")
        assert (
            cell("await asyncio.gather(pipeline(), asyncio.to_thread(lambda: run(pipeline()))); 1") == "1\n"
        )


def test_a_cell_that_is_run_again_keeps_one_limit(tmp_path: Path) -> None:
    """Calls of an old and of a new decoration, even an edited one, share the newest limit."""
    peak = """
running = peak = 0

async def body():
    global running, peak
    running += 1
    peak = max(peak, running)
    for _ in range(10):
        await asyncio.sleep(0)
    running -= 1
"""
    task = """
@flow.task(limit=LIMIT, on="data/{kind}-{number}.txt", suppress=(KeyError,))
async def work(kind, number):
    await body()
"""
    with kernel(tmp_path) as (_, cell):
        cell("import asyncio\nfrom asflow import flow\n" + peak)
        cell(task.replace("LIMIT", "7"))
        cell("old = work")
        cell(task.replace("LIMIT", "3") + "# edited\n")
        both = "[old('old', n) for n in range(9)], *[work('new', n) for n in range(9)]"
        cell(f"_ = await asyncio.gather(*{both})")
        assert cell("print(peak)") == "3\n"
        # Another task with the same failures is still refused, in whichever cell.
        cell.send(task.replace("LIMIT", "3").replace("def work", "def other").replace(".txt", ".json"))
        assert cell.outcome()[1] == "DefinitionValueError"


def test_run_in_a_cell(tmp_path: Path) -> None:
    """Context variables go in, exceptions come out unchanged, prints are shown."""
    with kernel(tmp_path) as (_, cell):
        cell(SETUP)
        cell("variable = ContextVar('variable', default=0)\nvariable.set(5)\nerror = KeyError('mine')")
        cell("async def look():\n    print('inside')\n    return variable.get()")
        assert cell("print(run(look()))") == "inside\n5\n"
        cell("async def fail():\n    raise error")
        assert (
            cell("try:\n    run(fail())\nexcept KeyError as caught:\n    print(caught is error)") == "True\n"
        )
        cell.send("run(asyncio.sleep)")
        assert cell.outcome()[1] == "TypeError"
        # Nested: a coroutine that calls plain code that runs another one.
        cell("async def outer():\n    return run(look()) + 1")
        assert cell("print(run(outer()))") == "inside\n6\n"


SLOW = """
@flow.task(on="slow/{number}.jsonl", limit=2)
async def slow(number):
    flow.task.write({"number": number})
    if number > 1:
        print("begun", flush=True)
        for _ in range(NUMBER):
            await asyncio.sleep(0.1)  # a kernel whose loop sleeps is not woken by an interrupt

@flow
async def interrupted():
    try:
        await flow.task.map(slow, range(6))
    finally:
        print("cleaned up")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kernels are interrupted by a signal")
@pytest.mark.parametrize("call", ["await interrupted()", "run(interrupted())"])
def test_an_interrupted_cell_leaves_nothing_unfinished(tmp_path: Path, call: str) -> None:
    """The stop button: complete outputs stay, nothing else remains, no slot is lost, the next cell works."""
    with kernel(tmp_path) as (manager, cell):
        cell(SETUP)
        cell(SLOW.replace("NUMBER", "600"))
        cell.send(call)
        cell.prints("begun")
        manager.interrupt_kernel()
        printed, error = cell.outcome()
        assert "cleaned up" in printed
        assert error in {"KeyboardInterrupt", "CancelledError"}
        assert sorted(path.name for path in (tmp_path / "slow").iterdir()) == ["0.jsonl", "1.jsonl"]
        assert cell("print([thread.name for thread in __import__('threading').enumerate()"
                    " if thread.name == 'asflow-run'])") == "[]\n"  # fmt: skip
        cell(SLOW.replace("NUMBER", "1"))
        assert "cleaned up" in cell(call)
        assert len(list((tmp_path / "slow").iterdir())) == 6


def test_the_example_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of the notebook in the documentation runs, and asks for each day once."""
    sys.path.append(str(EXAMPLES / "demo"))
    from api import serve

    notebook = nbformat.read(EXAMPLES / "notebook" / "temperatures.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    with serve() as service:
        service.busy.clear()
        monkeypatch.setenv("TEMPERATURES_API", service.url)
        NotebookClient(notebook, timeout=50, resources={"metadata": {"path": str(tmp_path)}}).execute()
        asked = service.requests
    text = "\n".join(
        str(output.get("text", output.get("data", {}).get("text/plain", "")))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert "30 days on disk, 1 not available" in text
    assert "Flow month(1): 31 done, 1 suppressed" in text
    assert "Flow month(1): 1 done, 30 on disk, 1 suppressed" in text
    assert asked == 31
    assert len(list((tmp_path / "data" / "temperatures").iterdir())) == 31
