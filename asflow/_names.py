"""Public homes and private constructors: users see of an object what the reference documents."""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_overloads, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

P = ParamSpec("P")
T = TypeVar("T")


def set_homes(module: str, objects: Iterable[object]) -> None:
    """Set the `__module__` of each class (with its methods) and function to *module* if it is private.

    Tracebacks, hovers and pickles then name a path that users may import, and private files can be renamed.
    """
    for each in objects:
        if not _is_private(each):
            continue
        if isinstance(each, type):
            _evaluate_annotations(each)
            for member in vars(each).values():
                if isinstance(member, FunctionType) and _is_private(member):
                    _move(member, module)
            each.__module__ = module
        else:
            _move(each, module)


def _move(function: Any, module: str) -> None:
    for variant in get_overloads(function):
        variant.__module__ = module
        overload(variant)  # registers it again: `get_overloads` looks under the function's module
    function.__module__ = module


def _is_private(definition: object) -> bool:
    """Whether *definition*, a class or function (also one under `lru_cache`), names a private module."""
    return hasattr(definition, "__qualname__") and "._" in definition.__module__


def _evaluate_annotations(kind: type) -> None:
    """Evaluate annotations that are text: `typing.get_type_hints` looks in the module that a class names."""
    written: dict[str, Any] = vars(kind).get("__annotations__") or {}
    if any(isinstance(each, str) for each in written.values()):
        from typing import get_type_hints

        try:
            hints = get_type_hints(kind, include_extras=True)
        except NameError:  # some names exist only for checkers
            return
        kind.__annotations__ = {name: hints[name] for name in written}


def lazily(
    module: str, homes: Mapping[str, str], submodules: Iterable[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return a module's `__getattr__`, which imports a name on first use, and its `__dir__`.

    Args:
        module: the public module.
        homes: name -> its private module, relative to *module*.
        submodules: public modules below *module* that are attributes before they have been imported.
    """
    public = frozenset(submodules)

    def load(name: str) -> object:
        if name in public:
            return import_module(f"{module}.{name}")  # which makes it an attribute
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found: object = getattr(import_module(homes[name], module), name)
        set_homes(module, [found])
        vars(import_module(module))[name] = found
        return found

    def names() -> list[str]:
        here = vars(import_module(module))
        dunders = [name for name in here if name.startswith("__")]
        return sorted({*here["__all__"], *homes, *public, *dunders})

    return load, names


class Sealed(type):
    """The metaclass of classes without a public constructor; asflow makes instances with `create`."""

    if not TYPE_CHECKING:

        def __call__(cls, *args: object, **kwargs: object) -> object:
            raise TypeError(f"{cls.__qualname__}(): has no public constructor; {cls._made_by}")


def create(kind: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Make an instance of the `Sealed` class *kind*."""
    made: T = type.__call__(kind, *args, **kwargs)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return made
