"""The three Protocols by which users swap formats, places and displays. Types only, nothing runs here.

`Writer` turns records into bytes, `Store` keeps outputs and publishes them, `ProgressSink` is told what
happens. They are structural: a class that has the methods fits, without importing anything from asflow.
`asflow.testing` has a conformance kit for each.
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
"""What a store knows of an output: nothing, that it is whole, or that its failure was recorded."""

ClaimRefusal = Literal["complete", "suppressed", "busy"]
"""Why a store gave no claim: the output is there, its failure is, or somebody else is making it."""

Record_contra = TypeVar("Record_contra", contravariant=True)


class ByteStream(Protocol):
    """Where a writer puts its bytes."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take all of *data*; the caller may reuse the buffer afterwards. Raises OSError as a file does."""
        ...


class Writer(Protocol[Record_contra]):
    """Turns the records of one output into bytes. One instance serves one attempt of one call.

    A task's `writer=` option is a function that takes the `ByteStream` to write to and returns a Writer.
    Compression, where the output's suffix asks for it, happens behind that stream.

    Threads: `write` may be called from any thread, but asflow never makes two calls of one writer at
    the same time. A class that is safe without that may say so with `concurrent = True` and saves
    the lock. `commit` or `abort` comes last, once, possibly from another thread; only a `commit` that
    raised is followed by `abort`.
    """

    def write(self, record: Record_contra, /) -> object:
        """Encode *record*, now or later, and pass its bytes to the stream in chunks of any size.

        Raises:
            TypeError: the format can't encode a record of this type.
            ValueError: the record can't be taken in this place (a second document, a new column).
        """
        ...

    def commit(self) -> object:
        """Pass on whatever is still buffered. The stream is the store's: don't close it."""
        ...

    def abort(self) -> object:
        """Let go of buffers; what was written is discarded. Must not raise, must not write."""
        ...


class OutputInfo(Protocol):
    """Size and age of something that a store holds."""

    @property
    def size(self) -> int:
        """Bytes, as stored (compressed)."""
        ...

    @property
    def modified(self) -> float:
        """When it was published, in POSIX seconds by the store's own clock."""
        ...


class Claim(ByteStream, Protocol):
    """The exclusive right to make one output: a byte stream that ends in exactly one of three ways.

    Threads: one at a time, any of them. After the end, `write` raises
    `asflow.errors.OutputClosedError` (or ValueError) and further ends do nothing.
    """

    def publish(self) -> object:
        """Give the bytes written so far the output's name, whole and at once, and give up the claim.

        Durable as far as the store promises. On any exception nothing was published.
        """
        ...

    def abort(self) -> object:
        """Discard the bytes, leave nothing behind, and give up the claim. Must not raise for lost bytes."""
        ...

    def fail(self, report: bytes, /) -> object:
        """Discard the bytes, record *report* (UTF-8 text) under the failure's name, and give up the claim."""
        ...


class Store(Protocol):
    """Where outputs live and how they are published.

    Names are relative or absolute POSIX-like paths with `/`; *failure* is the name under which a
    suppressed failure of the output *name* is recorded. Both are plain keys to a store without folders.

    Guarantees that asflow relies on: whatever `status` calls complete is whole; of all claims on one
    name, over all processes that use the store, at most one is held at a time; the claim of a dead
    process ends with it; `publish` never overwrites an output unless its claim was made with `replace`.

    Optional: a method `is_complete(name) -> bool` that is quicker than `status`. Skips ask it where a store
    has it (and is not `blocking`); it may answer False whenever it isn't sure, and raises nothing.

    Threads: every method may be called from any thread, at the same time.
    """

    @property
    def blocking(self) -> bool:
        """True where a call may take longer than one on a local file: the async driver then uses threads."""
        ...

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Tell whether *name* is whole, its failure recorded, or neither. An output wins over a failure."""
        ...

    def info(self, name: str, /) -> OutputInfo | None:
        """Tell size and age of the output or failure called *name*; None where there is none."""
        ...

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        """Claim the making of *name*, without waiting; or say why not.

        Looks at *name* and *failure* again once it owns them. With *replace* an existing output or
        failure is no reason to refuse: `publish` then replaces it in one step.

        Raises:
            OSError: the place can't be written; nothing is left behind.
        """
        ...

    def open(self, name: str, /) -> BinaryIO:
        """Open the output or failure called *name* for reading bytes. Raises FileNotFoundError if absent."""
        ...

    def list(self, prefix: str, /) -> Iterator[str]:
        """Yield the names of all outputs and failures that begin with *prefix*, sorted; no unfinished."""
        ...

    def delete(self, name: str, /) -> bool:
        """Delete the output or failure called *name*; False where there was none."""
        ...


class ProgressSink(Protocol):
    """Who is told what happens.

    Optional: a sink with an attribute `wants_tasks` of `"outside"` or `"none"` (instead of `"all"`, the
    default) is not told of each call inside a flow, or of no call at all; it reads the live
    counts in `FlowStarted.tallies` when it likes. That is how the terminal display stays cheap.
    """

    def emit(self, event: Event, /) -> object:
        """Take note of *event*. Called from any thread, also at the same time; it should return at once.

        An exception is logged once and the sink is told nothing more; no task fails by it.
        """
        ...
