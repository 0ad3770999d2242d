"""What one decorated task is: everything that is known of it before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._engine.policy import TaskPolicy
    from asflow._reporter import Reporter
    from asflow._runtime.limits import Limit
    from asflow.protocols import ByteStream, Store, Writer

__all__ = ["Locate", "OutputSpec", "TaskSpec"]


class Locate(Protocol):
    """Names a call's output: called with the task's own arguments, it answers with a name."""

    def __call__(self, *args: object, **kwargs: object) -> str:
        """Return the output's name, `base` included.

        Raises:
            TypeError: the arguments are not the task's, or one has no stable identity.
            ValueError: an argument does not fit its format, or the name is too long.
        """
        ...


class OutputSpec:
    """Where and how a task with `on` keeps its outputs.

    Attributes:
        store: who keeps them.
        namespace: equal for stores in which equal absolute names are the same output.
        locate: names the output of a call.
        failure_of: names the failure that belongs to an output's name.
        absolute: makes a name independent of the current directory, before anything is written.
        open_writer: gives the writer of an output on the claim's stream.
        is_stale: tells whether an existing output is to be made anew; None is never.
    """

    # By hand: a frozen dataclass costs every `import asflow` half a millisecond.
    __slots__ = ("absolute", "failure_of", "is_stale", "locate", "namespace", "open_writer", "store")

    def __init__(
        self,
        *,
        store: Store,
        namespace: int,
        locate: Locate,
        failure_of: Callable[[str], str],
        absolute: Callable[[str], str],
        open_writer: Callable[[ByteStream], Writer[object]],
        is_stale: Callable[[str], bool] | None = None,
    ) -> None:
        self.store: Store = store
        self.namespace: int = namespace
        self.locate: Locate = locate
        self.failure_of: Callable[[str], str] = failure_of
        self.absolute: Callable[[str], str] = absolute
        self.open_writer: Callable[[ByteStream], Writer[object]] = open_writer
        self.is_stale: Callable[[str], bool] | None = is_stale


class TaskSpec:
    """One decorated task.

    Attributes:
        name: as shown, `download`; for a method `Client.download`.
        policy: what to do when something happens.
        limit: bounds the bodies that run at once.
        reporter: whom to tell.
        output: where its outputs live, or None for a task without `on`.
        timeout: seconds that one call of the body may take, or None.
        hidden_arguments: leading arguments that labels leave out (1 for a method's `self`).
    """

    __slots__ = ("hidden_arguments", "limit", "name", "output", "policy", "reporter", "timeout")

    def __init__(
        self,
        *,
        name: str,
        policy: TaskPolicy,
        limit: Limit,
        reporter: Reporter,
        output: OutputSpec | None = None,
        timeout: float | None = None,
        hidden_arguments: int = 0,
    ) -> None:
        self.name: str = name
        self.policy: TaskPolicy = policy
        self.limit: Limit = limit
        self.reporter: Reporter = reporter
        self.output: OutputSpec | None = output
        self.timeout: float | None = timeout
        self.hidden_arguments: int = hidden_arguments
