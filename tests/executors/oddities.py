"""Exceptions that pickle alone does not return as they are, in a module that the workers can import."""

from __future__ import annotations

import contextlib
import errno
import json
import threading
from dataclasses import dataclass
from typing import Any, NoReturn

from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())


class KeywordError(Exception):
    """As httpx.HTTPStatusError: `args` are not what `__init__` takes."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class FormattingError(Exception):
    """Pickle makes one of its own text, which is then formatted again."""

    def __init__(self, what: str, code: int | None = None) -> None:
        super().__init__(f"{what} ({code})")
        self.code = code


@dataclass
class DataError(Exception):
    code: int
    text: str = "data"


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class SlottedError(Exception):
    __slots__ = ("__hidden", "code")

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code
        self.__hidden = -code

    @property
    def hidden(self) -> int:
        return self.__hidden


class PlaceError(OSError):
    def __init__(self, place: str, *, code: int) -> None:
        super().__init__(errno.ENOSPC, "no space", place)
        self.code = code


class BytesError(UnicodeDecodeError):
    def __init__(self, *, code: int) -> None:
        super().__init__("utf-8", b"\xff", 0, 1, "invalid start byte")
        self.code = code


class DocumentError(json.JSONDecodeError):
    """Its base says how it is pickled, and does not know of `code`."""

    def __init__(self, *, code: int) -> None:
        super().__init__("no document", "{", 1)
        self.code = code


class PluginError(ImportError):
    def __init__(self, *, code: int) -> None:
        super().__init__("no plugin", name="plugin", path="/plugin")
        self.code = code


class NewError(Exception):
    """What it takes is fixed in `__new__`."""

    code: int

    def __new__(cls, *, code: int) -> NewError:
        made = super().__new__(cls, "new")
        made.code = code
        return made

    def __init__(self, *, code: int) -> None: ...


class ReducedError(Exception):
    """Says itself how it is pickled."""

    def __init__(self, *, code: int) -> None:
        super().__init__("reduced")
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return _reduced, (self.code,)


def _reduced(code: int) -> ReducedError:
    return ReducedError(code=code)


class Failures(ExceptionGroup[Exception]):
    def __new__(cls, excs: list[Exception], *, code: int) -> Failures:
        made = super().__new__(cls, "all of them", excs)
        made.code = code
        return made

    def __init__(self, excs: list[Exception], *, code: int) -> None: ...

    code: int


class LockedError(Exception):
    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


def make(name: str) -> BaseException:
    """Return one of each kind, by its name."""
    made: dict[str, BaseException] = {
        "keyword": KeywordError("not found", code=7),
        "formatting": FormattingError("not found", 7),
        "data": DataError(code=7),
        "frozen": FrozenError(code=7),
        "slotted": SlottedError(7),
        "place": PlaceError("/data", code=7),
        "bytes": BytesError(code=7),
        "document": DocumentError(code=7),
        "plugin": PluginError(code=7),
        "new": NewError(code=7),
        "reduced": ReducedError(code=7),
        "group": Failures([KeywordError("first", code=1), ValueError("second")], code=7),
        "locked": LockedError(),
    }
    return made[name]


NAMES = (
    *("keyword", "formatting", "data", "frozen", "slotted", "place", "bytes"),
    *("document", "plugin", "new", "reduced", "group"),
)


def fail(name: str) -> NoReturn:
    raise make(name)


def fail_in_a_chain() -> NoReturn:
    try:
        try:
            raise KeyError("context")
        except KeyError:
            fail("keyword")
    except KeywordError as error:
        error.add_note("a note")
        raise DataError(3) from error


def fail_once_out_of_two(name: str) -> int:
    run = flow.task.run
    assert run is not None
    if run.attempt == 1:
        fail(name)
    return run.attempt


class FullDisk:
    """A writer whose disk is full at the first record, or at the end."""

    def __init__(self, stream: object) -> None: ...

    def write(self, record: object, /) -> None:
        if record == "full":
            raise OSError(errno.ENOSPC, "No space left on device")

    def commit(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def abort(self) -> None: ...


def write_and_go_on(record: str) -> None:
    with contextlib.suppress(OSError):
        flow.task.write(record)
