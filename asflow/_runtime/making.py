"""One output in the making: look around, claim, write, end the claim."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asflow import _ledger
from asflow._engine import vocabulary as words
from asflow._runtime import owners, threads
from asflow._runtime.committing import as_stepwise, is_small
from asflow._runtime.current import reports_calls
from asflow._runtime.looking import LARGE, Looking, refuse_answer
from asflow._runtime.slots import running_loop
from asflow._runtime.waits import Notice
from asflow._runtime.writing import Unwritten, saved_instead, writes_through
from asflow._tracebacks import follows, log_error
from asflow.errors import DeadlockError, OutputClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._runtime.calls import TaskCall
    from asflow._runtime.slots import Slot
    from asflow._runtime.spec import Dating, Outputs, Scratch
    from asflow.protocols import ByteStream, Claim, Writer

_FIRST_POLL = 0.005
_LONGEST_POLL = 0.25
_GROWTH = 1.15  # a call learns of the end of its wait at most a sixth later


class Making(Looking):
    """The output of one call, from the first look to the end of its claim."""

    __slots__ = (
        "_abandoned",
        "_carrier",
        "_claim",
        "_closing",
        "_committed",
        "_counted",
        "_dating",
        "_given_up",
        "_loop",
        "_notice",
        "_owner",
        "_polls",
        "_scratch",
        "_writer",
        "closing_slots",
        "is_absent",
        "key",
    )

    def __init__(
        self, outputs: Outputs, name: str, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        super().__init__(outputs, name, args, kwargs)
        self._dating: Dating | None = None
        self._claim: Claim | None = None
        self._writer: Writer[object] | None = None
        self._owner: owners.Owner | None = None
        self._abandoned = self._given_up = False
        self._closing: int | None = None  # the thread that is ending the claim
        self._committed: tuple[Writer[object] | None, bool] | None = None
        self._counted: _Counted | None = None
        self._polls = 0
        self._notice: Notice | None = None
        self._scratch: dict[str, Scratch] = {}
        self._loop = running_loop()
        self._carrier = owners.this_carrier(self._loop)
        self.closing_slots: list[Slot] = []
        self.is_absent: bool = False  # by a look of a moment ago, which need not be repeated
        self.key: owners.Key = (outputs.namespace, self._name)

    # ---------------------------------------------------------------- looking around and claiming

    def look_around(self, run: TaskCall) -> words.Event:
        """Check whether the output exists and, if not, whether another call or process is making it.

        That another one makes it is found out before *run* waits for a slot and a start of its own.
        """
        event: words.Event = words.Missing() if self.is_absent else self.look()
        self.is_absent = False
        if not isinstance(event, (words.Missing, words.Stale)):
            return event
        owner = owners.owner_of(self.key)
        if owner is not None:
            # One that encloses this call would wait for itself: the claim refuses that.
            return event if owners.encloses(owner.run, run.parent) else words.Busy()
        try:
            busy = self.outputs.is_claimed(self._name)
        except Exception as error:  # noqa: BLE001 - as above
            return words.Broke(error)
        return self._busy(run) if busy else event

    def claim(self, run: TaskCall) -> words.Event:
        """Claim the output for *run* and open a writer on it."""
        owner = owners.Owner(run, self.store, self._loop, self._carrier)
        self._owner = owner  # noted before it counts, so that Ctrl-C in between leaves nothing behind
        if not owners.enter(self.key, owner):
            self._owner = None
            return words.Busy()
        try:
            event = self._claimed(counts=reports_calls(run.spec, run))
        except Exception as error:  # noqa: BLE001 - as above
            event = words.Broke(error)
        # Given up meanwhile: the loop was closed while this ran in a thread.
        if self._given_up or not isinstance(event, words.Claimed):
            self._give_up_claim()
        return self._busy(run) if isinstance(event, words.Busy) else event

    def _busy(self, run: TaskCall) -> words.Event:
        """Wait for the call of this process that has the output under another spelling, if one has."""
        other = owners.spelled_otherwise(self.key, self.outputs.is_same)
        if other is not None:
            self.key = other
            owner = owners.Owner(run, self.store, self._loop, self._carrier)
            try:
                if owners.enter(other, owner):  # it has just ended
                    owners.leave(other, owner)
            except DeadlockError as error:
                return words.Broke(error)
        return words.Busy()

    def _claimed(self, *, counts: bool) -> words.Event:
        outputs = self.outputs
        replace = outputs.ages or self._stale
        answer = self.store.claim(self._name, self._failure, replace=replace)
        if answer == "busy":
            return words.Busy()
        if answer == "complete":
            return words.Found()
        if answer == "suppressed":
            return words.FoundFailure()
        if isinstance(answer, str) or not hasattr(answer, "publish"):
            refuse_answer(self.store, "claim", answer)
        self._claim = answer
        if replace:
            # With `replace` the store grants the claim even if another process has just replaced the output.
            event = self.look()
            if not isinstance(event, (words.Missing, words.Stale)):
                return event
        self._dating = outputs.dating(answer, self._args, self._kwargs)
        self._counted = _Counted(answer) if counts else None
        self._writer = outputs.open_writer(self._counted or answer)
        self._polls = 0
        self._notice = None
        return words.Claimed()

    @property
    def has_claim(self) -> bool:
        return self._claim is not None

    def next_poll(self) -> float:
        """Return the seconds until the next look at another process's claim; they grow with each look."""
        self._polls += 1
        return min(_LONGEST_POLL, _FIRST_POLL * _GROWTH ** min(self._polls, 40))

    def notice(self, run: TaskCall) -> Notice:
        """Return the notice of the wait of *run* for another owner; one for all looks at its claim."""
        if self._notice is None:
            self._notice = Notice(run, "owner", self.key, self._name_owner)
        self._notice.target = self.key
        return self._notice

    def _name_owner(self) -> str | None:
        """Return who makes the output: a call of this process, or what the store knows."""
        owner = owners.owner_of(self.key)
        if owner is not None:
            return f"{owner.run.task}({owner.run.label})"
        if self.blocking and running_loop() is not None:
            return None
        try:
            return self.outputs.owner(self._name)
        except Exception:  # noqa: BLE001 - it is only shown
            return None

    # ---------------------------------------------------------------- around the body

    def writes_of(self, run: TaskCall) -> None:
        """Direct the writes of *run* to the output; its body is about to be called."""
        self._abandoned = False
        if self._writer is None:
            return
        if self.outputs.saves:
            run.put, run.keep = saved_instead, writes_through(self._writer)
        else:
            run.put = Unwritten(run, writes_through(self._writer))
            run.new_scratch = self._new_scratch

    def _new_scratch(self) -> Scratch:
        """Return the file of `flow.task.path()`: one for each attempt, also if two threads ask at once."""
        if not self._scratch:
            made = self.outputs.new_scratch(self._name)
            if self._scratch.setdefault("made", made) is not made:
                made.discard()
        return self._scratch["made"]

    # ---------------------------------------------------------------- ending

    def close(self, closing: words.Closing, run: TaskCall) -> words.Event:
        """Publish, discard, or record the failure, and release the claim unless that fails."""
        self._closing = threading.get_ident()
        event: words.Event = words.Done()
        try:
            if not isinstance(closing, words.Commit):
                self._carry_out(closing, run)
            elif (claim := self.begin_commit(run)) is not None:
                claim.publish()
                self._published(run)
        except Exception as error:  # noqa: BLE001 - as above
            if isinstance(closing, words.RecordFailure):
                follows(error, closing.error)
            event = words.Broke(error)
        finally:
            self._closing = None
        return self._closed(closing, event)

    @property
    def is_light(self) -> bool:
        """Whether the commit takes a moment but for its waits for the disk, which are steps of their own."""
        claim = as_stepwise(self._claim)
        return (
            claim is not None
            and claim.size <= LARGE
            and not self._scratch
            and getattr(self._writer, "_asflow_light", False)
            and (not self.outputs.saves or is_small(self.value))
        )

    def begin_commit(self, run: TaskCall) -> Claim | None:
        """Pass all bytes to the claim, which is to be published then; None if the call was cancelled.

        `end_commit` follows in the same thread. Raises what the writer, a value or the claim raises.
        """
        self._closing = threading.get_ident()
        claim = self._held(run)
        # A writer ends once: neither a commit nor an abort, failed or not, is followed by another call.
        writer, self._writer = self._writer, None
        in_file = self._pass_on(claim, writer, run)
        if self._abandoned:
            return None
        if self._dating is not None:
            self._dating.settle()
        self._committed = writer, in_file
        return claim

    def end_commit(self, run: TaskCall, error: BaseException | None) -> words.Event:
        """End a commit that was begun: the claim was published, or something has raised *error*.

        Raises *error* if it is not an Exception.
        """
        event: words.Event = words.Done()
        try:
            if error is not None:
                raise error
            self._published(run)
        except Exception as raised:  # noqa: BLE001 - as above
            event = words.Broke(raised)
        finally:
            self._closing = None
            del error  # its traceback holds this frame
        return self._closed(words.Commit(), event)

    def _closed(self, closing: words.Closing, event: words.Event) -> words.Event:
        # Order matters: `give_up`, on another thread, sets its flag first and then reads `_closing`.
        if self._given_up or isinstance(closing, words.Abort) or isinstance(event, words.Done):
            self._give_up_claim()
        return event

    def _held(self, run: TaskCall) -> Claim:
        if self._claim is None:
            raise OutputClosedError(
                f"task {run.task}(): has lost its claim on {self._name!r}; call the task again"
            )
        return self._claim

    def _carry_out(self, closing: words.Abort | words.Renew | words.RecordFailure, run: TaskCall) -> None:
        claim = self._held(run)
        writer, self._writer = self._writer, None  # as in `begin_commit`
        if writer is not None:
            writer.abort()
        match closing:
            case words.Abort():
                claim.abort()
            case _ if self._abandoned:
                return
            case words.Renew(error):
                self._renew(error)
                claim.abort()
            case words.RecordFailure():
                call = run.task, run.spec.qualname, run.label, run.named_arguments()
                claim.fail(_ledger.report(*call, closing.error))
        self._claim = None

    def _renew(self, error: Exception) -> None:
        """Set the time of the existing output; raise *error*, which says that it stays, if there is none."""
        try:
            self.outputs.renew(self._name, None if self._dating is None else self._dating.settle())
        except FileNotFoundError:
            error.add_note(f"asflow: there is no output {self._name!r} that could stay; write it")
            raise error from None

    def _pass_on(self, claim: Claim, writer: Writer[object] | None, run: TaskCall) -> bool:
        """Pass all bytes of the output to *claim*; return whether a saved value has to be read from there."""
        in_file = False
        if self._scratch:
            if writer is not None:  # it has written nothing: the file is all of the output
                _quietly(writer.abort)
            self._scratch["made"].pass_on((self._counted or claim).write, run.task)
        elif writer is not None:
            try:
                if self.outputs.saves:
                    self.value, in_file = self.outputs.keep(self.value, writer.write)
                writer.commit()
            except BaseException:
                self._writer = writer  # the abort that follows releases its buffers
                raise
        return in_file

    def _published(self, run: TaskCall) -> None:
        committed, self._committed = self._committed, None
        if committed is None:  # abandoned
            return
        writer, in_file = committed
        if self._counted is not None:  # for the events
            run.size = self._counted.size
            run.records = None if self._scratch else getattr(writer, "records", None)
        if in_file and run.spec.policy.saved:
            self.value = self.outputs.recall(self._name)
        self._claim = None

    def abandon(self) -> None:
        """Publish and record nothing, if there is still time: the call was cancelled while closing."""
        self._abandoned = True

    def give_up(self) -> None:
        """Leave nothing behind: the call was cancelled or interrupted, or could not continue."""
        self._abandoned = self._given_up = True
        if self._closing not in (None, threading.get_ident()):
            pass  # the loop was closed while a thread is ending the claim; that thread does the rest
        elif self._owner is not None and self.blocking:
            threads.submit(self._give_up_claim)
        else:
            self._give_up_claim()

    def _give_up_claim(self) -> None:
        """End what is left of the claim, and wake the callers that wait for the output."""
        # Each note is cleared when its step is done: after Ctrl-C in between, `give_up` does the rest.
        try:
            while self._scratch:
                self._scratch.popitem()[1].discard()
            writer, self._writer = self._writer, None
            if writer is not None:
                _quietly(writer.abort)
            claim = self._claim
            if claim is not None:
                _quietly(claim.abort)
                self._claim = None
        finally:
            self.closing_slots.clear()  # which returns them
            owner = self._owner
            if owner is not None:
                owners.leave(self.key, owner)
                self._owner = None


class _Counted:
    """The stream of a claim, whose bytes are counted."""

    __slots__ = ("_write", "size")

    def __init__(self, stream: ByteStream) -> None:
        self._write = stream.write
        self.size: int = 0

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        """Pass *data* on. Raises what the claim raises."""
        self.size += memoryview(data).nbytes
        return self._write(data)


def _quietly(step: Callable[[], object]) -> None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - the error that led to it matters more
        import logging

        logger = logging.getLogger("asflow")
        log_error(logger, logging.WARNING, error, "discarding an unfinished output failed")
