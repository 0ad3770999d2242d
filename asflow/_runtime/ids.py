"""The numbers of calls, and the names of runs."""

from __future__ import annotations

import itertools
import os

from asflow import _forks

call_ids = itertools.count(1)

_process: list[str] = []  # the `run_id` of calls outside any flow, once there is one


def new_run_id() -> str:
    return os.urandom(16).hex()


def run_id_of_process() -> str:
    if not _process:
        _process.append(new_run_id())  # if two threads do so at once, both take the first one
    return _process[0]


_forks.after_fork(_process.clear)
