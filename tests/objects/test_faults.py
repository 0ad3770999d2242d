"""What breaks on the way to the store: requests are retried, and no partial output is ever seen."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from asflow.errors import OutputClosedError
from asflow.stores._objects.claims import ObjectClaim

if TYPE_CHECKING:
    from objects.conftest import Bucket

    from asflow.stores import ObjectStore

SMALL = b"small" * 100
LARGE = os.urandom(1 << 20) * 17  # three parts


def claim(store: ObjectStore, name: str = "a.bin", *, replace: bool = False) -> ObjectClaim:
    made = store.claim(name, "a.err", replace=replace)
    assert isinstance(made, ObjectClaim), made
    return made


def publish(store: ObjectStore, data: bytes, *, replace: bool = False) -> None:
    made = claim(store, replace=replace)
    try:
        for start in range(0, len(data), 1 << 20):
            made.write(data[start : start + (1 << 20)])
        made.publish()
    finally:
        made.abort()


def read(store: ObjectStore) -> bytes:
    with store.open("a.bin") as file:
        return file.read()


@pytest.mark.parametrize(
    ("data", "replace"),
    [
        pytest.param(SMALL, False, id="small"),
        pytest.param(SMALL, True, id="small-replace"),
        pytest.param(LARGE, False, id="large", marks=pytest.mark.slow),
        pytest.param(LARGE, True, id="large-replace", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    ("pattern", "kind", "status", "code"),
    [
        ("PUT", "status", 500, "InternalError"),
        ("PUT", "status", 503, "SlowDown"),
        ("PUT", "reset", 0, ""),
        ("PUT", "lost", 0, ""),
        ("POST .*uploadId", "lost", 0, ""),
        ("POST .*uploadId", "status", 500, "InternalError"),
        ("HEAD", "lost", 0, ""),
        ("HEAD", "status", 503, "SlowDown"),
    ],
)
def test_passing_faults_are_ridden_out(
    bucket: Bucket, data: bytes, replace: bool, pattern: str, kind: str, status: int, code: str
) -> None:
    """After two failures of any kind the output is published once and whole, with nothing left beside it."""
    store = bucket.store()
    if replace:
        publish(store, b"old")
    fault = bucket.fault(pattern, kind, 2, status, code)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    publish(store, data, replace=replace)
    is_asked = not ((pattern == "HEAD" and replace) or (pattern.startswith("POST") and data is SMALL))
    assert fault.hits == (2 if is_asked else 0) or (pattern == "HEAD" and replace)
    assert read(store) == data
    assert bucket.names() == ["base/a.bin"]
    assert not bucket.uploads()


@pytest.mark.parametrize(
    ("data", "replace"), [(SMALL, True), (LARGE, False)], ids=["small-replace", "large-create"]
)
@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_lasting_fault_publishes_nothing(bucket: Bucket, data: bytes, replace: bool, kind: str) -> None:
    """After `retry_seconds` the error is raised, the upload aborted, and an older output still there."""
    store = bucket.store(retry_seconds=0.5)
    if replace:
        publish(store, b"old")
    before = bucket.names()
    bucket.fault("PUT", kind, 10**6, 500)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    made = claim(store, replace=replace)
    made.write(data)
    with pytest.raises(OSError, match=r"ObjectStore\(\): the request failed, also when") as raised:
        made.publish()
    assert raised.value.errno == errno.EIO
    assert raised.value.filename == f"{bucket.url}/a.bin"
    with pytest.raises(OutputClosedError, match="abort this claim"):
        made.publish()
    made.abort()
    assert bucket.names() == before
    assert not bucket.uploads()
    bucket.proxy.faults.clear()
    publish(store, b"new", replace=replace)
    assert read(store) == b"new"


@pytest.mark.parametrize(
    "step", ["partNumber=2", "POST .*uploadId", "PUT .*/a.bin.uploadId|PUT .*a.bin.partN"]
)
def test_an_upload_that_is_refused_half_way_is_aborted(bucket: Bucket, step: str) -> None:
    """Denied in the middle of a multipart upload: the parts are removed at once."""
    store = bucket.store()
    bucket.fault(step, "status", 10**6, 403, "AccessDenied")
    with pytest.raises(PermissionError, match="access was denied"):
        publish(store, LARGE)
    assert bucket.names() == []
    assert not bucket.uploads()


def test_a_failure_is_recorded_in_spite_of_faults(bucket: Bucket) -> None:
    """Reports are written like outputs."""
    store = bucket.store()
    bucket.fault("PUT", "reset", 2)
    claim(store).fail(b"report")
    assert store.status("a.bin", "a.err") == "suppressed"
    with store.open("a.err") as file:
        assert file.read() == b"report"


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_reading_rides_out_lost_connections(bucket: Bucket, data: bytes) -> None:
    """A piece that is lost is requested again."""
    store = bucket.store()
    publish(store, data)
    fault = bucket.fault("GET /.*a.bin", "lost", 3)
    assert read(store) == data
    assert fault.hits == 3


def test_a_large_output_that_is_replaced_while_it_is_read_is_no_mixture(bucket: Bucket) -> None:
    """The reader gets an error instead of the end of another output."""
    store = bucket.store()
    publish(store, LARGE)
    with store.open("a.bin") as file:
        assert file.read(10) == LARGE[:10]
        publish(store, LARGE[::-1], replace=True)
        with pytest.raises(OSError, match="replaced or deleted") as raised:
            file.read()
    assert raised.value.errno == errno.ESTALE


def test_a_large_output_is_read_from_anywhere(bucket: Bucket) -> None:
    """Parquet readers seek."""
    store = bucket.store()
    publish(store, LARGE)
    with store.open("a.bin") as file:
        assert file.seek(-5, os.SEEK_END) == len(LARGE) - 5
        assert file.read() == LARGE[-5:]
        assert file.read() == b""
        file.seek(9 << 20)
        assert file.read(3) == LARGE[9 << 20 :][:3]
        file.seek(2, os.SEEK_CUR)
        assert file.tell() == (9 << 20) + 5
        with pytest.raises(OSError, match="before the beginning"):
            file.seek(-1)


def test_a_write_that_failed_can_not_be_published(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full temporary folder: the output would be cut, so there is none."""
    store = bucket.store()
    made = claim(store)
    with pytest.raises(TypeError):
        made.write("no bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    made.write(b"x")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(FileNotFoundError):
        made.write(LARGE)
    with pytest.raises(OSError, match="a write failed before"):
        made.publish()
    made.abort()
    assert bucket.names() == []


@pytest.mark.parametrize("step", ["PUT .*partNumber=2", "POST .*uploadId", "PUT .*a.bin.partNumber"])
@pytest.mark.parametrize("kind", ["status", "reset", "lost"])
def test_a_large_upload_rides_out_faults(bucket: Bucket, step: str, kind: str) -> None:
    """A part, the completion, the copy: each is repeated, and nothing is left beside the output."""
    store = bucket.store()
    fault = bucket.fault(step, kind, 2, 503, "SlowDown")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    publish(store, LARGE)
    assert fault.hits == 2
    info = store.info("a.bin")
    assert info is not None
    assert info.size == len(LARGE)
    assert bucket.names() == ["base/a.bin"]
    assert not bucket.uploads()
