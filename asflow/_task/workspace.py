"""What the tasks of one flow share: where their outputs live, and whom to tell."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asflow.errors import DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asflow._reporter import Reporter
    from asflow._task.callables import Subject
    from asflow.protocols import Store

__all__ = ["FailureNames", "Workspace"]


class Workspace:
    """The surroundings of a flow's tasks.

    Attributes:
        store: who keeps the outputs.
        prefix: what stands before every output's name: the flow's `base` and a slash, or nothing.
        reporter: whom to tell of a call.
        failure_names: which of the tasks records its failures under which names.
    """

    __slots__ = ("failure_names", "prefix", "reporter", "store")

    def __init__(self, store: Store, prefix: str, reporter: Reporter) -> None:
        self.store: Store = store
        self.prefix: str = prefix
        self.reporter: Reporter = reporter
        self.failure_names: FailureNames = FailureNames()


class FailureNames:
    """Which task of a flow records its failures under which names: two may not share one `.err`."""

    __slots__ = ("_lock", "_tasks")

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[Hashable, str]] = {}
        self._lock = threading.Lock()

    def add(self, shape: str, subject: Subject) -> None:
        """Note that failures of *shape* are those of *subject*; the same task may be decorated anew.

        Raises:
            DefinitionValueError: they are another task's already.
        """
        identity = subject.qualname if subject.key is None else subject.key
        with self._lock:
            other, name = self._tasks.setdefault(shape, (identity, subject.name))
        if other != identity:
            raise DefinitionValueError(
                f"its suppressed failures would be recorded under the same names ({shape!r}) as those of "
                f"task {name}(); let the two patterns differ in more than their suffixes"
            )
