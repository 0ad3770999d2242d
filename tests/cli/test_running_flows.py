"""`asflow run`: arguments from the signature, and messages when they don't fit."""

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

PIPELINE = '''
from __future__ import annotations
import asyncio
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Literal, TYPE_CHECKING
from asflow import Flow
from asflow.sinks import NullSink
if TYPE_CHECKING:
    from decimal import Decimal

flow = Flow(sink=NullSink())

class Color(Enum):
    RED = 1
    BLUE = 2

@flow
async def pipeline(
    day: date, count: int = 3, *, rate: float = 0.5, mode: Literal["fast", "slow"] = "fast",
    tags: list[str] | None = None, color: Color = Color.RED, dry_run: bool = False,
    folder: Path = Path("data"),
) -> str:
    """Fetch what a day brought.

    Args:
        day: the day to fetch.
        count: how many to fetch.
    """
    return repr((day, count, rate, mode, tags, color.name, dry_run, folder))

@flow
def synchronous(*numbers: int, **named: str) -> None:
    print(numbers, named)

@flow
def failing() -> None:
    raise ValueError("my own")

@flow
async def cancelled() -> None:
    raise asyncio.CancelledError

@flow
def grouped() -> None:
    raise BaseExceptionGroup("several", [GeneratorExit()])

@flow.task
async def part(n: int) -> None:
    raise ValueError(n)

@flow
async def fanned_out() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(part(1))

class Unprintable:
    def __str__(self) -> str:
        raise ValueError("can't be shown")

@flow
def unprintable() -> Unprintable:
    return Unprintable()

@flow
def odd_text() -> str:
    return "caf\\udce9"

@flow
def leaving() -> None:
    raise SystemExit(7)

@flow
def interrupted() -> None:
    raise KeyboardInterrupt

@flow
def unresolved(cost: Decimal) -> None: ...

@flow.task
async def single(n: int) -> int:
    return n + 1

def helper() -> None: ...
value = 3
'''


@pytest.fixture
def pipeline(folder: Path) -> str:
    (folder / "made_up_pipeline.py").write_text(PIPELINE)
    return "made_up_pipeline"


def test_arguments_become_what_the_annotations_say(asflow: Command, pipeline: str) -> None:
    answer = asflow("run", f"{pipeline}:pipeline", "2024-02-01")
    assert answer.code == 0, answer.err
    expected = "(datetime.date(2024, 2, 1), 3, 0.5, 'fast', None, 'RED', False, PosixPath('data'))\n"
    assert answer.out == expected
    tokens = "--day 2024-02-01 --count 7 --rate=1e3 --mode slow --tags a --tags b --color blue --dry-run"
    answer = asflow("run", f"{pipeline}:pipeline", *tokens.split(), "--folder", "x/y")
    assert answer.code == 0, answer.err
    expected = "(datetime.date(2024, 2, 1), 7, 1000.0, 'slow', ['a', 'b'], 'BLUE', True, PosixPath('x/y'))\n"
    assert answer.out == expected


def test_synchronous_flows_and_open_signatures(asflow: Command, pipeline: str) -> None:
    assert asflow("run", f"{pipeline}:synchronous", "1", "2", "--a", "x").out == "(1, 2) {'a': 'x'}\n"
    assert asflow("run", f"{pipeline}:synchronous").out == "() {}\n"


def test_a_task_runs_as_well(asflow: Command, pipeline: str) -> None:
    assert asflow("run", f"{pipeline}:single", "41") == (0, "42\n", "")


def test_help_lists_the_arguments_of_the_flow(asflow: Command, pipeline: str) -> None:
    for flag in ("--help", "-h"):
        answer = asflow("run", f"{pipeline}:pipeline", flag)
        assert (answer.code, answer.err) == (0, "")
        assert f"Usage: asflow run {pipeline}:pipeline" in answer.out
        assert "Fetch what a day brought." in answer.out
        assert "how many to fetch. [default: 3]" in answer.out
        assert "[choices: fast, slow]" in answer.out
        assert "--no-dry-run" in answer.out


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no_such_module:flow", "there is no module 'no_such_module' in"),
        ("made_up_pipeline.sub:flow", "there is no module 'made_up_pipeline.sub'"),
        (
            "made_up_pipeline:nope",
            "has no flow or task 'nope'; choose one of cancelled, failing, fanned_out, grouped",
        ),
        ("made_up_pipeline:helper", "has no flow or task 'helper'"),
        ("made_up_pipeline:value", "has no flow or task 'value'"),
        ("made_up_pipeline:flow", "has no flow or task 'flow'"),
        ("made_up_pipeline:helper.nope", "has no flow or task 'helper.nope'"),
        (
            "made_up_pipeline",
            "made_up_pipeline is a module, not a flow; choose one of cancelled, failing",
        ),
        ("made_up_pipeline:", "made_up_pipeline is a module, not a flow"),
        ("made_up_pipeline.py:pipeline", "give module and function, as in package.module:flow"),
        ("./made_up_pipeline:pipeline", "give module and function"),
        (":pipeline", "give module and function"),
        ("..:pipeline", "is not a module name; write package.module:flow"),
        ("a..b:pipeline", "there is no module 'a'"),
        ("a\0b:pipeline", "there is no module"),
        ("", "give module and function"),
    ],
)
def test_a_target_that_is_not_a_flow(asflow: Command, pipeline: str, target: str, says: str) -> None:
    assert pipeline == "made_up_pipeline"
    answer = asflow("run", target)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ("2024-13-01", "2024-13-01"),
        ("", "day requires an argument"),
        ("2024-02-01 --count many", "many"),
        ("2024-02-01 --mode no", "no"),
        ("2024-02-01 --color green", "green"),
        ("2024-02-01 --nope 1", "--nope"),
        ("2024-02-01 --count", "--count"),
        ("2024-02-01 1 2", "2"),
    ],
)
def test_a_value_that_does_not_fit(asflow: Command, pipeline: str, tokens: str, says: str) -> None:
    answer = asflow("run", f"{pipeline}:pipeline", *tokens.split())
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert answer.err.startswith(
        ("asflow: invalid", "asflow: parameter", "asflow: unknown", "asflow: unused")
    )
    assert f"see asflow run {pipeline}:pipeline --help" in answer.err
    assert "Traceback" not in answer.err


