"""The command as a separate process: pipes, terminals, colors, a missing extra."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLORS = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "CI", "COLUMNS"}


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in COLORS}
    return {**kept, "TERM": "xterm-256color", **more}


def run(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asflow", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=env or environment(), capture_output=True, text=True, check=False
    )


def test_the_module_is_the_command(filled: Path) -> None:
    """`python -m asflow` passes the exit code on, and writes no colors into pipes."""
    listed = run("ls", "data", cwd=filled)
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, 5)
    assert "\x1b" not in listed.stdout + listed.stderr
    (filled / "data/0.jsonl.zst").write_bytes(b"")
    assert run("check", "data", cwd=filled).returncode == 1
    missing = run("show", "nope", cwd=filled)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "asflow: there is no file 'nope'; see asflow ls\n"


def test_the_entry_point_is_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, name = project["scripts"]["asflow"].partition(":")
    assert getattr(importlib.import_module(module), name) is importlib.import_module("asflow._cli").main
    assert any(need.startswith("cyclopts") for need in project["optional-dependencies"]["cli"])


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("no_color", [False, True])
def test_colors_on_a_terminal(filled: Path, no_color: bool) -> None:
    import pty

    master, slave = pty.openpty()
    env = environment(**({"NO_COLOR": "1"} if no_color else {}))
    command = [sys.executable, "-m", "asflow", "show", "data/1.jsonl.zst"]
    process = subprocess.Popen(command, cwd=filled, env=env, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # EIO: the other side is closed
        pass
    os.close(master)
    assert process.wait() == 0
    assert (b"\x1b[3" in shown or b"\x1b[1;3" in shown) is not no_color
    assert b'"n"' in shown


def test_a_reader_that_closes_the_pipe(tmp_path: Path) -> None:
    """`asflow show ... | head -1` ends without a message."""
    (tmp_path / "many.jsonl").write_text('{"a": 1}\n' * 200_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "asflow", "show", "many.jsonl"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b'{"a": 1}\n'
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("many", [2, 20_000])
def test_a_disk_that_is_full(tmp_path: Path, many: int) -> None:
    """One line says so, whether a write or the last flush fails."""
    (tmp_path / "some.jsonl").write_text('{"a": 1}\n' * many)
    buffered = {key: value for key, value in environment().items() if key != "PYTHONUNBUFFERED"}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asflow", "show", "some.jsonl"],
            cwd=tmp_path, env=buffered, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("asflow: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("arguments", ["ls", "--version", "completion bash"])
def test_a_standard_output_that_is_closed(filled: Path, arguments: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m asflow {arguments} >&-"
    done = subprocess.run(
        command, shell=True, cwd=filled, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_cancels_the_flow(tmp_path: Path) -> None:
    """The unfinished output is discarded, and the exit code is that of an interrupted program."""
    (tmp_path / "slow_flow.py").write_text(
        "import asyncio\n"
        "from asflow import flow\n"
        "@flow.task(on='data/x.txt')\n"
        "async def wait():\n"
        "    flow.task.write('half')\n"
        "    print('waiting', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "@flow\n"
        "async def main():\n"
        "    await wait()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "asflow", "run", "slow_flow:main"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert list((tmp_path / "data").iterdir()) == []


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'cyclopts' else found(name, *rest)\n"
        "from asflow._cli import main; sys.exit(main(['ls']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "asflow: the command line needs cyclopts; run: pip install 'asflow[cli]'\n"


def test_the_completion_script_completes_commands(tmp_path: Path) -> None:
    script = run("completion", "bash", cwd=tmp_path).stdout
    ask = 'COMP_WORDS=(asflow ch); COMP_CWORD=1; _asflow; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "check\n", "")
