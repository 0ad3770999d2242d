"""Executors of every kind, made when they are first asked for."""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KINDS = ["threads", "processes", "loky", "dask"]


@pytest.fixture(scope="module")
def executors() -> Iterator[Callable[[str], Executor]]:
    """One executor of each kind, made when it is first asked for."""
    made: dict[str, Executor] = {}
    closing: list[Callable[[], object]] = []

    def get(kind: str) -> Executor:
        if kind not in made:
            made[kind] = make(kind, closing)
        return made[kind]

    yield get
    for close in reversed(closing):
        close()


def make(kind: str, closing: list[Callable[[], object]]) -> Executor:
    if kind == "threads":
        pool: Any = ThreadPoolExecutor(2)
    elif kind == "processes":
        pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    elif kind == "loky":
        loky = pytest.importorskip("loky")
        pool = loky.ProcessPoolExecutor(2)
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


@pytest.fixture(params=KINDS)
def executor(request: pytest.FixtureRequest, executors: Callable[[str], Executor]) -> Executor:
    return executors(request.param)


@pytest.fixture(params=["processes", "dask"])
def workers(request: pytest.FixtureRequest, executors: Callable[[str], Executor]) -> Executor:
    return executors(request.param)


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path / "out", sink=NullSink())
