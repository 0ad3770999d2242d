"""Two machines, one output: it is published once, and the loser's bytes vanish."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from asflow.errors import DeadlockError, OutputClosedError
from asflow.stores._objects.claims import ObjectClaim

if TYPE_CHECKING:
    from objects.conftest import Bucket

    from asflow.stores import ObjectStore

MACHINE = """
import json, sys
from asflow.stores import ObjectStore

url, config, size, letter = json.loads(sys.argv[1])
store = ObjectStore(url, config=config, client_options={"allow_http": True}, lease_seconds=0)
claim = store.claim("a.bin", "a.err")
for _ in range(size >> 16):
    claim.write(letter.encode() * (1 << 16))
print("ready", flush=True)
sys.stdin.readline()
claim.publish()
print(store.status("a.bin", "a.err"), flush=True)
if size > 1 << 26:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def machine(bucket: Bucket, size: int, letter: str) -> subprocess.Popen[str]:
    given = json.dumps([bucket.url, bucket.config, size, letter])
    return subprocess.Popen(
        [sys.executable, "-c", MACHINE, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def go(*machines: subprocess.Popen[str]) -> list[list[str]]:
    for each in machines:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in machines:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    said = [each.communicate(timeout=50)[0].split() for each in machines]
    assert [each.returncode for each in machines] == [0] * len(machines)
    return said


@pytest.mark.parametrize("size", [1 << 17, 12 << 20], ids=["small", "large"])
def test_of_two_processes_one_publishes(bucket: Bucket, size: int) -> None:
    """Without leases both bodies have run; one output is there, whole, and of one of them."""
    assert go(machine(bucket, size, "a"), machine(bucket, size, "b")) == [["complete"], ["complete"]]
    assert bucket.names() == ["base/a.bin"]
    assert not bucket.uploads()
    with bucket.store().open("a.bin") as file:
        data = file.read()
    assert data in {b"a" * size, b"b" * size}


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured in /proc")
def test_a_large_output_takes_constant_memory(bucket: Bucket) -> None:
    """Some 200 MiB are spooled to disk and uploaded in parts: the process peaks below half of that."""
    size = 200 << 20
    [[status, peak]] = go(machine(bucket, size, "a"))
    assert status == "complete"
    assert int(peak) * 1024 < size // 2
    found = bucket.store().info("a.bin")
    assert found is not None
    assert found.size == size


def test_a_large_upload_is_spared_where_the_output_is_there(bucket: Bucket) -> None:
    """The slower of two looks first."""
    slow, fast = bucket.store(lease_seconds=0), bucket.store(lease_seconds=0)
    claims = [claim_of(store) for store in (slow, fast)]
    for made in claims:
        made.write(bytes(9 << 20))
    claims[1].publish()
    uploads = bucket.count(r"POST .*\?uploads")
    claims[0].publish()
    assert bucket.count(r"POST .*\?uploads") == uploads
    with pytest.raises(OutputClosedError):
        claims[0].write(b"late")


def claim_of(store: ObjectStore) -> ObjectClaim:
    made = store.claim("a.bin", "a.err")
    assert isinstance(made, ObjectClaim)
    return made


def test_nothing_leaves_the_machine_before_publishing(bucket: Bucket) -> None:
    """A body that fails has uploaded nothing."""
    made = claim_of(bucket.store(lease_seconds=0))
    made.write(bytes(20 << 20))
    made.abort()
    assert bucket.count("^(PUT|POST)") == 0


def test_a_dropped_claim_is_free_at_once(bucket: Bucket) -> None:
    """A garbage-collected claim holds nothing."""
    store = bucket.store()
    made = claim_of(store)
    assert store.claim("a.bin", "a.err") == "busy"
    del made
    gc.collect()
    claim_of(store).abort()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_an_error_instead_of_hanging(bucket: Bucket) -> None:
    """The network threads stay with the parent."""
    store = bucket.store()
    assert store.status("a.bin", "a.err") == "absent"
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            store.status("a.bin", "a.err")
        except DeadlockError:
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_holds_no_claim(bucket: Bucket) -> None:
    """The child's copy refuses, and its end leaves the parent's claim alone."""
    store = bucket.store()
    made = claim_of(store)
    made.write(b"parent")
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            made.write(b"child")
        except OutputClosedError:
            made.abort()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    made.publish()
    with store.open("a.bin") as file:
        assert file.read() == b"parent"
