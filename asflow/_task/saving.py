"""`save=`: what a body returns or yields, on its way to the output."""

from __future__ import annotations

import inspect
import types
import typing
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast, get_args, get_origin

from asflow._checks import checked_records
from asflow._inspect import annotations_of, body_of, unwrapped
from asflow._runtime.current import current
from asflow._runtime.writing import write_failed
from asflow.errors import DefinitionTypeError
from asflow.writers._kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._runtime.calls import TaskCall
    from asflow._task.callables import Subject

_AWAITABLES = ("Coroutine", "Awaitable", "CoroutineType")


class Saving:
    """How the values of one task are kept, known as soon as its return annotation can be evaluated.

    Raises:
        DefinitionTypeError: there is no annotation, or the format can't return what it says.
    """

    __slots__ = ("_kept", "_subject", "_suffix")

    def __init__(self, subject: Subject, suffix: str) -> None:
        self._subject = subject
        self._suffix = suffix
        self._kept: Kept | None = None
        with suppress(NameError):  # of a class below the task, or imported for checkers: the first call knows
            self._kept = self._made(_locals_of_caller() if "." in subject.qualname else {})

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickled, (self.kept,)  # a handle on an output needs no more of its task

    @property
    def kept(self) -> Kept:
        """How value and file correspond.

        Raises:
            DefinitionTypeError: the annotation has a name that does not exist at run time.
        """
        if self._kept is None:
            try:
                self._kept = self._made({})
            except NameError as error:
                raise DefinitionTypeError(
                    f"task {self._subject.name}(): save= needs its return annotation at run time, not only "
                    f"under TYPE_CHECKING ({error}); move that import out of `if TYPE_CHECKING:`"
                ) from None
        return self._kept

    @property
    def is_stream(self) -> bool:
        """Whether the body yields records; answered without the annotation, if that is not known yet."""
        if self._kept is not None:
            return self._kept.shape == "stream"
        return self._subject.is_generator

    @property
    def record_type(self) -> object | None:
        """The type of a record; None if the annotation can't be evaluated yet."""
        return None if self._kept is None else self._kept.kind

    def body(self, function: Callable[..., object]) -> Callable[..., Any]:
        """Return what runs *function*, the task's own, and keeps the records that it yields, if it does."""
        if self._kept is not None and self._kept.shape != "stream":
            return function
        return (_keeping_async if self._subject.is_async else _keeping_sync)(function, self)

    def _made(self, names: Mapping[str, object]) -> Kept:
        subject = self._subject
        kept = Kept(subject.name, self._suffix, _return_annotation(subject, names))
        if kept.shape == "stream" and subject.is_async and not subject.is_generator:
            raise DefinitionTypeError(
                f"task {subject.name}(): save= keeps records that the body yields, not an iterator that "
                f"it returns; yield them, or return a list"
            )
        return kept


def _unpickled(kept: Kept) -> Saving:
    saving = object.__new__(Saving)
    saving._kept = kept  # pyright: ignore[reportPrivateUsage] - it is being made
    return saving


def _return_annotation(subject: Subject, names: Mapping[str, object]) -> object:
    """Return the evaluated return annotation of *subject*; of a coroutine, that of its result."""
    function = unwrapped(body_of(subject.function))
    written = annotations_of(function)
    if "return" not in written:
        raise DefinitionTypeError(
            f"task {subject.name}(): save= keeps what the body returns, and its type is not annotated; "
            f"annotate it, as in `-> dict[str, float]`"
        )
    # Only this one is evaluated: the parameters' types may well be imported under TYPE_CHECKING.
    alone = types.SimpleNamespace(__annotations__={"return": written["return"]})
    known = {**names, **_closure_of(function)}
    space: dict[str, Any] = getattr(function, "__globals__", {})
    hint: object = typing.get_type_hints(alone, space, known, include_extras=True)["return"]
    if not inspect.iscoroutinefunction(function) and getattr(get_origin(hint), "__name__", "") in _AWAITABLES:
        return cast("object", get_args(hint)[-1])
    return hint


def _closure_of(function: object) -> Mapping[str, object]:
    """Return the names that *function* closes over, as far as they have a value, and its type parameters."""
    parameters: tuple[Any, ...] = getattr(function, "__type_params__", ())  # from Python 3.12 on
    known: dict[str, object] = {each.__name__: each for each in parameters}
    if isinstance(function, types.FunctionType):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # empty
                known[name] = cell.cell_contents
    return known


def _locals_of_caller() -> Mapping[str, object]:
    """Return the names where the task is decorated, in a function or class: its type may be a local one."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "asflow":
        frame = frame.f_back
    return {} if frame is None else dict(frame.f_locals)


# ------------------------------------------------------------------------------- bodies that yield


def _keeping_async(function: Callable[..., Any], saving: Saving) -> Callable[..., Any]:
    async def body(*args: object, **kwargs: object) -> object:
        kept, run = saving.kept, cast("TaskCall", current.get())
        if kept.shape != "stream":
            return await function(*args, **kwargs)
        records = checked_records(kept.task, function(*args, **kwargs), "__aiter__")
        try:
            async for record in records:
                _keep_record(run, kept, record)
        finally:
            if hasattr(records, "aclose"):
                await records.aclose()
        return None

    return body


def _keeping_sync(function: Callable[..., Any], saving: Saving) -> Callable[..., Any]:
    def body(*args: object, **kwargs: object) -> object:
        kept, run = saving.kept, cast("TaskCall", current.get())
        if kept.shape != "stream":
            return function(*args, **kwargs)
        records = checked_records(kept.task, function(*args, **kwargs))
        try:
            for record in records:
                _keep_record(run, kept, record)
        finally:
            if hasattr(records, "close"):
                records.close()
        return None

    return body


def _keep_record(run: TaskCall, kept: Kept, record: object) -> None:
    """Write one record that a body yielded; a failure ends its call, even if the body goes on."""
    assert run.keep is not None
    try:
        run.keep(kept.record(record))
    except Exception as error:
        write_failed(run, error)
        raise
