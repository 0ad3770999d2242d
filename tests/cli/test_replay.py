"""`asflow retry MODULE`: what failed is called again, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]

MODULE = """
from datetime import date
from pathlib import Path

from asflow import Flow, Secret
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())


def note(*what: object) -> None:
    with open("called", "a") as file:
        print(*what, file=file)


@flow.task(on="a/{name}-*.jsonl", suppress=LookupError)
async def fetch(name: str, size: int, tags: list[str]) -> None:
    note("fetch", name, size, tags)
    if Path("broken").exists():
        raise OSError(name)
    if not Path("mended").exists() or name == "gone":
        raise LookupError(name)
    flow.task.write({"name": name})


@flow.task(on="b/{day:%Y}/{day:%m-%d}.txt", suppress=LookupError)
def daily(day: date) -> None:
    note("daily", day)
    if not Path("mended").exists():
        raise LookupError(day)
    flow.task.write(str(day))


@flow.task(on="c/*.txt", suppress=LookupError)
def hidden(token: Secret[str], day: date) -> None:
    raise LookupError(day)


@flow
async def main() -> None:
    await fetch("a", 1, ["x"])
    await fetch("b", 2, [])
    daily(date(2026, 1, 2))
"""


@pytest.fixture
def called(asflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Run the flow once; return what returns the bodies that were called since."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "steps.py").write_text(MODULE)
    assert asflow("run", "steps:main").code == 0

    def bodies() -> list[str]:
        path = tmp_path / "called"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(lines)

    assert len(bodies()) == 3
    return bodies


def test_what_failed_is_called_again(
    asflow: Command, called: Callable[[], list[str]], tmp_path: Path
) -> None:
    answer = asflow("retry", "steps", "--dry-run")
    assert sorted(answer.out.splitlines()) == [
        "would call daily(day=2026-01-02)",
        "would call fetch(name='a', size=1, tags=['x'])",
        "would call fetch(name='b', size=2, tags=[])",
    ]
    assert called() == []
    answer = asflow("retry", "steps")
    assert (answer.code, answer.err.splitlines(True)[-1]) == (1, "3 called again, 3 failed again\n")
    assert len(called()) == 3
    (tmp_path / "mended").touch()
    answer = asflow("retry", "steps:fetch")
    assert (answer.code, answer.err.splitlines(True)[-1]) == (0, "2 called again\n")
    assert called() == ["fetch a 1 ['x']", "fetch b 2 []"]
    answer = asflow("retry", "steps")
    assert (answer.code, answer.err.splitlines(True)[-1]) == (0, "1 called again\n")
    assert called() == ["daily 2026-01-02"]
    assert (tmp_path / "b/2026/01-02.txt").read_text() == "2026-01-02"
    assert list(tmp_path.rglob("*.err")) == []
    answer = asflow("retry", "steps")
    assert (answer.code, answer.err.splitlines(True)[-1]) == (0, "0 called again\n")


def test_a_call_that_raises_something_else_is_named(
    asflow: Command, called: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "broken").touch()
    answer = asflow("retry", "steps:fetch")
    assert answer.code == 1
    assert "asflow: fetch(name='a', size=1, tags=['x']): OSError: a\n" in answer.err
    assert list((tmp_path / "a").iterdir()) == [], "what is raised is not on record"


TOGETHER = """
import threading
from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())
all_of_them = threading.Barrier(40)
first = True


@flow.task(on="d/{n}.txt", suppress=LookupError, limit=0)
def together(n: int) -> None:
    if first:
        raise LookupError(n)
    all_of_them.wait(60)
    flow.task.write(str(n))


@flow
def main() -> None:
    for n in range(40):
        together(n)
"""


def test_sync_bodies_run_at_the_same_time_as_far_as_their_limit_allows(
    asflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty that wait for each other, on a machine of any size."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "many.py").write_text(TOGETHER)
    assert asflow("run", "many:main").code == 0
    (tmp_path / "many.py").write_text(TOGETHER.replace("first = True", "first = False"))
    done = subprocess.run(
        [sys.executable, "-m", "asflow", "retry", "many"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "40 called again")


def test_what_can_not_be_called_again_is_left_and_named(
    asflow: Command, called: Callable[[], list[str]], tmp_path: Path
) -> None:
    """A secret is not in the record, and a `*` does not say it."""
    script = "import steps\nfrom datetime import date\nsteps.hidden('SESAME', date(2026, 1, 2))\n"
    (tmp_path / "other.py").write_text(script)
    subprocess.run([sys.executable, "other.py"], check=True)
    [record] = (tmp_path / "c").glob("*.err")
    assert "SESAME" not in record.read_text().partition("\n")[0]
    answer = asflow("retry", "steps:hidden")
    assert answer.code == 1
    assert "the argument 'token' is secret, and not recorded, so it is left; forget it" in answer.err
    assert record.exists()
    assert asflow("retry", f"c/{record.name}").code == 0
    assert not record.exists()


def test_a_module_that_is_not_there(asflow: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = asflow("retry", "no_such_module")
    assert answer.code == 2
    assert "no module 'no_such_module'" in answer.err


def test_a_name_of_a_module_and_a_folder_is_refused(asflow: Command, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    assert asflow("retry", "flows").code == 0  # a folder without code
    (tmp_path / "flows" / "__init__.py").touch()
    answer = asflow("retry", "flows")
    assert answer.code == 2
    assert "'flows' is a module and a folder; write flows:TASK" in answer.err
    assert asflow("retry", "./flows").code == 0
