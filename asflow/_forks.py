"""What a forked child process renews: a lock that another thread held at the fork would stay taken in it.

Only the thread that forks lives on in the child. Locks, queues, waiters and slots of the other threads would
be held for ever, so everything that has some registers here, and makes new ones in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Renewable(Protocol):
    """An object that holds locks, or what other threads have taken."""

    def after_fork(self) -> None:
        """Forget what other threads hold. Called in the child, in which no other thread runs."""
        ...


renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()
"""Add an object to have it renewed for as long as it lives."""

_functions: list[Callable[[], object]] = []
_locks: weakref.WeakKeyDictionary[object, tuple[str, Callable[[], object]]] = weakref.WeakKeyDictionary()
_count: list[None] = []  # one entry for each fork that led to this process


def renewed(owner: object, attribute: str, make: Callable[[], T]) -> T:
    """Return the lock of *owner*, which gets another one in every forked child, for as long as it lives.

    Args:
        owner: hashable by identity and weakly referable: an instance, or the module of a global.
        attribute: where *owner* keeps it. An owner has one such lock.
        make: makes a lock, as `threading.Lock` does.
    """
    _locks[owner] = attribute, make
    return make()


def after_fork(function: Callable[[], object]) -> None:
    """Call *function* in every forked child, before the objects of `renewables` and in this order."""
    _functions.append(function)


def fork_count() -> int:
    """Return the number of forks that led to this process: a change means that this is a child."""
    return len(_count)


def _renew() -> None:
    _count.append(None)
    for owner, (attribute, make) in list(_locks.items()):
        setattr(owner, attribute, make())
    for function in _functions:
        function()
    for renewable in list(renewables):
        renewable.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
