"""Executors of every kind, made when they are first asked for."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import tempfile
import warnings
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.executors.ray import RayExecutor
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What takes many seconds to start is behind the marker.
CLUSTERS = [
    pytest.param(kind, marks=[pytest.mark.slow, pytest.mark.timeout(300)])
    for kind in ("ray", "parsl", "executorlib")
]
KINDS = ["threads", "processes", "loky", "dask", *CLUSTERS]


@pytest.fixture(scope="module")
def executors() -> Iterator[Callable[[str], Executor]]:
    """One executor of each kind for all tests of a file, made when it is first asked for."""
    made: dict[str, Executor] = {}
    closing: list[Callable[[], object]] = []

    def get(kind: str) -> Executor:
        if kind not in made:
            made[kind] = make(kind, closing)
        return made[kind]

    yield get
    for close in reversed(closing):
        close()
    made.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries leave open would count against a later test
        gc.collect()


def make(kind: str, closing: list[Callable[[], object]]) -> Executor:
    if kind == "threads":
        pool: Any = ThreadPoolExecutor(2)
    elif kind == "processes":
        pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    elif kind == "loky":
        loky = pytest.importorskip("loky")
        pool = loky.ProcessPoolExecutor(2)
    elif kind == "ray":
        ray = pytest.importorskip("ray")
        # Workers import the modules of the tests, which pytest alone puts on the path.
        paths = os.pathsep.join(sys.path)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": paths}},
        )
        closing.append(ray.shutdown)
        pool = RayExecutor(num_cpus=1)
    elif kind == "parsl":
        pool = make_parsl(closing)
    elif kind == "executorlib":
        executorlib = pytest.importorskip("executorlib")
        before = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        closing.append(lambda: os.environ.update(PYTHONPATH=before))
        pool = executorlib.SingleNodeExecutor(max_workers=2)
    else:
        distributed = pytest.importorskip("distributed")
        # Port 0 is any that is free: by default the dashboard wants one that another cluster may have.
        cluster = distributed.LocalCluster(
            n_workers=3, threads_per_worker=2, processes=True, dashboard_address=":0", host="127.0.0.1"
        )
        # A worker takes seconds to restart, and does not if it is killed again before Dask has noticed it:
        # with the default of 3 a busy machine may have lost all of them by the end of the tests.
        cluster.scheduler.allowed_failures = 1
        client = distributed.Client(cluster)
        closing += [cluster.close, client.close]
        pool = client.get_executor()
    closing.append(pool.shutdown)
    return pool  # type: ignore[no-any-return]


def close_logs() -> None:
    """Parsl leaves the files of its logs open."""
    for handler in [*logging.getLogger("parsl").handlers]:
        logging.getLogger("parsl").removeHandler(handler)
        handler.close()


def make_parsl(closing: list[Callable[[], object]]) -> Any:
    """Parsl's own processes; it looks for its programs on the path."""
    parsl: Any = pytest.importorskip("parsl")
    folder, path = tempfile.mkdtemp(), os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), path))
    closing.append(lambda: shutil.rmtree(folder))
    closing.append(close_logs)
    closing.append(lambda: os.environ.update(PATH=path))
    paths = os.pathsep.join(sys.path)
    processes = parsl.HighThroughputExecutor(
        label="local",
        address="127.0.0.1",
        max_workers_per_node=2,
        encrypted=False,
        provider=parsl.providers.LocalProvider(
            init_blocks=1, max_blocks=1, worker_init=f"export PYTHONPATH={paths}"
        ),
    )
    from parsl.concurrent import ParslPoolExecutor

    return ParslPoolExecutor(parsl.Config(executors=[processes], run_dir=folder))


@pytest.fixture(params=KINDS)
def executor(request: pytest.FixtureRequest, executors: Callable[[str], Executor]) -> Executor:
    return executors(request.param)


@pytest.fixture(params=["processes", "dask", CLUSTERS[0]])
def workers(request: pytest.FixtureRequest, executors: Callable[[str], Executor]) -> Executor:
    return executors(request.param)


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path / "out", sink=NullSink())
