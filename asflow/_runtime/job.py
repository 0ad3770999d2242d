"""What both drivers do for one call; they differ only in how they wait."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from asflow._checks import clamped
from asflow._engine import vocabulary as words
from asflow._labels import short
from asflow._runtime import clock, observing
from asflow._runtime.admission import drop, release, reserved_call
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import pinned
from asflow._runtime.making import Making
from asflow._runtime.watching import parked, resumed
from asflow._runtime.writing import Unwritten, no_output, output_closed, refuse_writes
from asflow._tracebacks import follows, never_entered
from asflow.errors import RecordTypeError, Unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._runtime.calls import FlowCall
    from asflow._runtime.spec import TaskSpec
    from asflow.events import Outcome


class Job:
    """One call of a task: its run, its slot, and the output that it makes.

    Attributes:
        spec: the task.
        run: the current attempt.
        made: the output in the making, or None for a task that keeps none.
    """

    __slots__ = ("_admitted_at", "made", "run", "spec")

    def __init__(
        self,
        spec: TaskSpec,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parent: TaskCall | FlowCall | None,
        *,
        absent: bool = False,
    ) -> None:
        self.spec: TaskSpec = spec
        reserved = reserved_call(spec, parent)
        run = TaskCall(spec, args, kwargs, parent) if reserved is None else reserved
        self.run: TaskCall = run
        self.made: Making | None = None
        self._admitted_at: float | None = None
        if spec.output is not None:
            run.put = output_closed
            run.output = name = spec.output.locate(*args, **kwargs)
            place = pinned(name, parent) if spec.output.is_relative else name
            self.made = Making(spec.output, place, args, kwargs)
            self.made.is_absent = absent and not spec.policy.suppress
        if reserved is None:
            observing.queued(run)

    @classmethod
    def of(cls, run: TaskCall) -> Job:
        """Return the job of a call, without output, whose first body has ended and is not counted yet."""
        job = cls.__new__(cls)
        job.spec, job.run, job.made, job._admitted_at = run.spec, run, None, None
        if not run.is_running:  # it was a quick call
            run.started = run.since = monotonic() if run.started is None else run.started
            run.is_running = True
        return job

    @property
    def making(self) -> Making:
        """The output; for tasks that have one."""
        assert self.made is not None
        return self.made

    def look(self) -> words.Event:
        """Check whether the output exists, or another call is making it."""
        return self.making.look_around(self.run)

    def admitted(self) -> words.Event:
        """Note what the rate has counted."""
        self._admitted_at = clock.current.clock.now() if self.spec.limit.paced else None
        return words.Acquired()

    def calling(self, attempt: int) -> None:
        """Prepare to call the body, with a slot and, if it has an output, a claim."""
        if self.made is not None:
            self.made.writes_of(self.run)
        resumed(self.run)
        observing.started(self.run, attempt)

    def _called(self) -> Callable[[object], object]:
        """After the body: wait for a write in progress, and refuse later ones. Return the body's `put`."""
        run = self.run
        put = run.keep or run.put
        run.put = no_output if self.made is None else output_closed
        run.keep = run.lines = run.new_scratch = None
        refuse_writes(put)
        observing.body_ended(run)
        return put

    def returned(self, value: object) -> words.Event:
        """Return the event for a body that returned *value*; a failed write ends the call all the same."""
        put = self._called()
        if self.run.broken is not None:
            return words.Broke(self.run.broken)
        if self.made is not None:
            self.made.value = value
            if value is not None and not self.made.outputs.saves:
                return self._returned_in_vain(self.made, wrote=not isinstance(put, Unwritten))
        return words.Returned()

    def _returned_in_vain(self, made: Making, *, wrote: bool) -> words.Event:
        """A body under `on=` returned a value, which no later call would return."""
        problem = f"task {self.spec.name}(): on= keeps what the body writes, not what it returns"
        if not wrote:
            return words.Broke(
                RecordTypeError(f"{problem}, and it wrote nothing; use save= to keep the value")
            )
        made.outputs.warn_once(f"{problem}; use save= to keep the value, or return None")
        return words.Returned()

    def raised(self, error: Exception) -> words.Event:
        """Return the event for what the body raised; a failed write and a wrong call pass as themselves."""
        self._called()
        run = self.run
        if run.broken is not None:
            return words.Broke(run.broken)
        # The user's own TypeError has a frame of the user's.
        if isinstance(error, TypeError) and never_entered(error) and not self.spec.fits(run.args, run.kwargs):
            return words.Broke(error)
        return words.Unchanged(error) if isinstance(error, Unchanged) else words.Raised(error, clock.draw())

    def result(self, outcome: Outcome, value: object) -> object:
        """Return what the call returns, whose body returned *value* if it was called."""
        if self.made is not None and self.spec.policy.saved and outcome in ("completed", "cached"):
            return self.made.value
        return value if outcome == "completed" else None

    def back_out(self) -> None:
        """Give back the start that the rate has counted: the body was not called."""
        if self._admitted_at is not None:
            self.spec.limit.give_back(self._admitted_at)

    def release(self) -> None:
        release(self.run)

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
        return clamped(seconds)

    def waiting(self, wait: words.Wait) -> None:
        """Report the wait for a retry, and start the run of its attempt."""
        retry = self.spec.policy.retry
        if retry is not None and retry.hold_limit:
            self.spec.limit.hold(wait.seconds)
        observing.retrying(self.run, wait)
        self.run = self.run.again()
        parked(self.run)

    def finished(self, outcome: Outcome, error: BaseException | None) -> None:
        observing.finished(self.run, outcome, error)

    def give_up(self, error: BaseException) -> None:
        """Leave nothing behind: the call was cancelled or interrupted, or could not continue."""
        self._called()
        if isinstance(error, GeneratorExit):
            drop(self.run)
        else:
            self.release()
        if self.made is not None:
            self.made.give_up()
        self.finished("failed" if isinstance(error, Exception) else "cancelled", error)
