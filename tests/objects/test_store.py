"""What is particular to object stores: URLs, errors, listings, and what a call costs."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from objects.conftest import LEASE

from asflow import Flow, LocalStore, MemoryStore
from asflow.errors import (
    DefinitionTypeError,
    DefinitionValueError,
    NoPathError,
    OutputNameError,
)
from asflow.sinks import NullSink
from asflow.stores import ObjectStore

if TYPE_CHECKING:
    from objects.conftest import Bucket


def put(store: ObjectStore, *names: str) -> None:
    for name in names:
        claim = store.claim(name, name + ".err")
        assert not isinstance(claim, str)
        claim.write(name.encode())
        claim.publish()


@pytest.fixture
def environment(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user would export."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.proxy.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")


@pytest.mark.usefixtures("environment")
async def test_a_flow_on_a_bucket(bucket: Bucket) -> None:
    """Outputs, failures and handles, by nothing but a URL and the environment."""
    flow = Flow(bucket.url, sink=NullSink())
    ran: list[str] = []

    @flow.task(on="days/{day}.jsonl.zst", suppress=LookupError)
    async def extract(day: str) -> None:
        ran.append(day)
        flow.task.write({"day": day})
        if day == "bad":
            raise LookupError("nothing there")

    await asyncio.gather(*(extract(day) for day in ("a", "b", "bad")))
    for day in ("a", "b", "bad"):
        await extract(day)
    assert sorted(ran) == ["a", "b", "bad"]
    assert bucket.names() == [f"base/days/{name}" for name in ("a.jsonl.zst", "b.jsonl.zst", "bad.err")]
    outputs = list(flow.task.outputs(extract))
    assert [(each.name, each.status) for each in outputs] == [
        ("days/a.jsonl.zst", "complete"),
        ("days/b.jsonl.zst", "complete"),
        ("days/bad.jsonl.zst", "suppressed"),
    ]
    first = flow.task.output(extract, "a")
    assert list(first.records(dict[str, str])) == [{"day": "a"}]
    assert first.size
    assert "LookupError: nothing there" in (outputs[2].error() or "")
    with pytest.raises(NoPathError, match="keeps no files"):
        _ = first.path
    assert isinstance(flow.store, ObjectStore)
    assert flow.store.url(first.name) == f"{bucket.url}/days/a.jsonl.zst"
    assert first.delete()
    await extract("a")
    assert ran[3:] == ["a"]
    assert flow.task.output(extract, "a").status == "complete"


@pytest.mark.usefixtures("environment")
def test_sync_tasks_and_refresh(bucket: Bucket) -> None:
    """A sync body, and an output that is replaced."""
    flow = Flow(bucket.url, sink=NullSink())
    count = 0

    @flow.task(save="now.json", refresh=lambda: True)
    def now() -> int:
        nonlocal count
        count += 1
        return count

    assert [now(), now()] == [1, 2]
    assert flow.task.output(now).text().strip() == "2"
    assert flow.task.output(now).value() == 2


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    """With the locks and the durability of the local store."""
    flow = Flow(f"file://{tmp_path}/a%20b", sink=NullSink())
    assert isinstance(flow.store, LocalStore)

    @flow.task(on="x.txt")
    def work() -> None:
        flow.task.write("x")

    work()
    assert (tmp_path / "a b" / "x.txt").read_text() == "x"
    assert flow.task.output(work).path == tmp_path / "a b" / "x.txt"


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("ftp://host/x", r"URL of an object store, not 'ftp://host/x'; begin it with one of s3://"),
        ("s3://", "takes a URL with a bucket, not 's3://';"),
        (Path("s3://bucket/x"), "give it as a str"),
        ("file://elsewhere/x", "a folder of this machine, not 'file://elsewhere/x';"),
    ],
)
def test_urls_that_can_not_work(base: str | Path, says: str) -> None:
    """They are refused when the flow is made."""
    with pytest.raises(DefinitionValueError, match=says):
        Flow(base)


def test_a_url_beside_a_store_is_refused() -> None:
    """Two places for one output."""
    with pytest.raises(DefinitionValueError, match="give one of them"):
        Flow("s3://bucket/x", store=MemoryStore())


def test_bad_arguments_are_refused() -> None:
    """By name and value."""
    with pytest.raises(DefinitionTypeError, match="takes a URL, not 3;"):
        ObjectStore(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match="retry_seconds takes a number of seconds, not '3'"):
        ObjectStore("memory:///", retry_seconds="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionValueError, match="retry_seconds takes more than 0 finite seconds, not 0"):
        ObjectStore("memory:///", retry_seconds=0)
    with pytest.raises(DefinitionValueError, match="listing_seconds takes 0 or more finite seconds, not -1"):
        ObjectStore("memory:///", listing_seconds=-1)
    with pytest.raises(DefinitionValueError, match=r"with these settings \(.*colour.*\); correct"):
        ObjectStore("s3://bucket", config={"colour": "red"})
    with pytest.raises(DefinitionTypeError, match=r"with these settings \('int' object is not"):
        ObjectStore("s3://bucket", config={"region": 5})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


def test_without_the_extra_the_error_names_it() -> None:
    """And asflow works without obstore."""
    code = """
