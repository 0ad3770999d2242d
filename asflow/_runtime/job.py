"""What both drivers do for one call; they differ only in how they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow._engine import vocabulary as words
from asflow._labels import short
from asflow._runtime import clock, observing
from asflow._runtime.admission import release
from asflow._runtime.making import Making, refuse_writes
from asflow._runtime.runs import TaskCall, no_output, output_closed
from asflow._tracebacks import follows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow._runtime.runs import FlowCall
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Outcome


class Job:
    """One call of a task: its run, its slot, and the output that it makes.

    Attributes:
        spec: the task.
        run: the current attempt.
        made: the output in the making, or None for a task that keeps none.
    """

    __slots__ = ("made", "run", "spec")

    def __init__(
        self,
        spec: TaskSpec,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parent: TaskCall | FlowCall | None,
    ) -> None:
        self.spec: TaskSpec = spec
        run = TaskCall(spec, args, kwargs, parent)
        self.run: TaskCall = run
        self.made: Making | None = None
        if spec.output is not None:
            run.put = output_closed
            run.output = name = spec.output.locate(*args, **kwargs)
            self.made = Making(spec.output, name)
        observing.queued(run)

    @property
    def making(self) -> Making:
        """The output; for tasks that have one."""
        assert self.made is not None
        return self.made

    def calling(self, attempt: int) -> None:
        """Prepare to call the body, with a slot and, if it has an output, a claim."""
        if self.made is not None:
            self.made.writes_of(self.run)
        observing.started(self.run, attempt)

    def called(self) -> None:
        """After the body: wait for a write in progress, and refuse later ones."""
        put = self.run.put
        self.run.put = no_output if self.made is None else output_closed
        refuse_writes(put)
        observing.body_ended(self.run)

    def raised(self, error: Exception) -> words.Raised:
        return words.Raised(error, clock.draw())

    def release(self) -> None:
        release(self.run, self.spec.limit.slots)

    def ask_delay(self, asked: words.AskDelay) -> words.Event:
        """Call the user's `delay` for the seconds to wait."""
        retry = self.spec.policy.retry
        assert retry is not None
        assert retry.delay is not None
        try:
            seconds = retry.delay(asked.error, asked.retry)
            return words.Delayed(None if seconds is None else self._checked_delay(seconds))
        except Exception as error:  # noqa: BLE001 - the user's function; what it raises ends the call
            follows(error, asked.error)
            return words.Broke(error)

    def _checked_delay(self, seconds: object) -> float:
        wrong = (
            f"task {self.spec.name}(): delay returned {short(seconds)}, which is not a number of seconds; "
        )
        wrong += "return 0 or more, or None for the formula"
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise TypeError(wrong)
        if not 0 <= seconds < float("inf"):
            raise ValueError(wrong)
        return seconds

    def waiting(self, wait: words.Wait) -> None:
        """Report the wait for a retry, and start the run of its attempt."""
        retry = self.spec.policy.retry
        if retry is not None and retry.hold_limit:
            self.spec.limit.hold(wait.seconds)
        observing.retrying(self.run, wait)
        self.run = self.run.again()

    def finished(self, outcome: Outcome, error: BaseException | None) -> None:
        observing.finished(self.run, outcome, error)

    def give_up(self, error: BaseException) -> None:
        """Leave nothing behind: the call was cancelled or interrupted, or could not continue."""
        self.called()
        self.release()
        if self.made is not None:
            self.made.give_up()
        self.finished("failed" if isinstance(error, Exception) else "cancelled", error)
