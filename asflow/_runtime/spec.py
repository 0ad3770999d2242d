"""One decorated task, as the drivers see it: everything known before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from asflow._frozen import replace
from asflow._labels import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet
    from inspect import Signature

    from asflow._engine.policy import TaskPolicy
    from asflow._markers import Marked
    from asflow._reporter import Reporter
    from asflow._runtime.limiters import Limiter
    from asflow.protocols import ByteStream, Claim, Store, Writer


class Locate(Protocol):
    """Names a call's output: called with the task's own arguments, it returns a name."""

    def __call__(self, *args: object, **kwargs: object) -> str:
        """Return the output's name, `base` included.

        Raises:
            TypeError: the arguments are not the task's, or one has no stable identity.
            ValueError: an argument does not fit its format, or the name is too long.
        """
        ...


class Kept(Protocol):
    """How a value and its file correspond; `asflow.writers._kept.Kept` is one."""

    @property
    def shape(self) -> str:
        """`"stream"` if the body yields the records of the file."""
        ...

    @property
    def record_type(self) -> Any:
        """The type of a record, for formats whose columns have types; None if it is not a record's."""
        ...

    def keep(self, value: object, put: Callable[[object], object], /) -> object:
        """Write what the body returned through *put*."""
        ...

    def record(self, record: object, /) -> object:
        """Return what to write for one record that the body yielded."""
        ...


class Dating(Protocol):
    """The time of an output in the making whose task reads inputs."""

    def settle(self) -> float:
        """Set the time that the output gets, by what has happened to the inputs, and return it."""
        ...


class Lines(Protocol):
    """A writer of JSON Lines as `flow.task.write` knows it, which adds to the lines by itself.

    A call of `put`, a Python function, for each record takes as long as to encode it.
    """

    encode: Callable[[object], bytes]
    """Returns the line of a dict. Raises one of `encode_errors`, for `refused`."""
    encode_errors: tuple[type[Exception], ...]
    gathered: list[bytes]
    """Lines that were not passed on yet."""
    batch: int
    """How many of them to gather; 0 after the end."""
    longest: int
    """Bytes; a longer line is passed on at once."""

    def drain(self) -> None:
        """Pass on what was gathered. Raises as `put` does; an error if the output has ended."""
        ...

    def refused(self, record: object, error: Exception) -> Exception:
        """Return the error for a *record* for which `encode` has raised *error*."""
        ...


class Scratch(Protocol):
    """The file of `flow.task.path()`; `asflow.stores._temporary.ScratchFile` is one."""

    @property
    def path(self) -> str:
        """Where the body writes the file."""
        ...

    def pass_on(self, write: Callable[[bytes], object], task: str) -> None:
        """Pass the bytes of the file to *write*. Raises if there is no file, or not a whole one."""
        ...

    def discard(self) -> None:
        """Remove the file. Never raises."""
        ...


class Outputs(Protocol):
    """Where and how a task keeps its outputs; `asflow._task.plan.OutputPlan` is one.

    Attributes:
        store: keeps the outputs.
        namespace: equal for stores in which equal absolute names are the same output.
        locate: names the output of a call.
        is_relative: whether these names depend on the current directory; see `_runtime.current.pinned`.
        ages: whether the task has `refresh=` or `reads=`, so that an output may be out of date.
        may_return: whether a body that writes may return a value as well, by mistake.
        saves: whether an output holds what the body returns (`save=`), rather than what it writes (`on=`).
    """

    locate: Locate
    ages: bool
    may_return: bool
    saves: bool

    @property
    def store(self) -> Store: ...

    @property
    def namespace(self) -> int: ...

    @property
    def is_relative(self) -> bool: ...

    def failure_of(self, name: str, /) -> str:
        """Return the name of the recorded failure of the output *name*."""
        ...

    def is_stale(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object], /) -> bool:
        """Whether the output *name* of a call exists, and is out of date.

        Raises:
            Exception: what the function in `refresh=` raises.
            OSError: an input can't be looked at.
        """
        ...

    def is_fresh(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object], /) -> bool:
        """Whether the output *name* exists and is up to date; False also if that is not certain."""
        ...

    def dating(
        self, claim: Claim, args: tuple[object, ...], kwargs: Mapping[str, object], /
    ) -> Dating | None:
        """Note the time and the inputs before the body begins; None if the task reads none."""
        ...

    def is_claimed(self, name: str, /) -> bool:
        """Whether another process, or a call of this one, is making the output *name*; False if not certain.

        Raises:
            Exception: what the store raises.
        """
        ...

    def owner(self, name: str, /) -> str | None:
        """Return who is making the output *name*, in a few words, if the store knows.

        Raises:
            Exception: what the store raises.
        """
        ...

    def renew(self, name: str, seconds: float | None, /) -> None:
        """Set the time of the output *name*; None is now.

        Raises:
            FileNotFoundError: it is absent.
            NoTimesError: the store can't set times.
        """
        ...

    def absolute(self, name: str, /) -> str:
        """Return *name* in a form that does not depend on the current directory."""
        ...

    def is_same(self, name: str, other: str, /) -> bool:
        """Return whether *name* and *other*, which end in the same component, are one output."""
        ...

    def open_writer(self, stream: ByteStream, /) -> Writer[object]:
        """Return a writer on a claim's *stream*."""
        ...

    def new_scratch(self, name: str, /) -> Scratch:
        """Return a file for the body that makes the output *name*. Raises OSError if it can't be made."""
        ...

    def warn_once(self, message: str, /) -> None:
        """Warn at the user's function, at the first call that deserves it."""
        ...

    def keep(self, value: object, put: Callable[[object], object], /) -> tuple[object, bool]:
        """Write what the body returned through *put*.

        Returns:
            The value as its file holds it, and whether it has to be read from there by `recall` instead.
        """
        ...

    def recall_small(self, name: str, /) -> object:
        """Return what `recall` does for a small output; `...` if it is large or does not fit.

        `asflow._runtime.looking.ABSENT` if it is certainly not there.
        """
        ...

    def recall(self, name: str, /) -> object:
        """Return the value that the output *name* holds.

        Raises:
            FileNotFoundError: it is absent.
            CorruptOutputError: it no longer fits the task's type.
        """
        ...


