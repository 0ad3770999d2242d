"""`Memory.cache` keeps the parameters of what it decorates, for sync and async functions."""

from _typeshed import Incomplete
from collections.abc import Callable, Coroutine
from datetime import timedelta
from os import PathLike
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_MmapMode: TypeAlias = Literal["r+", "r", "w+", "c"] | None
_Metadata: TypeAlias = dict[str, Any]
_IsValid: TypeAlias = Callable[[_Metadata], bool]

class MemorizedResult(Generic[R_co]):
    verbose: int
    metadata: _Metadata
    duration: float | None
    @property
    def func_id(self) -> str: ...
    @property
    def args_id(self) -> str: ...
    def get(self) -> R_co: ...
    def clear(self) -> None: ...

# With `Memory(None)` a function becomes a NotMemorizedFunc, which has all that is declared here.
class MemorizedFunc(Generic[P, R_co]):
    func: Callable[P, Any]
    ignore: list[str]
    func_id: str
    __name__: str
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def call(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R_co, _Metadata]: ...
    def call_and_shelve(self, *args: P.args, **kwargs: P.kwargs) -> MemorizedResult[R_co]: ...
    def check_call_in_cache(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...

class AsyncMemorizedFunc(Generic[P, R_co]):
    func: Callable[P, Any]
    ignore: list[str]
    func_id: str
    __name__: str
    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    async def call(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R_co, _Metadata]: ...
    async def call_and_shelve(self, *args: P.args, **kwargs: P.kwargs) -> MemorizedResult[R_co]: ...
    def check_call_in_cache(self, *args: P.args, **kwargs: P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...

# Nothing is one: only a function that is typed `-> Any` fits where it is asked for.
class _Opaque: ...

class _Cache(Protocol):
    @overload
    def __call__(self, func: Callable[P, _Opaque], /) -> MemorizedFunc[P, Any]: ...
    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncMemorizedFunc[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> MemorizedFunc[P, R]: ...

class Memory:
    location: str | PathLike[str] | None
    mmap_mode: _MmapMode
    backend: str
    compress: bool | int
    store_backend: Incomplete
    def __init__(
        self,
        location: str | PathLike[str] | None = None,
        backend: str = "local",
        mmap_mode: _MmapMode = None,
        compress: bool | int | tuple[str, int] = False,
        verbose: int = 1,
        backend_options: dict[str, Any] | None = None,
    ) -> None: ...
    @overload
    def cache(
        self,
        func: Callable[P, _Opaque],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> MemorizedFunc[P, Any]: ...
    @overload
    def cache(
        self,
        func: Callable[P, Coroutine[Any, Any, R]],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> AsyncMemorizedFunc[P, R]: ...
    @overload
    def cache(
        self,
        func: Callable[P, R],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> MemorizedFunc[P, R]: ...
    @overload
    def cache(
        self,
        func: None = None,
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> _Cache: ...
    def clear(self, warn: bool = True) -> None: ...
    def reduce_size(
        self,
        bytes_limit: int | str | None = None,
        items_limit: int | None = None,
        age_limit: timedelta | None = None,
    ) -> None: ...
    def eval(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...

def expires_after(
    days: float = 0,
    seconds: float = 0,
    microseconds: float = 0,
    milliseconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    weeks: float = 0,
) -> _IsValid: ...
def __getattr__(name: str) -> Incomplete: ...
