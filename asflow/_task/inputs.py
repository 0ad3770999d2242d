"""What a task's outputs are made from: `reads=`, compiled into functions of the task's own parameters."""

from __future__ import annotations

import errno
import inspect
import os
import re
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from asflow._engine.freshness import made_at
from asflow._labels import short
from asflow._naming.calling import compile_call
from asflow._naming.namer import compile_namer
from asflow._naming.parsing import FAILURE
from asflow._naming.patterns import Pattern
from asflow._runtime.current import current, pinned
from asflow._task.workspace import is_relative
from asflow.errors import DefinitionTypeError, DefinitionValueError, MissingInputError
from asflow.stores import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from asflow._task.callables import Subject
    from asflow._task.workspace import Workspace
    from asflow.protocols import Claim, Store

_GLOB = "\ue000"
"""Replaces `*` while a pattern is parsed; arguments can't bring a `*` into a name, which is encoded there."""


class ReadTask(NamedTuple):
    """A task that `reads=` names, as `asflow._task.finding` has found it.

    Attributes:
        name: as shown, `download`.
        store: keeps its outputs.
        locate: names the output of a call; arguments of a partial or a method are bound.
        is_relative: whether these names depend on the current directory.
        pattern: of its outputs; None if it has none.
        left_out: parameters that take no part in names.
        fixed: keyword arguments that a partial has bound.
        entry: as it was passed to `reads=`.
        definition: the task's definition, by which a picture knows it.
    """

    name: str
    store: Store | None
    locate: Callable[..., str]
    is_relative: bool
    pattern: Pattern | None
    left_out: frozenset[str]
    fixed: frozenset[str]
    entry: object
    definition: object


