"""`add_sink`: a sink for the flows of other modules."""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003 -- read by typing.get_type_hints
from typing import TYPE_CHECKING, cast, final

from asflow import _reporter
from asflow._flow import Flow
from asflow._labels import short
from asflow._names import Sealed, create, set_homes
from asflow.errors import DefinitionTypeError
from asflow.protocols import ProgressSink  # noqa: TC001 -- as above

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class AddedSink(metaclass=Sealed):
    """A sink that `asflow.add_sink` has added; as a context manager, until the end of the block.

    Threads: safe.
    """

    __slots__ = ("_remove", "_sink")
    _made_by = "use asflow.add_sink(...)"

    def __init__(self, sink: ProgressSink, remove: Callable[[], None]) -> None:
        self._sink = sink
        self._remove = remove

    @property
    def sink(self) -> ProgressSink:
        """The sink."""
        return self._sink

    def close(self) -> None:
        """Report nothing more to the sink, and close it if no flow uses it; again, this does nothing."""
        self._remove()

    def __enter__(self) -> AddedSink:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Call `close`."""
        self.close()

    def __repr__(self) -> str:
        return f"<AddedSink {self._sink!r}>"


def add_sink(sink: ProgressSink, *, flows: Flow | Iterable[Flow] | None = None) -> AddedSink:
    """Report the flows and tasks of this process to *sink*, besides the sinks of their own.

    It receives what its `wants_tasks` asks for: of the ready `flow`, of those that a library has made, and of
    those that are made later. Of a flow that is running it receives the rest.

    Args:
        sink: receives the events.
        flows: only of these; None: of all.

    Returns:
        What ends it: call its `close`, or use it in a `with` statement. Otherwise it ends with the process.

    Raises:
        DefinitionTypeError: *sink* is not a sink, or *flows* holds something else than a `Flow`.
        DefinitionValueError: its `wants_tasks` is not a known word.

    Threads: safe.
    """
    several = None if flows is None else [flows] if isinstance(flows, Flow) else list(flows)
    wrong = [each for each in several or () if not isinstance(cast("object", each), Flow)]
    if wrong:
        raise DefinitionTypeError(
            f"add_sink(): flows takes Flow objects, not {short(wrong[0])}; pass the object whose @flow it is"
        )
    reporters = None if several is None else [each._workspace.reporter for each in several]  # pyright: ignore[reportPrivateUsage]
    remove = _reporter.add(sink, reporters)
    return create(AddedSink, sink, remove)


set_homes("asflow", (AddedSink, add_sink))
