"""One decorated task, as the drivers see it: everything known before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._engine.policy import TaskPolicy
    from asflow._reporter import Reporter
    from asflow._runtime.limits import Limiter
    from asflow.protocols import ByteStream, Store, Writer


class Locate(Protocol):
    """Names a call's output: called with the task's own arguments, it returns a name."""

    def __call__(self, *args: object, **kwargs: object) -> str:
        """Return the output's name, `base` included.

        Raises:
            TypeError: the arguments are not the task's, or one has no stable identity.
            ValueError: an argument does not fit its format, or the name is too long.
        """
        ...


class Outputs(Protocol):
    """Where and how a task keeps its outputs; `asflow._task.plan.OutputPlan` is one.

    Attributes:
        store: keeps the outputs.
        namespace: equal for stores in which equal absolute names are the same output.
        locate: names the output of a call.
        is_stale: whether to make an existing output again; None: never.
    """

    store: Store
    namespace: int
    locate: Locate
    is_stale: Callable[[str], bool] | None

    def failure_of(self, name: str, /) -> str:
        """Return the name of the recorded failure of the output *name*."""
        ...

    def absolute(self, name: str, /) -> str:
        """Return *name* in a form that does not depend on the current directory."""
        ...

    def open_writer(self, stream: ByteStream, /) -> Writer[object]:
        """Return a writer on a claim's *stream*."""
        ...


class TaskSpec:
    """One decorated task.

    Attributes:
        name: as shown, `download`; for a method `Client.download`.
        policy: the options that the engine reads.
        limit: bounds the bodies that run at once.
        reporter: receives the task's events.
        output: where its outputs live, or None for a task that keeps none.
        timeout: seconds that one call of the body may take, or None.
        skipped_in_labels: leading arguments that labels leave out (1 for a method's `self`).
    """

    # Not a frozen dataclass, which would cost every `import asflow` half a millisecond.
    __slots__ = ("limit", "name", "output", "policy", "reporter", "skipped_in_labels", "timeout")

    def __init__(
        self,
        *,
        name: str,
        policy: TaskPolicy,
        limit: Limiter,
        reporter: Reporter,
        output: Outputs | None = None,
        timeout: float | None = None,
        skipped_in_labels: int = 0,
    ) -> None:
        self.name: str = name
        self.policy: TaskPolicy = policy
        self.limit: Limiter = limit
        self.reporter: Reporter = reporter
        self.output: Outputs | None = output
        self.timeout: float | None = timeout
        self.skipped_in_labels: int = skipped_in_labels
