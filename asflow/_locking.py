"""A lock on an open file that other processes see, and that ends with its descriptor, however that ends."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 43  # 8 TiB: no reader gets there

    def try_lock(descriptor: int) -> bool:
        """Lock the open file without waiting; False if another descriptor holds the lock."""
        return _locking(descriptor, msvcrt.LK_NBLCK)

    def unlock(descriptor: int) -> None:
        """Release the lock of *descriptor*."""
        _locking(descriptor, msvcrt.LK_UNLCK)

    def _locking(descriptor: int, how: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, how, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock the open file without waiting; False if another descriptor holds the lock.

        Two descriptors of one file conflict within a process too, unless one is a copy of the other.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Release the lock of *descriptor*."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)
