"""What a body raises in a worker: its own class here, with all that belongs to it."""

from __future__ import annotations

import concurrent.futures
import copyreg
import errno
import pickle
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from executors import bodies, oddities

from asflow import Flow, Retry
from asflow._executors import caller
from asflow._executors.exceptions import RemoteTraceback, dump_error, load_error
from asflow.errors import TransferError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

PICKLERS: list[type[pickle.Pickler]] = [pickle.Pickler]
try:
    import cloudpickle  # type: ignore[import-untyped,unused-ignore]
except ImportError:
    pass
else:
    PICKLERS.append(cloudpickle.Pickler)

AT_ONCE = Retry(1, backoff_factor=0, backoff_jitter=0)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as made:
        yield made


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path / "out", sink=NullSink())


def raised_by(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - of any class
        function()
    return raised.value


def sent(error: BaseException, pickler: type[pickle.Pickler] = pickle.Pickler) -> Any:
    return load_error(dump_error(error, pickler), "the worker's text")


@pytest.mark.parametrize("pickler", PICKLERS, ids=lambda each: each.__module__)
@pytest.mark.parametrize("name", oddities.NAMES)
def test_an_exception_returns_as_itself(name: str, pickler: type[pickle.Pickler]) -> None:
    """Class, text, arguments, attributes and notes, whatever its constructor takes."""
    error: Any = oddities.make(name)
    error.__dict__["__notes__"] = ["a note"]
    again = sent(error, pickler)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert repr(again.args) == repr(error.args)
    assert again.code == 7
    assert again.__notes__ == ["a note"]
    assert str(again.__cause__) == "\nthe worker's text"


def test_what_python_itself_keeps_besides_the_arguments() -> None:
    """The errno and file of an OSError, the bytes of a decoding error, the name of a module, a slot."""
    place = sent(oddities.make("place"))
    assert (place.errno, place.filename, place.strerror) == (errno.ENOSPC, "/data", "no space")
    assert sent(oddities.make("bytes")).object == b"\xff"
    assert sent(oddities.make("document")).pos == 1
    assert (sent(oddities.make("plugin")).name, sent(oddities.make("plugin")).path) == ("plugin", "/plugin")
    assert sent(oddities.make("slotted")).hidden == -7
    assert sent(oddities.make("data")).text == "data"
    assert sent(FileNotFoundError(errno.ENOENT, "none", "/a", None, "/b")).filename2 == "/b"
    assert sent(SystemExit(3)).code == 3


def test_ways_that_libraries_register_for_all_exceptions_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As tblib does, which Dask imports: they would send causes that can't be pickled."""

    def reduce(error: BaseException) -> Any:
        return type(error), (), error.__cause__

    for kind in (ValueError, SystemExit, oddities.KeywordError):
        monkeypatch.setitem(copyreg.dispatch_table, kind, reduce)
    error = ValueError("first")
    error.__cause__ = oddities.LockedError()
    assert repr(sent(error)) == "ValueError('first')"
    assert sent(SystemExit(3)).code == 3
    assert sent(oddities.make("keyword")).code == 7


def test_the_members_of_a_group_return_as_themselves() -> None:
    """In a class of its own, and in the plain one."""
    for error in (
        oddities.make("group"),
        ExceptionGroup("plain", [oddities.KeywordError("first", code=1), ValueError("second")]),
    ):
        first, second = sent(error).exceptions
        assert type(first) is oddities.KeywordError
        assert first.code == 1
        assert repr(second) == "ValueError('second')"


def test_an_attribute_may_be_an_exception_and_the_exception_itself() -> None:
    error: Any = oddities.KeywordError("outer", code=1)
    error.inner = oddities.KeywordError("inner", code=2)
    error.me = error
    again = sent(error)
    assert again.inner.code == 2
    assert again.me is again


def test_causes_and_contexts_are_sent_along() -> None:
    """What a traceback shows; the worker's text is behind the last."""
    error = raised_by(oddities.fail_in_a_chain)
    again = sent(error)
    assert type(again) is oddities.DataError
    cause = again.__cause__
    assert type(cause) is oddities.KeywordError
    assert cause.__notes__ == ["a note"]
    assert type(cause.__context__) is KeyError
    assert type(cause.__context__.__cause__) is RemoteTraceback


def test_a_cause_that_can_not_be_sent_is_left_to_the_text() -> None:
    error = ValueError("first")
    error.__cause__ = oddities.LockedError()
    error.__cause__.__cause__ = KeyError("behind")
    again = sent(error)
    assert repr(again) == "ValueError('first')"
    assert type(again.__cause__) is RemoteTraceback


def test_a_hidden_context_stays_hidden_and_a_circle_ends() -> None:
    error = ValueError("first")
    error.__context__ = KeyError("hidden")
    error.__suppress_context__ = True
    assert type(sent(error).__cause__) is RemoteTraceback
    error.__suppress_context__ = False
    error.__context__.__context__ = error
    assert type(sent(error).__context__) is KeyError


@pytest.mark.parametrize("name", ["keyword", "frozen", "group"])
def test_policies_match_it(flow: Flow, pool: ProcessPoolExecutor, name: str) -> None:
    """`skip`, `suppress`, `retry` and an `except` see the same exception as without an executor."""
    kind: Any = type(oddities.make(name))
    assert flow.task(on="s-{name}.txt", skip=kind, executor=pool)(oddities.fail)(name) is None
    suppressing = flow.task(on="e-{name}.txt", suppress=kind, executor=pool)(oddities.fail)
    suppressing(name)
    assert flow.task.output(suppressing, name).status == "suppressed"
    assert "in fail" in (flow.task.output(suppressing, name).error() or "")
    retrying = flow.task(retry=AT_ONCE, retry_exceptions=kind, executor=pool)(oddities.fail_once_out_of_two)
    assert retrying(name) == 2
    error = raised_by(lambda: flow.task(executor=pool)(oddities.fail)(name))
    assert type(error) is kind
    assert "in fail" in str(error.__cause__)


def test_a_delay_reads_what_the_exception_holds(flow: Flow, pool: ProcessPoolExecutor) -> None:
    """As one does for Retry-After: here, of what was raised there, and of its cause."""
    seen: list[int] = []

    def delay(error: Exception, retry: int) -> float:
        assert isinstance(error, oddities.DataError)
        assert isinstance(error.__cause__, oddities.KeywordError)
        seen.append(error.__cause__.code)
        return 0

    task = flow.task(retry=Retry(1, delay=delay), executor=pool)(oddities.fail_in_a_chain)
    raised_by(task)
    assert seen == [7]


def test_the_callers_own_exception_does_not_replace_the_workers_context(
    flow: Flow, pool: ProcessPoolExecutor
) -> None:
    task = flow.task(executor=pool)(oddities.fail_in_a_chain)
    try:
        raise OSError("the caller's")
    except OSError:
        error = raised_by(task)
    assert error.__cause__ is not None
    assert type(error.__cause__.__context__) is KeyError


def test_what_can_not_be_made_again_is_a_transfer_error(flow: Flow, pool: ProcessPoolExecutor) -> None:
    """No general class matches it: it is about the program, not about what the body met."""
    task = flow.task(skip=Exception, retry=AT_ONCE, executor=pool)(oddities.fail)
    with pytest.raises(
        TransferError, match=r"it raised a LockedError, which can't be sent back(.|\n)*locked"
    ):
        task("locked")
    skipping = flow.task(skip=TransferError, executor=pool)(oddities.fail)
    assert skipping("locked") is None


@pytest.mark.parametrize("record", ["full", "fits"])
def test_a_full_disk_is_no_failure_of_the_body(flow: Flow, pool: ProcessPoolExecutor, record: str) -> None:
    """Whatever is listed, and whatever the body makes of it: at a write, and when the writer commits."""
    task = flow.task(
        on="x.txt",
        writer=oddities.FullDisk,
        suppress=OSError,
        skip=OSError,
        retry=AT_ONCE,
        executor=pool,
    )(oddities.write_and_go_on)
    with pytest.raises(OSError, match="No space left"):
        task(record)
    assert list(flow.path("").rglob("*.*")) == []


def test_a_full_disk_here_is_no_failure_of_the_body_either(
    flow: Flow, pool: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that the worker made don't fit into the claim."""

    def full(run: Any, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caller, "_pass_on", full)
    task = flow.task(on="x.txt", suppress=OSError, executor=pool)(oddities.write_and_go_on)
    with pytest.raises(OSError, match="No space left"):
        task("fits")
    assert list(flow.path("").rglob("*.*")) == []


def test_a_killed_worker_publishes_nothing_and_is_retried_in_vain(flow: Flow) -> None:
    """Its pool is broken; the error says so, and no file of the attempts stays."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        task = flow.task(on="x.txt", retry=AT_ONCE, executor=pool)(bodies.always_die)
        with pytest.raises(BrokenProcessPool):
            task()
        skipping = flow.task(on="x.txt", skip=BrokenProcessPool, executor=pool)(bodies.always_die)
        assert skipping() is None
    assert list(flow.path("").rglob("*.*")) == []


class Interpreters(ThreadPoolExecutor):
    """In the place of Python 3.14's: a ThreadPoolExecutor by its class, whose bodies share nothing."""


@pytest.fixture
def interpreters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    kind: Any = getattr(concurrent.futures, "InterpreterPoolExecutor", None)
    if sys.version_info < (3, 14) or kind is None:
        kind = Interpreters
        monkeypatch.setattr(concurrent.futures, "InterpreterPoolExecutor", kind, raising=False)
    # An interpreter of its own doesn't have the folder that pytest puts on the path.
    path = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r})"
    with kind(1, initializer=exec, initargs=(path,)) as pool:
        yield pool


def test_interpreters_are_workers_of_their_own(flow: Flow, interpreters: Executor) -> None:
    """Everything is pickled for them, though the class says threads."""
    assert not caller.is_in_process(interpreters)
    task = flow.task(on="failing/{name}.txt", executor=interpreters)(oddities.fail)
    error = raised_by(lambda: task("keyword"))
    assert type(error) is oddities.KeywordError
    assert type(error.__cause__) is RemoteTraceback
    writing = flow.task(on="written/{record}.txt", executor=interpreters)(oddities.write_and_go_on)
    writing("fits")
    assert flow.task.output(writing, "fits").text() == "fits"
    with ThreadPoolExecutor(1) as threads:
        assert caller.is_in_process(threads)