class Input:
    """One thing that a task reads: another task's output, or the files of a pattern.

    Attributes:
        text: as shown: the pattern.
        task: the task that makes it, or None.
        prefix: the start of its name, before the pattern.
        is_fixed: whether it is the same for every call: a pattern without parameters.
    """

    __slots__ = ("_is_relative", "_name", "_workspace", "is_fixed", "prefix", "task", "text")

    def __init__(
        self,
        text: str,
        workspace: Workspace,
        name: Callable[..., str],
        task: ReadTask | None,
        *,
        prefix: str = "",
        is_relative: bool,
        is_fixed: bool = False,
    ) -> None:
        self.text: str = text
        self.prefix: str = prefix
        self.is_fixed: bool = is_fixed
        self.task: ReadTask | None = task
        self._workspace = workspace
        self._name = name
        self._is_relative = is_relative

    @property
    def store(self) -> Store:
        """The store that keeps it, that of the reading task."""
        return self._workspace.store

    @property
    def is_glob(self) -> bool:
        """Whether the input is any number of files."""
        return self.task is None and "*" in self.text

    def names(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Iterable[str]:
        """Return the names of what is read by one call, those of a glob as they exist now."""
        name = self.name(args, kwargs)
        return self._matching(name) if self.is_glob else (name,)

    def name(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
        """Return the name of what one call of the reading task reads; that of a glob has a `*`."""
        name = self._name(*args, **kwargs)
        # A test may use another store, whose names are not paths.
        return pinned(name, current.get()) if self._is_relative and hasattr(self.store, "path") else name

    def times(
        self,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        place: Callable[[str], str] | None = None,
    ) -> Iterator[tuple[str, float]]:
        """Yield name and time of what exists. *place* makes names independent of the current directory."""
        name = self.name(args, kwargs)
        if place is not None:
            name = place(name)
        for each in self._matching(name) if self.is_glob else (name,):
            info = self.store.info(each)
            if info is not None:
                yield each, info.modified

    def fits(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool:
        """Whether a file called *name* would be among those of a glob."""
        return _fits(self.name(args, kwargs), name)

    def _matching(self, name: str) -> Iterator[str]:
        return (found for found in self.store.list(name[: name.index("*")]) if _fits(name, found))


def _fits(glob: str, name: str) -> bool:
    return _compiled(glob.replace(os.sep, "/"))(name.replace(os.sep, "/")) is not None and (
        not name.endswith(FAILURE)
    )


@lru_cache(maxsize=256)
def _compiled(glob: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile("[^/]*".join(map(re.escape, glob.split("*")))).fullmatch


class Dating:
    """The time of an output in the making; see `asflow._runtime.spec.Dating`.

    An input that is replaced while the body runs has been read by it or not. So the output gets the time of
    the body's beginning then, and the next call makes it again.
    """

    __slots__ = ("_args", "_before", "_begun", "_claim", "_here", "_inputs", "_kwargs")

    def __init__(
        self,
        claim: Claim,
        inputs: tuple[Input, ...],
        place: Callable[[str], str],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> None:
        self._claim: Any = claim
        self._inputs = inputs
        # The current directory may change while the body runs.
        self._here = place("x")[:-1]
        self._args = args
        self._kwargs = kwargs
        self._begun = self._set(None)
        self._before = self._look()

    def settle(self) -> float:
        """Set the time that the output gets, and return it."""
        now = self._set(None)
        return self._set(made_at(self._begun, now, self._before, self._look()))

    def _set(self, seconds: float | None) -> float:
        return cast("float", self._claim.set_modified(seconds))

    def _look(self) -> dict[str, float]:
        return {
            name: time
            for each in self._inputs
            for name, time in each.times(self._args, self._kwargs, self._place)
        }

    def _place(self, name: str) -> str:
        return os.path.join(self._here, name)


def inputs_of(workspace: Workspace, subject: Subject, reads: Iterable[object]) -> tuple[Input, ...]:
    """Return what *subject* reads, by the option `reads=`, in which tasks are `ReadTask`s.

    Raises:
        DefinitionTypeError: an entry is neither a task with outputs nor a pattern, or a task needs an
            argument that *subject* does not have.
        DefinitionValueError: a pattern is invalid, or the store can't set the times of outputs.
    """
    who = f"task {subject.name}()"
    if not hasattr(workspace.store, "set_modified"):
        raise DefinitionValueError(
            f"{who}: reads={short(tuple(reads))} needs a store that can set the time of an output, not "
            f"{short(workspace.store)}; keep the outputs on the local disk, or use refresh="
        )
    return tuple(_input(workspace, subject, entry, who) for entry in reads)


def _input(workspace: Workspace, subject: Subject, entry: object, who: str) -> Input:
    if isinstance(entry, (str, os.PathLike)):
        return _of_pattern(workspace, subject, cast("str | os.PathLike[str]", entry))
    if not isinstance(entry, ReadTask):
        raise DefinitionTypeError(
            f"{who}: reads takes tasks and patterns, not {short(entry)}; "
            f"give a function under @flow.task, or a text such as 'data/{{day}}.csv'"
        )
    return _of_task(workspace, subject, entry, who)


def _of_task(workspace: Workspace, subject: Subject, read: ReadTask, who: str) -> Input:
    name, pattern = read.name, read.pattern
    if pattern is None or read.store is None:
        raise DefinitionTypeError(
            f"{who}: reads takes a task with outputs, not {short(read.entry)}; give it on='...' or save='...'"
        )
    is_same = read.store is workspace.store or (
        isinstance(read.store, LocalStore) and isinstance(workspace.store, LocalStore)
    )
    if not is_same:
        raise DefinitionValueError(
            f"{who}: reads takes a task of the same store, as two clocks differ, not {short(read.entry)}; "
            f"keep the outputs of both in one"
        )
    signature = inspect.signature(read.locate)
    unused: frozenset[str] = frozenset()
    if not pattern.keyed:
        unused = (
            read.left_out if pattern.has_hash else frozenset(signature.parameters) - {*pattern.placeholders}
        )
    assert subject.signature is not None
    call = compile_call(
        read.locate, signature, subject.signature, unused=unused, fixed=read.fixed, task=subject.qualname
    )
    if isinstance(call, str):
        raise DefinitionTypeError(
            f"{who}: reads={name}() needs the argument {call!r}, which is not a parameter here; "
            f"add it, or give a pattern such as {_suggested(pattern, call)!r}"
        )
    return Input(pattern.text, workspace, call, read, is_relative=read.is_relative)


def _suggested(pattern: Pattern, name: str) -> str:
    return re.sub(rf"\{{{name}(:[^}}]*)?\}}", "*", pattern.text)


def _of_pattern(workspace: Workspace, subject: Subject, entry: str | os.PathLike[str]) -> Input:
    signature, who = subject.signature, f"task {subject.name}()"
    assert signature is not None
    text = os.fspath(entry)
    if os.sep == "\\":
        text = text.replace(os.sep, "/")
    if "**" in text:
        raise DefinitionValueError(
            f"{who}: reads={short(text)} has a '**', which is not a glob here; write a '*' for each folder"
        )
    try:
        pattern = Pattern.parse(
            text.replace("*", _GLOB),
            parameters=list(signature.parameters),
            task=subject.qualname,
            option="reads",
        )
    except DefinitionValueError as error:
        message = str(error).replace(_GLOB, "*").replace(ascii(_GLOB)[1:-1], "*")
        raise DefinitionValueError(message) from None
    secret = next((each for each in pattern.placeholders if _is_secret(subject, each)), None)
    if secret is not None:
        raise DefinitionValueError(
            f"{who}: reads={short(text)} would show the secret {secret!r} in names; leave it out"
        )
    relative = is_relative(workspace.store, workspace.prefix)
    name: Callable[..., str]
    if not pattern.placeholders:
        literal = (workspace.prefix + "".join(map(str, pattern.pieces))).replace(_GLOB, "*")
        name = lambda *_, **__: literal  # noqa: E731 - two short functions
    else:
        namer = compile_namer(pattern, signature, task=subject.qualname, prefix=workspace.prefix)
        name = namer.output if "*" not in text else _globbed(namer.output)
    return Input(
        text,
        workspace,
        name,
        None,
        prefix=workspace.prefix,
        is_relative=relative,
        is_fixed=not pattern.placeholders,
    )


def _globbed(name: Callable[..., str]) -> Callable[..., str]:
    """Return *name* with each `*` in its result again."""
    return lambda *args, **kwargs: name(*args, **kwargs).replace(_GLOB, "*")


def _is_secret(subject: Subject, name: str) -> bool:
    return subject.marked is not None and name in subject.marked.secret


def with_inputs_checked(
    body: Callable[..., Any], inputs: tuple[Input, ...], subject: Subject
) -> Callable[..., Any]:
    """Return *body*, which first raises MissingInputError if an input does not exist.

    That is an exception of the body: it can be listed in `skip`, `suppress` and `retry_exceptions`.
    """

    def check(args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        for each in inputs:
            if each.is_glob:
                continue
            (name,) = each.names(args, kwargs)
            if each.store.info(name) is None:
                raise _missing(subject, each, name)

    if subject.is_async:

        @wraps(body)
        async def checked_async(*args: object, **kwargs: object) -> object:
            check(args, kwargs)
            return await body(*args, **kwargs)

        return checked_async

    @wraps(body)
    def checked(*args: object, **kwargs: object) -> object:
        check(args, kwargs)
        return body(*args, **kwargs)

    return checked


def _missing(subject: Subject, missing: Input, name: str) -> MissingInputError:
    made_by = f"call task {missing.task.name}() first" if missing.task is not None else "put it there"
    return MissingInputError(
        errno.ENOENT, f"task {subject.name}(): its input does not exist; {made_by}", name
    )
