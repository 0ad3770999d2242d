"""What an exception looks like where it leaves the call of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow._runtime.calls import TaskCall
from asflow._tracebacks import leave_out_ours, name_call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow._runtime.spec import TaskSpec


def leaving(
    error: BaseException, spec: TaskSpec, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> None:
    """Prepare *error* for the caller: only the user's frames, and a note of the call."""
    leave_out_ours(error)
    if isinstance(error, Exception):
        name_call(error, spec.name, lambda: TaskCall(spec, args, kwargs, None).label)
