"""What the tasks of one flow share: a store, a folder, a sink."""

from __future__ import annotations

import os.path
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from asflow import _forks
from asflow._lives import life_of
from asflow.errors import DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Generator

    from asflow._naming.patterns import Pattern
    from asflow._reporter import Reporter
    from asflow._task.callables import Origin, Subject
    from asflow.protocols import Store


_default: list[Store] = []


def _default_store() -> Store:
    """Return the local disk, for all flows that name no store; imported on first use."""
    if not _default:
        from asflow.stores import LocalStore

        _default.append(LocalStore())  # if two threads do so at once, both take the first one
    return _default[0]


def is_relative(store: Store, prefix: str) -> bool:
    """Return whether names that begin with *prefix* depend on the current directory: those of files may."""
    return hasattr(store, "path") and not _is_absolute(prefix)


@lru_cache(maxsize=256)  # every call with an output asks
def _is_absolute(prefix: str) -> bool:
    return os.path.isabs(prefix) or prefix.startswith("/")


class Workspace:
    """What the tasks of one flow share.

    Args:
        store: keeps the outputs; None: the local disk.
        prefix: as below.
        reporter: as below.

    Attributes:
        prefix: the start of every output's name: the flow's `base` and a slash, or nothing.
        reporter: receives the events of each call.
    """

    __slots__ = ("__weakref__", "_life", "_lock", "_owners", "_store", "_tasks", "prefix", "reporter")

    def __init__(self, store: Store | None, prefix: str, reporter: Reporter) -> None:
        self._store = store
        self._life = None if store is None else life_of(store)
        self.prefix: str = prefix
        self.reporter: Reporter = reporter
        self._owners: dict[str, tuple[Origin, str]] = {}
        self._tasks: WeakValueDictionary[tuple[object, ...], object] = WeakValueDictionary()
        self._lock = _forks.renewed(self, "_lock", threading.Lock)

    @property
    def store(self) -> Store:
        """Keeps the outputs."""
        if self._store is None:
            self._store = _default_store()
        return self._store

    @property
    def names_no_store(self) -> bool:
        """Whether the outputs are kept on the local disk because no store was named."""
        return self._store is None or self._store in _default

    def add(self, subject: Subject, definition: object) -> None:
        """Note the definition of a task, for as long as it is in use. The newest one of a task counts."""
        origin = subject.origin
        with self._lock:
            self._tasks[origin.qualname, origin.place, origin.bound] = definition

    def tasks(self) -> list[object]:
        """Return the definitions of the tasks, in the order in which they were first decorated."""
        with self._lock:
            return list(self._tasks.values())

    @contextmanager
    def replaced(self, store: Store | None) -> Generator[None]:
        """Within the `with` block, keep outputs in *store*; None: as before."""
        before = self._store, self._life
        if store is not None:
            self._store, self._life = store, life_of(store)
        try:
            yield
        finally:
            self._store, self._life = before

    def own(self, pattern: Pattern, subject: Subject, *, failures: bool) -> None:
        """Note that the outputs of *pattern*, and the *failures*, belong to *subject*.

        The same task may be decorated again, and takes its own place.

        Raises:
            DefinitionValueError: some of these names belong to another task already.
        """
        hashed = subject.qualname if pattern.has_hash and not pattern.keyed else ""
        shapes = {f"{pattern.shape} {hashed}": False}
        if failures:
            shapes[f"{pattern.failure_shape} {hashed}"] = True
        mine = subject.origin, subject.name
        with self._lock:
            for shape, is_failure in shapes.items():
                other, name = self._owners.get(shape, mine)
                if not other.is_same(mine[0]):
                    place = f" in {other.place}" if name == subject.name else ""
                    what = "would record its failures under" if is_failure else "could own"
                    raise DefinitionValueError(
                        f"task {subject.name}(): {what} names of task {name}(){place}, "
                        f"{shape.rpartition(' ')[0]!r}; "
                        + (
                            "let the two patterns differ in more than their suffixes"
                            if is_failure
                            else "give it a folder of its own in on="
                        )
                    )
            self._owners.update(dict.fromkeys(shapes, mine))
