"""Where and how one task keeps its outputs: the result of `on=` and its companions."""

from __future__ import annotations

import inspect
import os
import time
from functools import partial
from typing import TYPE_CHECKING, cast

from asflow._labels import short
from asflow._names import create
from asflow._naming.namer import compile_namer
from asflow._naming.parsing import FAILURE
from asflow._naming.patterns import Pattern
from asflow._task.options import refresh_for
from asflow._task.output import Output
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores import LocalStore
from asflow.stores._posix import absolute
from asflow.writers._suffixes import check_suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow._naming.namer import Namer
    from asflow._runtime.spec import Locate
    from asflow._task.callables import Subject
    from asflow._task.definition import Workspace
    from asflow._task.options import TaskOptions
    from asflow.protocols import ByteStream, Store, Writer


class OutputPlan:
    """A task's outputs: names, location, format, and when they are out of date.

    The constructor checks everything, so that a plan that exists is valid.

    Attributes:
        store: keeps the outputs.
        namespace: equal for stores in which equal absolute names are the same output.
        namer: names outputs, relative to the flow's base.
        locate: names the output of a call, `base` included.
        encode: opens the writer of an output on a stream; picklable, for executors.
        is_stale: whether to make an existing output again; None: never.

    Raises:
        DefinitionError: an option is invalid; the message names the task and the value.
    """

    __slots__ = (
        "_failures", "_opener", "_prefix", "encode", "is_stale", "locate", "namer", "namespace", "store"
    )  # fmt: skip

    def __init__(self, workspace: Workspace, subject: Subject, options: TaskOptions) -> None:
        self.namer: Namer = _namer_for(subject, options)
        self.store: Store = workspace.store
        self.namespace: int = 0 if isinstance(workspace.store, LocalStore) else id(workspace.store)
        self.locate: Locate = self.namer.output
        self._prefix = workspace.prefix
        self._failures = bool(options.suppress)
        self.encode: Callable[[ByteStream], Writer[object]] = _encoder_for(self.namer, subject, options)
        self._opener = self.encode
        if self._prefix:
            assert subject.signature is not None
            self.locate = compile_namer(
                self.namer.pattern,
                subject.signature,
                task=subject.qualname,
                key=options.key,
                prefix=self._prefix,
            ).output
        if options.executor is not None:
            from asflow._executors.caller import Finished, is_in_process

            # A worker process encodes the records itself, and returns finished bytes.
            self._opener = self.encode if is_in_process(options.executor) else Finished
        self.is_stale: Callable[[str], bool] | None = self._staleness(subject, options)

    def failure_of(self, name: str, /) -> str:
        """Return the name of the recorded failure of the output *name*.

        Without `suppress`, an `.err` file here was written by another task. Look under a name that no failure
        can have, so it is never taken for ours.
        """
        return self.namer.pattern.failure_name(name) if self._failures else f"{name}{FAILURE}~"

    def absolute(self, name: str, /) -> str:
        """Return *name* in a form that does not depend on the current directory, if the store keeps files."""
        return absolute(name) if hasattr(self.store, "path") else name

    def open_writer(self, stream: ByteStream, /) -> Writer[object]:
        """Return the writer of an output on its claim's *stream*."""
        return self._opener(stream)

    def output(self, /, *args: object, **kwargs: object) -> Output:
        """Return a handle on the output of a call with these arguments."""
        return self._handle(self.namer.output(*args, **kwargs))

    def outputs(self) -> Iterator[Output]:
        """Yield handles on all outputs and failures whose names fit the pattern."""
        prefix, pattern = self._prefix, self.namer.pattern
        for location in self.store.list(prefix + pattern.prefix):
            name = location[len(prefix) :]
            failed = name.endswith(FAILURE)
            if failed:
                name = name.removesuffix(FAILURE) + pattern.suffix
            if not pattern.match(name):
                continue
            output = self._handle(name)
            if failed and output.status != "suppressed":
                # It is another task's, or the output exists as well and is listed under its own name.
                continue
            yield output

    def _handle(self, name: str) -> Output:
        location = self._prefix + name
        return create(
            Output, self.store, name, location, self.failure_of(location), self.namer.pattern.suffix
        )

    def _staleness(self, subject: Subject, options: TaskOptions) -> Callable[[str], bool] | None:
        refresh = refresh_for(options, subject)
        if refresh is None:
            return None
        store, pattern = self.store, self.namer.pattern
        depth = len(pattern.components)

        def is_old(location: str) -> bool:
            info = store.info(location)
            return info is not None and time.time() - info.modified > cast("float", refresh)

        def is_unwanted(location: str) -> bool:
            name = "/".join(location.replace(os.sep, "/").split("/")[-depth:])
            asked = cast("Callable[[Output], object]", refresh)
            answer = asked(create(Output, store, name, location, self.failure_of(location), pattern.suffix))
            if inspect.isawaitable(answer):
                if inspect.iscoroutine(answer):
                    answer.close()
                raise TypeError(
                    f"task {subject.name}(): refresh returned {short(answer)}, which is always true; "
                    f"give a sync function"
                )
            return bool(answer)

        return is_unwanted if callable(refresh) else is_old


def _namer_for(subject: Subject, options: TaskOptions) -> Namer:
    who = f"task {subject.name}()"
    if subject.signature is None:
        raise DefinitionTypeError(
            f"{who}: has parameters that Python doesn't know, so on= can't name them; "
            f"wrap it in a function that names them"
        )
    on = options.on
    text = on.replace("\\", "/") if os.sep == "\\" and isinstance(on, str) else on
    if isinstance(text, os.PathLike):
        text = os.fspath(text).replace(os.sep, "/")
    pattern = Pattern.parse(
        cast("str", text),
        parameters=list(subject.signature.parameters),
        task=subject.qualname,
        keyed=options.key is not None,
    )
    namer = compile_namer(pattern, subject.signature, task=subject.qualname, key=options.key)
    if options.writer is not None and not callable(options.writer):
        raise DefinitionTypeError(
            f"{who}: writer takes a function that returns a Writer, not {short(options.writer)}; "
            f"write for example writer=JsonWriter"
        )
    check_suffix(pattern.suffix, options.level, custom=options.writer is not None, subject=who)
    if options.suppress and not pattern.suffix:
        raise DefinitionValueError(
            f"{who}: suppress=... needs a suffix after the last placeholder, which `.err` replaces, "
            f"not {short(pattern.text)}; write for example {pattern.text + '.txt'!r}"
        )
    return namer


def _encoder_for(
    namer: Namer, subject: Subject, options: TaskOptions
) -> Callable[[ByteStream], Writer[object]]:
    from asflow.writers._writing import open_writer

    suffix = namer.pattern.suffix
    return partial(open_writer, suffix, level=options.level, task=subject.name, factory=options.writer)