def test_an_annotation_that_does_not_exist_at_run_time(asflow: Command, pipeline: str) -> None:
    answer = asflow("run", f"{pipeline}:unresolved", "1")
    assert (answer.code, answer.out) == (2, "")
    assert "Decimal" in answer.err
    assert "can't be used (NameError: name 'Decimal' is not defined); annotate" in answer.err
    assert "outside of `if TYPE_CHECKING:`" in answer.err


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("failing", "ValueError: my own"),
        ("cancelled", "asyncio.exceptions.CancelledError"),
        ("grouped", "    +------------------------------------"),
        ("unprintable", "ValueError: can't be shown"),
    ],
)
def test_what_the_flow_raises_is_shown_from_the_users_code_on(
    asflow: Command, pipeline: str, name: str, last: str
) -> None:
    answer = asflow("run", f"{pipeline}:{name}")
    assert answer.code == 1
    lines = answer.err.splitlines()
    assert lines[0].endswith("Traceback (most recent call last):")
    assert "made_up_pipeline.py" in lines[1]
    assert lines[-1] == last


def test_what_a_group_holds_is_shown_from_the_users_code_on(asflow: Command, pipeline: str) -> None:
    lines = asflow("run", f"{pipeline}:fanned_out").err.splitlines()
    frames = [line.strip(" |") for line in lines if "File " in line]
    assert len(frames) >= 2
    assert all("made_up_pipeline.py" in frame or "taskgroups.py" in frame for frame in frames)
    assert frames[-1].endswith("in part")


def test_a_result_that_the_output_cannot_encode(folder: Path, pipeline: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "asflow", "run", f"{pipeline}:odd_text"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf\\udce9\n", "")


def test_exit_and_interrupt_pass(asflow: Command, pipeline: str) -> None:
    with pytest.raises(SystemExit) as caught:
        asflow("run", f"{pipeline}:leaving")
    assert caught.value.code == 7
    assert asflow("run", f"{pipeline}:interrupted").code == 130


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("import not_installed_at_all", "ModuleNotFoundError: No module named 'not_installed_at_all'"),
        ("x = 1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError: "),
        ("raise ValueError('in the module')", "ValueError: in the module"),
    ],
)
def test_a_module_that_does_not_load(asflow: Command, folder: Path, code: str, last: str) -> None:
    """The traceback shows the user's code without our frames."""
    (folder / "made_up_broken.py").write_text(code)
    answer = asflow("run", "made_up_broken:flow")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines()[-1].startswith(last)
    assert "importlib" not in answer.err
    sys.modules.pop("made_up_broken", None)


@pytest.mark.parametrize(
    "tokens", ["nope", "ls --nope", "show", "show a b", "retry", "show x --head -1", "run"]
)
def test_bad_usage(asflow: Command, tokens: str) -> None:
    answer = asflow(*tokens.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asflow: ")
    assert "; " in answer.err or " (see " in answer.err
    assert "--help" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "ls", "show", "errors", "retry", "check", "clean", "completion"])
def test_the_help_of_every_command_has_an_example_and_the_exit_codes(asflow: Command, command: str) -> None:
    answer = asflow(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"Usage: asflow {command}" in answer.out
    assert f" asflow {command} " in answer.out.partition("Examples:")[2]
    assert "Exit codes: 0 ok, 1 a problem was found, 2 bad usage." in answer.out
    assert f"\u2502 {command} " in asflow("--help").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_every_command(asflow: Command, shell: str) -> None:
    answer = asflow("completion", shell)
    assert (answer.code, answer.err) == (0, "")
    assert all(name in answer.out for name in ("run", "errors", "retry", "check", "clean", "dry-run"))
