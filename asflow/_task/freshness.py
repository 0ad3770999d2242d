"""When the outputs of one task are out of date: `refresh=` and `reads=`, asked of the disk and the clock."""

from __future__ import annotations

import inspect
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from asflow._checks import checked_seconds
from asflow._engine.freshness import Age, Moment, Rule, Stale, judge
from asflow._labels import short
from asflow._naming.parameters import check_parameters
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.stores._common import MARKED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asflow._task.callables import Subject
    from asflow._task.inputs import Input
    from asflow._task.options import TaskOptions
    from asflow._task.workspace import Workspace
    from asflow.protocols import Store


class Freshness:
    """Decides whether an existing output is out of date.

    Attributes:
        inputs: what the task reads.
        ages: whether the task has `refresh=` or `reads=`.
    """

    __slots__ = ("_asked", "_rule", "_who", "_workspace", "ages", "inputs")

    def __init__(
        self, workspace: Workspace, inputs: tuple[Input, ...], subject: Subject, options: TaskOptions
    ) -> None:
        self.inputs: tuple[Input, ...] = inputs
        self._workspace = workspace
        self._who = f"task {subject.name}()"
        self._rule, self._asked = _rule_of(options.refresh, subject)
        self.ages: bool = bool(inputs) or self._rule is not None or self._asked is not None

    @property
    def _store(self) -> Store:
        return self._workspace.store

    @property
    def _settable(self) -> bool:
        return hasattr(self._store, "set_modified")

    def why(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Stale | None:
        """Return why the output *name* of a call is out of date; None if it is not, or does not exist.

        Raises:
            Exception: what the function in `refresh=` raises; TypeError or ValueError if it returns anything
                else than it may.
            OSError: an input can't be looked at.
        """
        if not (self.ages or self._settable):
            return None
        info = self._store.info(name)
        return None if info is None else self._judged(info.modified, args, kwargs)

    def why_of_any(self, name: str) -> Stale | None:
        """Return why the output *name* of an unknown call is out of date, as far as that can be known.

        Its mark, an age or a moment, and inputs without parameters count.
        """
        info = self._store.info(name)
        if info is None:
            return None
        if int(info.modified) == MARKED and self._settable:
            return Stale("marked")
        times = (found for each in self.inputs if each.is_fixed for found in each.times((), {}))
        return judge(info.modified, now=time.time(), rule=self._rule, inputs=times)

    @property
    def depends_on_the_call(self) -> bool:
        """Whether a call's arguments decide, too: `refresh=` is a function, or an input has parameters."""
        return self._asked is not None or not all(each.is_fixed for each in self.inputs)

    @property
    def asks(self) -> bool:
        """Whether `refresh=` is a function of the arguments."""
        return self._asked is not None

    def is_marked(self, name: str) -> bool:
        """Whether `asflow refresh` has marked the output *name*."""
        info = self._store.info(name) if self._settable else None
        return info is not None and int(info.modified) == MARKED

    def is_fresh(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object]) -> bool:
        """Whether the output *name* exists and is up to date; False as well if it can't be found out."""
        try:
            info = self._store.info(name)
            return info is not None and self._judged(info.modified, args, kwargs) is None
        except Exception:  # noqa: BLE001 - the driver looks again, and reports it
            return False

    def _judged(
        self, modified: float, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Stale | None:
        if int(modified) == MARKED and self._settable:
            return Stale("marked")
        rule = self._rule
        if self._asked is not None:
            rule = _rule_from(self._asked(*args, **kwargs), f"{self._who}: refresh returned", answers=True)
        return judge(modified, now=time.time(), rule=rule, inputs=self._times(args, kwargs))

    def _times(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Iterator[tuple[str, float]]:
        for each in self.inputs:
            yield from each.times(args, kwargs)


def _rule_of(refresh: object, subject: Subject) -> tuple[Rule, Callable[..., object] | None]:
    """Check the option `refresh`, and return it as a rule or as a function that returns one.

    Raises:
        DefinitionTypeError: it is neither an age, a datetime, nor a function of the task's own parameters.
        DefinitionValueError: it is negative, or a datetime without a time zone.
    """
    who = f"task {subject.name}()"
    if not callable(refresh):
        if isinstance(refresh, bool):
            raise DefinitionTypeError(
                f"{who}: refresh takes an age, a datetime or a function, not {short(refresh)}; "
                f"return a bool from the function"
            )
        return _rule_from(refresh, f"{who}: refresh takes"), None
    if inspect.iscoroutinefunction(refresh):
        raise DefinitionTypeError(
            f"{who}: refresh takes a plain function, not the async {short(refresh)}; write it with `def`"
        )
    assert subject.signature is not None
    check_parameters("refresh", refresh, subject.signature, who)
    return None, refresh


def _rule_from(refresh: object, what: str, *, answers: bool = False) -> Rule:
    """Return an age or a datetime as a rule; *what* begins the messages."""
    if refresh is None or isinstance(refresh, bool):
        return refresh
    if isinstance(refresh, timedelta):
        refresh = refresh.total_seconds()
    if isinstance(refresh, datetime):
        if refresh.utcoffset() is None:
            raise DefinitionValueError(
                f"{what} {short(refresh)}, which has no time zone; add tzinfo=timezone.utc"
                if answers
                else f"{what} a datetime with a time zone, not {short(refresh)}; add tzinfo=timezone.utc"
            )
        return Moment(refresh.timestamp())
    if answers and (inspect.isawaitable(refresh) or not isinstance(refresh, (int, float))):
        if inspect.iscoroutine(refresh):
            refresh.close()
        raise DefinitionTypeError(
            f"{what} {short(refresh)}, which is not an age, a datetime, a bool or None; "
            f"return for example timedelta(days=1)"
        )
    subject, _, _ = what.partition(": ")
    return Age(checked_seconds(subject, "refresh", cast("Any", refresh)))
