"""The examples of the page on scaling run, and a second run has nothing left to do."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import asflow
from asflow import Flow, LocalStore, MemoryStore

pytestmark = pytest.mark.timeout(300)  # a cluster is started

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "scaling"


def run(name: str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=os.environ | {"REPORTS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", ["processes.py", "with_dask.py", pytest.param("with_ray.py", marks=pytest.mark.slow)]
)
def test_the_same_function_on_executors(name: str, tmp_path: Path) -> None:
    """Twenty outputs, each made once."""
    if name != "processes.py":
        pytest.importorskip({"with_dask.py": "distributed", "with_ray.py": "ray"}[name])
    assert "20 of 20 made now" in run(name, str(tmp_path), folder=tmp_path)
    assert "0 of 20 made now" in run(name, str(tmp_path), folder=tmp_path)
    assert len(list((tmp_path / "primes").glob("*.jsonl.zst"))) == 20


def test_two_processes_split_the_work_of_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(lambda _: run("shared.py", str(tmp_path), folder=tmp_path), range(2)))
    assert sum(int(line.split()[1]) for line in said) == 200
    assert len(list((tmp_path / "pages").glob("*.json"))) == 200


@pytest.mark.slow
def test_the_same_function_under_mpi(tmp_path: Path) -> None:
    """The script is one of three processes that MPI starts."""
    pytest.importorskip("mpi4py")
    if shutil.which("mpiexec") is None:
        pytest.skip("needs mpiexec")
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    command = ["mpiexec", *root, "--oversubscribe", "-n", "3", sys.executable, "-m", "mpi4py.futures"]
    for made in ("20 of 20 made now", "0 of 20 made now"):
        script = [str(EXAMPLES / "with_mpi.py"), str(tmp_path)]
        done = subprocess.run([*command, *script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert made in done.stdout


def test_called_from_an_orchestrator(tmp_path: Path) -> None:
    """A plain function."""
    assert run("from_airflow.py", folder=tmp_path) == "10 reports\n"
    assert len(list((tmp_path / "reports" / "2024-01-01").iterdir())) == 10


def test_the_measurements_run(tmp_path: Path) -> None:
    """With few outputs."""
    output = run("measure.py", str(tmp_path), "50", folder=tmp_path)
    assert output.count("50 found") == 2


def test_a_flow_is_pickled_as_what_makes_it(tmp_path: Path) -> None:
    """For functions that go to workers by value and use one."""
    assert pickle.loads(pickle.dumps(asflow.flow)) is asflow.flow
    again = pickle.loads(pickle.dumps(Flow(tmp_path)))
    assert repr(again) == repr(Flow(tmp_path))
    assert isinstance(again.store, LocalStore)
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(Flow(store=MemoryStore()))
