"""What both drivers do alike for one call: they differ in how they wait, and in nothing else."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from asflow._engine.vocabulary import (
    Abort,
    AskDelay,
    Broke,
    Busy,
    Claimed,
    Commit,
    Delayed,
    Done,
    Found,
    FoundFailure,
    Missing,
    Raised,
    RecordFailure,
    Stale,
)
from asflow._labels import short
from asflow._runtime import clock, observing, owners, threads
from asflow._runtime.admission import dismiss
from asflow._runtime.locked_write import close_put, put_of
from asflow._runtime.runs import TaskRun, no_output, output_closed
from asflow._runtime.slots import running_loop
from asflow._tracebacks import follows
from asflow.errors import OutputClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._engine.vocabulary import Closing, Event, Wait
    from asflow._runtime.runs import FlowRun
    from asflow._runtime.spec import OutputSpec, TaskSpec
    from asflow.events import Outcome
    from asflow.protocols import Claim, Writer

__all__ = ["Job"]

_FIRST_POLL = 0.005
_LONGEST_POLL = 0.25


class Job:
    """One call of a task: its run, its slot, its claim, and the steps that a driver takes with them.

    Methods that answer with an event carry out the action of the same name. Those marked *may block*
    touch the store; the async driver calls them in a thread where that takes long.
    """

    __slots__ = (
        "_abandoned",
        "_claim",
        "_closing",
        "_failure",
        "_given_up",
        "_key",
        "_loop",
        "_name",
        "_owner",
        "_polls",
        "_writer",
        "closing_slots",
        "run",
        "spec",
    )

    def __init__(
        self,
        spec: TaskSpec,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parent: TaskRun | FlowRun | None,
    ) -> None:
        self.spec: TaskSpec = spec
        run = TaskRun(spec, args, kwargs, parent)
        self.run: TaskRun = run
        self._claim: Claim | None = None
        self._writer: Writer[object] | None = None
        self._owner: owners.Owner | None = None
        self._key: owners.Key = (0, "")
        self._abandoned = self._closing = self._given_up = False
        self.closing_slots: list[None] = []
        self._polls = 0
        self._name = self._failure = ""
        self._loop = None
        if spec.output is not None:
            self._loop = running_loop()
            run.put = output_closed
            run.output = self._name = spec.output.locate(*args, **kwargs)
            self._failure = spec.output.failure_of(self._name)
        observing.queued(run)

    # ---------------------------------------------------------------- looking and claiming

    def look(self) -> Event:
        """See whether the output exists. May block."""
        output = self._output
        try:
            match output.store.status(self._name, self._failure):
                case "complete":
                    if output.is_stale is None or not output.is_stale(self._name):
                        return Found()
                    # An attempt to make it anew may have been suppressed: that is not to be tried again.
                    if output.store.info(self._failure) is not None:
                        return FoundFailure()
                    self._make_absolute()
                    return Stale()
                case "suppressed":
                    return FoundFailure()
                case "absent":
                    self._make_absolute()
                    return Missing()
                case other:  # pyright: ignore[reportUnnecessaryComparison] - a user's store may lie
                    _lied(output.store, "status", other)
        except Exception as error:  # noqa: BLE001 - whatever a store raises is the engine's to judge
            return Broke(error)

    def claim(self) -> Event:
        """Claim the output and open a writer on it. May block."""
        output = self._output
        owner = owners.Owner(self.run, output.store, self._loop)
        if not owners.enter(self._key, owner):
            return Busy()
        self._owner = owner
        try:
            event = self._claimed(output)
        except Exception as error:  # noqa: BLE001 - as above
            event = Broke(error)
        # Given up in the meantime: the loop was closed while this ran in a thread.
        if self._given_up or not isinstance(event, Claimed):
            self._give_up_claim()
        return event

    def _make_absolute(self) -> None:
        """From here on, a change of the current directory moves nothing."""
        output = self._output
        absolute = output.absolute(self._name)
        if absolute is not self._name:
            self._name, self._failure = absolute, output.absolute(self._failure)
        self._key = (output.namespace, absolute)

    def _claimed(self, output: OutputSpec) -> Event:
        answer = output.store.claim(self._name, self._failure, replace=output.is_stale is not None)
        if answer == "busy":
            return Busy()
        if answer == "complete":
            return Found()
        if answer == "suppressed":
            return FoundFailure()
        if isinstance(answer, str) or not hasattr(answer, "publish"):
            _lied(output.store, "claim", answer)
        self._claim = answer
        if output.is_stale is not None:
            # With `replace` the store does not refuse; somebody may have been quicker all the same.
            event = self.look()
            if not isinstance(event, (Missing, Stale)):
                return event
        self._writer = output.open_writer(answer)
        self._polls = 0
        return Claimed()

    @property
    def has_claim(self) -> bool:
        """Whether there is a claim to end."""
        return self._claim is not None

    @property
    def owner_key(self) -> owners.Key:
        """The output as the table of this process's owners knows it."""
        return self._key

    def next_poll(self) -> float:
        """Seconds until it is worth asking again whether another process has ended: longer each time."""
        self._polls += 1
        return min(_LONGEST_POLL, _FIRST_POLL * 1.5 ** min(self._polls, 20))

    # ---------------------------------------------------------------- around the body

    def calling(self, attempt: int) -> None:
        """The body is about to be called, with a slot and, where it has an output, a claim."""
        self._abandoned = False
        writer = self._writer
        if writer is not None:
            self.run.put = put_of(writer)
        observing.started(self.run, attempt)

    def called(self) -> None:
        """The body has ended: whoever still writes is refused from now on."""
        put = self.run.put
        self.run.put = no_output if self.spec.output is None else output_closed
        close_put(put)
        observing.stopped(self.run)

    def raised(self, error: Exception) -> Raised:
        """Tell what the body raised."""
        return Raised(error, clock.draw())

    def release(self) -> None:
        """Give back the slot."""
        dismiss(self.run, self.spec.limit.slots)

    # ---------------------------------------------------------------- ending

    def close(self, closing: Closing) -> Event:
        """Publish, discard, or record the failure; the claim is given up unless that fails. May block."""
        self._closing = True
        event: Event = Done()
        try:
            self._carry_out(closing)
        except Exception as error:  # noqa: BLE001 - as above
            if isinstance(closing, RecordFailure):
                follows(error, closing.error)
            event = Broke(error)
        finally:
            self._closing = False
        # In this order: `give_up`, on another thread, first says so and then looks at `_closing`.
        if self._given_up or isinstance(closing, Abort) or isinstance(event, Done):
            self._give_up_claim()
        return event

    def _carry_out(self, closing: Closing) -> None:
        claim = self._claim
        if claim is None:
            raise OutputClosedError(f"{self.run!r} lost its claim on {self._name!r}")
        # A writer ends once: after a commit, or an abort whatever came of it, it is not asked again.
        writer, self._writer = self._writer, None
        match closing:
            case Commit():
                if writer is not None:
                    self._commit(writer)
                if self._abandoned:
                    return
                claim.publish()
            case Abort():
                if writer is not None:
                    writer.abort()
                claim.abort()
            case _:
                if writer is not None:
                    writer.abort()
                if self._abandoned:
                    return
                claim.fail(_report(closing))
        self._claim = None

    def _commit(self, writer: Writer[object]) -> None:
        try:
            writer.commit()
        except BaseException:
            self._writer = writer  # the abort that follows lets go of its buffers
            raise

    def abandon(self) -> None:
        """Cancelled while closing: publish and record nothing if that is still possible."""
        self._abandoned = True

    def ask_delay(self, asked: AskDelay) -> Event:
        """Ask the user's `delay` how long to wait."""
        retry = self.spec.policy.retry
        assert retry is not None
        assert retry.delay is not None
        try:
            seconds = retry.delay(asked.error, asked.retry)
            return Delayed(None if seconds is None else self._checked_delay(seconds))
        except Exception as error:  # noqa: BLE001 - it is the user's function: what it raises ends the call
            follows(error, asked.error)
            return Broke(error)

    def _checked_delay(self, seconds: object) -> float:
        wrong = f"delay of task {self.spec.name}() returned {short(seconds)}; "
        wrong += "it returns seconds, 0 or more, or None for the formula"
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise TypeError(wrong)
        if not 0 <= seconds < float("inf"):
            raise ValueError(wrong)
        return seconds

    def waiting(self, wait: Wait) -> None:
        """A retry is about to wait."""
        retry = self.spec.policy.retry
        if retry is not None and retry.hold_limit:
            self.spec.limit.hold(wait.seconds)
        observing.retrying(self.run, wait)
        self.run = self.run.again()

    def finished(self, outcome: Outcome, error: BaseException | None) -> None:
        """The call has ended."""
        observing.finished(self.run, outcome, error)

    def give_up(self, error: BaseException) -> None:
        """Leave nothing behind: the call was cancelled, interrupted, or could not go on."""
        self.called()
        self.release()
        self._abandoned = self._given_up = True
        output = self.spec.output
        if self._closing:
            pass  # the loop was closed while a thread ends the claim: that thread does the rest
        elif self._owner is not None and output is not None and output.store.blocking:
            threads.submit(self._give_up_claim)
        else:
            self._give_up_claim()
        self.finished("failed" if isinstance(error, Exception) else "cancelled", error)

    def _give_up_claim(self) -> None:
        """End what is left of the claim, and let the next one have the output."""
        claim, writer, owner = self._claim, self._writer, self._owner
        self._claim = self._writer = self._owner = None
        try:
            if writer is not None:
                _quietly(writer.abort)
            if claim is not None:
                _quietly(claim.abort)
        finally:
            # Popped, not tested: when a loop is closed, this may run in two threads.
            with suppress(IndexError):
                self.closing_slots.pop()
                threads.closings.release(0)
            if owner is not None:
                owners.leave(self._key, owner)

    @property
    def _output(self) -> OutputSpec:
        output = self.spec.output
        assert output is not None  # the engine only asks where the policy is persistent
        return output


def _report(closing: RecordFailure) -> bytes:
    """Return the traceback as Python prints it, from the user's own frames on."""
    error = closing.error
    try:
        lines = traceback.format_exception(error)
    except Exception:  # noqa: BLE001 - Python can't print each: a SyntaxError with a text for its line, say
        lines = [*traceback.format_tb(error.__traceback__), type(error).__qualname__, "\n"]
    return "".join(lines).encode("utf-8", "backslashreplace")


def _quietly(step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:
        import logging

        logging.getLogger("asflow").warning("discarding an unfinished output failed", exc_info=True)


def _lied(store: object, method: str, answer: object) -> NoReturn:
    raise TypeError(
        f"{type(store).__name__}.{method}() returned {answer!r}, which the Store protocol doesn't know"
    )
