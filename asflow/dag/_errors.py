"""The errors of graphs, below asflow's own tree.

AsflowError
├── NoRunningLoopError              (RuntimeError)  a node was called without a running event loop
├── ForeignLoopError                (RuntimeError)  a dependency belongs to another event loop
├── ScopeClosedError                (RuntimeError)  a node was called in a scope that has ended or is ending
└── DeadlockError
    └── CycleError                  an awaitable waits for the node that waits for it
"""

from asflow.errors import AsflowError, DeadlockError


class NoRunningLoopError(AsflowError, RuntimeError):
    """A node was called outside a running event loop, so nothing could be scheduled."""


class ScopeClosedError(AsflowError, RuntimeError):
    """A node was called in a scope that has ended or is cancelling, or a scope was entered twice."""


class CycleError(DeadlockError):
    """A node waits for an awaitable that waits for the node: neither could ever finish."""


class ForeignLoopError(AsflowError, RuntimeError):
    """A node was given a pending task or future of another event loop."""
