"""What a decorated task is: its options checked, its output's names compiled, its stand-in made."""

from __future__ import annotations

import inspect
import os
import time
from functools import partial
from typing import TYPE_CHECKING, cast

from asflow._labels import short
from asflow._runtime.quick import wrap_async, wrap_sync
from asflow._runtime.spec import OutputSpec, TaskSpec
from asflow._task.options import (
    check_executor,
    check_limit,
    limit_for,
    named,
    policy_for,
    refresh_for,
    timeout_for,
)
from asflow._task.output import Output
from asflow.errors import DefinitionError, DefinitionTypeError, DefinitionValueError
from asflow.stores import LocalStore
from asflow.stores._posix import absolute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from asflow._naming.namer import Namer
    from asflow._naming.patterns import Pattern
    from asflow._task.callables import Subject
    from asflow._task.options import TaskOptions
    from asflow._task.workspace import Workspace
    from asflow.protocols import ByteStream, Store, Writer

__all__ = ["TaskDefinition", "define"]


class TaskDefinition:
    """A task as `flow.task.output`, `.outputs` and `.map` find it on the decorated function."""

    __slots__ = ("_namer", "_workspace", "is_async", "spec")

    def __init__(self, workspace: Workspace, spec: TaskSpec, namer: Namer | None, *, is_async: bool) -> None:
        self._workspace = workspace
        self._namer = namer
        self.spec: TaskSpec = spec
        self.is_async: bool = is_async

    def output(self, /, *args: object, **kwargs: object) -> Output:
        """Return the handle on the output of a call with these arguments."""
        return self._handle(self._named().output(*args, **kwargs))

    def outputs(self) -> Iterator[Output]:
        """Yield handles on everything that is there and fits the pattern."""
        return self._listed(self._named().pattern)  # what has no outputs is refused at once

    def _listed(self, pattern: Pattern) -> Iterator[Output]:
        from asflow._naming.parsing import FAILURE

        store, prefix = self._workspace.store, self._workspace.prefix
        for location in store.list(prefix + pattern.prefix):
            name = location[len(prefix) :]
            failed = name.endswith(FAILURE)
            if failed:
                name = name.removesuffix(FAILURE) + pattern.suffix
            if not pattern.match(name):
                continue
            output = self._handle(name)
            if failed and output.status != "suppressed":
                # Another task's, or an output was made in spite of it, which is told of by its own name.
                continue
            yield output

    def _handle(self, name: str) -> Output:
        pattern, location = self._named().pattern, self._workspace.prefix + name
        assert self.spec.output is not None
        failure = self.spec.output.failure_of(location)
        return Output(self._workspace.store, name, location, failure, pattern.suffix)

    def _named(self) -> Namer:
        if self._namer is None:
            raise DefinitionTypeError(f"task {self.spec.name}() has no outputs; give it on='...'")
        return self._namer


def define(
    workspace: Workspace, subject: Subject, options: TaskOptions
) -> tuple[Callable[..., object], TaskDefinition]:
    """Check *options* and make the function that stands for *subject*.

    Raises:
        DefinitionError: an option can't work; the message names the task and the value.
    """
    try:
        policy = policy_for(options, subject)
        timeout = timeout_for(options, subject)
        check_executor(options, subject)
        check_limit(options)
        namer = None if options.on is None else _namer_for(subject, options)
        if options.on is None:
            _refuse_without_output(options)
        output = None if namer is None else _output_for(workspace, namer, subject, options)
        if namer is not None and policy.suppress:
            _note_failures(workspace, namer, subject, options)
    except DefinitionError as error:
        raise _naming_the_task(subject, error) from None
    spec = TaskSpec(
        name=subject.name,
        policy=policy,
        limit=limit_for(options, subject),
        reporter=workspace.reporter,
        output=output,
        timeout=timeout,
        hidden_arguments=subject.hidden_arguments,
    )
    definition = TaskDefinition(workspace, spec, namer, is_async=subject.is_async)
    if subject.is_async:
        return wrap_async(spec, cast("Callable[..., Awaitable[object]]", subject.function)), definition
    return wrap_sync(spec, _body_for(subject, options, namer)), definition


def _body_for(subject: Subject, options: TaskOptions, namer: Namer | None) -> Callable[..., object]:
    """Return what the sync driver calls: the function, or what hands it to the executor."""
    if options.executor is None:
        return subject.function
    from asflow._executors.caller import on_executor

    opener = None if namer is None else _writer_for(namer, subject, options)
    return on_executor(options.executor, subject.function, opener)


