"""`StoreWrapper` and the wrappers of the examples: what the wrapped store has, and no more."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from docs.pages import ROOT

from asflow import Flow, LocalStore, MemoryStore
from asflow.errors import NoPathError
from asflow.protocols import Claim, Store
from asflow.sinks import NullSink
from asflow.stores import ClaimWrapper, StoreWrapper
from asflow.testing import FaultyStore, check_store

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def wrappers() -> Iterator[ModuleType]:
    """`docs/examples/stores/wrappers.py`."""
    path = ROOT / "docs" / "examples" / "stores" / "wrappers.py"
    spec = importlib.util.spec_from_file_location("wrappers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["wrappers"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["wrappers"]


KINDS: dict[str, Callable[[ModuleType, Store], Store]] = {
    "plain": lambda module, store: StoreWrapper(store),
    "wrapped claims": lambda module, store: WithClaims(store),
    "checksums": lambda module, store: module.ChecksummingStore(store),
    "encrypted": lambda module, store: module.EncryptingStore(store, KEY),
    "both": lambda module, store: module.EncryptingStore(module.ChecksummingStore(store), KEY),
}


class WithClaims(StoreWrapper):
    def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
        return ClaimWrapper(claim)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inner", [LocalStore, MemoryStore])
def test_it_passes_the_kit(
    wrappers: ModuleType, kind: str, inner: Callable[[], Store], tmp_path: Path
) -> None:
    check_store(lambda: KINDS[kind](wrappers, inner()), base=f"{tmp_path}/")
    assert not list(tmp_path.rglob("*.part*"))


def test_it_has_the_optional_members_of_the_wrapped_store() -> None:
    class Everything(MemoryStore):
        closed = 0

        def path(self, name: str, /) -> Path:
            return Path("/place") / name

        def url(self, name: str, /) -> str:
            return f"memory://{name}"

        def is_claimed(self, name: str, /) -> bool:
            return name == "a"

        def owner(self, name: str, /) -> str | None:
            return "host:1"

        def is_complete(self, name: str, /) -> bool:
            return True

        def close(self) -> None:
            self.closed += 1

    inner = Everything()
    wrapper: Any = StoreWrapper(inner)
    assert wrapper.path("a") == Path("/place/a")
    assert wrapper.url("a") == "memory://a"
    assert wrapper.is_claimed("a")
    assert wrapper.is_complete("a")
    assert wrapper.owner("a") == "host:1"
    wrapper.close()
    assert inner.closed == 1
    assert not hasattr(wrapper, "closed")


def test_it_lacks_what_the_wrapped_store_lacks() -> None:
    wrapper = StoreWrapper(MemoryStore())
    for name in ("path", "url", "owner", "close", "no_such_thing"):
        assert not hasattr(wrapper, name)
        with pytest.raises(AttributeError, match=f"'StoreWrapper' object has no attribute '{name}'"):
            getattr(wrapper, name)
    local = StoreWrapper(LocalStore())
    assert hasattr(local, "path")
    assert hasattr(local, "is_complete")
    assert not hasattr(local, "url")


def test_a_flow_uses_it_like_the_wrapped_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, URLs, times and a look without a thread stay."""
    monkeypatch.chdir(tmp_path)
    flow = Flow("data", store=WithClaims(LocalStore()), sink=NullSink())
    calls: list[str] = []

    @flow.task(on="{name}.txt")
    def write(name: str) -> None:
        calls.append(name)
        flow.task.write(name)

    @flow.task(on="{name}.up", reads=write)
    def upper(name: str) -> None:
        calls.append(name.upper())
        flow.task.write(flow.task.output(write, name).text().upper())

    for _ in range(2):
        write("a")
        upper("a")
    assert calls == ["a", "A"]
    output = flow.task.output(upper, "a")
    assert output.path.read_text() == "A"
    assert output.url == (tmp_path / "data" / "a.up").as_uri()


def test_an_encrypted_output_has_no_path(wrappers: ModuleType, tmp_path: Path) -> None:
    flow = Flow(tmp_path, store=wrappers.EncryptingStore(LocalStore(), KEY), sink=NullSink())

    @flow.task(on="{name}.txt", suppress=LookupError)
    def write(name: str) -> None:
        flow.task.write("secret text")
        if name == "bad":
            raise LookupError("secret reason")

    write("a")
    write("bad")
    output = flow.task.output(write, "a")
    assert output.text() == "secret text"
    with pytest.raises(NoPathError):
        _ = output.path
    assert b"secret" not in (tmp_path / "a.txt").read_bytes()
    assert b"secret" not in (tmp_path / "bad.err").read_bytes()
    assert "secret reason" in (flow.task.output(write, "bad").error() or "")


def test_a_changed_byte_is_noticed(wrappers: ModuleType, tmp_path: Path) -> None:
    flow = Flow(tmp_path, store=wrappers.ChecksummingStore(LocalStore()), sink=NullSink())

    @flow.task(on="{name}.txt")
    def write(name: str) -> None:
        flow.task.write("text")

    write("a")
    assert flow.task.output(write, "a").text() == "text"
    (tmp_path / "a.txt").write_bytes(b"T" + (tmp_path / "a.txt").read_bytes()[1:])
    with pytest.raises(OSError, match=r"the checksum of .* is wrong"):
        flow.task.output(write, "a").text()


def test_a_claim_that_can_not_be_wrapped_is_given_up() -> None:
    class Refuses(StoreWrapper):
        def wrap(self, claim: Claim, name: str, failure: str, /) -> Claim:
            raise OSError("no key")

    inner = MemoryStore()
    with pytest.raises(OSError, match="no key"):
        Refuses(inner).claim("a", "a.err")
    claim = inner.claim("a", "a.err")
    assert not isinstance(claim, str)
    claim.abort()


def test_it_can_be_pickled_and_shows_what_it_wraps() -> None:
    wrapper = StoreWrapper(LocalStore(durability="full"))
    again = pickle.loads(pickle.dumps(wrapper))
    assert repr(again) == repr(wrapper) == "StoreWrapper(LocalStore(durability='full'))"
    claim = WithClaims(MemoryStore()).claim("a", "a.err")
    assert repr(claim) == "ClaimWrapper(<MemoryClaim of 'a', open>)"
    assert isinstance(claim, ClaimWrapper)
    claim.abort()


def test_a_faulty_store_wraps_a_wrapper(tmp_path: Path) -> None:
    check_store(lambda: FaultyStore(StoreWrapper(LocalStore())), base=f"{tmp_path}/")
