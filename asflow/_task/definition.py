"""From a function and its options to a task: check the options, plan the outputs, make the wrapper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from asflow._inspect import optional
from asflow._runtime.spec import TaskSpec
from asflow._runtime.wrapping import wrap_async, wrap_sync
from asflow._runtime.writing import no_output
from asflow._task.options import (
    check_executor,
    check_limit,
    limit_for,
    limits_for,
    policy_for,
    refuse_without_output,
    timeout_for,
)
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from collections.abc import Set as AbstractSet

    from asflow._task.callables import Subject
    from asflow._task.options import TaskOptions
    from asflow._task.output import Output
    from asflow._task.plan import OutputPlan
    from asflow._task.workspace import Workspace


class TaskDefinition:
    """What `flow.task.output`, `.outputs` and `.map` find on a decorated function.

    Attributes:
        spec: the task as the drivers see it.
        is_async: whether calling it returns an awaitable.
        body: what a driver calls for it.
        function: what was decorated.
    """

    __slots__ = ("__weakref__", "_plan", "body", "function", "is_async", "spec")

    def __init__(
        self,
        spec: TaskSpec,
        plan: OutputPlan | None,
        body: Callable[..., object],
        function: Callable[..., object],
        *,
        is_async: bool,
    ) -> None:
        self._plan = plan
        self.spec: TaskSpec = spec
        self.body: Callable[..., object] = body
        self.function: Callable[..., object] = function
        self.is_async: bool = is_async

    @property
    def keeps_outputs(self) -> bool:
        """Whether the task has `on=` or `save=`."""
        return self._plan is not None

    @property
    def plan(self) -> OutputPlan:
        """Where and how the task keeps its outputs.

        Raises:
            DefinitionTypeError: it has none.
        """
        if self._plan is None:
            raise DefinitionTypeError(f"task {self.spec.name}(): has no outputs; give it on='...'")
        return self._plan

    def with_labels(self, skipped: int, hidden: AbstractSet[str]) -> TaskDefinition:
        """Return the same task with shorter labels; see `TaskSpec.with_labels`."""
        spec = self.spec.with_labels(skipped, frozenset(hidden))
        return TaskDefinition(spec, self._plan, self.body, self.function, is_async=self.is_async)

    def wrapped(self) -> Callable[..., Any]:
        """Return a function that runs the task."""
        if self.is_async:
            return wrap_async(self.spec, cast("Callable[..., Awaitable[object]]", self.body))
        return wrap_sync(self.spec, self.body)

    def absent(self) -> Callable[..., Any]:
        """Return a function that runs the async task, whose output was looked for and is not there."""
        from asflow._runtime.found import absent_async

        return absent_async(self.spec, cast("Callable[..., Awaitable[object]]", self.body))

    def made(self, output: Output, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Call the task as if it kept what it writes, so that nothing is read back; return *output*."""
        spec = self.spec.without_recall()
        if not self.is_async:
            from asflow._runtime.drive_sync import run_sync

            run_sync(spec.for_call(args, kwargs), self.body, args, kwargs)
            return output
        from asflow._runtime.drive_async import run_async

        body = cast("Callable[..., Awaitable[object]]", self.body)

        async def make() -> Output:
            await run_async(spec.for_call(args, kwargs), body, args, kwargs)
            return output

        return make()


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
        qualname=subject.full_name,
        prefix=workspace.prefix,
        policy=policy,
        limit=limit_for(options, subject),
        limits=limits_for(options, subject),
        reporter=workspace.reporter,
        output=plan,
        timeout=timeout,
        skipped_in_labels=subject.skipped_in_labels,
        signature=subject.signature,
        marked=subject.marked,
        refuse=no_output,
    )
    subject.returns = _result_of(options, plan)
    body = _body_for(subject, options, plan)
    definition = TaskDefinition(spec, plan, body, subject.function, is_async=subject.is_async)
    workspace.add(subject, definition)
    return definition.wrapped(), definition


def _plan_for(workspace: Workspace, subject: Subject, options: TaskOptions) -> OutputPlan | None:
    if options.pattern is None:
        refuse_without_output(options, subject)
        return None
    from asflow._task.plan import OutputPlan

    plan = OutputPlan(workspace, subject, options)
    # Last: a task that is refused for another reason must not own any names.
    workspace.own(plan.namer.pattern, subject, failures=bool(options.suppress))
    return plan


def _result_of(options: TaskOptions, plan: OutputPlan | None) -> Callable[[object], object] | None:
    """Return what makes, of the body's return annotation, the one of the task."""
    saving = None if plan is None else plan.saving
    is_stream = saving is not None and saving.is_stream
    may_be_none = bool(options.skip or options.suppress) and (plan is None or plan.saves)
    if not is_stream and not may_be_none:
        return None

    def result(written: object) -> object:
        if is_stream and saving is not None and saving.record_type is not None:
            from asflow._task.output import Records

            generic: Any = Records
            written = generic[saving.record_type]
        return optional(written) if may_be_none else written

    return result


def _body_for(subject: Subject, options: TaskOptions, plan: OutputPlan | None) -> Callable[..., object]:
    """Return what the driver calls: the function, or one that keeps what it yields, or runs it elsewhere."""
    saving = None if plan is None else plan.saving
    body = subject.function
    if saving is not None and not (plan is not None and plan.encodes_elsewhere):
        body = saving.body(body)
    if options.executor is not None:
        from asflow._executors.caller import on_executor

        kept = None if saving is None else lambda: saving.kept
        body = on_executor(options.executor, body, None if plan is None else plan.encode, kept)
    if plan is not None and plan.freshness.inputs:
        from asflow._task.inputs import with_inputs_checked

        body = with_inputs_checked(body, plan.freshness.inputs, subject)
    return body
