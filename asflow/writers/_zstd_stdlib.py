"""What `_zstd` needs, by the standard library; Python 3.14 on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.writers._codecs import Compressor, Decompressor

if sys.version_info >= (3, 14):  # so that type checkers look for it there only
    from compression import zstd

    ZstdError: type[Exception] = zstd.ZstdError

    def compressor(level: int) -> Compressor:
        """Return what compresses a frame with a checksum, in any number of pieces."""
        return _compressor(level)

    def whole_compressor(level: int) -> Callable[[bytearray], bytes]:
        """Return a function that compresses one whole frame a call; one thread at a time."""
        compress = _compressor(level).compress
        return lambda data: compress(data, zstd.ZstdCompressor.FLUSH_FRAME)

    def decompressor(window_log: int) -> Decompressor:
        """Return what decompresses one frame whose window has at most 2 to the *window_log* bytes."""
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})

    def _compressor(level: int) -> zstd.ZstdCompressor:
        parameter = zstd.CompressionParameter
        return zstd.ZstdCompressor(options={parameter.compression_level: level, parameter.checksum_flag: 1})
