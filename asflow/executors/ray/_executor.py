"""`RayExecutor`: Ray behind the interface of `concurrent.futures`."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future, wait
from typing import TYPE_CHECKING, Any, TypeVar, cast, final

from asflow import _forks
from asflow.errors import ExecutorError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")


@final
class RayExecutor(Executor):
    """Runs functions as Ray tasks, behind the interface of `concurrent.futures`.

        pool = RayExecutor(num_cpus=1)
        primes = flow.task(save="primes/{start}.jsonl.zst", executor=pool, limit=64)(find_primes)

    The first call connects to Ray, unless `ray.init` did: to the cluster that RAY_ADDRESS names, or to one
    that Ray starts here. The workers need asflow, and either the function's module or cloudpickle.

    Args:
        options: what `ray.remote` takes for a function, such as `num_cpus`, `num_gpus`, `memory`,
            `resources` or `runtime_env`. Without `max_retries` it is 0: if a worker dies, the call raises
            Ray's `WorkerCrashedError`, and the task's own `retry=` decides.

    Raises:
        MissingExtraError: Ray is not installed.
        ValueError, TypeError: as `ray.remote` does, for an option that it doesn't take.

    Threads: any thread may use it. Cancellation: a cancelled call is cancelled in Ray as well; a body that
    runs then gets a `KeyboardInterrupt`, and its result is discarded. Pickling: a copy has the same options.
    """

    def __init__(self, **options: object) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError(
                "RayExecutor(): needs the package ray; install it with: pip install 'asflow[ray]'"
            ) from error
        self._options: dict[str, object] = {"max_retries": 0, **options}
        self._ray = cast("Any", ray)
        self._remote: Any = self._ray.remote(**self._options)(_call)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._calls: set[Future[Any]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"RayExecutor({', '.join(f'{name}={value!r}' for name, value in self._options.items())})"

    def __reduce__(self) -> tuple[object, ...]:
        return _remade, (self._options,)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn(*args, **kwargs)` in a Ray worker, and return the future of its result.

        Raises:
            ExecutorError: the executor was shut down.
        """
        with self._lock:
            if self._is_closed:
                raise ExecutorError("RayExecutor.submit(): the executor was shut down; make another one")
            reference = self._remote.remote(fn, args, kwargs)
            call: _Call[T] = _Call(self._ray, reference)
            self._calls.add(call)
        call.add_done_callback(self._forget)
        reference.future().add_done_callback(call.settle)
        return call

    def _forget(self, call: Future[Any]) -> None:
        with self._lock:
            self._calls.discard(call)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further calls. Ray itself runs on; `ray.shutdown()` ends it.

        Args:
            wait: return when all calls have ended.
            cancel_futures: cancel the calls that have not ended.
        """
        with self._lock:
            self._is_closed = True
            calls = list(self._calls)
        if cancel_futures:
            for call in calls:
                call.cancel()
        if wait:
            _wait(calls)


class _Call(Future[T]):
    """One call: Ray's future can't be cancelled, and takes its result regardless."""

    def __init__(self, ray: Any, reference: Any) -> None:
        super().__init__()
        self._ray = ray
        self._reference = reference

    def cancel(self) -> bool:
        if self.cancelled():
            return True
        if not super().cancel():
            return False
        self._ray.cancel(self._reference)
        return True

    def settle(self, result: Future[T]) -> None:
        """Take the *result* of Ray's future, unless the call was cancelled."""
        if not self.set_running_or_notify_cancel():
            return
        error = result.exception()
        if error is None:
            self.set_result(result.result())
        else:
            self.set_exception(error)


_wait = wait  # `shutdown` has a parameter of this name


def _call(function: Callable[..., T], args: tuple[object, ...], kwargs: Mapping[str, object]) -> T:
    return function(*args, **kwargs)


def _remade(options: dict[str, object]) -> RayExecutor:
    return RayExecutor(**options)
