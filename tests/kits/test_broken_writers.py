"""`check_writer` refuses a writer that breaks one promise, and names the promise."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import Any

import pytest

from asflow.testing import check_writer


class Plain:
    """Writes each line at once, and a header before the first."""

    header = b"lines\n"

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.begun = False

    def write(self, record: Any, /) -> Any:
        if not isinstance(record, str):
            raise TypeError("a line is a str")
        if not self.begun:
            self.stream.write(self.header)
            self.begun = True
        self.stream.write(record.encode() + b"\n")

    def commit(self) -> Any:
        self.stream.write(b"end\n")

    def abort(self) -> Any: ...


class Drops(Plain):
    def write(self, record: Any, /) -> None: ...

    def commit(self) -> None: ...


class AsyncWrite(Plain):
    async def write(self, record: Any, /) -> None: ...


class AsyncCommit(Plain):
    async def commit(self) -> None: ...


class AsyncAbort(Plain):
    async def abort(self) -> None: ...


class SwallowsInHeader(Plain):
    def write(self, record: Any, /) -> None:
        if not self.begun:
            self.begun = True
            with contextlib.suppress(OSError):
                self.stream.write(self.header)
        super().write(record)


class SwallowsInRecords(Plain):
    def write(self, record: Any, /) -> None:
        if not self.begun:
            super().write(record)
            return
        with contextlib.suppress(OSError):
            super().write(record)


class SwallowsInTrailer(Plain):
    def commit(self) -> None:
        with contextlib.suppress(OSError):
            super().commit()


class Renames(Plain):
    def write(self, record: Any, /) -> None:
        try:
            super().write(record)
        except OSError as error:
            raise LookupError("no place") from error


class FailsOnce(Plain):
    failed = False

    def write(self, record: Any, /) -> None:
        try:
            super().write(record)
        except OSError:
            self.failed = True
            raise


class RaisesInAbort(FailsOnce):
    def abort(self) -> None:
        if self.failed:
            raise RuntimeError("in abort")


class WritesInAbort(FailsOnce):
    def abort(self) -> None:
        if self.failed:
            with contextlib.suppress(OSError):
                self.stream.write(b"bye")


class OneForAll(Plain):
    """Keeps its lines on the class, as a library with a module's state does."""

    lines: list[bytes] = []  # noqa: RUF012 - the fault

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lines.clear()

    def write(self, record: Any, /) -> None:
        self.lines.append(record.encode() + b"\n")

    def commit(self) -> None:
        self.stream.write(b"".join(self.lines) + b"end\n")

    def abort(self) -> None:
        self.lines.clear()


class AbortsAll(Plain):
    """Mixes nothing but the ends."""

    open: set[int] = set()  # noqa: RUF012 - the fault

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.open.add(id(self))

    def commit(self) -> None:
        self.stream.write(b"end\n" if id(self) in self.open else b"gone\n")

    def abort(self) -> None:
        self.open.clear()


class ByThread(Plain):
    """Keeps its lines for the thread that made it."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.local = threading.local()

    def write(self, record: Any, /) -> None:
        lines = self.local.__dict__.setdefault("lines", [])
        lines.append(record.encode() + b"\n")

    def commit(self) -> None:
        self.stream.write(b"".join(self.local.__dict__.get("lines", [])) + b"end\n")


class MindsThreads(Plain):
    """As sqlite3 does."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.thread = threading.get_ident()

    def write(self, record: Any, /) -> None:
        if threading.get_ident() != self.thread:
            raise RuntimeError("made in another thread")
        super().write(record)


class Stamps(Plain):
    """Adds an id."""

    def commit(self) -> None:
        self.stream.write(f"end {uuid.uuid4()}\n".encode())


class Seeks(Plain):
    """Goes back to its header at the end, as a library for files does."""

    def commit(self) -> None:
        self.stream.seek(0)


class BatchLosesOne(Plain):
    def write_batch(self, records: list[Any], /) -> None:
        for record in records[:1]:
            self.write(record)


class BatchSaysZero(Plain):
    def write_batch(self, records: list[Any], /) -> int:
        for record in records:
            self.write(record)
        return 0


class BatchLater(Plain):
    async def write_batch(self, records: list[Any], /) -> None: ...


