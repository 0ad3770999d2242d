"""`use`: another store and another sink for the flows that a module has made."""

from __future__ import annotations

from collections.abc import Generator, Sequence  # noqa: TC003 -- read by typing.get_type_hints
from contextlib import contextmanager

from asflow._flow import Flow, checked_store
from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.protocols import ProgressSink, Store  # noqa: TC001 -- as above


@contextmanager
def use(
    flow: Flow, /, *, store: Store | None = None, sink: ProgressSink | Sequence[ProgressSink] | None = None
) -> Generator[Flow]:
    """Within the `with` block, let all tasks and flows of *flow* use another store, another sink, or both.

    So the functions of a module that says `from asflow import flow` are tested as they are. Outputs keep
    their names, `base` included. A handle (`flow.task.output`) stays at the store that was in use when it was
    made.

    Args:
        flow: the object whose `@flow` and `@flow.task` the functions have, such as `asflow.flow`.
        store: keeps the outputs; None: as before.
        sink: receives the events instead of the flow's own sinks, or several do; None: as before.

    Yields:
        *flow*.

    Raises:
        DefinitionTypeError: an argument has the wrong type.

    Threads: one block at a time for one flow; it holds for calls on all threads. Calls that run while it
    begins or ends may use either.
    """
    if not isinstance(flow, Flow):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
        raise DefinitionTypeError(
            f"use(): takes a Flow, not {short(flow)}; pass the object whose @flow it is"
        )
    if store is not None:
        checked_store(store, "use()")
    workspace = flow._workspace  # pyright: ignore[reportPrivateUsage]
    with workspace.reporter.replaced(sink, swapped=store is not None), workspace.replaced(store):
        yield flow
