"""Reading: an object as a file, a large one piece by piece; a listing page by page."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING, cast

from asflow.stores._objects.errors import patiently, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from obstore import Bytes, ObjectMeta
    from obstore.store import ObjectStore as Client

_NO_OBJECT = "ObjectStore(): there is no such object; run its task first"
_PIECE = 4 << 20
_PAGE = 1000


def pages_of(
    client: Client, folder: str | None = None, skip: str | None = None
) -> Iterator[Sequence[ObjectMeta]]:
    """Yield the objects below *folder* that sort after the name *skip*, in one request per thousand."""
    import obstore

    # obstore's annotation refers to arro3, which is not installed.
    listed = cast("Callable[..., Iterator[Sequence[ObjectMeta]]]", getattr(obstore, "list"))  # noqa: B009
    return iter(listed(client, folder, offset=skip, chunk_size=_PAGE))


def open_object(client: Client, name: str, url: str, seconds: float) -> BinaryIO:
    """Open the object *name* for reading; memory is constant however large it is.

    Args:
        client: obstore's store.
        name: the object's key under the client's prefix.
        url: its name in messages.
        seconds: for how long to retry after a lost connection.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: the service refused, or could not be reached.
    """
    import obstore

    def fetch() -> tuple[int, str | None, Bytes | None]:
        found = obstore.get(client, name)
        size = found.meta["size"]
        return size, found.meta["e_tag"], found.bytes() if size <= _PIECE else None

    with translated(url):
        try:
            size, tag, data = patiently(fetch, seconds)
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, _NO_OBJECT, url) from None
    if data is not None:
        return io.BytesIO(bytes(data))

    def piece(start: int, end: int) -> bytes:
        options = {"range": (start, end)} | ({} if tag is None else {"if_match": tag})
        return bytes(obstore.get(client, name, options=cast("obstore.GetOptions", options)).bytes())

    return io.BufferedReader(
        _Pieces(lambda start, end: patiently(lambda: piece(start, end), seconds), size, url), 65536
    )


class _Pieces(io.RawIOBase):
    """Requests one piece after the other, all of the same version of the object."""

    def __init__(self, piece: Callable[[int, int], bytes], size: int, url: str) -> None:
        super().__init__()
        self._piece = piece
        self._size = size
        self._url = url
        self._at = self._start = 0
        self._data = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(
                errno.EINVAL, "ObjectStore(): can't seek before the beginning; use 0 or more", self._url
            )
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        if self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._data):
            self._fetch()
        view = memoryview(buffer).cast("B")
        first = self._at - self._start
        count = min(len(view), len(self._data) - first)
        view[:count] = self._data[first : first + count]
        self._at += count
        return count

    def _fetch(self) -> None:
        from obstore.exceptions import PreconditionError

        try:
            with translated(self._url):
                self._data = self._piece(self._at, min(self._at + _PIECE, self._size))
        except (PreconditionError, FileNotFoundError) as error:
            raise OSError(
                errno.ESTALE,
                "ObjectStore(): the object was replaced or deleted while it was read; open it again",
                self._url,
            ) from error
        self._start = self._at
        if not self._data:
            raise OSError(
                errno.EIO, "ObjectStore(): the service sent too few bytes; open it again", self._url
            )
