"""Where and how one task keeps its outputs: the result of `on=` and its companions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from asflow._inspect import body_of, returns_nothing
from asflow._labels import short
from asflow._names import create
from asflow._naming.namer import compile_namer
from asflow._naming.parsing import FAILURE, Field
from asflow._naming.patterns import Pattern
from asflow._runtime.current import current, pinned
from asflow._runtime.looking import ABSENT, LARGE
from asflow._task.freshness import Freshness
from asflow._task.inputs import Dating, Input, inputs_of
from asflow._task.output import Output, Records, set_modified
from asflow._task.saving import Saving
from asflow._task.workspace import is_relative
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores import LocalStore
from asflow.stores._common import NO_FAILURE
from asflow.stores._local import read_small, scans_for
from asflow.stores._posix import absolute, is_same_folder
from asflow.stores._temporary import ScratchFile, TemporaryFolders
from asflow.writers._kept import IN_FILE, Kept
from asflow.writers._suffixes import REGISTERED, check_suffix, last_suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asflow._naming.namer import Namer
    from asflow._runtime.spec import Locate
    from asflow._task.callables import Subject
    from asflow._task.options import TaskOptions
    from asflow._task.workspace import Workspace
    from asflow.protocols import ByteStream, Claim, Store, Writer
    from asflow.stores._local_scan import Scans
    from asflow.writers._format import Format


_folders = TemporaryFolders()
"""The folders of files that bodies write by their path."""


class OutputPlan:
    """A task's outputs: names, location, format, and when they are out of date.

    The constructor checks everything, so that a plan that exists is valid.

    Attributes:
        store: keeps the outputs.
        namespace: equal for stores in which equal absolute names are the same output.
        namer: names outputs, relative to the flow's base.
        locate: names the output of a call, `base` included.
        is_relative: whether these names depend on the current directory.
        encode: opens the writer of an output on a stream; picklable, for executors.
        encodes_elsewhere: whether a worker process encodes what the body writes or returns.
        may_return: whether a body under `on=` may return a value by mistake: its annotation doesn't say.
        saves: whether an output holds what the body returns (`save=`).
        saving: how a returned value and its file correspond; None without `save=`.
        freshness: when an existing output is out of date.
        ages: whether the task has `refresh=` or `reads=`.
        is_fresh: see `Outputs.is_fresh`.

    Raises:
        DefinitionError: an option is invalid; the message names the task and the value.
    """

    __slots__ = (
        "_code", "_custom", "_failures",
        "_opener",
        "_prefix",
        "_workspace",
        "ages",
        "encode",
        "encodes_elsewhere",
        "freshness",
        "is_fresh",
        "locate",
        "may_return",
        "namer",
        "saves",
        "saving",
    )  # fmt: skip

    def __init__(self, workspace: Workspace, subject: Subject, options: TaskOptions) -> None:
        self.namer: Namer = _namer_for(subject, options)
        self._workspace = workspace
        self.locate: Locate = self.namer.output
        self._prefix = workspace.prefix
        self._failures = bool(options.suppress)
        self.encode: Callable[..., Writer[object]] = _encoder_for(self.namer, subject, options)
        self._opener = self.encode
        self.encodes_elsewhere: bool = False
        self.may_return: bool = options.save is None and _may_return(subject)
        self._code = getattr(body_of(subject.function), "__code__", None)
        self.saves: bool = options.save is not None
        self._custom: Format[Any] | None = _custom_format(options)
        self.saving: Saving | None = Saving(subject, self.namer.pattern.suffix) if self.saves else None
        if self._prefix:
            assert subject.signature is not None
            self.locate = compile_namer(
                self.namer.pattern,
                subject.signature,
                task=subject.qualname,
                key=options.key,
                left_out=_left_out(subject),
                prefix=self._prefix,
            ).output
        if options.executor is not None:
            from asflow._executors.caller import Finished, is_in_process

            # A worker process encodes for itself, and returns finished bytes.
            self.encodes_elsewhere = not is_in_process(options.executor)
            self._opener = Finished if self.encodes_elsewhere else self.encode
        self.freshness: Freshness = Freshness(
            workspace,
            () if options.reads is None else inputs_of(workspace, subject, options.reads),
            subject,
            options,
        )
        self.ages: bool = self.freshness.ages
        self.is_fresh: Callable[..., bool] = self.freshness.is_fresh

    @property
    def store(self) -> Store:
        """The flow's, or the one that a test uses instead."""
        return self._workspace.store

    @property
    def namespace(self) -> int:
        """See `Outputs.namespace`."""
        return 0 if isinstance(self.store, LocalStore) else id(self.store)

    @property
    def is_relative(self) -> bool:
        """See `Outputs.is_relative`."""
        return is_relative(self.store, self._prefix)

    def scans(self, looks: int, start: str, *, of_texts: bool) -> Scans | None:
        """Return scans of folders for a number of looks at outputs; see `scans_for`."""
        return scans_for(self.store, self.namer.pattern.suffix, looks, start, of_texts=of_texts)

    def is_text_of(self, parameter: str) -> bool:
        """Whether the name of an output is a folder, the text of *parameter* alone, and the suffix."""
        pattern = self.namer.pattern
        *folders, last = pattern.components
        return (
            pattern.placeholders == (parameter,)
            and last == (Field(parameter), pattern.suffix)
            and all(isinstance(piece, str) for folder in folders for piece in folder)
        )

    def failure_of(self, name: str, /) -> str:
        """Return the name of the recorded failure of the output *name*.

        Without `suppress`, an `.err` file here was written by another task. This name is one that no
        failure can have, so it is never taken for ours, and a store need not look.
        """
        return self.namer.pattern.failure_name(name) if self._failures else name + NO_FAILURE

    def absolute(self, name: str, /) -> str:
        """Return *name* in a form that does not depend on the current directory, if the store keeps files."""
        return absolute(name) if hasattr(self.store, "path") else name

    def is_claimed(self, name: str, /) -> bool:
        """Return whether the output *name* is being made, as far as the store can see without a claim."""
        check = cast("Callable[[str], bool] | None", getattr(self.store, "is_claimed", None))
        return check is not None and check(name)

    def owner(self, name: str, /) -> str | None:
        """Return who is making the output *name*, as far as the store knows."""
        ask = cast("Callable[[str], str | None] | None", getattr(self.store, "owner", None))
        return None if ask is None else ask(name)

    def is_same(self, name: str, other: str, /) -> bool:
        """Return whether two names are one output; see `Outputs.is_same`."""
        return hasattr(self.store, "path") and is_same_folder(name, other)

    def open_writer(self, stream: ByteStream, /) -> Writer[object]:
        """Return the writer of an output on its claim's *stream*."""
        if self.saving is not None and not self.encodes_elsewhere:
            return self.encode(stream, record_type=self._how.record_type)
        return self._opener(stream)

    def new_scratch(self, name: str, /) -> ScratchFile:
        """Return a file for a body; see `Outputs.new_scratch`."""
        near = name if hasattr(self.store, "path") else None
        return ScratchFile(_folders.new(os.urandom(8).hex(), near), name)

    def warn_once(self, message: str, /) -> None:
        """Warn at the user's function, once; see `Outputs.warn_once`."""
        code, self._code = self._code, None
        if code is not None:
            import warnings

            warnings.warn_explicit(message, UserWarning, code.co_filename, code.co_firstlineno)

    def keep(self, value: object, put: Callable[[object], object], /) -> tuple[object, bool]:
        """Write what the body returned; see `Outputs.keep`."""
        if self.encodes_elsewhere:  # a worker process has encoded it
            return None, True
        kept = self._how.keep(value, put)
        return (None, True) if kept is IN_FILE else (kept, False)

    def recall_small(self, name: str, /) -> object:
        """Return the value of a small output that fits, else `...` or ABSENT; see `Outputs.recall_small`."""
        try:
            how = self._how
            if how.shape == "stream":
                return (
                    self.recall(name) if self.store.status(name, self.failure_of(name)) == "complete" else ...
                )
            if type(store := self.store) is LocalStore:
                try:
                    data = read_small(name, LARGE)
                except FileNotFoundError:
                    return ABSENT
                return ... if data is None else how.value_of(name, data)
            with store.open(name) as file:
                is_large = file.seek(0, 2) > LARGE
                file.seek(0)
                return ... if is_large or self.freshness.is_marked(name) else how.read(name, file)
        except Exception:  # noqa: BLE001 - the driver looks again, and reports it
            return ...

    def recall(self, name: str, /) -> object:
        """Return the value that the output *name* holds; see `Outputs.recall`."""
        how = self._how
        if how.shape == "stream":
            kind: Any = Records
            return cast("object", create(kind, self._handle(self.absolute(name))))
        return how.read(self._name_of(name), self.store.open(name))

    @property
    def _how(self) -> Kept:
        assert self.saving is not None
        return self.saving.kept

    def output(self, /, *args: object, **kwargs: object) -> Output:
        """Return the handle on the output of a call with these arguments."""
        return self._handle(self._start() + self.namer.output(*args, **kwargs))

    def located(self, /, *args: object, **kwargs: object) -> str:
        """Return where the store has the output of a call with these arguments."""
        return self._start() + self.namer.output(*args, **kwargs)

    def location_of(self, name: str, /) -> str:
        """Return where the store has the output called *name*."""
        return self._start() + name

    def outputs(self) -> Iterator[Output]:
        """Yield handles on all outputs and failures whose names fit the pattern."""
        prefix, pattern = self._start(), self.namer.pattern
        for location in self.store.list(prefix + pattern.prefix):
            name = location[len(prefix) :]
            failed = name.endswith(FAILURE)
            if failed:
                name = name.removesuffix(FAILURE) + pattern.suffix
            if not pattern.match(name):
                continue
            output = self._handle(prefix + name)
            if failed and output.status != "suppressed":
                # It is another task's, or the output exists as well and is listed under its own name.
                continue
            yield output

    def shares_place_with(self, read: Input) -> bool:
        """Whether names of this plan and of *read* begin in the same folder."""
        return read.prefix == self._prefix

    def _start(self) -> str:
        """Return the start of every output's name, for the caller's flow."""
        return pinned(self._prefix, current.get()) if self.is_relative else self._prefix

    def _handle(self, location: str) -> Output:
        """Return the handle on the output that the store knows as *location*."""
        name = self._name_of(location)
        suffix = self.namer.pattern.suffix
        failure = self.failure_of(location)
        return create(Output, self.store, name, location, failure, suffix, self.saving, self._custom)

    def is_stale(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object], /) -> bool:
        """Whether the output *name* of a call exists, and is out of date; see `Outputs.is_stale`."""
        return self.freshness.why(name, args, kwargs) is not None

    def _name_of(self, location: str) -> str:
        """Return the output's name, relative to `base`."""
        depth = len(self.namer.pattern.components)
        return "/".join(location.replace(os.sep, "/").split("/")[-depth:])

    def dating(
        self, claim: Claim, args: tuple[object, ...], kwargs: Mapping[str, object], /
    ) -> Dating | None:
        """Note the time and the inputs before the body begins; see `Outputs.dating`."""
        inputs = self.freshness.inputs
        return Dating(claim, inputs, self.absolute, args, kwargs) if inputs else None

    def renew(self, name: str, seconds: float | None, /) -> None:
        """Set the time of the output *name*; see `Outputs.renew`."""
        set_modified(self.store, name, seconds)


