"""One body for each output of a bucket, on any number of machines: leases, taken and kept by conditions."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from objects.conftest import LEASE

from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores import ObjectStore
from asflow.stores._objects.claims import ObjectClaim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from objects.conftest import Bucket


def claim(store: ObjectStore, *, replace: bool = False) -> ObjectClaim:
    made = store.claim("a.txt", "a.err", replace=replace)
    assert isinstance(made, ObjectClaim), made
    return made


def when_free(store: ObjectStore, *, replace: bool = False) -> ObjectClaim:
    """Claim the output as soon as it is no longer another's."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        made = store.claim("a.txt", "a.err", replace=replace)
        if isinstance(made, ObjectClaim):
            return made
        assert made == "busy"
        time.sleep(0.02)
    raise AssertionError("the lease never ran out")


def test_of_two_machines_one_has_the_claim(bucket: Bucket) -> None:
    one, other = bucket.store(), bucket.store()
    assert not other.is_claimed("a.txt")
    assert other.owner("a.txt") is None
    made = claim(one)
    assert other.claim("a.txt", "a.err") == "busy"
    assert one.claim("a.txt", "a.err") == "busy"
    assert one.is_claimed("a.txt")
    assert other.is_claimed("a.txt")
    assert (other.owner("a.txt") or "").endswith(f":{os.getpid()}")
    made.write(b"text")
    made.publish()
    assert other.claim("a.txt", "a.err") == "complete"
    assert not other.is_claimed("a.txt")
    assert bucket.names() == ["base/a.txt"]


@pytest.mark.parametrize("end", ["abort", "fail"])
def test_a_claim_that_ends_without_an_output_gives_the_lease_back(bucket: Bucket, end: str) -> None:
    one, other = bucket.store(), bucket.store()
    made = claim(one)
    if end == "abort":
        made.abort()
        claim(other).abort()
        assert bucket.names() == []
    else:
        made.fail(b"why")
        assert other.claim("a.txt", "a.err") == "suppressed"
        assert bucket.names() == ["base/a.err"]


