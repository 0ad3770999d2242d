"""The three Protocols for your own formats, storage and displays. Only types, no code.

`Writer` turns records into bytes, `Store` keeps and publishes outputs, `ProgressSink` receives the events of
a run. They are structural: a class that has the methods fits, without importing anything from asflow.
`asflow.testing` has a conformance kit for each.

What a method returns is not used. The types say `int | None`, as a file's `write` has it, so that a checker
refuses `async def`: no method is ever awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from asflow.events import Event

__all__ = [
    "ByteStream",
    "Claim",
    "ClaimRefusal",
    "OutputInfo",
    "OutputStatus",
    "ProgressSink",
    "Store",
    "Writer",
]

OutputStatus = Literal["absent", "complete", "suppressed"]
"""The status of an output in a store: not there, whole, or absent with a recorded failure."""

ClaimRefusal = Literal["complete", "suppressed", "busy"]
"""Why a store refused a claim: the output exists, a failure is recorded, or the output is being made."""

Record_contra = TypeVar("Record_contra", contravariant=True)


class ByteStream(Protocol):
    """The stream to which a writer passes its bytes."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        """Take all of *data*; the caller may reuse the buffer afterwards.

        Raises:
            OSError: the bytes can't be stored, as with a file.
        """
        ...


class Writer(Protocol[Record_contra]):
    """Turns the records of one output into bytes. Each attempt of each call gets its own instance.

    A task's `writer=` option is a function that takes the `ByteStream` to write to and returns a Writer.
    If the output's suffix asks for compression, it happens behind that stream.

    Optional members:

    - `concurrent: bool`: if `write` is itself thread-safe, set `concurrent = True`; asflow then takes no lock
      around it. Such a `write` should raise `asflow.errors.OutputClosedError` after `commit` or `abort`.
    - `write_batch(records) -> int | None`: write each of a non-empty list of records as `write` does, used by
      `flow.task.write_all` to encode many at once. If it refuses one, those before it have been written.
      Returns the number of records to pass next, 1 or more; None: asflow chooses.

    Equal records should make equal bytes (no times, no random ids), so that outputs of two runs or machines
    can be compared. asflow does not rely on it; `check_writer(..., same_bytes=False)` allows other bytes.

    Threads: `write` may be called from any thread, but without `concurrent = True` never from two at the same
    time. `commit` or `abort` comes last, once, possibly from another thread; `abort` follows `commit`
    only if `commit` raised.
    """

    def write(self, record: Record_contra, /) -> int | None:
        """Encode *record*, now or later, and pass its bytes to the stream in chunks of any size.

        Raises:
            TypeError: the format can't encode a record of this type.
            ValueError: the format can't take this record here (a second document, a new column).
        """
        ...

    def commit(self) -> int | None:
        """Pass everything that is still buffered to the stream. Don't close the stream: it is the store's."""
        ...

    def abort(self) -> int | None:
        """Release buffers; what was written is discarded. Must not raise, must not write."""
        ...


class OutputInfo(Protocol):
    """Size and time of an output or a recorded failure."""

    @property
    def size(self) -> int:
        """Size in bytes, as stored (compressed)."""
        ...

    @property
    def modified(self) -> float:
        """The time of publication, in POSIX seconds by the store's own clock."""
        ...


class Claim(ByteStream, Protocol):
    """The exclusive right to make one output: a byte stream that ends in exactly one of three ways.

    If `publish` or `fail` raises, the claim is still held, and `abort` follows: it must discard the bytes
    and give up the claim then, too, so that the output can be made again.

    Optional member, together with the store's:

    - `set_modified(seconds: float | None) -> float`: set the time that the output has once it is published,
      in POSIX seconds; None is now, by the clock that dates the store's outputs. Returns the time as it is
      kept. May be called several times; the last one before `publish` counts, writes don't change it.

    Threads: any thread may use a claim, but only one at a time. After the end, `write` raises
    `asflow.errors.OutputClosedError` (or ValueError), and ending the claim again does nothing.
    """

    def publish(self) -> int | None:
        """Publish the bytes written so far under the output's name, atomically, and give up the claim.

        As durable as the store promises. If this raises, nothing was published and `abort` is called next.
        """
        ...

    def abort(self) -> int | None:
        """Discard the bytes, leave nothing behind, and give up the claim. Lost bytes must not raise."""
        ...

    def fail(self, report: bytes, /) -> int | None:
        """Discard the bytes, record *report* (UTF-8 text) under the failure's name, and give up the claim.

        An output that exists stays. If this raises, nothing was recorded and `abort` is called next.
        """
        ...


