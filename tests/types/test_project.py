"""A user's code base (`typecheck/project`) against the wheel, as strictly as it goes, without any ignore."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "typecheck" / "project"
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, and return what it prints."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    environment.pop("PYTHONPATH", None)
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with an environment in which the wheel is installed and no checkout is near."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    paths = sysconfig.get_paths("venv", {"base": str(folder / "env"), "platbase": str(folder / "env")})
    packages = Path(paths["purelib"])
    shutil.unpack_archive(wheel, packages, "zip")
    # What asflow depends on comes from here; the wheel is before it on the path.
    others = "\n".join(path for path in site.getsitepackages() if path != str(packages))
    (packages / "others.pth").write_text(others)
    return folder / "project"


@pytest.fixture(scope="module")
def python(project: Path) -> Path:
    return project.parent / "env" / "bin" / "python"


def test_the_wheel_is_what_is_checked(project: Path, python: Path) -> None:
    where = run(python, "-c", "import asflow; print(asflow.__file__)", cwd=project).strip()
    assert Path(where).is_relative_to(project.parent / "env")


def test_nothing_is_ignored() -> None:
    sources = "".join(path.read_text() for path in PROJECT.rglob("*.py"))
    assert not re.search(r"ignore\[|# *(type|pyright|mypy|ty|pyrefly) *:|\bcast\(|\bAny\b", sources)


def test_mypy(project: Path, python: Path) -> None:
    run(BIN / "mypy", "--python-executable", python, "weather", cwd=project)


@pytest.mark.parametrize("checker", ["pyright", "basedpyright"])
def test_pyright(checker: str, project: Path, python: Path) -> None:
    if checker == "basedpyright":  # which takes no table of pyright's beside its own
        text = (project / "pyproject.toml").read_text().replace("[tool.pyright]", "[tool.basedpyright]")
        (project / "basedpyright").mkdir(exist_ok=True)
        shutil.copytree(project / "weather", project / "basedpyright" / "weather", dirs_exist_ok=True)
        (project / "basedpyright" / "pyproject.toml").write_text(text)
        project = project / "basedpyright"
    run(BIN / checker, "-p", "pyproject.toml", "--pythonpath", python, cwd=project)


def test_pyrefly(project: Path, python: Path) -> None:
    run(BIN / "pyrefly", "check", "--python-interpreter-path", python, "weather", cwd=project)


def test_ty(project: Path, python: Path) -> None:
    run(BIN / "ty", "check", "--python", python, "weather", cwd=project)


def test_it_runs(project: Path, python: Path, tmp_path: Path) -> None:
    told = run(python, "-m", "weather.pipeline", cwd=project)
    assert "the table has 147 bytes" in told
    assert "the table was there" in told
    assert told.count("96 readings") == 2
    assert "{'completed': 32, 'suppressed': 4, 'cached': 6}" in told
    assert "Seattle was warmer" in run(python, "-m", "weather.graph", cwd=project)
    page = (
        "from streamlit.testing.v1 import AppTest\n"
        "page = AppTest.from_file('weather/page.py').run(timeout=60)\n"
        "assert not page.exception, page.exception\n"
        "print(page.caption[0].value, len(page.metric))"
    )
    assert "14 days 14" in run(python, "-c", page, cwd=project)