import sys
sys.modules["obstore"] = None
import asflow
from asflow.errors import MissingExtraError
try:
    asflow.Flow("s3://bucket/prefix")
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "ObjectStore(): 's3://bucket/prefix' needs the package obstore; "
        "install it with: pip install 'asflow[s3]'\n"
    )


def test_a_missing_bucket_is_an_error_before_a_body_runs(bucket: Bucket) -> None:
    """No work is lost."""
    store = bucket.store(url="s3://no-such-bucket/x")
    flow = Flow(store=store, sink=NullSink())
    ran: list[int] = []

    @flow.task(on="{n}.txt")
    def work(n: int) -> None:
        ran.append(n)

    with pytest.raises(
        FileNotFoundError, match=r"there is no such bucket \(.*\); create it, or correct the URL"
    ) as raised:
        work(1)
    assert raised.value.errno == errno.ENOENT
    assert not ran
    with pytest.raises(FileNotFoundError, match="there is no such bucket"):
        list(flow.task.outputs(work))


@pytest.mark.parametrize("request_", ["HEAD", "GET", "PUT"])
def test_denied_access_is_a_permission_error(bucket: Bucket, request_: str) -> None:
    """At once, with the remedy, and nothing is published."""
    bucket.fault(f"^{request_}", "status", 10**6, 403, "AccessDenied")
    with pytest.raises(PermissionError, match=r"access was denied \(.*\); check the credentials"):
        put(bucket.store(), "a.txt")
    bucket.proxy.faults.clear()
    assert [name for name in bucket.names() if LEASE not in name] == []


