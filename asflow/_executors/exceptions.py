"""Exceptions as a worker sends them: each comes back as its own class.

Pickle makes an exception again by calling its class with `args`. A class whose `__init__` takes something
else fails then, or returns with another text. Such an exception is made by `__new__` instead, without its
`__init__`, and gets its arguments, attributes, slots and notes back. Whether that worked is tried in the
worker, where the text of the traceback is still at hand.
"""

from __future__ import annotations

import io
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_LINKS = 10
"""Causes and contexts that are sent along; the text of the worker's traceback has them all."""


class RemoteTraceback(Exception):  # noqa: N818 - not an error: it shows where one was raised
    """The worker's traceback of an exception: the innermost cause of the same exception, raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Link(NamedTuple):
    """An exception, pickled; whether it is the explicit cause of the one before it; and its notes."""

    pickled: bytes
    is_cause: bool
    notes: list[str]


def dump_error(error: BaseException, pickler: type[pickle.Pickler]) -> bytes:
    """Pickle *error* with the causes and contexts that a traceback of it shows, as far as they can be sent.

    Args:
        error: what a body raised.
        pickler: pickles what the exception holds.

    Raises:
        Exception: *error* itself can't be pickled, or not be made again.
    """
    links = [_link(error, False, pickler)]
    # One that can't be sent, and what is behind it, is in the text.
    with suppress(Exception):
        for each, is_cause in _behind(error):
            links.append(_link(each, is_cause, pickler))
    return pickle.dumps([tuple(link) for link in links], pickle.HIGHEST_PROTOCOL)


def load_error(pickled: bytes, text: str) -> BaseException:
    """Return what `dump_error` pickled; the worker's traceback *text* is its innermost cause."""
    links = [_Link(*each) for each in cast("list[tuple[bytes, bool, list[str]]]", pickle.loads(pickled))]
    errors = [_loaded(link) for link in links]
    for error, link, earlier in zip(errors, links[1:], errors[1:], strict=False):
        _set(error, "__cause__" if link.is_cause else "__context__", earlier)
    _set(errors[-1], "__cause__", RemoteTraceback(text))
    return errors[0]


def _behind(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Yield what a traceback of *error* shows before it, the nearest first."""
    seen = {id(error)}
    for _ in range(_MOST_LINKS):
        is_cause = error.__cause__ is not None
        hidden = is_cause or error.__suppress_context__
        earlier = error.__cause__ if hidden else error.__context__
        if earlier is None or id(earlier) in seen:
            return
        seen.add(id(earlier))
        yield earlier, is_cause
        error = earlier


def _loaded(link: _Link) -> BaseException:
    error = cast("BaseException", pickle.loads(link.pickled))
    if link.notes and not getattr(error, "__notes__", None):  # its class says how it is made, without them
        _set(error, "__notes__", link.notes)
    return error


def _link(error: BaseException, is_cause: bool, pickler: type[pickle.Pickler]) -> _Link:
    """Pickle *error* and make sure that it can be made again."""
    pickled = _dump(error, pickler)
    again: object = pickle.loads(pickled)
    if type(again) is not type(error):
        raise TypeError(f"it would return as a {type(again).__name__}")
    return _Link(pickled, is_cause, [str(note) for note in getattr(error, "__notes__", None) or ()])


def _dump(error: BaseException, pickler: type[pickle.Pickler], trusted: BaseException | None = None) -> bytes:
    """Pickle *error*; *trusted* in the way that its class says."""

    # A subclass of a pickler that is not known before: cloudpickle's, if workers need that.
    class ErrorPickler(pickler):  # type: ignore[misc, valid-type]  # pyright: ignore[reportUntypedBaseClass]
        def reducer_override(self, obj: Any) -> Any:
            # Every exception: libraries such as tblib register ways of their own for Python's own classes.
            if isinstance(obj, BaseException):
                return _reduction(obj, pickler, trusted)
            before = getattr(super(), "reducer_override", None)
            return NotImplemented if before is None else before(obj)

    buffer = io.BytesIO()
    ErrorPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(error)
    return buffer.getvalue()


def _reduction(
    error: BaseException, pickler: type[pickle.Pickler], trusted: BaseException | None
) -> tuple[Any, ...]:
    """Return how to make *error* again, as pickle takes it."""
    kind = type(error)
    base = _builtin(kind)
    if kind.__reduce__ is not base.__reduce__ or kind.__reduce_ex__ is not base.__reduce_ex__:
        # The class says how; that may be a base class, which knows nothing of this one's `__init__`.
        if error is trusted or _returns(error, pickler):
            return cast("tuple[Any, ...]", error.__reduce_ex__(pickle.HIGHEST_PROTOCOL))
    elif kind.__init__ is base.__init__ and kind.__new__ is base.__new__ and not _slots(error):
        return cast("tuple[Any, ...]", base.__reduce__(error))
    return _parts(error)


def _returns(error: BaseException, pickler: type[pickle.Pickler]) -> bool:
    """Whether the way that its class says makes *error* again."""
    try:
        return type(pickle.loads(_dump(error, pickler, error))) is type(error)
    except Exception:  # noqa: BLE001 - the class, or an attribute, may raise anything
        return False


def _builtin(kind: type[BaseException]) -> type[BaseException]:
    """Return the nearest class of Python's own above *kind*, which may hold more than `args` (an errno)."""
    return next(each for each in kind.__mro__ if each.__module__ == "builtins")  # BaseException at the latest


def _parts(error: BaseException) -> tuple[object, ...]:
    """Return how to make *error* again without its `__init__`, as pickle takes it."""
    # Of an OSError that is more than `args`, of an ImportError more than the attributes.
    _, args, *state = cast("tuple[Any, ...]", _builtin(type(error)).__reduce__(error))
    inner: dict[str, object] = state[0] if state and state[0] else {}
    state = [vars(error), {**inner, **_slots(error)}]
    return _bare, (type(error), args), state, None, None, _fill


def _slots(error: BaseException) -> dict[str, object]:
    state = object.__getstate__(error)
    return cast("dict[str, object]", state[1]) if isinstance(state, tuple) else {}


def _bare(kind: type[BaseException], args: tuple[object, ...]) -> BaseException:
    """Make an exception of the class *kind* without calling its `__new__` and `__init__`."""
    base = _builtin(kind)
    error = base.__new__(kind, *args)
    base.__init__(error, *args)
    return error


def _fill(error: BaseException, state: list[dict[str, object]]) -> None:
    attributes, others = state
    vars(error).update(attributes)
    for name, value in others.items():
        if name not in attributes:
            _set(error, name, value)


def _set(error: BaseException, name: str, value: object) -> None:
    # Past the class's own __setattr__, which a frozen dataclass forbids.
    BaseException.__setattr__(error, name, value)
