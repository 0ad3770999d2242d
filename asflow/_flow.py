"""`Flow`: the folder, store and display of its tasks, and the `@flow` decorator."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, final, overload

from asflow import _plugins
from asflow._checks import check_flag, refuse_async_methods
from asflow._labels import call_label, short
from asflow._names import create
from asflow._reporter import Reporter
from asflow._runtime.calls import BRIEF, FlowCall
from asflow._runtime.current import current, leave, pinned
from asflow._runtime.spec import named_arguments
from asflow._task.callables import decorate
from asflow._task.decorator import TaskDecorator
from asflow._task.handles import FlowRun
from asflow._task.workspace import Workspace, is_relative
from asflow._tracebacks import leave_out_ours
from asflow.errors import DefinitionError, DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from asflow._task.callables import Subject
    from asflow._task.graph import FlowGraph
    from asflow._task.typing import Keep
    from asflow.events import Event
    from asflow.protocols import ProgressSink, Store

F = TypeVar("F", bound="Callable[..., object]")
T = TypeVar("T")

_STORE_PARTS = ("status", "info", "claim", "open", "list", "delete", "blocking")
_STORE_METHODS = (*_STORE_PARTS[:-1], "is_complete", "path", "url", "close")


@final
class Flow:
    """Makes flows and tasks that share a folder, a store and a display.

    `asflow.flow` is a ready one. `@flow` decorates a pipeline, `@flow.task` its steps.

    Args:
        base: the folder of the outputs; a relative one is resolved against the current directory when the
            outermost flow is called, and outside any flow at each call. It is created before a body is
            called. Or the URL of an object store, such as `s3://bucket/prefix`: see
            `asflow.stores.ObjectStore`.
        store: keeps the outputs; None: the local disk, or the store that the URL names.
        sink: receives the events; or several, each what it asks for; None: the live display (plain lines if
            there is no terminal). `asflow.add_sink` adds one from outside.
        verbose: None: a task outside any flow logs one line when it has finished; True: tasks inside flows
            do, too; False: no task does. The lines go to stderr.

    Raises:
        DefinitionTypeError: an argument has the wrong type.
        DefinitionValueError: *base* starts with `~`, contains a NUL, is a URL of an unknown kind, or is a URL
            and *store* is passed, too.
        MissingExtraError: *base* is the URL of an object store, and `asflow[s3]` is not installed.

    Threads: any thread and any event loop may use a Flow and its tasks.
    """

    __slots__ = ("_base", "_sink", "_verbose", "_workspace", "task")

    def __init__(
        self,
        base: str | os.PathLike[str] = ".",
        *,
        store: Store | None = None,
        sink: ProgressSink | Sequence[ProgressSink] | None = None,
        verbose: bool | None = None,
    ) -> None:
        if not isinstance(base, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(f"Flow(): base takes a path, not {short(base)}; write Flow('data')")
        check_flag("Flow()", "verbose", verbose, optional=True)
        if store is not None:
            checked_store(store, "Flow()")
        self._base = os.fspath(base)
        if not isinstance(self._base, str):  # pyright: ignore[reportUnnecessaryIsInstance] - as above
            raise DefinitionTypeError(f"Flow(): base takes a text path, not {short(base)}; use os.fsdecode")
        if "\0" in self._base:
            raise DefinitionValueError(
                f"Flow(): base takes a path, not {short(base)}, with a NUL; leave it out"
            )
        if self._base.startswith("~"):
            raise DefinitionValueError(
                f"Flow(): base takes a path, not {short(base)}, whose '~' is not expanded here; "
                f"give for example pathlib.Path({self._base!r}).expanduser()"
            )
        self._sink = sink
        self._verbose = verbose
        self._workspace = Workspace(*_place(self._base, store), Reporter(_sinks_for(sink, verbose)))
        self.task: TaskDecorator = create(TaskDecorator, self._workspace)

    def __repr__(self) -> str:
        return f"Flow({self._base!r})"

    if not TYPE_CHECKING:  # else checkers would take every attribute for one of a Flow

        def __getattr__(self, name: str) -> object:
            raise AttributeError(_missing(name), name=name, obj=self)

    def __reduce__(self) -> tuple[object, ...] | str:
        """Pickle the arguments, so that functions that use a flow can be sent to worker processes."""
        if self is flow:
            return "flow"
        implied = self._workspace.names_no_store or "://" in self._base
        return partial(Flow, self._base, store=None if implied else self.store), ()

    @overload
    def __call__(self, func: F, /) -> F:
        """Turn a function into a flow: the tasks that it calls are shown together, under its name.

        The flow has the type of the function. When a call returns, the sink has received all its events.

        Raises:
            DefinitionTypeError: *func* is a generator function, or not callable.
        """
        ...

    @overload
    def __call__(
        self, /, *, verbose: bool | None = None, progress: bool = True, total: int | None = None
    ) -> Keep:
        """Turn a function into a flow.

        Args:
            verbose: as for `Flow`, for this flow alone; None: as its `Flow`.
            progress: False: without a live display.
            total: the calls of tasks that it makes in all, >= 0, so that displays show how much is left; None
                if unknown. A loop over items is better counted by `Flow.track`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: *total* is negative.
        """
        ...

    def __call__(
        self,
        func: object = None,
        /,
        *,
        verbose: bool | None = None,
        progress: bool = True,
        total: int | None = None,
    ) -> object:
        """Turn a function into a flow; see the overloads."""
        check_flag("@flow()", "verbose", verbose, optional=True)
        check_flag("@flow()", "progress", progress)
        if total is not None:
            _check_total(total)
        reporter = self._workspace.reporter
        if verbose is not None:
            reporter = Reporter(_sinks_for(self._sink, verbose), below=reporter)

        def make(subject: Subject) -> tuple[Callable[..., object], object]:
            wrap = _wrap_async if subject.is_async else _wrap_sync
            return wrap(subject, partial(_began, subject, reporter, progress, total)), self

        def decorated(func: object, /) -> object:
            try:
                return decorate(func, "@flow", make)
            except DefinitionError as error:
                raise error.with_traceback(None) from error.__cause__

        return decorated if func is None else decorated(func)

    @property
    def store(self) -> Store:
        """The store that keeps the outputs."""
        return self._workspace.store

    @property
    def run(self) -> FlowRun | None:
        """The run of the flow that the caller runs in, also inside its tasks; None outside any flow."""
        run = current.get()
        return None if run is None or run.flow is None else create(FlowRun, run.flow)

    def track(
        self,
        items: Iterable[T],
        /,
        description: str | None = None,
        *,
        total: float | None = None,
        unit: str | None = None,
    ) -> Iterator[T]:
        """Iterate over *items* in a flow, and show the number done in the flow's line.

            for day in flow.track(days):
                download(day)

        In the body of a task, `flow.task.track` does the same for the task's line.

        Args:
            items: what to iterate over.
            description: what is being done.
            total: the number of items; None: `len(items)`, if it has a length.
            unit: what an item is, as in `days`.
        """
        from asflow._task.progress import track

        run = current.get()
        return track(None if run is None else run.flow, items, description, total, unit)

    def graph(self) -> FlowGraph:
        """Return the tasks of this flow and what they read (`reads=`), as text and as a picture.

        In a notebook it shows itself. Tasks of other flows are part of it if they are read.
        """
        from asflow._task.definition import TaskDefinition
        from asflow._task.graph import graph_of

        return graph_of(each for each in self._workspace.tasks() if isinstance(each, TaskDefinition))

    def path(self, path: str | os.PathLike[str], /) -> Path:
        """Return *path* under this flow's base, like an output's path.

        Raises:
            NoPathError: the store keeps no files.
        """
        from asflow._task.output import path_of

        prefix = self._workspace.prefix
        if is_relative(self.store, prefix):
            prefix = pinned(prefix, current.get())
        return path_of(self.store, prefix + os.fspath(path))


_OLD_ATTRIBUTES = {
    "base": "flow.path('x') is a path below it",
    "console": "print() and logging appear above the live display",
}
"""Attributes of the Flow of AsFlow 0.0.x, and what to use instead."""


def _missing(name: str) -> str:
    hint = _OLD_ATTRIBUTES.get(name)
    return f"'Flow' object has no attribute {name!r}" + (f"; {hint}" if hint else "")


def checked_store(store: Store, subject: str) -> None:
    """Refuse what is not a store.

    Raises:
        DefinitionTypeError: it is a class, lacks a method, or has an async one.
    """
    if isinstance(store, type):
        name = store.__name__
        raise DefinitionTypeError(f"{subject}: store takes a Store, not the class {name}; write {name}()")
    missing = [name for name in _STORE_PARTS if not hasattr(store, name)]
    if missing:
        raise DefinitionTypeError(
            f"{subject}: store takes a Store, not {short(store)}, which has no {missing[0]!r}; "
            f"see asflow.protocols.Store"
        )
    refuse_async_methods(f"{subject}: store", store, _STORE_METHODS)


def _prefix(base: str) -> str:
    """Return the prefix of every output's name."""
    base = base.replace(os.sep, "/")
    root = base[: len(base) - len(base.lstrip("/"))]
    if os.sep == "/":
        root = root[:1]  # elsewhere `//server` is not `/server`
    # `./x` and `x//` are one folder: the same names, so the same owners. `x/..` may lead through a link.
    parts = [part for part in base.split("/") if part not in ("", ".")]
    return root + "".join(f"{part}/" for part in parts)


