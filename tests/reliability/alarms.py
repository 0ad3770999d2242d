"""Interrupts calls by a timer at random moments, in a process of its own.

python alarms.py FOLDER CALLS SEED
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys

from reliability.interrupts import descriptors

from asflow import Flow
from asflow.sinks import NullSink


def main(folder: str, calls: int, seed: int) -> dict[str, int]:
    """Return how often a call was interrupted, and what it left."""
    flow, dice = Flow(folder, sink=NullSink()), random.Random(seed)

    @flow.task(on="{n}.txt", limit=1)
    def make(n: int) -> None:
        flow.task.write("whole")

    make(-1)
    before, found = descriptors(), {"interrupted": 0, "parts": 0, "cut": 0}
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for n in itertools.count():
        if found["interrupted"] == calls:
            break
        try:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 1e-3))
            make(n)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            found["interrupted"] += 1
        path = f"{folder}/{n}.txt"
        found["parts"] += os.path.exists(path + ".part")
        found["cut"] += os.path.exists(path) and os.path.getsize(path) != len("whole")
    return {**found, "descriptors": descriptors() - before}


if __name__ == "__main__":
    sys.unraisablehook = lambda _: None  # what is raised in a finaliser, Python reports and drops
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
