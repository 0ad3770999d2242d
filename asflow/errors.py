"""The errors that asflow itself raises.

    AsflowError
    ├── DefinitionError                 a task, flow or option was refused
    │   ├── DefinitionTypeError         (TypeError)     an option has the wrong type
    │   └── DefinitionValueError        (ValueError)    an option or a pattern has a bad value
    ├── IdentityError                   (TypeError)     an argument has no stable identity
    ├── OutputNameError                 (ValueError)    the arguments don't make a usable output name
    ├── NotInTaskError                  (RuntimeError)  called outside a task, or in a task without an output
    ├── OutputClosedError               (RuntimeError)  a write came after its task had ended
    ├── RecordError                     a writer refused a record; the output is discarded
    │   ├── RecordTypeError             (TypeError)     the format can't encode a record of this type
    │   └── RecordValueError            (ValueError)    the format can't take this record here
    ├── CorruptOutputError              (ValueError)    an output is cut short or can't be decoded
    ├── RecordLimitError                (ValueError)    a record is too long to be read into memory
    ├── OutputPlaceError                (OSError)       a folder, FIFO or dangling link is in the output's way
    ├── ClaimLostError                  (RuntimeError)  the work in progress was removed or replaced
    ├── NoPathError                     (TypeError)     the store keeps no files, so outputs have no path
    ├── MissingExtraError               (ImportError)   a feature needs an extra that is not installed
    ├── ExecutorError                   (RuntimeError)  a task's executor was shut down
    ├── TransferError                   (TypeError)     something can't be sent to or from a worker process
    ├── CallsFailedError                (RuntimeError)  calls of a flow have failed; FlowReport.raise_failed
    ├── DeadlockError                   (RuntimeError)  the call would wait for itself
    └── EngineError                     (RuntimeError)  a bug in asflow

The class in parentheses is the built-in exception that the error also derives from. Exceptions of your own
code propagate through asflow unchanged. An error of the operating system remains an `OSError` with its errno.
"""

__all__ = [
    "AsflowError",
    "CallsFailedError",
    "ClaimLostError",
    "CorruptOutputError",
    "DeadlockError",
    "DefinitionError",
    "DefinitionTypeError",
    "DefinitionValueError",
    "EngineError",
    "ExecutorError",
    "IdentityError",
    "MissingExtraError",
    "NoPathError",
    "NotInTaskError",
    "OutputClosedError",
    "OutputNameError",
    "OutputPlaceError",
    "RecordError",
    "RecordLimitError",
    "RecordTypeError",
    "RecordValueError",
    "TransferError",
]


class AsflowError(Exception):
    """Base class of every error that asflow itself raises."""


class DefinitionError(AsflowError):
    """A task, a flow or an option was refused, at its definition if possible, else at its first use."""


class DefinitionTypeError(DefinitionError, TypeError):
    """An option has the wrong type, or the decorated object is not a function or other callable."""


class DefinitionValueError(DefinitionError, ValueError):
    """An option or an output pattern has a value that can't work."""


class IdentityError(AsflowError, TypeError):
    """An argument has no identity that is stable across runs, so it can't be part of an output's name."""


class OutputNameError(AsflowError, ValueError):
    """The arguments of a call don't make a usable output name."""


class Unchanged(Exception):  # noqa: N818 - not an error, but what a body answers
    """A body that raises this leaves its output as it is, and the output counts as made now (HTTP 304).

    The call counts as `cached`; it is never retried, skipped or suppressed. If there is no output that could
    stay, the call raises this as an error.
    """


class NotInTaskError(AsflowError, RuntimeError):
    """Something that needs a running task, or its output, was called without one."""


class OutputClosedError(AsflowError, RuntimeError):
    """A write came after its task had ended or been cancelled; the output is unchanged."""


class RecordError(AsflowError):
    """A writer refused a record; everything that the task has written is discarded."""


class RecordTypeError(RecordError, TypeError):
    """The output's format can't encode records of this type."""


class RecordValueError(RecordError, ValueError):
    """The record can be encoded, but not here: a second document, or a new column."""


class CorruptOutputError(AsflowError, ValueError):
    """An output is cut short, or its contents can't be decoded."""


class RecordLimitError(AsflowError, ValueError):
    """A record of an output is longer than what is read into memory: 1 GiB, or `ASFLOW_RECORD_LIMIT` bytes.

    A small compressed file may unpack to any size. Set the environment variable to raise the limit.
    """


class OutputPlaceError(AsflowError, OSError):
    """Something other than a regular file (a folder, a FIFO, a dangling link) is in the output's way."""


class ClaimLostError(AsflowError, RuntimeError):
    """The work in progress was removed or replaced from outside; nothing was published."""


class NoPathError(AsflowError, TypeError):
    """The store does not keep its outputs in files, so an output has no path."""


class NoTimesError(AsflowError, TypeError):
    """The store can't set the time of an output, so it can't be renewed, and its task can't have `reads=`."""


class MissingInputError(AsflowError, FileNotFoundError):
    """A body was about to be called, and an input that its task reads does not exist."""


class MissingExtraError(AsflowError, ImportError):
    """A feature needs a package that is not installed; the message names the extra."""


class ExecutorError(AsflowError, RuntimeError):
    """A task's executor accepts no more work because it was shut down."""


class TransferError(AsflowError, TypeError):
    """An argument, the function or its result can't be pickled for a worker process."""


class CallsFailedError(AsflowError, RuntimeError):
    """Calls of a flow have failed, and `FlowReport.raise_failed` was asked to raise; it names the first."""


class DeadlockError(AsflowError, RuntimeError):
    """The call would wait, or waits, for something that only this call or its own event loop can finish.

    A wait in a circle of calls is found after a second or two, and one of them raises this; the others go on.
    """


class EngineError(AsflowError, RuntimeError):
    """A bug in asflow; please report it with the state and the event that the message shows."""