def _place(base: str, store: Store | None) -> tuple[Store | None, str]:
    """Return the store that was passed or that a URL names, and the prefix of every output's name."""
    scheme, _, rest = base.partition(":/")
    if not rest:
        return store, _prefix(base)
    from asflow.stores._objects.store import SCHEMES, ObjectStore

    if not rest.startswith("/"):
        if scheme not in SCHEMES:
            return store, _prefix(base)
        raise DefinitionValueError(
            f"Flow(): base takes a URL as text, not {short(base)}, of whose two slashes a Path made one; "
            f"give it as a str"
        )
    if store is not None:
        raise DefinitionValueError(
            f"Flow(): base={short(base)} names a store of its own, and store={short(store)} another one; "
            f"give one of them"
        )
    if scheme != "file":
        return ObjectStore(base), ""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(base)
    if parts.netloc not in ("", "localhost"):
        raise DefinitionValueError(
            f"Flow(): base takes a folder of this machine, not {short(base)}; write file:///folder"
        )
    return None, _prefix(url2pathname(parts.path))


def _sinks_for(
    sink: ProgressSink | Sequence[ProgressSink] | None, verbose: bool | None
) -> list[ProgressSink]:
    if sink is None:
        return [_Display(verbose)]
    several = cast("list[ProgressSink]", [*sink] if isinstance(sink, (list, tuple)) else [sink])
    # The user's sinks alone, or with log lines beside them.
    return [*several, _Display(verbose=True, display=False)] if verbose else several


