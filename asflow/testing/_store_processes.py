"""The checks of a store that two processes use: one of them is killed."""

from __future__ import annotations

import multiprocessing
import pickle
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asflow.testing._store_steps import (
    expect,
    expect_absent,
    expect_content,
    expect_names,
    expect_returned,
    names_in,
    publish,
    store_failure,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from asflow.protocols import Claim, Store

_SHARED = "keep outputs and claims where both processes see them"


def check_processes(factory: Callable[[], Store], store: Store, folder: str, patience: float) -> None:
    """Let another process claim, publish and die, while this one uses *store*.

    Raises:
        AssertionError: a promise is broken, or *factory* can't be pickled.
    """
    try:
        pickle.dumps(factory)
    except Exception as error:
        problem = f"factory can't be sent to another process ({error})"
        raise store_failure(problem, "pass a class, or a function at the top of a module") from error
    with _Other(factory, patience) as other:
        _check_sharing(store, other, folder)
        name, failure = names_in(folder, "killed")
        expect_returned("claim() in another process", other.ask("claim", name, failure), "claim")
        other.ask("write", b"half")
        expect_returned("claim() of another process's claim", store.claim(name, failure), "busy")
        other.kill()
    claim = _claimed_in_time(store, name, failure, patience)
    expect_absent(store, name, failure, "after the death of the process that was making it")
    claim.write(b"whole")
    claim.publish()
    expect_content(
        store, name, b"whole", "an output made after the death of its first process", "start from nothing"
    )
    expect_names("list() after the death of a process", list(store.list(f"{folder}killed")), [name])


def _check_sharing(store: Store, other: _Other, folder: str) -> None:
    name, failure = names_in(folder, "seen")
    publish(store, name, failure, b"seen")
    expect_returned("status() in another process", other.ask("status", name, failure), "complete")
    expect_returned("claim() in another process", other.ask("claim", name, failure), "complete")
    name, failure = names_in(folder, "held")
    claim = take(store, name, failure)
    found = other.ask("claim", name, failure)
    expect(found == "busy", f"claim() of another process's claim returned {found!r}, not 'busy'", _SHARED)
    claim.abort()
    expect_returned("claim() after abort() in another process", other.ask("claim", name, failure), "claim")
    held = store.claim(name, failure)
    expect(held == "busy", "claim() of another process's claim returned a claim, not 'busy'", _SHARED)
    other.ask("write", b"of other")
    other.ask("publish")
    expect_content(store, name, b"of other", "an output of another process", _SHARED)


def _claimed_in_time(store: Store, name: str, failure: str, patience: float) -> Claim:
    """Claim what a process that died has claimed: at once, or when its lease has ended."""
    deadline = time.monotonic() + patience
    while True:
        claim = store.claim(name, failure)
        if not isinstance(claim, str):
            return claim
        expect(claim == "busy", f"claim() after the death of its owner returned {claim!r}", "return a claim")
        late = f"the claim of a process that died is still held after {patience:g} s"
        expect(time.monotonic() < deadline, late, "let it end with the process, or with a lease")
        time.sleep(0.02)


class _Other:
    """Another process with a store of the same factory."""

    def __init__(self, factory: Callable[[], Store], patience: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._patience = patience
        self._process = context.Process(target=_serve, args=(factory, there), daemon=True)
        self._process.start()
        there.close()

    def __enter__(self) -> _Other:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        self._here.close()

    def ask(self, *request: object) -> object:
        with suppress(BrokenPipeError):
            self._here.send(request)
        try:
            answer: object = self._here.recv() if self._here.poll(60 + self._patience) else None
        except EOFError:
            answer = None
        if isinstance(answer, Exception):
            raise store_failure(f"{request[0]}() in another process raised {answer!r}", _SHARED) from answer
        expect(answer is not None, f"{request[0]}() in another process does not return", _SHARED)
        return answer

    def kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _serve(factory: Callable[[], Store], pipe: Connection[Any, Any]) -> None:
    """Carry out the requests of the other process until it closes the pipe."""
    store = factory()
    claim: Claim | None = None
    while True:
        try:
            what, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer: object = what
            if what == "status":
                answer = store.status(*arguments)
            elif what == "claim":
                found = store.claim(*arguments)
                answer, claim = (found, claim) if isinstance(found, str) else ("claim", found)
            elif claim is not None:
                getattr(claim, what)(*arguments)
            pipe.send(answer)
        except Exception as error:  # noqa: BLE001 - sent to the other process
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
