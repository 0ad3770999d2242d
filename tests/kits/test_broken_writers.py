"""`check_writer` refuses a writer that breaks one promise, and names the promise."""

from __future__ import annotations

import contextlib
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
        (WritesInAbort, r"abort\(\) after an OSError wrote to the stream; only drop what is buffered"),
    ],
)
def test_without_a_reader(broken: Any, message: str) -> None:
    """The bytes are enough."""
    with pytest.raises(AssertionError, match=rf"^check_writer\(\): {message}$"):
        check_writer(broken, records=["a", "bb", "ccc"])


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
