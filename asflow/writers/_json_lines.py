"""JSON Lines: one record a line, safe under concurrent writes without a lock around each."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from asflow import _forks
from asflow._checks import closed_error
from asflow.writers._compression import CHUNK
from asflow.writers._encoding import (
    ENCODE_ERRORS,
    WRITE_ALL,
    as_mapping,
    has_private_fields,
    is_labelled,
    is_raw,
    is_records,
    json_encoder,
    raw_bytes,
)
from asflow.writers._refusals import raise_again, refuse_type, refused, subject_of

if TYPE_CHECKING:
    from asflow.errors import OutputClosedError
    from asflow.protocols import ByteStream

_LONG = 4096  # bytes; a longer line is passed on at once, so that gathered lines stay under 4 MiB
_MOST_LINES = 1024
_MOST_IN_BATCH = 2048  # records that `write_all` holds at the same time
_BATCH_BYTES = 4 * CHUNK  # ... and bytes of their lines


def _gil_enabled() -> bool:
    probe = getattr(sys, "_is_gil_enabled", None)
    return True if probe is None else bool(probe())


class JsonLinesWriter:
    """Writes each record as one line of strict JSON; raw text and bytes as the lines that they are.

    Values that JSON has no form for follow `asflow.writers._encoding.json_encoder` (NaN is null). Raw text
    may hold several lines; a missing final newline is added, an empty text writes nothing. A record that
    is refused leaves nothing behind.

    Memory: at most 1,024 gathered lines of at most 4 KiB, typically 64 KiB in all; of a
    batch, 256 KiB or one record.

    Threads: `write` may be called from any number of threads at the same time. No record is lost or torn,
    and those of one thread keep their order. A call blocks while the stream takes the gathered bytes.
    """

    # How it works: a line is encoded into a bytes object of its own and appended to one list that is
    # never replaced. Both are single steps under the GIL, so they need no lock and no line is half
    # written, not even if encoding calls back into `write`. Under a lock, the lines of a full list are cut
    # off at the front and passed on. The end sets `batch` to 0, which sends every later call to `drain`,
    # where it is refused: a write that returned normally was appended before that, so it is in the output.
    # The lock is reentrant; `_passing` marks a call from within the stream's write, or a signal handler.

    __slots__ = (
        "__weakref__",
        "_closed",
        "_encode_lines",
        "_encoded_types",
        "_failure",
        "_lock",
        "_passing",
        "_several",
        "_stream",
        "_task",
        "batch",
        "encode",
        "gathered",
        "longest",
        "records",
    )

    concurrent: bool = _gil_enabled()
    """True if `write` needs no lock around it: on builds of Python with a GIL."""

    # What `flow.task.write` needs to do as `write` does: see `asflow._runtime.writing.Lines`.
    _asflow_gathers = True
    encode_errors = ENCODE_ERRORS

    def __init__(self, stream: ByteStream, *, task: str = "") -> None:
        """Write to *stream*; *task* is the task's name, for messages."""
        self.records: int = 0  # lines passed on
        self._stream = stream
        self._task = task
        encoder = json_encoder()
        self.encode = encoder.encode
        self._encode_lines = encoder.encode_lines
        self._encoded_types: set[type] = {dict}  # seen, and known to be encoded as they are
        self.gathered: list[bytes] = []
        self._several = False  # whether a raw text has held several lines, so that they have to be counted
        self.longest = _LONG  # of its own: on Python 3.11 an attribute of the class takes 30 ns longer
        self.batch = 64  # lines to gather; follows the length of the lines
        self._lock = _forks.renewed(self, "_lock", threading.RLock)
        self._passing = False
        self._closed = False
        self._failure: BaseException | None = None

    def write(self, record: object, /) -> None:
        """Write *record* as one line, or raw text and bytes as lines.

        Raises:
            RecordTypeError: the record, or something in it, has no JSON form.
            RecordValueError: a text that is not UTF-8, or a record that holds itself.
            OutputClosedError: the output has ended.
            OSError: the store can't take the bytes, now or in an earlier write.
        """
        kind = type(record)
        if kind is not dict and kind not in self._encoded_types:
            if is_raw(record):
                self._write_raw(raw_bytes(record, self._task))
                return
            if has_private_fields(kind) or is_labelled(record):
                self.write(self._as_mapping(record))
                return
            if is_records(record):
                raise refuse_type(record, WRITE_ALL, self._task)
            if kind is not list and kind is not tuple:
                self._encoded_types.add(kind)
        encode = self.encode
        try:
            line = encode(record)
        except ENCODE_ERRORS as error:
            raise self.refused(record, error) from error
        lines = self.gathered
        lines.append(line)
        if len(lines) >= self.batch or len(line) > _LONG:
            self.drain()

    def write_batch(self, records: list[object], /) -> int:
        """Write each of *records*, at least one, as `write` does, but encode them at once.

        Returns:
            How many records to pass next, at most, for 256 KiB at a time.

        Raises:
            RecordTypeError, RecordValueError: as `write`, for the first record that is refused; those before
                it have been written.
            OutputClosedError, OSError: as `write`.
        """
        kinds = list(map(type, records))
        if kinds.count(dict) == len(records) or self._encoded_types.issuperset(kinds):
            try:
                data = self._encode_lines(records)
            except ENCODE_ERRORS:
                pass  # one by one, up to the record that is refused
            else:
                self.drain(data, len(records))
                return min(max(_BATCH_BYTES * len(records) // len(data), 1), _MOST_IN_BATCH)
        for record in records:
            self.write(record)
        return len(records)

    def commit(self) -> None:
        """Pass on the gathered lines and take no more. Raises as `write` does for an earlier failure."""
        with self._lock:
            if self._closed or self._passing:
                raise self._closed_error()
            self._passing = self._closed = True
            self.batch = 0
            try:
                self._pass_on()
            finally:
                self._passing = False
                self.gathered.clear()

    def abort(self) -> None:
        """Drop the gathered lines and take no more. Writes nothing, raises nothing."""
        with self._lock:
            self._closed = True
            self.batch = 0
            self.gathered.clear()

    def _as_mapping(self, record: object) -> object:
        try:
            return as_mapping(record)
        except ENCODE_ERRORS as error:
            raise refused(record, error, self._task) from error

    def _write_raw(self, data: bytes | bytearray | memoryview) -> None:
        line = bytes(data)
        if line:
            line = line.removesuffix(b"\n")
            self._several = self._several or b"\n" in line
            self.gathered.append(line)
        if len(self.gathered) >= self.batch or len(line) > _LONG:
            self.drain()

    def refused(self, record: object, error: Exception) -> Exception:
        """Return the error for a *record* that was not encoded because of *error*."""
        return refused(record, error, self._task)

    def drain(self, data: bytes = b"", count: int = 0) -> None:
        """Pass on the gathered lines, then the *count* lines in *data*; raise if the output has ended."""
        with self._lock:
            if self._closed:
                if not self._passing:  # else `commit` may not have cut off all lines yet; it clears the rest
                    self.gathered.clear()
                raise self._closed_error()
            if self._passing:  # the call further up the stack, or the next one, passes the lines on
                if data:
                    self._several = True
                    self.gathered.append(data[:-1])
                return
            self._passing = True
            try:
                self._pass_on(data, count)
            finally:
                self._passing = False

    def _pass_on(self, data: bytes = b"", count: int = 0) -> None:
        if self._failure is not None:
            self.gathered.clear()
            raise_again(self._failure, self._task)
        try:
            if self.gathered:
                self._pass_gathered()
            if data:
                self._stream.write(data)
                self.records += count
        except BaseException as error:
            # The lines that were cut off are lost: the output must not be committed without them.
            self._failure = error
            raise

    def _pass_gathered(self) -> None:
        lines = self.gathered
        cut = lines[:]
        several = self._several
        del lines[: len(cut)]
        cut.append(b"")
        data = b"\n".join(cut)
        batch = min(max(CHUNK * (len(cut) - 1) // len(data), 1), _MOST_LINES)
        if self.batch:  # a signal handler may end the output, but not between these two lines
            self.batch = batch
        self._stream.write(data)
        self.records += data.count(b"\n") if several else len(cut) - 1

    def _closed_error(self) -> OutputClosedError:
        return closed_error(subject_of(self._task))
