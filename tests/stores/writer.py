"""A process that makes outputs, for the tests that kill it.

    python writer.py FOLDER NAMES THREADS SEED DURABILITY

Beside each output it keeps a guard of its own, a lock that knows nothing of asflow: two bodies of one
output at the same time, or a body run though the output was done, leave a file in `violations/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import sys
import threading
import types

if __name__ == "__main__":
    # Only the store is imported, not all of asflow: this process lives for a few hundredths of a second.
    package = sys.modules["asflow"] = types.ModuleType("asflow")
    package.__path__ = [os.path.join(os.environ["PYTHONPATH"], "asflow")]

from asflow.stores.local import LocalStore

NULL = os.open(os.devnull, os.O_RDONLY)


def content(index: int) -> list[bytes]:
    """What output *index* holds: a few chunks that end in the digest of all before."""
    draw = random.Random(index)
    chunks = [draw.randbytes(draw.randrange(1, 3000)) for _ in range(draw.randrange(1, 6))]
    return [*chunks, hashlib.sha256(b"".join(chunks)).digest()]


def whole(data: bytes) -> bool:
    return len(data) > 32 and hashlib.sha256(data[:-32]).digest() == data[-32:]


def fails(index: int) -> bool:
    return index % 17 == 0


def make(store: LocalStore, folder: str, index: int, slot: int, draw: random.Random) -> bool:
    """Make one output if it is missing; False where somebody else is at it, or this attempt was given up."""
    name, failure = f"{folder}/out/{index % 7}/{index}.jsonl.zst", f"{folder}/out/{index % 7}/{index}.err"
    if store.status(name, failure) != "absent":
        return True
    claim = store.claim(name, failure)
    if isinstance(claim, str):
        return claim != "busy"
    guard = os.open(f"{folder}/guards/{index}", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        open(f"{folder}/violations/two-bodies-{index}-{os.getpid()}", "w").close()
    # A killed process closes its files in the order of their numbers: the guard must go before the claim.
    os.dup2(guard, slot)
    os.close(guard)
    if os.path.exists(name) or os.path.exists(failure):
        open(f"{folder}/violations/done-before-{index}-{os.getpid()}", "w").close()
    for chunk in content(index):
        claim.write(chunk)
    if draw.random() < 0.1:
        os.dup2(NULL, slot)
        claim.abort()
        return False
    if fails(index):
        claim.fail(b"".join(content(index)))
    else:
        claim.publish()
    os.dup2(NULL, slot)
    return True


def work(store: LocalStore, folder: str, names: int, slot: int, seed: int) -> None:
    draw = random.Random(seed)
    todo = list(range(names))
    while todo:
        draw.shuffle(todo)
        todo = [index for index in todo if not make(store, folder, index, slot, draw)]


def main() -> None:
    folder, names, threads, seed, durability = sys.argv[1:]
    slots = [os.dup(NULL) for _ in range(int(threads))]
    store = LocalStore(durability=durability)  # type: ignore[arg-type]
    workers = [
        threading.Thread(target=work, args=(store, folder, int(names), slot, int(seed) * 1000 + slot))
        for slot in slots
    ]
    print("ready", flush=True)
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
