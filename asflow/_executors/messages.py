"""What a worker process receives and returns; pickled here, so that an error can name what fails."""

from __future__ import annotations

import inspect
import io
import pickle
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from asflow._inspect import signature_of
from asflow._labels import HIDDEN, short
from asflow.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._markers import Marked
    from asflow._runtime.calls import TaskCall
    from asflow.protocols import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One attempt of one call, for a worker to run.

    Attributes:
        function: the pickled body, or a pickled `ByName` of it.
        arguments: the pickled positional and keyword arguments.
        open_writer: opens the output's writer on a stream, pickled; None for a task without an output.
        kept: how what the body returns becomes the output, pickled; None for a task without `save`.
        task: the task's name.
        output: the name of the call's output.
        attempt: 1 for the first call of the body.
        skipped_in_labels: number of leading arguments that labels leave out.
        marked: the parameters that are annotated `Ignored` or `Secret`, or None.
        token: unique to this attempt. Dask runs equal requests only once.
        folder: where the caller looks for finished bytes and for progress, if the worker can reach it.
        by_value: whether the body's result may be pickled by cloudpickle.
    """

    function: bytes
    arguments: bytes
    open_writer: bytes | None
    kept: bytes | None
    task: str
    output: str | None
    attempt: int
    skipped_in_labels: int
    marked: Marked | None
    token: str
    folder: str
    by_value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How an attempt ended.

    Attributes:
        value: the body's result, pickled; None if it raised, or if the result can't be pickled.
        error: what it raised, by `dump_error`; None if it raised nothing, or if that can't be pickled.
        is_broken: whether a write failed, not the body: policies don't apply to that.
        text: the traceback in the worker, or why something can't be pickled.
        wrote: whether the body wrote something.
        spool: path of the file with the output's bytes.
        data: the output's bytes, if the worker can't reach the caller's folder.
    """

    value: bytes | None = None
    error: bytes | None = None
    is_broken: bool = False
    text: str = ""
    wrote: bool = True
    spool: str | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ByName:
    """A body that the worker imports from its module, where its name refers to the task."""

    module: str
    qualname: str

    def found(self) -> Callable[..., object]:
        """Import the module and return the undecorated function. Raises ImportError, AttributeError."""
        import importlib

        found: Any = importlib.import_module(self.module)
        for name in self.qualname.split("."):
            found = inspect.getattr_static(found, name) if isinstance(found, type) else getattr(found, name)
        if isinstance(found, (staticmethod, classmethod)):
            found = cast("Any", found).__func__
        return cast("Callable[..., object]", getattr(found, "__wrapped__", found))


def dump(value: object, *, by_value: bool) -> bytes:
    """Pickle *value*; with *by_value*, also what is defined in `__main__` and in functions."""
    file = io.BytesIO()
    pickler_for(by_value=by_value)(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def pickler_for(*, by_value: bool) -> type[pickle.Pickler]:
    """Return the class of the pickler that `dump` uses."""
    cloudpickle = _cloudpickle() if by_value else None
    return (
        pickle.Pickler
        if cloudpickle is None
        else cast("type[pickle.Pickler]", _by_value(cloudpickle.Pickler))
    )


@lru_cache
def _by_value(base: Any) -> Any:
    """Return a cloudpickle that leaves out what msgspec has noted on a class, which can't be pickled."""

    class Pickler(base):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, type) and "__msgspec_cache__" in vars(obj):
                del obj.__msgspec_cache__  # type: ignore[attr-defined]  # msgspec notes it again
            return base.reducer_override(self, obj)

    return Pickler


def _cloudpickle() -> Any:
    # Not an extra: the executors whose workers need it (Dask, loky, Parsl) depend on it.
    try:
        import cloudpickle  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    return cloudpickle


def pickled_function(function: Callable[..., object], task: str, *, by_value: bool) -> bytes:
    """Pickle the body of *task*: by name if its module can be imported, otherwise by value.

    Args:
        function: the undecorated body.
        task: the task's name, for messages.
        by_value: whether workers may lack this process's `__main__`.

    Raises:
        TransferError: it is local, or in `__main__`, and something that it refers to can't be pickled.
    """
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", "<locals>")
    if inspect.isfunction(function) and module and "<" not in qualname:
        name = ByName(module, qualname)
        main_is_known = module != "__main__" or (not by_value and hasattr(sys.modules[module], "__file__"))
        if main_is_known and _finds(name, function):
            return pickle.dumps(name)
    try:
        return dump(function, by_value=True)
    except Exception as error:
        raise TransferError(
            f"task {task}(): its function can't be sent to the executor ({error}); "
            f"define it at the top of a module that the workers can import"
        ) from error


def _finds(name: ByName, function: Callable[..., object]) -> bool:
    try:
        return name.found() is function
    except (ImportError, AttributeError):
        return False


def pickled_arguments(function: Callable[..., object], run: TaskCall, *, by_value: bool) -> bytes:
    """Pickle the arguments of the call *run*.

    Raises:
        TransferError: one can't be pickled; the message names it.
    """
    try:
        return dump((run.args, dict(run.kwargs)), by_value=by_value)
    except Exception as error:
        name, value = _culprit(function, run.args, run.kwargs, by_value)
        if run.spec.marked is not None and name in run.spec.marked.secret:
            value = HIDDEN
        raise TransferError(
            f"task {run.task}(): the argument {name} = {short(value)} can't be sent to the executor "
            f"({error}); pass what it is made from (a path, an address) and make it in the body"
        ) from error


def _culprit(
    function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object], by_value: bool
) -> tuple[str, object]:
    try:
        given = signature_of(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {f"number {index + 1}": value for index, value in enumerate(args)} | dict(kwargs)
    for name, value in given.items():
        try:
            dump(value, by_value=by_value)
        except Exception:  # noqa: BLE001 - the same error as of all arguments together, of any class
            return name, value
    return "?", args


def open_writer_of(request: Request) -> Callable[..., Writer[object]] | None:
    """Return the function that opens the output's writer in the worker."""
    if request.open_writer is None:
        return None
    return cast("Callable[..., Writer[object]]", pickle.loads(request.open_writer))
