"""`RayExecutor` by itself; what it does with tasks is in `test_executors.py`."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, Executor, wait
from typing import TYPE_CHECKING

import pytest
from executors import bodies

from asflow import Flow
from asflow.errors import ExecutorError
from asflow.executors.ray import RayExecutor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def pool(executors: Callable[[str], Executor]) -> RayExecutor:
    """One of its own: tests shut it down. The cluster is the module's."""
    assert isinstance(executors("ray"), RayExecutor)
    return RayExecutor(num_cpus=1)


def add(a: int, b: int = 1) -> int:
    return a + b


def until(sign: str, begun: str) -> None:
    """Say so, and wait for a file."""
    open(begun, "w").close()
    while not os.path.exists(sign):
        time.sleep(0.01)


def end(how: int) -> None:
    os.kill(os.getpid(), how)


def test_results_and_exceptions(pool: RayExecutor) -> None:
    assert pool.submit(add, 2).result() == 3
    assert list(pool.map(add, range(4), range(4))) == [0, 2, 4, 6]
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()


def test_it_says_what_it_is_and_is_pickled_by_its_options(pool: RayExecutor) -> None:
    assert repr(pool) == "RayExecutor(max_retries=0, num_cpus=1)"
    copy = pickle.loads(pickle.dumps(pool))
    assert repr(copy) == repr(pool)
    assert copy.submit(add, 1).result() == 2
    with pytest.raises(ValueError, match="no_such_option"):
        RayExecutor(no_such_option=1)


def test_after_shutdown_calls_are_refused_and_those_made_end(pool: RayExecutor, tmp_path: Path) -> None:
    sign, begun = tmp_path / "sign", tmp_path / "begun"
    call = pool.submit(until, str(sign), str(begun))
    pool.shutdown(wait=False)
    with pytest.raises(ExecutorError, match=r"^RayExecutor.submit\(\): the executor was shut down; make"):
        pool.submit(add, 1)
    assert not call.done()
    sign.touch()
    pool.shutdown()
    assert call.result() is None


def test_a_cancelled_call_does_not_run(pool: RayExecutor, tmp_path: Path) -> None:
    """Two processors are busy, so the third call waits in Ray."""
    sign = tmp_path / "sign"
    begun = [tmp_path / f"begun-{number}" for number in range(3)]
    calls = [pool.submit(until, str(sign), str(path)) for path in begun]
    while sum(path.exists() for path in begun) < 2:
        time.sleep(0.01)
    waiting = next(call for call, path in zip(calls, begun, strict=True) if not path.exists())
    assert waiting.cancel()
    assert waiting.cancel()
    sign.touch()
    assert not wait(calls).not_done
    with pytest.raises(CancelledError):
        waiting.result()
    assert sum(path.exists() for path in begun) == 2
    done = pool.submit(add, 1)
    assert done.result() == 2
    assert not done.cancel()


def test_shutdown_cancels_what_waits(pool: RayExecutor, tmp_path: Path) -> None:
    calls = [pool.submit(until, str(tmp_path / "never"), str(tmp_path / f"{n}")) for n in range(4)]
    pool.shutdown(cancel_futures=True)
    assert all(call.cancelled() for call in calls)


def test_a_killed_worker_is_an_error_and_publishes_nothing(pool: RayExecutor, flow: Flow) -> None:
    ray = pytest.importorskip("ray")
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        pool.submit(end, signal.SIGKILL).result()
    task = flow.task(on="x.txt", executor=pool)(bodies.always_die)
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        task()
    skipping = flow.task(on="x.txt", skip=ray.exceptions.WorkerCrashedError, executor=pool)(bodies.always_die)
    skipping()
    assert flow.task.output(task).status == "absent"


def test_ray_repeats_a_killed_body_where_asked(pool: RayExecutor, flow: Flow, tmp_path: Path) -> None:
    """On another worker; what the first one wrote is not in the output."""
    task = flow.task(on="x.txt", executor=RayExecutor(max_retries=1))(bodies.die)
    task(tmp_path / "sign")
    assert flow.task.output(task, tmp_path / "sign").text() == "half whole"


def test_without_ray_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['ray'] = None\n"
        "from asflow.executors.ray import RayExecutor\n"
        "from asflow.errors import MissingExtraError\n"
        "try: RayExecutor()\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'asflow[ray]'" in done.stdout
