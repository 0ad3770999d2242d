"""What the next calls of tasks would do, from the files alone: no body is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from asflow._cli.calls import Call, call_of, call_with, values_of
from asflow._labels import error_line
from asflow._task.graph import in_order, inputs_of_task, makers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow._engine.freshness import Stale
    from asflow._task.definition import TaskDefinition
    from asflow._task.inputs import Input

State = Literal["fresh", "stale", "missing", "suppressed", "unknown"]
STATES: tuple[State, ...] = ("stale", "missing", "suppressed", "unknown", "fresh")


class Verdict(NamedTuple):
    """One output, and what the next call that owns it does.

    Attributes:
        task: the task's name.
        name: the output's, as its store knows it.
        state: `fresh`, it is skipped; `stale` or `missing`, it is made; `suppressed`, its recorded failure is
            final; `unknown`, its arguments can't be read from its name, and they decide.
        reason: for a stale one, why; for a missing one, whether its call would fail for lack of an input.
        input: the input that is newer, out of date itself, or does not exist.
    """

    task: str
    name: str
    state: State
    reason: str | None = None
    input: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether the next call makes the output."""
        return self.state == "stale" or (self.state == "missing" and self.reason is None)


def verdicts(tasks: Iterable[TaskDefinition], wanted: Iterable[TaskDefinition]) -> Iterator[Verdict]:
    """Yield a verdict on each output of the *wanted* ones of *tasks*, and of what they read.

    An output is also stale if something that it reads is: a run makes that first. Calls whose output does not
    exist are known if what they read exists, or if they take no arguments.
    """
    ordered = in_order(list(tasks))
    asked = {id(each) for each in wanted}
    examined: dict[int, list[Call]] = {}
    changing: set[str] = set()
    sources = _sources(ordered)
    for task in ordered:
        if not task.keeps_outputs:
            continue
        calls: list[Call] = []
        for verdict, call in _of_task(task, ordered, examined, changing):
            if call is not None and id(task) in sources:
                calls.append(call)
            if verdict.is_made:
                changing.add(verdict.name)
            if id(task) in asked:
                yield verdict
        examined[id(task)] = calls


def _sources(tasks: list[TaskDefinition]) -> set[int]:
    """Return the ids of the tasks whose calls let others be expected; those of others need not be kept."""
    reads = (read for task in tasks for read in inputs_of_task(task))
    return {id(tasks[place]) for read in reads for place in makers(read, tasks)}


def _of_task(
    task: TaskDefinition,
    tasks: list[TaskDefinition],
    examined: dict[int, list[Call]],
    changing: set[str],
) -> Iterator[tuple[Verdict, Call | None]]:
    plan = task.plan
    implied = {plan.located(*call.args, **call.kwargs): call for call in _implied(task, tasks, examined)}
    for output in plan.outputs():
        location = plan.location_of(output.name)
        expected = implied.pop(location, None)
        call = call_of(task, output.name) or expected
        yield _judged(task, location, call, changing), call
    for location, call in implied.items():
        yield _judged(task, location, call, changing), call


def _implied(
    task: TaskDefinition, tasks: list[TaskDefinition], examined: dict[int, list[Call]]
) -> Iterator[Call]:
    """Yield the calls that what the task reads lets expect."""
    sources: list[dict[str, object]] = [{}]
    for read in inputs_of_task(task):
        for place in makers(read, tasks):
            maker = tasks[place]
            sources += [values_of(maker, call) for call in examined.get(id(maker), ())]
    for values in sources:
        call = call_with(task, values)
        if call is not None and call.is_whole(task):
            yield call


def _judged(task: TaskDefinition, location: str, call: Call | None, changing: set[str]) -> Verdict:
    plan, who = task.plan, task.spec.name
    failure = plan.failure_of(location)
    try:
        status = plan.store.status(location, failure)
        if status == "suppressed":
            return Verdict(who, location, "suppressed")
        if status == "absent":
            lacking = None if call is None else _lacking(task, call, changing)
            return Verdict(who, location, "missing", lacking and "missing input", lacking)
        stale, certain = _why(task, location, call, changing)
        if stale is None:
            return Verdict(who, location, "fresh" if certain else "unknown")
        if plan.store.info(failure) is not None:  # it was tried again, and that was suppressed
            return Verdict(who, location, "suppressed")
    except Exception as error:  # noqa: BLE001 - the function in `refresh=` may raise anything
        return Verdict(who, location, "unknown", error_line(error))
    return Verdict(who, location, "stale", *stale)


def _why(
    task: TaskDefinition, location: str, call: Call | None, changing: set[str]
) -> tuple[tuple[str, str | None] | None, bool]:
    """Return reason and input of an output that is out of date, and whether that answer is certain."""
    freshness = task.plan.freshness
    if call is None or (freshness.asks and not call.is_whole(task)):
        found = freshness.why_of_any(location)
        return _spelled(found), found is not None or not freshness.depends_on_the_call
    found = freshness.why(location, call.args, call.kwargs)
    if found is None:
        for read in inputs_of_task(task):
            for name in _names(read, call, changing):
                if name in changing:
                    return ("input made again", name), True
    return _spelled(found), True


def _spelled(stale: Stale | None) -> tuple[str, str | None] | None:
    return None if stale is None else (stale.reason, stale.input or None)


def _names(read: Input, call: Call, changing: set[str]) -> Iterator[str]:
    """Yield the names that a call reads: those that exist, and those that a run makes before."""
    yield from read.names(call.args, call.kwargs)
    if read.is_glob:
        yield from (name for name in changing if read.fits(name, call.args, call.kwargs))


def _lacking(task: TaskDefinition, call: Call, changing: set[str]) -> str | None:
    """Return the first input that neither exists nor is made before by a run."""
    for read in inputs_of_task(task):
        if read.is_glob:
            continue
        (name,) = read.names(call.args, call.kwargs)
        if read.store.info(name) is None and name not in changing:
            return name
    return None
