"""The errors that asflow itself raises.

    AsflowError
    ├── DefinitionError                 refused when it is defined, or, if only that can tell, first used
    │   ├── DefinitionTypeError         (TypeError)     an option of the wrong type
    │   └── DefinitionValueError        (ValueError)    an option or pattern with a bad value
    ├── IdentityError                   (TypeError)     an argument without a stable identity
    ├── OutputNameError                 (ValueError)    arguments that make no usable output name
    ├── NotInTaskError                  (RuntimeError)  called where no task (or no task with `on`) is running
    ├── OutputClosedError               (RuntimeError)  a write after the task has ended
    ├── RecordError                     refused by a writer: the output is discarded
    │   ├── RecordTypeError             (TypeError)     a record that the format can't encode
    │   └── RecordValueError            (ValueError)    a record that the format can't take (here, or now)
    ├── CorruptOutputError              (ValueError)    an output that is cut, or doesn't decode
    ├── OutputPlaceError                (OSError)       something that is no file stands in the output's place
    ├── ClaimLostError                  (RuntimeError)  the output's place was taken away during the task
    ├── NoPathError                     (TypeError)     the store keeps no files, so an output has no path
    ├── MissingExtraError               (ImportError)   a feature whose extra is not installed
    ├── ExecutorError                   (RuntimeError)  a task's executor takes no more work
    ├── TransferError                   (TypeError)     what can't be sent to or from an executor's worker
    ├── DeadlockError                   (RuntimeError)  the call would wait for itself
    └── EngineError                     (RuntimeError)  asflow's own bug: an event that no state allows

Exceptions of the user's own code pass through asflow unchanged, and an error of the operating
system stays the `OSError` that it is, with its errno.
"""

__all__ = [
    "AsflowError",
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
    "RecordTypeError",
    "RecordValueError",
    "TransferError",
]


class AsflowError(Exception):
    """Base of every error that asflow raises on its own account."""


class DefinitionError(AsflowError):
    """A task, a flow or an option was refused: when it was defined, or first used if only that can tell."""


class DefinitionTypeError(DefinitionError, TypeError):
    """An option has the wrong type, or the decorated object is no plain function or callable."""


class DefinitionValueError(DefinitionError, ValueError):
    """An option or an output pattern has a value that can't work."""


class IdentityError(AsflowError, TypeError):
    """An argument has no identity that is stable across runs, so it can't be part of a name."""


class OutputNameError(AsflowError, ValueError):
    """The arguments of a call don't make a usable output name."""


class NotInTaskError(AsflowError, RuntimeError):
    """Called outside a task, or in a task that has no output of its own."""


class OutputClosedError(AsflowError, RuntimeError):
    """A write reached an output whose task has already ended or been cancelled."""


class RecordError(AsflowError):
    """A writer refused a record; what the task has written so far is discarded."""


class RecordTypeError(RecordError, TypeError):
    """The record is of a type that the output's format can't encode."""


class RecordValueError(RecordError, ValueError):
    """The record is encodable but the output can't take it: a second document, a new column."""


class CorruptOutputError(AsflowError, ValueError):
    """An output is cut short, or what it holds does not decode."""


class OutputPlaceError(AsflowError, OSError):
    """Something that is not a regular file (a folder, a FIFO, a dangling link) is in the way."""


class ClaimLostError(AsflowError, RuntimeError):
    """Somebody removed or replaced the work in progress; nothing was published."""


class NoPathError(AsflowError, TypeError):
    """The store keeps its outputs elsewhere than in files, so an output has no path."""


class MissingExtraError(AsflowError, ImportError):
    """A feature needs a package that is not installed; the message names the extra."""


class ExecutorError(AsflowError, RuntimeError):
    """A task's executor takes no more work: it was shut down."""


class TransferError(AsflowError, TypeError):
    """Something can't be pickled for a worker process: an argument, the function, or what came of it."""


class DeadlockError(AsflowError, RuntimeError):
    """The call would have to wait for something that only it, or its own loop, can finish."""


class EngineError(AsflowError, RuntimeError):
    """asflow broke its own rules: please report it together with the printed state and event."""