def _writer_for(
    namer: Namer, subject: Subject, options: TaskOptions
) -> Callable[[ByteStream], Writer[object]]:
    """Return what opens the output's writer, so that it can be pickled."""
    from asflow.writers._writing import open_writer

    suffix = namer.pattern.suffix
    return partial(open_writer, suffix, level=options.level, task=subject.name, factory=options.writer)


def _naming_the_task(subject: Subject, error: DefinitionError) -> DefinitionError:
    named_already = (f"task {subject.qualname!r}", f"task {subject.name}()")
    return error if str(error).startswith(named_already) else named(subject.name, error)


def _refuse_without_output(options: TaskOptions) -> None:
    for name in ("key", "refresh", "level", "writer"):
        if getattr(options, name) is not None:
            raise DefinitionValueError(f"{name}=... is about an output; give the task one with on='...'")


def _namer_for(subject: Subject, options: TaskOptions) -> Namer:
    from asflow._naming.namer import compile_namer
    from asflow._naming.patterns import Pattern
    from asflow.writers._suffixes import check_suffix

    if subject.signature is None:
        raise DefinitionTypeError(
            f"the parameters of {subject.qualname} are not known, so `on` can't name them"
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
            f"writer takes what makes a Writer on a stream, not {short(options.writer)}"
        )
    check_suffix(pattern.suffix, options.level, custom=options.writer is not None)
    return namer


def _note_failures(workspace: Workspace, namer: Namer, subject: Subject, options: TaskOptions) -> None:
    """Last of all: what is refused for another reason takes no names."""
    pattern = namer.pattern
    if not pattern.suffix:
        raise DefinitionValueError(
            f"suppress=... needs a suffix after the last placeholder of {pattern.text!r}, which `.err` "
            f"takes the place of; write for example {pattern.text + '.txt'!r}"
        )
    hashed = pattern.has_hash and options.key is None
    workspace.failure_names.add(f"{pattern.failure_shape} {subject.qualname if hashed else ''}", subject)


def _output_for(workspace: Workspace, namer: Namer, subject: Subject, options: TaskOptions) -> OutputSpec:
    store, prefix, pattern = workspace.store, workspace.prefix, namer.pattern
    locate = namer.output
    if prefix:
        from asflow._naming.namer import compile_namer

        assert subject.signature is not None
        with_base = compile_namer(
            pattern, subject.signature, task=subject.qualname, key=options.key, prefix=prefix
        )
        locate = with_base.output
    opener = _writer_for(namer, subject, options)
    if options.executor is not None:
        from asflow._executors.caller import Finished, is_in_process

        # A worker process encodes for itself, and hands over finished bytes.
        opener = opener if is_in_process(options.executor) else Finished

    return OutputSpec(
        store=store,
        namespace=0 if isinstance(store, LocalStore) else id(store),
        locate=locate,
        failure_of=_failure_of(pattern, options),
        absolute=absolute if hasattr(store, "path") else _as_is,
        open_writer=opener,
        is_stale=_is_stale_for(store, namer, subject, options),
    )


def _is_stale_for(
    store: Store, namer: Namer, subject: Subject, options: TaskOptions
) -> Callable[[str], bool] | None:
    refresh = refresh_for(options, subject)
    if refresh is None:
        return None
    pattern, depth = namer.pattern, len(namer.pattern.components)
    failure_of = _failure_of(pattern, options)

    def is_old(location: str) -> bool:
        info = store.info(location)
        return info is not None and time.time() - info.modified > cast("float", refresh)

    def is_unwanted(location: str) -> bool:
        name = "/".join(location.replace(os.sep, "/").split("/")[-depth:])
        failure = failure_of(location)
        unwanted = cast("Callable[[Output], object]", refresh)
        answer = unwanted(Output(store, name, location, failure, pattern.suffix))
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            gave = f"refresh of {name!r} gave {short(answer)}, which is always true"
            raise TypeError(f"{gave}; give a sync function")
        return bool(answer)

    return is_unwanted if callable(refresh) else is_old


def _failure_of(pattern: Pattern, options: TaskOptions) -> Callable[[str], str]:
    """Return what names the failure that belongs to an output's name.

    A task that suppresses nothing records no failure, and none that stands there is its own: another task
    may have put it there, whose outputs differ in their suffix only. So it gets a name that no failure has.
    """
    from asflow._naming.parsing import FAILURE

    return pattern.failure_name if options.suppress else lambda location: f"{location}{FAILURE}~"


def _as_is(name: str) -> str:
    return name
