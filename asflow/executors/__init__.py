"""Executors for `executor=`, for libraries that have none with the standard library's interface.

Threads, processes, loky, Dask, Parsl, executorlib and mpi4py bring a `concurrent.futures.Executor` of their
own. Ray has none: `RayExecutor`, also found in `asflow.executors.ray`, adapts it.
"""

from asflow._names import set_homes
from asflow.executors.ray import RayExecutor

__all__ = ["RayExecutor"]

set_homes(__name__, (RayExecutor,))
