"""The file in which the processes of one machine note when their bodies started.

    16 bytes   what the times count from: the id of this boot of the machine, or `wall`
     8 bytes   the end of the latest hold
     8 bytes   n, the number of starts that are remembered: the rate's count
     8 bytes   the index of the oldest of them
     n x 8     their times, in a ring; 0 for none yet

Numbers are little-endian doubles and unsigned integers. A start is allowed once the oldest time that is
remembered is a whole window ago. The file is only used under a lock. A process that is killed between the two
writes leaves a time too many, never one too few.
"""

from __future__ import annotations

import os
import struct
from time import monotonic, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asflow._engine.rates import Rate

_HEADER = struct.Struct("<16sdQQ")
_TIME = struct.Struct("<d")


def _boot() -> bytes:
    """Return an id of this boot; monotonic times of all processes count from it. `wall` if there is none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return bytes.fromhex(file.read().decode().strip().replace("-", ""))
    except (OSError, ValueError):
        return b"wall".ljust(16, b"\0")


class StartsFile:
    """Reads and writes the file; see the module.

    Args:
        rate: bounds the starts; None means no bound but a hold.

    Attributes:
        box: holds the file's descriptor once it is open.
    """

    __slots__ = ("_mark", "_rate", "box")

    def __init__(self, rate: Rate | None) -> None:
        self.box: list[int] = []
        self._rate = rate
        self._mark = b""

    def start(self) -> float:
        """Note a start now if one is allowed; return 0, or the seconds until one may be."""
        now = self._now()
        held, count, oldest = self._header()
        if held > now:
            return held - now
        if self._rate is None:
            return 0.0
        if count != self._rate.count:  # a new file, or the rate was changed
            count, oldest = self._rate.count, 0
            os.ftruncate(self.box[0], _HEADER.size)
        at = self._time_at(oldest)
        # A time to come is of a wall clock that was set back.
        if at and at <= now and at + self._rate.seconds > now:
            return at + self._rate.seconds - now
        self._write(_HEADER.size + oldest * _TIME.size, _TIME.pack(now))
        self._write(0, _HEADER.pack(self._mark, held, count, (oldest + 1) % count))
        return 0.0

    def hold(self, seconds: float) -> float:
        """Allow no start for *seconds* from now; return 0."""
        held, count, oldest = self._header()
        self._write(0, _HEADER.pack(self._mark, max(held, self._now() + seconds), count, oldest))
        return 0.0

    def give_back(self) -> float:
        """Forget the last start; return 0."""
        held, count, oldest = self._header()
        if count:
            last = (oldest - 1) % count
            self._write(_HEADER.size + last * _TIME.size, _TIME.pack(0.0))
            self._write(0, _HEADER.pack(self._mark, held, count, last))
        return 0.0

    def _now(self) -> float:
        if not self._mark:
            self._mark = _boot()
        return time() if self._mark.startswith(b"wall") else monotonic()

    def _header(self) -> tuple[float, int, int]:
        self._now()
        data = self._read(0, _HEADER.size)
        if len(data) < _HEADER.size:
            return 0.0, 0, 0
        mark, held, count, oldest = _HEADER.unpack(data)
        return (held, count, oldest) if mark == self._mark else (0.0, 0, 0)

    def _time_at(self, index: int) -> float:
        data = self._read(_HEADER.size + index * _TIME.size, _TIME.size)
        return _TIME.unpack(data)[0] if len(data) == _TIME.size else 0.0

    def _read(self, at: int, size: int) -> bytes:
        os.lseek(self.box[0], at, os.SEEK_SET)
        return os.read(self.box[0], size)

    def _write(self, at: int, data: bytes) -> None:
        os.lseek(self.box[0], at, os.SEEK_SET)
        os.write(self.box[0], data)
