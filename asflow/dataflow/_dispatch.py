"""`fdispatch`: one name for several functions, chosen by a key when a data flow is defined."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping  # noqa: TC003 - typing.get_type_hints reads them at run time
from types import MappingProxyType
from typing import Generic, TypeVar

from asflow._inspect import name_of
from asflow._labels import short
from asflow._names import Sealed, create
from asflow.dataflow._errors import DispatchError
from asflow.dataflow._members import Member

K = TypeVar("K")
F = TypeVar("F", bound=Member)


class Dispatcher(Generic[K], metaclass=Sealed):
    """What `fdispatch` makes: `foo("bar")` returns the function that is registered under "bar"."""

    _made_by = "use @fdispatch"

    def __init__(self, func: Callable[[K], object]) -> None:
        """Take the name and docstring of *func*, which is never called."""
        functools.update_wrapper(self, func)
        vars(self).pop("__wrapped__")  # inspect.signature would show what is never passed
        self._name = name_of(func)
        self._functions: dict[K, Member] = {}

    def __call__(self, key: K, /) -> Member:
        """Return the function registered under *key*.

        Raises:
            DispatchError: there is none; the message names near matches.
        """
        try:
            return self._functions[key]
        except (KeyError, TypeError):  # TypeError: a key that can't be hashed can't be registered either
            raise DispatchError(self._unknown(key)) from None

    def register(self, key: K, /) -> Callable[[F], F]:
        """Return a decorator that registers a function under *key* and leaves it as it is.

        Args:
            key: any hashable value; as a rule a string.

        Raises:
            DispatchError: from the decorator: another function has that key already.
        """

        def registering(func: F) -> F:
            before = self._functions.setdefault(key, func)
            if before is not func:
                raise DispatchError(
                    f"DataFlow(): {self._name} has a function under {short(key)} already, {name_of(before)}; "
                    "use another key"
                )
            return func

        return registering

    @property
    def registry(self) -> Mapping[K, Member]:
        """The registered functions by key: a read-only view, in the order of registration."""
        return MappingProxyType(self._functions)

    def __repr__(self) -> str:
        return f"<fdispatch {self._name}: {', '.join(map(short, self._functions)) or 'empty'}>"

    def _unknown(self, key: object) -> str:
        import difflib

        text = f"DataFlow(): {self._name} has no function under {short(key)}"
        if not self._functions:
            return f"{text}, nor under another key; register one: @{self._name}.register({short(key)})"
        near: list[str] = []
        if isinstance(key, str):
            near = difflib.get_close_matches(key, [one for one in self._functions if isinstance(one, str)])
        if near:
            return f"{text}; did you mean {' or '.join(map(repr, near))}?"
        return f"{text}; there are {', '.join(map(short, self._functions))}"


def fdispatch(func: Callable[[K], object], /) -> Dispatcher[K]:
    """Make *func* a name under which other functions are registered by a key.

        @fdispatch
        def load(kind: str) -> None: ...

        @load.register("csv")
        async def _(path: str) -> dict[str, list[str]]: ...

        DataFlow((load("csv"), save))

    Args:
        func: has the name, docstring and type of key of the dispatcher; its body is never run.

    Returns:
        A `Dispatcher`: call it with a key, `register` functions, look at its `registry`.
    """
    return create(Dispatcher, func)
