"""How a record, a write or a stored output is refused: one form of message for all formats."""

from __future__ import annotations

from typing import NoReturn, Protocol

from asflow._labels import short
from asflow.errors import CorruptOutputError, OutputClosedError, RecordTypeError, RecordValueError


def subject_of(task: str) -> str:
    """Return what a message begins with; *task* is empty if the writer was opened without one."""
    return f"task {task}()" if task else "open_writer()"


def type_name(value: object) -> str:
    """Return the name of the type of *value*, with its module unless that is builtins."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


# ------------------------------------------------------------------------------------------- writing


def refuse_type(record: object, reason: str, task: str) -> RecordTypeError:
    """Return the error for a record whose type the format can't take; *reason* ends with the remedy."""
    return RecordTypeError(_message(record, reason, task))


def refuse_value(record: object, reason: str, task: str) -> RecordValueError:
    """Return the error for a record that the format can't take, or not now; *reason* as above."""
    return RecordValueError(_message(record, reason, task))


def refuse_empty(task: str) -> RecordValueError:
    """Return the error for a `.json` output without a document."""
    return RecordValueError(
        f"{subject_of(task)}: has written no document, and an empty file is not JSON; "
        "write one (null, [] or {} if there is nothing), or name the output .jsonl"
    )


def _message(record: object, reason: str, task: str) -> str:
    return f"{subject_of(task)}: the record {short(record)} of type {type_name(record)} {reason}"


def refused(record: object, error: Exception, task: str) -> RecordTypeError | RecordValueError:
    """Return the error to raise for *record*, which an encoder refused with *error*."""
    if isinstance(error, UnicodeEncodeError):
        reason = "holds half of a surrogate pair, which UTF-8 can't encode; replace or remove it first"
        return refuse_value(record, reason, task)
    reason = f"can't be encoded: {error}; convert it first, for example to a dict, a str or a number"
    is_value = isinstance(error, (ValueError, RecursionError, OverflowError))
    return refuse_value(record, reason, task) if is_value else refuse_type(record, reason, task)


def raise_again(failure: BaseException, task: str) -> NoReturn:
    """Raise the *failure* of an earlier write, which left a hole in the output.

    Raises:
        Exception: *failure* itself.
        OutputClosedError: *failure* is a KeyboardInterrupt or the like.
    """
    if isinstance(failure, Exception):
        raise failure
    raise OutputClosedError(
        f"{subject_of(task)}: an earlier write was interrupted, and the output is incomplete; "
        f"let the {type(failure).__name__} end the task"
    ) from failure


# ------------------------------------------------------------------------------------------- reading


def corrupt(name: str, reason: str) -> CorruptOutputError:
    """Return the error for the output *name*, which is cut or does not decode."""
    return CorruptOutputError(f"output {name!r}: {reason}; delete it to have it made again")


def bad_record(name: str, number: int, error: Exception) -> CorruptOutputError:
    """Return the error for record *number* (from 1) of the output *name*."""
    from asflow.writers._decoding import reason_of

    remedy = "read it as another type, or delete it to have it made again"
    return CorruptOutputError(f"output {name!r}, record {number}: {reason_of(error)}; {remedy}")


class Misfit(Protocol):
    """Makes the error for record *number* (from 1) of the output *name*, which does not fit its type."""

    def __call__(self, name: str, number: int, error: Exception, /) -> CorruptOutputError: ...
