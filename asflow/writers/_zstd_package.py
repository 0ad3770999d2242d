"""What `_zstd` needs, by the package zstandard."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asflow.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.writers._codecs import Compressor, Decompressor

try:
    import zstandard
except ImportError as error:  # only on a Python 3.14 that was built without libzstd
    raise MissingExtraError(
        "zstd: this Python has no compression.zstd, and the package zstandard is not installed; "
        "run pip install zstandard"
    ) from error

ZstdError: type[Exception] = zstandard.ZstdError


def compressor(level: int) -> Compressor:
    """Return what compresses a frame with a checksum, in any number of pieces."""
    context = zstandard.ZstdCompressor(level=level, write_checksum=True)
    return cast("Compressor", context.compressobj())


def whole_compressor(level: int) -> Callable[[bytearray], bytes]:
    """Return a function that compresses one whole frame a call; one thread at a time."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress


def decompressor(window_log: int) -> Decompressor:
    """Return what decompresses one frame whose window has at most 2 to the *window_log* bytes."""
    return cast("Decompressor", zstandard.ZstdDecompressor(max_window_size=1 << window_log).decompressobj())