class TaskSpec:
    """One decorated task.

    Attributes:
        name: as shown, `download`; for a method `Client.download`.
        qualname: module and qualified name, as in `pipeline.download`.
        prefix: the start of its outputs' names: the flow's `base` and a slash, or nothing.
        policy: the options that the engine reads.
        limit: bounds the bodies that run at once.
        limits: returns the limit of a call with its arguments; None if `limit` is that of all calls.
        origin: the task itself, where this is one with the limit of a call.
        reporter: receives the task's events.
        output: where its outputs live, or None for a task that keeps none.
        timeout: seconds that one call of the body may take, or None.
        signature: the body's parameters; None if Python doesn't know them.
        skipped_in_labels: leading arguments that labels leave out (1 for a method's `self`).
        hidden_in_labels: keyword arguments that labels leave out.
        marked: the parameters that are annotated `Ignored` or `Secret`, or None.
        refuse: what a write does in a call that has no output, or none yet: raises.
    """

    # By hand: a frozen dataclass costs every `import asflow` half a millisecond.
    __slots__ = (
        "hidden_in_labels", "limit", "limits", "marked", "name", "origin", "output", "policy", "prefix",
        "qualname", "refuse", "reporter", "signature", "skipped_in_labels", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        qualname: str = "",
        prefix: str = "",
        policy: TaskPolicy,
        limit: Limiter,
        limits: Callable[..., Limiter] | None = None,
        reporter: Reporter,
        output: Outputs | None = None,
        timeout: float | None = None,
        skipped_in_labels: int = 0,
        signature: Signature | None = None,
        marked: Marked | None = None,
        refuse: Callable[[object], NoReturn],
    ) -> None:
        self.name: str = name
        self.qualname: str = qualname
        self.prefix: str = prefix
        self.policy: TaskPolicy = policy
        self.limit: Limiter = limit
        self.limits: Callable[..., Limiter] | None = limits
        self.origin: TaskSpec = self
        self.reporter: Reporter = reporter
        self.output: Outputs | None = output
        self.timeout: float | None = timeout
        self.skipped_in_labels: int = skipped_in_labels
        self.hidden_in_labels: AbstractSet[str] = frozenset()
        self.signature: Signature | None = signature
        self.marked: Marked | None = marked
        self.refuse: Callable[[object], NoReturn] = refuse

    @property
    def folder(self) -> str | None:
        """The flow's `base` as it was given, if outputs are files; else None."""
        if self.output is None or not hasattr(self.output.store, "path"):
            return None
        return self.prefix.rstrip("/") or self.prefix or "."

    def for_call(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> TaskSpec:
        """Return the same task with the limit of a call with these arguments.

        Raises:
            TypeError: the arguments don't fit, or the value of the limit's `per` can't be hashed.
            Exception: what the function raises.
        """
        if self.limits is None:
            return self
        spec = self._copied()
        spec.limit = self.limits(*args, **kwargs)
        return spec

    def _copied(self) -> TaskSpec:
        """Do as `copy.copy`, in a quarter of the time."""
        spec = TaskSpec.__new__(TaskSpec)
        for name in TaskSpec.__slots__:
            setattr(spec, name, getattr(self, name))
        return spec

    def without_recall(self) -> TaskSpec:
        """Return the same task, whose calls don't read a value that is there."""
        spec = self._copied()
        spec.policy = replace(self.policy, saved=False)
        return spec

    def with_labels(self, skipped: int, hidden: AbstractSet[str]) -> TaskSpec:
        """Return the same task, whose labels leave out at least *skipped* leading arguments, and *hidden*."""
        spec = self._copied()
        spec.skipped_in_labels = max(self.skipped_in_labels, skipped)
        spec.hidden_in_labels = hidden
        return spec

    def fits(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool:
        """Whether the body can be called with these arguments, as far as is known."""
        if self.signature is None:
            return True
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError:
            return False
        return True

    def shown(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], Mapping[str, object]]:
        """Return the arguments of a call as they may be shown: secret ones as `***`."""
        return (args, kwargs) if self.marked is None else self.marked.hide(args, kwargs)


def named_arguments(
    signature: Signature | None,
    marked: Marked | None,
    skipped: int,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments of a call by parameter, defaults applied.

    Args:
        signature: the parameters; None if Python doesn't know them: then positional ones are called `args`.
        marked: which are secret, and become `***`.
        skipped: leading arguments to leave out (a method's `self`).
        args: the positional arguments.
        kwargs: those by name.
    """
    shown = (args, kwargs) if marked is None else marked.hide(args, kwargs)
    if signature is None:
        return {"args": shown[0][skipped:], **shown[1]}
    try:
        bound = signature.bind(*shown[0], **shown[1])
    except TypeError:  # a wrong call
        return {"args": shown[0][skipped:], **shown[1]}
    bound.apply_defaults()
    secret = frozenset[str]() if marked is None else marked.secret
    named = [(name, HIDDEN if name in secret else value) for name, value in bound.arguments.items()]
    return dict(named[skipped:])