def _left_out(subject: Subject) -> frozenset[str]:
    return frozenset() if subject.marked is None else subject.marked.left_out


def _namer_for(subject: Subject, options: TaskOptions) -> Namer:
    who = f"task {subject.name}()"
    if subject.signature is None:
        raise DefinitionTypeError(
            f"{who}: has parameters that Python doesn't know, so on= can't name them; "
            f"wrap it in a function that names them"
        )
    if options.on is not None and options.save is not None:
        raise DefinitionValueError(
            f"{who}: takes on= for what the body writes or save= for what it returns, not both "
            f"(on={short(options.on)}); leave one out"
        )
    if options.save is not None and options.writer is not None:
        raise DefinitionValueError(
            f"{who}: writer={short(options.writer)} is about what a body writes, and save= keeps what it "
            f"returns; leave one out, or register a Format with add_format"
        )
    on = options.pattern
    text = on.replace("\\", "/") if os.sep == "\\" and isinstance(on, str) else on
    if isinstance(text, os.PathLike):
        text = os.fspath(text).replace(os.sep, "/")
    pattern = Pattern.parse(
        cast("str", text),
        parameters=list(subject.signature.parameters),
        task=subject.qualname,
        keyed=options.key is not None,
        option="on" if options.save is None else "save",
    )
    namer = compile_namer(
        pattern, subject.signature, task=subject.qualname, key=options.key, left_out=_left_out(subject)
    )
    for name in pattern.placeholders:
        if subject.marked is not None and name in subject.marked.secret:
            raise DefinitionValueError(
                f"{who}: on={short(pattern.text)} would show the secret {name!r} in names; leave it out"
            )
    if options.writer is not None:
        from asflow.writers._format import check_factory

        check_factory(options.writer, who)
    check_suffix(pattern.suffix, options.level, custom=options.writer is not None, subject=who)
    if options.suppress and not pattern.suffix:
        raise DefinitionValueError(
            f"{who}: suppress=... needs a suffix after the last placeholder, which `.err` replaces, "
            f"not {short(pattern.text)}; write for example {pattern.text + '.txt'!r}"
        )
    return namer


def _custom_format(options: TaskOptions) -> Format[Any] | None:
    """Return the task's own format, if its `writer=` is one."""
    if options.writer is None:
        return None
    from asflow.writers._format import Format

    writer: Any = options.writer
    return writer if isinstance(writer, Format) else None  # pyright: ignore[reportUnknownVariableType]


def _may_return(subject: Subject) -> bool:
    """Refuse a body under `on=` that is annotated to return something: every later call would lose it."""
    nothing = returns_nothing(subject.function)
    if nothing is False:
        raise DefinitionTypeError(
            f"task {subject.name}(): on= keeps what the body writes, and it is annotated to return a value; "
            f"write save= to keep that, or return None"
        )
    return nothing is None


def _encoder_for(namer: Namer, subject: Subject, options: TaskOptions) -> Callable[..., Writer[object]]:
    """Return what opens a writer for the task: of a stream, and of the type of a record if that is known."""
    from asflow.writers._writing import Opener

    suffix = namer.pattern.suffix
    # A registered format goes along to a worker process, which may not have registered it.
    factory = options.writer or REGISTERED.get(last_suffix(suffix))
    return Opener(suffix, level=options.level, task=subject.name, factory=factory)
