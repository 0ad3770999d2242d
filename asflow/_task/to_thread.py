"""`flow.task.to_thread`: a sync task in a thread, whose slot is taken on the event loop."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING

from asflow._runtime import clock, observing
from asflow._runtime.admission import Reservation, acquire, reserved
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current
from asflow._runtime.drive_sync import run_sync
from asflow._runtime.leaving import leaving
from asflow._runtime.threads import without_stop_iteration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow._task.definition import TaskDefinition


async def in_thread(
    definition: TaskDefinition, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> object:
    """Wait for a slot of the sync task *definition* on this loop, then run a call of it in a thread."""
    spec = definition.spec.for_call(args, kwargs)
    run = TaskCall(spec, args, kwargs, current.get())
    if spec.output is not None:  # a call without a name is none: nothing is reported
        spec.output.locate(*args, **kwargs)
    observing.queued(run)
    reservation = Reservation(run)
    try:
        await acquire(spec.limit, run)
        reservation.hold(clock.current.clock.now())
        context = copy_context()
        context.run(reserved.set, reservation)

        def call() -> object:
            return without_stop_iteration(
                f"task {spec.name}()", run_sync, spec, definition.body, args, kwargs
            )

        return await asyncio.get_running_loop().run_in_executor(None, context.run, call)
    except BaseException as error:
        leaving(error, spec, args, kwargs)
        if reservation.take_call():  # no thread has
            observing.finished(run, "failed" if isinstance(error, Exception) else "cancelled", error)
        raise
    finally:
        reservation.release()  # if the thread has not taken it: the output exists, or the pool refused
