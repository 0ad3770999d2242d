"""`Memory.cache` keeps the parameters of the decorated function, sync or async."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from os import PathLike
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from _typeshed import Incomplete

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)

_MmapMode: TypeAlias = Literal["r+", "r", "w+", "c"] | None
_Metadata: TypeAlias = dict[str, Any]
_IsValid: TypeAlias = Callable[[_Metadata], bool]

class MemorizedResult(Generic[_R_co]):
    verbose: int
    metadata: _Metadata
    duration: float | None
    def __init__(
        self,
        location: Incomplete,
        call_id: tuple[str, str],
        backend: str = "local",
        mmap_mode: _MmapMode = None,
        verbose: int = 0,
        timestamp: float | None = None,
        metadata: _Metadata | None = None,
    ) -> None: ...
    @property
    def func_id(self) -> str: ...
    @property
    def args_id(self) -> str: ...
    def get(self) -> _R_co: ...
    def clear(self) -> None: ...

# With `Memory(None)` a function becomes a NotMemorizedFunc, which has all of these members.
class MemorizedFunc(Generic[_P, _R_co]):
    func: Callable[_P, Any]
    ignore: list[str]
    func_id: str
    __name__: str
    def __init__(
        self,
        func: Callable[_P, _R_co],
        location: Incomplete,
        backend: str = "local",
        ignore: list[str] | None = None,
        mmap_mode: _MmapMode = None,
        compress: bool | int | tuple[str, int] = False,
        verbose: int = 1,
        timestamp: float | None = None,
        cache_validation_callback: _IsValid | None = None,
    ) -> None: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    def call(self, *args: _P.args, **kwargs: _P.kwargs) -> tuple[_R_co, _Metadata]: ...
    def call_and_shelve(self, *args: _P.args, **kwargs: _P.kwargs) -> MemorizedResult[_R_co]: ...
    def check_call_in_cache(self, *args: _P.args, **kwargs: _P.kwargs) -> bool: ...
    def clear(self, warn: bool = True) -> None: ...

class AsyncMemorizedFunc(MemorizedFunc[_P, Coroutine[Any, Any, _R_co]], Generic[_P, _R_co]):
    async def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    async def call(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *args: _P.args, **kwargs: _P.kwargs
    ) -> tuple[_R_co, _Metadata]: ...
    async def call_and_shelve(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *args: _P.args, **kwargs: _P.kwargs
    ) -> MemorizedResult[_R_co]: ...

# Has no instances: only a function annotated `-> Any` matches `Callable[_P, _Opaque]`.
class _Opaque: ...

class _Cache(Protocol):
    @overload
    def __call__(self, func: Callable[_P, _Opaque], /) -> MemorizedFunc[_P, Any]: ...
    @overload
    def __call__(self, func: Callable[_P, Coroutine[Any, Any, _R]], /) -> AsyncMemorizedFunc[_P, _R]: ...
    @overload
    def __call__(self, func: Callable[_P, _R], /) -> MemorizedFunc[_P, _R]: ...

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
        func: Callable[_P, _Opaque],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> MemorizedFunc[_P, Any]: ...
    @overload
    def cache(
        self,
        func: Callable[_P, Coroutine[Any, Any, _R]],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> AsyncMemorizedFunc[_P, _R]: ...
    @overload
    def cache(
        self,
        func: Callable[_P, _R],
        ignore: list[str] | None = None,
        verbose: int | None = None,
        mmap_mode: _MmapMode | Literal[False] = False,
        cache_validation_callback: _IsValid | None = None,
    ) -> MemorizedFunc[_P, _R]: ...
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
    def eval(self, func: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

def expires_after(
    days: float = 0,
    seconds: float = 0,
    microseconds: float = 0,
    milliseconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    weeks: float = 0,
) -> _IsValid: ...
