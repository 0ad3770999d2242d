"""`optional`: a member that runs only if its arguments are there."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, TypeVar, cast

from asflow._inspect import layers, name_of
from asflow._labels import short
from asflow.dataflow._dispatch import Dispatcher
from asflow.dataflow._errors import DataFlowFunctionArgsError, DataFlowNotCallableError
from asflow.dataflow._signatures import MAPPED

if TYPE_CHECKING:
    from asflow.dataflow._members import Member

M = TypeVar("M", bound="Member")

_OPTIONAL: Final = "__asflow_optional__"
"""The attribute that marks such a member; it is a partial of the function, so that all else shows through."""


def optional(member: M, /) -> M:
    """Return *member* as one that runs only if its arguments are there.

        DataFlow((load, optional(repair), save))     # repair(errors) runs if load returned "errors"

    If a parameter without a default has no value, the member is passed over: it adds nothing, and what it
    would have seen goes on to the next stage of its sequence. Any other member with such a parameter is an
    error. A member that could never run, as far as return annotations say, is refused when the data flow is
    defined.

    Args:
        member: any function that could be a member of a data flow; a group can't be optional as a whole.

    Raises:
        DataFlowNotCallableError: *member* is not callable.
        DataFlowFunctionArgsError: it is a name of `fdispatch`, not one of its functions.
    """
    if not callable(member):
        raise DataFlowNotCallableError(
            f"DataFlow(): optional takes a function, not {short(member)}; write it around each member"
        )
    if isinstance(cast("object", member), Dispatcher):
        name = name_of(member)
        raise DataFlowFunctionArgsError(
            f"DataFlow(): optional takes a function, not the fdispatch name {name}; "
            f"choose one: optional({name}('key'))"
        )
    marked = functools.partial(member)
    setattr(marked, _OPTIONAL, True)
    return cast("M", marked)


def is_optional(func: object) -> bool:
    """Return whether *func*, or what it is a partial or an `amapper` of, was marked by `optional`."""
    for layer in layers(func):
        if hasattr(layer, "__dict__") and _OPTIONAL in vars(layer):
            return True
        if MAPPED in getattr(layer, "__dict__", ()):
            return is_optional(getattr(layer, MAPPED))
    return False