class _Display:
    """The default display, imported with its first event, because importing asflow must be fast."""

    __slots__ = ("__weakref__", "_display", "_made", "_verbose", "is_default_display", "wants_tasks")

    def __init__(self, verbose: bool | None, *, display: bool = True) -> None:
        self.is_default_display: bool = display
        self._verbose = verbose
        self._display = display
        self._made: dict[str, ProgressSink] = {}
        self.wants_tasks: str = {None: "outside", True: "all", False: "none"}[verbose]

    def emit(self, event: Event, /) -> None:
        sink = self._made.get("sink")
        if sink is None:
            from asflow.sinks import RichSink

            # If two threads get here at once, both use the first one's: `setdefault` is atomic.
            sink = self._made.setdefault("sink", RichSink(verbose=self._verbose, display=self._display))
        sink.emit(event)


def _check_total(total: object) -> None:
    if isinstance(total, bool) or not isinstance(total, int):
        raise DefinitionTypeError(
            f"@flow(): total takes a number of calls, not {short(total)}; write for example total=400"
        )
    if total < 0:
        raise DefinitionValueError(f"@flow(): total takes 0 or more calls, not {total}; leave it out")


def _began(
    subject: Subject, reporter: Reporter, progress: bool, total: int | None, args: Any, kwargs: Any
) -> FlowCall:
    if not _plugins.state.loaded:
        _plugins.load()
    shown = (args, kwargs) if subject.marked is None else subject.marked.hide(args, kwargs)
    label = call_label(*shown, skip=subject.skipped_in_labels)
    run = FlowCall(
        subject.name,
        label,
        current.get(),
        reporter,
        progress=progress,
        brief=getattr(subject.function, BRIEF, False),
        total=total,
        qualname=subject.full_name,
        named_arguments=lambda: named_arguments(
            subject.signature, subject.marked, subject.skipped_in_labels, args, kwargs
        ),
    )
    run.started()
    return run


def _wrap_async(subject: Subject, began: Callable[[Any, Any], FlowCall]) -> Callable[..., object]:
    body = cast("Callable[..., Awaitable[object]]", subject.function)

    async def flow(*args: object, **kwargs: object) -> object:
        run = began(args, kwargs)
        token = current.set(run)
        try:
            value = await body(*args, **kwargs)
        except BaseException as error:
            leave_out_ours(error)
            run.finished("failed" if isinstance(error, Exception) else "cancelled", error)
            raise
        finally:
            leave(token)
        run.finished("completed", None)
        return value

    return flow


def _wrap_sync(subject: Subject, began: Callable[[Any, Any], FlowCall]) -> Callable[..., object]:
    body = subject.function

    def flow(*args: object, **kwargs: object) -> object:
        run = began(args, kwargs)
        try:
            current.set(run)
            value = body(*args, **kwargs)
        except BaseException as error:
            leave_out_ours(error)
            run.finished("failed" if isinstance(error, Exception) else "cancelled", error)
            raise
        finally:
            current.set(run.parent)  # not `reset`: Ctrl-C may come before there is a token
        run.finished("completed", None)
        return value

    return flow


flow: Flow = Flow()
"""The ready instance: outputs under the current directory, the live display."""