def test_missing_credentials_are_an_error(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """If neither the environment nor the machine has any."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    bucket.fault("latest/", "status", 10**6, 404, "NotFound")
    config = {"endpoint": bucket.proxy.url, "region": "us-east-1", "metadata_endpoint": bucket.proxy.url}
    store = bucket.store(config=config, retry_seconds=0.5)
    with pytest.raises(PermissionError, match=r"no credentials were found \(.*\); set them in"):
        store.status("a.txt", "a.err")


def test_a_bucket_in_another_region_is_an_error(bucket: Bucket) -> None:
    """With the remedy."""
    bucket.fault("^GET", "status", 10**6, 400, "AuthorizationHeaderMalformed")
    with pytest.raises(OSError, match="the bucket is in another region"):
        put(bucket.store(), "a.txt")


@pytest.mark.parametrize("name", ["/a.txt", "a/../b.txt", "a//b.txt", "./a.txt", "a\nb.txt"])
def test_names_that_no_object_can_have(bucket: Bucket, name: str) -> None:
    """They would be taken for other names, or refused half way."""
    store = bucket.store()
    with pytest.raises(OutputNameError):
        store.status(name, "a.err")
    with pytest.raises(OutputNameError):
        store.claim(name, "a.err")


@pytest.mark.timeout(300)  # more than a thousand objects are put, one by one
def test_listings_are_paged_lazily(bucket: Bucket) -> None:
    """A page is asked for when it is needed, and none after the last name that fits."""
    store = bucket.store()
    names = [f"many/{number:04}.txt" for number in range(1100)]
    for name in names:
        bucket.hold(name)
    bucket_put(bucket, "many/2.txt")
    bucket_put(bucket, "many-more/2.txt")
    bucket.proxy.requests.clear()
    listing = store.list("many/")
    assert [next(listing) for _ in range(10)] == names[:10]
    assert bucket.count("list-type=2") == 1
    assert list(listing) == [*names[10:], "many/2.txt"]
    assert bucket.count("list-type=2") == 2
    assert list(store.list("many/109")) == names[1090:]
    assert bucket.count("list-type=2") == 3
    assert list(store.list("many")) == ["many-more/2.txt", *names, "many/2.txt"]


def bucket_put(bucket: Bucket, name: str) -> None:
    bucket.ask("PUT", f"/base/{name}")


def test_what_calls_cost(bucket: Bucket) -> None:
    """The number of requests that the documentation states."""
    store = bucket.store()
    put(store, "first.txt")
    bucket.proxy.requests.clear()
    assert store.status("first.txt", "first.err") == "complete"
    assert [line.split()[0] for line in bucket.proxy.requests] == ["HEAD"]
    bucket.proxy.requests.clear()
    assert store.status("second.txt", "second.err") == "absent"
    put(store, "second.txt")
    leases = ["PUT", "POST"]  # deletions are POST requests of any number of names
    assert [line.split()[0] for line in bucket.proxy.requests if LEASE in line] == leases[:1]
    assert [line.split()[0] for line in bucket.proxy.requests if LEASE not in line] == [
        *["HEAD"] * 4,
        "PUT",
        leases[1],
    ]
    assert not store.is_claimed("third.txt")
    assert bucket.proxy.requests[-1].split()[0] == "GET"


def test_a_remembered_listing_spares_the_looks(bucket: Bucket) -> None:
    """One listing per folder is enough for all outputs in it; a deletion here is known at once."""
    put(bucket.store(), "a/1.txt", "a/2.txt", "b/1.txt")
    store = bucket.store(listing_seconds=60)
    bucket.proxy.requests.clear()
    for name in ("a/1.txt", "a/2.txt", "b/1.txt"):
        for _ in range(3):
            assert store.status(name, "x.err") == "complete"
    assert bucket.count("list-type=2") == 2
    assert bucket.count("HEAD") == 0
    assert store.delete("a/1.txt")
    assert store.status("a/1.txt", "x.err") == "absent"
    put(store, "a/1.txt")
    assert store.status("a/1.txt", "x.err") == "complete"


async def test_the_loop_goes_on_while_the_store_is_slow(bucket: Bucket) -> None:
    """Looks, claims and uploads of an async task wait in threads."""
    flow = Flow(store=bucket.store(), sink=NullSink())

    @flow.task(on="{n}.txt")
    async def work(n: int) -> None:
        flow.task.write(str(n))

    held = bucket.fault("PUT", "hold")
    running = asyncio.create_task(work(1))
    while not held.hits:
        await asyncio.sleep(0.01)
    held.gate.set()
    await running
    assert flow.task.output(work, 1).text() == "1"


async def test_a_cancelled_upload_publishes_nothing_or_all(bucket: Bucket) -> None:
    """Cancelled before the body has returned: nothing has been sent, nothing is there."""
    flow = Flow(store=bucket.store(), sink=NullSink())
    inside = asyncio.Event()

    @flow.task(on="{n}.txt")
    async def work(n: int) -> None:
        flow.task.write("half")
        inside.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(work(1))
    await inside.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # A thread gives the claim up, and with it the lease, a moment later.
    assert [name for name in bucket.names() if LEASE not in name] == []
    assert bucket.count("PUT") == 0
