"""Bodies on a Ray cluster: `RayExecutor`. Needs `asflow[ray]`."""

from asflow.executors.ray._executor import RayExecutor

__all__ = ["RayExecutor"]