class Store(Protocol):
    """Where outputs are kept and how they are published.

    Names are relative or absolute POSIX-like paths with `/`; *failure* is the name under which a
    suppressed failure of the output *name* is recorded. A store without folders treats both as plain keys.

    asflow relies on these guarantees:

    - an output whose `status` is complete is whole;
    - at most one claim on a name is held at a time, over all processes that use the store;
    - the claim of a process that died ends with it;
    - `publish` overwrites an output only if its claim was made with `replace`.

    Optional members, absent or None if the store lacks them. A store that wraps another one gets them from
    `asflow.stores.StoreWrapper`.

    - `is_complete(name) -> bool`: a faster `status`, used to skip calls whose output exists if the store is
      not `blocking`. It may return False whenever it is not sure, and never raises.
    - `is_claimed(name) -> bool`: whether a claim on *name* is held, by any process. A call then waits for its
      end before it takes a slot. It may return False whenever it is not sure.
    - `owner(name) -> str | None`: who holds the claim on *name*, in a few words for people, as `process 123`
      or `host:123`; None if no process does, or if that is not known. Asked when a call has waited for a
      second for the end of that claim, and shown to the user; see `asflow.events.TaskWaiting`. An exception
      counts as None.
    - `path(name) -> pathlib.Path`: the file of an output or failure, for a store that keeps files; used by
      `Output.path`. Relative names are then resolved against the current directory before a claim.
    - `set_modified(name, seconds: float | None) -> object`: set the time of the output *name*; None is now,
      by the store's clock. Raises FileNotFoundError if there is none. A store that has it returns claims
      that have it, too. Needed for `reads=`, `raise Unchanged` and `Output.touch()`.
    - `close()`: called once: when the last flow that uses the store is gone, and at the latest when the
      program ends. An exception is logged.
    - `url(name) -> str`: the URL of an output or failure, used by `Output.url`; without it, the file URL of
      `path`.

    Threads: every method may be called from any thread, and from several at the same time.
    """

    @property
    def blocking(self) -> bool:
        """Whether calls may take longer than those on a local file: the async driver then uses threads."""
        ...

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Return whether *name* is whole, its failure is recorded, or neither. An output takes precedence."""
        ...

    def info(self, name: str, /) -> OutputInfo | None:
        """Return size and time of the output or failure called *name*; None if there is none."""
        ...

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        """Claim the making of *name* without waiting, or return why not.

        Checks *name* and *failure* again once it owns them. With *replace*, an existing output or failure
        is not a reason to refuse; `publish` then replaces it atomically.

        Raises:
            OSError: the output can't be written; nothing is left behind.
        """
        ...

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading bytes.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all finished outputs and failures that begin with *prefix*, sorted."""
        ...

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; return False if there was none."""
        ...


class ProgressSink(Protocol):
    """Receives the events of a run.

    Optional members:

    - `wants_tasks: str`: which events of calls to report: `"all"` (the default), `"made"` (of calls that have
      something to do: not of those whose output exists, or whose failure was recorded earlier), `"finished"`
      (`TaskFinished` only), `"outside"` (of calls outside a flow) or `"none"`. Instead of events, a sink may
      read the live counts in `FlowStarted.tallies` whenever it refreshes, so its cost does not grow with the
      number of calls. Read once, when the sink is attached.
    - `close()`: called once: when the last flow that uses the sink is gone, when the sink is dropped or
      removed, and at the latest when the program ends. An exception is logged.

    A sink that is added while flows run receives the rest of their events.
    """

    def emit(self, event: Event, /) -> int | None:
        """Handle *event*. Called from any thread, from several at the same time; it should return at once.

        No task fails if it raises: the first exception of each class is logged, and after five in a row the
        sink is dropped.
        """
        ...
