"""From a function and its options to a task: check the options, plan the outputs, make the wrapper."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from asflow._runtime.quick import wrap_async, wrap_sync
from asflow._runtime.spec import TaskSpec
from asflow._task.options import (
    check_executor,
    check_limit,
    limit_for,
    policy_for,
    refuse_without_output,
    timeout_for,
)
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from asflow._reporter import Reporter
    from asflow._task.callables import Subject
    from asflow._task.options import TaskOptions
    from asflow._task.plan import OutputPlan
    from asflow.protocols import Store


class Workspace:
    """What the tasks of one flow share.

    Attributes:
        store: keeps the outputs.
        prefix: the start of every output's name: the flow's `base` and a slash, or nothing.
        reporter: receives the events of each call.
    """

    __slots__ = ("_failures", "_lock", "prefix", "reporter", "store")

    def __init__(self, store: Store, prefix: str, reporter: Reporter) -> None:
        self.store: Store = store
        self.prefix: str = prefix
        self.reporter: Reporter = reporter
        self._failures: dict[str, tuple[Hashable, str]] = {}
        self._lock = threading.Lock()

    def own_failures(self, shape: str, subject: Subject) -> None:
        """Register failures of *shape* for *subject*; the same task may be decorated again.

        Raises:
            DefinitionValueError: they belong to another task.
        """
        identity = subject.qualname if subject.key is None else subject.key
        with self._lock:
            other, name = self._failures.setdefault(shape, (identity, subject.name))
        if other != identity:
            raise DefinitionValueError(
                f"task {subject.name}(): would record its failures under names of task {name}(), {shape!r}; "
                f"let the two patterns differ in more than their suffixes"
            )


class TaskDefinition:
    """What `flow.task.output`, `.outputs` and `.map` find on a decorated function.

    Attributes:
        spec: the task as the drivers see it.
        is_async: whether calling it returns an awaitable.
    """

    __slots__ = ("_plan", "is_async", "spec")

    def __init__(self, spec: TaskSpec, plan: OutputPlan | None, *, is_async: bool) -> None:
        self._plan = plan
        self.spec: TaskSpec = spec
        self.is_async: bool = is_async

    @property
    def plan(self) -> OutputPlan:
        """Where and how the task keeps its outputs.

        Raises:
            DefinitionTypeError: it has none.
        """
        if self._plan is None:
            raise DefinitionTypeError(f"task {self.spec.name}(): has no outputs; give it on='...'")
        return self._plan


def define(
    workspace: Workspace, subject: Subject, options: TaskOptions
) -> tuple[Callable[..., object], TaskDefinition]:
    """Check *options* and make the wrapper of *subject*.

    Raises:
        DefinitionError: an option is invalid; the message names the task and the value.
    """
    policy = policy_for(options, subject)
    timeout = timeout_for(options, subject)
    check_executor(options, subject)
    check_limit(options, subject)
    plan = _plan_for(workspace, subject, options)
    spec = TaskSpec(
        name=subject.name,
        policy=policy,
        limit=limit_for(options, subject),
        reporter=workspace.reporter,
        output=plan,
        timeout=timeout,
        skipped_in_labels=subject.skipped_in_labels,
    )
    definition = TaskDefinition(spec, plan, is_async=subject.is_async)
    if subject.is_async:
        return wrap_async(spec, cast("Callable[..., Awaitable[object]]", subject.function)), definition
    return wrap_sync(spec, _body_for(subject, options, plan)), definition


def _plan_for(workspace: Workspace, subject: Subject, options: TaskOptions) -> OutputPlan | None:
    if options.on is None:
        refuse_without_output(options, subject)
        return None
    from asflow._task.plan import OutputPlan

    plan = OutputPlan(workspace, subject, options)
    if options.suppress:
        # Last: a task that is refused for another reason must not own any names.
        pattern = plan.namer.pattern
        hashed = pattern.has_hash and options.key is None
        workspace.own_failures(f"{pattern.failure_shape} {subject.qualname if hashed else ''}", subject)
    return plan


def _body_for(subject: Subject, options: TaskOptions, plan: OutputPlan | None) -> Callable[..., object]:
    """Return what the sync driver calls: the function, or one that runs it on the executor."""
    if options.executor is None:
        return subject.function
    from asflow._executors.caller import on_executor

    return on_executor(options.executor, subject.function, None if plan is None else plan.encode)