def test_the_claim_of_a_dead_process_runs_out_and_one_takes_it_over(bucket: Bucket) -> None:
    """Dropped, so nothing keeps it. Of eight that wait, one gets it at a time."""
    claim(bucket.store(lease_seconds=0.3))
    others = [bucket.store(lease_seconds=0.3) for _ in range(8)]
    assert others[0].claim("a.txt", "a.err") == "busy"
    held: list[ObjectClaim] = []
    most: list[int] = []

    def wait_for(store: ObjectStore) -> None:
        made = when_free(store)
        held.append(made)
        most.append(len(held))
        held.remove(made)
        made.abort()

    threads = [threading.Thread(target=wait_for, args=(store,)) for store in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8
    assert max(most) == 1
    assert bucket.names() == []


def test_a_lease_is_kept_while_the_body_runs(bucket: Bucket) -> None:
    """For several times its own time, as others look at it."""
    one, other = bucket.store(lease_seconds=0.6), bucket.store(lease_seconds=0.6)
    made = claim(one)
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert other.claim("a.txt", "a.err") == "busy"
        time.sleep(0.05)
    assert bucket.count("PUT .*lease") > 3
    made.write(b"whole")
    made.publish()
    assert other.claim("a.txt", "a.err") == "complete"


def overtaken(bucket: Bucket, *, replace: bool) -> tuple[ObjectClaim, ObjectClaim, ObjectStore]:
    """A claim that another machine has taken over, which waits for less, and that one's claim."""
    one, other = bucket.store(lease_seconds=600), bucket.store(lease_seconds=0.3)
    slow = claim(one, replace=replace)
    slow.write(b"slow")
    assert other.is_claimed("a.txt")
    while other.is_claimed("a.txt"):
        time.sleep(0.02)
    return slow, when_free(other, replace=replace), other


def test_a_machine_that_was_cut_off_publishes_at_most_what_is_not_there(bucket: Bucket) -> None:
    slow, quick, other = overtaken(bucket, replace=False)
    quick.write(b"quick")
    quick.publish()
    slow.publish()
    with other.open("a.txt") as file:
        assert file.read() == b"quick"
    assert bucket.names() == ["base/a.txt"]


def test_a_machine_that_was_cut_off_replaces_nothing(bucket: Bucket) -> None:
    slow, quick, other = overtaken(bucket, replace=True)
    quick.write(b"quick")
    with pytest.raises(OSError, match="another machine has taken this output over") as raised:
        slow.publish()
    assert raised.value.errno == errno.ESTALE
    slow.abort()
    assert other.is_claimed("a.txt"), "its lease is not given back by the one that has lost it"
    quick.publish()
    with other.open("a.txt") as file:
        assert file.read() == b"quick"
    assert bucket.names() == ["base/a.txt"]


@pytest.mark.parametrize("kind", ["lost", "status", "reset"])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_faults_on_the_way_to_a_lease_are_ridden_out(bucket: Bucket, method: str, kind: Any) -> None:
    """A PUT whose answer was lost, and which is sent again, meets itself."""
    one, other = bucket.store(), bucket.store()
    fault = bucket.fault(f"{method} .*lease", kind, 2)
    made = claim(one)
    assert other.claim("a.txt", "a.err") == "busy"
    assert fault.hits == 2
    made.write(b"text")
    made.publish()
    assert bucket.names() == ["base/a.txt"]


def test_without_leases_each_machine_claims(bucket: Bucket) -> None:
    one, other = bucket.store(lease_seconds=0), bucket.store(lease_seconds=0)
    first, second = claim(one), claim(other)
    assert not one.is_claimed("b.txt")
    assert one.is_claimed("a.txt")
    assert other.owner("a.txt") is None
    first.abort()
    second.abort()
    assert bucket.count("lease") == 0


@pytest.mark.parametrize(
    ("value", "error"),
    [("60", DefinitionTypeError), (-1, DefinitionValueError), (float("inf"), DefinitionValueError)],
)
def test_lease_seconds_are_checked(bucket: Bucket, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"ObjectStore\(\): lease_seconds takes"):
        bucket.store(lease_seconds=value)


# ------------------------------------------------------------------ whole flows, in processes

MACHINE = """
import asyncio, json, os, random, sys
from asflow import Flow
from asflow.sinks import NullSink
from asflow.stores import ObjectStore

url, config, log, count, seed, pause = json.loads(sys.argv[1])
store = ObjectStore(url, config=config, client_options={"allow_http": True}, lease_seconds=1.5)
flow = Flow(store=store, sink=NullSink())

@flow.task(on="{n}.txt", limit=4)
async def work(n: int) -> None:
    with open(log, "a") as file:
        file.write(f"{n} {os.getpid()}\\n")
    for _ in range(5):
        flow.task.write(f"{n} {os.getpid()}\\n")
        await asyncio.sleep(pause)

numbers = list(range(count))
random.Random(seed).shuffle(numbers)

@flow
async def main() -> None:
    await flow.task.map(work, numbers)

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


class Machines:
    """Processes that make the same outputs of one bucket."""

    def __init__(self, bucket: Bucket, log: Path, count: int, pause: float) -> None:
        self.bucket, self.log, self.count, self.pause = bucket, log, count, pause
        self.alive: list[subprocess.Popen[str]] = []

    def start(self, seed: int) -> subprocess.Popen[str]:
        given = json.dumps([self.bucket.url, self.bucket.config, str(self.log), self.count, seed, self.pause])
        made = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MACHINE, given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.alive.append(made)
        assert made.stdout is not None
        assert made.stdout.readline() == "ready\n"
        return made

    def go(self, *machines: subprocess.Popen[str]) -> None:
        for each in machines:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()

    def bodies(self) -> list[tuple[int, int]]:
        """Number and process of each body, in the order in which they began."""
        if not self.log.exists():
            return []
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(int(number), int(process)) for number, process in lines]

    def until_begun(self, count: int, process: int | None = None) -> None:
        while sum(process in (None, each) for _, each in self.bodies()) < count:
            time.sleep(0.005)

    def end(self, *machines: subprocess.Popen[str]) -> None:
        for each in machines:
            each.communicate(timeout=100)
            assert each.returncode == 0

    def check(self, *but: subprocess.Popen[str]) -> None:
        """Every output is there, once and of one body, and nothing else but leases of these."""
        names = {name for name in self.bucket.names() if not name.endswith(LEASE)}
        assert names == {f"base/{n}.txt" for n in range(self.count)}
        owners = {self.bucket.store().owner(f"{n}.txt") for n in range(self.count)} - {None}
        assert owners <= {f"{socket.gethostname()}:{each.pid}" for each in but}
        store = self.bucket.store()
        for n in range(self.count):
            with store.open(f"{n}.txt") as file:
                lines = file.read().decode().splitlines()
            assert len(lines) == 5
            assert len(set(lines)) == 1
            assert lines[0].startswith(f"{n} ")

    def close(self) -> None:
        for each in self.alive:
            each.kill()
            each.communicate()


@pytest.fixture
def machines(bucket: Bucket, tmp_path: Path) -> Iterator[Machines]:
    made = Machines(bucket, tmp_path / "log", 24, 0.01)
    yield made
    made.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("order", ["same", "any"])
def test_machines_split_the_work(machines: Machines, order: str) -> None:
    started = [machines.start(seed if order == "any" else 0) for seed in range(3)]
    machines.go(*started)
    machines.end(*started)
    bodies = Counter(number for number, _ in machines.bodies())
    assert bodies == dict.fromkeys(range(machines.count), 1)
    assert len({process for _, process in machines.bodies()}) == 3
    machines.check()


@pytest.mark.timeout(120)
def test_a_killed_machine_s_work_is_done_by_the_others(machines: Machines) -> None:
    """Only what it was doing is done twice."""
    started = [machines.start(seed) for seed in range(3)]
    machines.go(*started)
    victim = started.pop()
    machines.until_begun(4, victim.pid)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    machines.end(*started)
    bodies = Counter(number for number, _ in machines.bodies())
    assert set(bodies) == set(range(machines.count))
    assert max(bodies.values()) <= 2
    twice = {number for number, count in bodies.items() if count == 2}
    assert len(twice) <= 4
    assert twice <= {number for number, process in machines.bodies() if process == victim.pid}
    machines.check(victim)


@pytest.mark.timeout(120)
def test_a_machine_that_was_stopped_goes_on_and_does_no_harm(machines: Machines) -> None:
    """The others take over what it was doing; it finds these outputs done."""
    started = [machines.start(seed) for seed in range(3)]
    machines.go(*started)
    machines.until_begun(4, started[0].pid)
    started[0].send_signal(signal.SIGSTOP)
    machines.end(*started[1:])
    machines.check(started[0])
    started[0].send_signal(signal.SIGCONT)
    machines.end(started[0])
    machines.check(started[0])
    bodies = Counter(number for number, _ in machines.bodies())
    twice = {number for number, count in bodies.items() if count > 1}
    assert max(bodies.values()) <= 2
    assert twice <= {number for number, process in machines.bodies() if process == started[0].pid}