ONE_EACH = "keep what it holds on the instance"
ANY_THREAD = "let any thread call it; as_file and by_path help with a library that minds"
PLAIN = "returned an awaitable; write it as a plain function"
UNCHANGED = "let it reach the caller unchanged"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Drops, r"the stream is empty after commit\(\); pass on what is buffered in commit\(\)"),
        (AsyncWrite, rf"write\(\) {PLAIN}"),
        (AsyncCommit, rf"commit\(\) {PLAIN}"),
        (AsyncAbort, rf"abort\(\) {PLAIN}"),
        (SwallowsInHeader, rf"an OSError of the stream \(chunk 1 of 5\) was swallowed; {UNCHANGED}"),
        (SwallowsInRecords, rf"an OSError of the stream \(chunk 3 of 5\) was swallowed; {UNCHANGED}"),
        (
            SwallowsInTrailer,
            rf"an OSError of the stream \(disk full after \d+ bytes\) was swallowed; {UNCHANGED}",
        ),
        (Renames, rf"an OSError of the stream .* became LookupError\('no place'\); {UNCHANGED}"),
        (RaisesInAbort, r"abort\(\) after an OSError raised RuntimeError.*; only drop what is buffered"),
        (OneForAll, rf"two writers that are open at once mix their records; {ONE_EACH}"),
        (AbortsAll, rf"abort\(\) of one writer changes the output of another; {ONE_EACH}"),
        (ByThread, rf"calls from several threads, one at a time, change the output; {ANY_THREAD}"),
        (MindsThreads, rf"a call from another thread raised RuntimeError.*; {ANY_THREAD}"),
        (Stamps, "equal records make different bytes; .*, or pass same_bytes=False"),
        (
            Seeks,
            r"the stream has no seek\(\), only write\(\); give the library asflow\.writers\.as_file.*",
        ),
        (BatchLosesOne, r"write_batch\(\) writes other bytes than write\(\); write each as write\(\) does"),
        (BatchSaysZero, r"write_batch\(\) returned 0; return a number of records, or None"),
        (BatchLater, rf"write_batch\(\) {PLAIN}"),
        (WritesInAbort, r"abort\(\) after an OSError wrote to the stream; only drop what is buffered"),
    ],
)
def test_without_a_reader(broken: Any, message: str) -> None:
    """The bytes are enough."""
    with pytest.raises(AssertionError, match=rf"^check_writer\(\): {message}$"):
        check_writer(broken, records=["a", "bb", "ccc"])


def test_ids_and_times_are_allowed_by_an_argument() -> None:
    def read(data: bytes) -> list[str]:
        return data.decode().splitlines()[1:-1]

    check_writer(Stamps, records=["a", "b"], read=read, same_bytes=False)
    with pytest.raises(AssertionError, match=r"same_bytes=False leaves nothing to compare; pass read$"):
        check_writer(Stamps, records=["a", "b"], same_bytes=False)


def test_other_bytes_that_read_back_wrong_are_found() -> None:
    class StampsAndLoses(Stamps):
        def write(self, record: Any, /) -> None:
            if record != "b":
                super().write(record)

    class StampsAndSwallows(Stamps):
        def write(self, record: Any, /) -> None:
            with contextlib.suppress(OSError):
                super().write(record)

    def read(data: bytes) -> list[str]:
        return data.decode().splitlines()[1:-1]

    with pytest.raises(AssertionError, match=r"the records read back as \['a'\]; write every record"):
        check_writer(StampsAndLoses, records=["a", "b"], read=read, same_bytes=False)
    with pytest.raises(AssertionError, match=r"an OSError of the stream .* was swallowed"):
        check_writer(StampsAndSwallows, records=["a", "b"], read=read, same_bytes=False)


def test_a_file_of_one_value_needs_one_record() -> None:
    check_writer(Plain, records=["a"], read=lambda data: data.decode().splitlines()[1:-1])
    with pytest.raises(AssertionError, match=r"records is empty; pass two records, or one if"):
        check_writer(Plain, records=[])


def test_a_header_that_is_written_at_once() -> None:
    class AtOnce(Plain):
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            stream.write(self.header)
            self.begun = True

    class Swallows(AtOnce):
        def __init__(self, stream: Any) -> None:
            with contextlib.suppress(OSError):
                super().__init__(stream)
            self.begun = True

    check_writer(AtOnce, records=["a", "b"])
    with pytest.raises(AssertionError, match=r"an OSError of the stream \(chunk 1 of 4\) was swallowed"):
        check_writer(Swallows, records=["a", "b"])


def test_a_writer_may_try_again() -> None:
    class TriesAgain(Plain):
        def write(self, record: Any, /) -> None:
            if not self.begun:
                self.put(self.header)
                self.begun = True
            self.put(record.encode() + b"\n")

        def commit(self) -> None:
            self.put(b"end\n")

        def put(self, data: bytes) -> None:
            try:
                self.stream.write(data)
            except OSError:
                self.stream.write(data)

    check_writer(TriesAgain, records=["a", "bb", "ccc"])


class LeavesAHeader(Plain):
    def write(self, record: Any, /) -> None:
        if not self.begun and not isinstance(record, str):
            self.stream.write(b"odd\n")
        super().write(record)


class RefusesByKeyError(Plain):
    def write(self, record: Any, /) -> None:
        if not isinstance(record, str):
            raise KeyError(record)
        super().write(record)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            LeavesAHeader,
            "the refused first record 3 changed the output; "
            "encode a record before any of its bytes are passed on",
        ),
        (
            RefusesByKeyError,
            r"write\(3\) raised KeyError\(3\); raise TypeError or ValueError to refuse a record",
        ),
    ],
)
def test_refusals(broken: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=rf"^check_writer\(\): {message}$"):
        check_writer(broken, records=["a", "bb"], refused=[3])


def test_a_record_refused_after_others_may_be_the_first() -> None:
    class OneKind(Plain):
        kind: type[object] | None = None

        def write(self, record: Any, /) -> None:
            if self.kind not in {None, type(record)}:
                raise ValueError("another kind")
            self.kind = type(record)
            super().write(str(record))

    check_writer(OneKind, records=["a", "b"], refused=[3])
