"""A process that makes outputs, for the tests that kill it.

    python writer.py FOLDER NAMES THREADS SEED DURABILITY

Beside each output it keeps a guard of its own, a lock that knows nothing of asflow: two bodies of one
output at the same time, or a body run though the output was done, leave a file in `violations/`.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import threading
import types

if __name__ == "__main__":
    # Only the store is imported, not all of asflow: this process lives for a few hundredths of a second.
    package = sys.modules["asflow"] = types.ModuleType("asflow")
    package.__path__ = [os.path.join(os.environ["PYTHONPATH"].split(os.pathsep)[0], "asflow")]

from support.guards import Guards

from asflow.stores._local import LocalStore


def content(index: int) -> list[bytes]:
    """What output *index* holds: a few chunks that end in the digest of all before."""
    draw = random.Random(index)
    chunks = [draw.randbytes(draw.randrange(1, 3000)) for _ in range(draw.randrange(1, 6))]
    return [*chunks, hashlib.sha256(b"".join(chunks)).digest()]


def whole(data: bytes) -> bool:
    return len(data) > 32 and hashlib.sha256(data[:-32]).digest() == data[-32:]


def fails(index: int) -> bool:
    return index % 17 == 0


def make(store: LocalStore, folder: str, index: int, guards: Guards, draw: random.Random) -> bool:
    """Make one output if it is missing; False if another process makes it, or if this attempt is aborted."""
    name, failure = f"{folder}/out/{index % 7}/{index}.jsonl.zst", f"{folder}/out/{index % 7}/{index}.err"
    if store.status(name, failure) != "absent":
        return True
    claim = store.claim(name, failure)
    if isinstance(claim, str):
        return claim != "busy"
    guards.enter(str(index))
    if os.path.exists(name) or os.path.exists(failure):
        guards.violation(f"done-before-{index}")
    for chunk in content(index):
        claim.write(chunk)
    if draw.random() < 0.1:
        guards.leave(str(index))
        claim.abort()
        return False
    if fails(index):
        claim.fail(b"".join(content(index)))
    else:
        claim.publish()
    guards.leave(str(index))
    return True


def work(store: LocalStore, folder: str, names: int, guards: Guards, seed: int) -> None:
    draw = random.Random(seed)
    todo = list(range(names))
    while todo:
        draw.shuffle(todo)
        todo = [index for index in todo if not make(store, folder, index, guards, draw)]


def main() -> None:
    folder, names, threads, seed, durability = sys.argv[1:]
    guards = Guards(folder)
    store = LocalStore(durability=durability)  # type: ignore[arg-type]
    workers = [
        threading.Thread(target=work, args=(store, folder, int(names), guards, int(seed) * 1000 + number))
        for number in range(int(threads))
    ]
    print("ready", flush=True)
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
