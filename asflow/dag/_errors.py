"""The errors of graphs, below asflow's own tree.

AsflowError
├── NoRunningLoopError              (RuntimeError)  a node was called where no event loop runs
├── ForeignLoopError                (RuntimeError)  a dependency belongs to another event loop
├── ScopeClosedError                (RuntimeError)  a node was called in a scope that has ended or is ending
└── DeadlockError
    └── CycleError                  an awaitable waits for the very node that waits for it
"""

from asflow.errors import AsflowError, DeadlockError

__all__ = ["CycleError", "ForeignLoopError", "NoRunningLoopError", "ScopeClosedError"]


class NoRunningLoopError(AsflowError, RuntimeError):
    """A node was called outside a running event loop, so nothing could be scheduled."""


class ScopeClosedError(AsflowError, RuntimeError):
    """A node was called in a scope that is not open: not entered yet, cancelling its rest, or at its end."""


class CycleError(DeadlockError):
    """A node waits for an awaitable that waits for the node: neither could ever finish."""


class ForeignLoopError(AsflowError, RuntimeError):
    """A node was given a pending task or future of another event loop."""
