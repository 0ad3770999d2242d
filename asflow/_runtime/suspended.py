"""What an asyncio task or a future waits for, as far as that shows; for `deadlocks` alone.

asyncio has no interface for it, so this reads private attributes, which it has had from Python 3.11 to 3.14.
What is not as expected counts as unknown, and a task that waits for something unknown counts as running. No
frame's locals are copied, as that would keep a slot alive: hence `gc.get_referents`.
"""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import Future as PoolFuture
from types import AsyncGeneratorType, CellType, CoroutineType, GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from asflow._runtime.calls import TaskCall
from asflow._runtime.slots import Slots
from asflow._runtime.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor

AnyFuture = asyncio.Future[Any]

_LONGEST_CHAIN = 1000

_STEPS = ("async_generator_asend", "async_generator_athrow", "coroutine_wrapper")

HOLDERS = {"run_async", "counted_async", "quick_async.<locals>.quick_task", "in_thread"}
"""Our coroutines that hold the run of a call while its body runs, by qualified name."""


def awaited_by(task: asyncio.Task[Any]) -> AnyFuture | None:
    """Return the future on which *task* is suspended; None if it runs, will run, or has ended."""
    future: AnyFuture | None = getattr(task, "_fut_waiter", None)
    return None if future is None or future.done() else future


def task_of(future: AnyFuture) -> asyncio.Task[Any] | None:
    """Return the task that is suspended on *future*."""
    for callback in _callbacks(future):
        task: asyncio.Task[Any] | None = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task):
            return task
    return None


def _callbacks(future: AnyFuture) -> list[Any]:
    """Return what is called when *future* is done."""
    entries: list[tuple[Any, Any]] | None = getattr(future, "_callbacks", None)
    return [callback for callback, _ in entries or []]


def coroutines_of(task: asyncio.Task[Any]) -> list[CoroutineType[Any, Any, Any]]:
    """Return the suspended coroutines of *task*, each awaited by the one before."""
    found: list[CoroutineType[Any, Any, Any]] = []
    step: Any = task.get_coro()
    for _ in range(_LONGEST_CHAIN):
        if step is None:
            break
        kind = cast("object", type(step))
        if kind is CoroutineType:
            found.append(step)
        step = _awaited_in(step)
    return found


def _awaited_in(step: Any) -> Any:
    kind = cast("object", type(step))
    if kind is CoroutineType:
        return step.cr_await
    if kind is AsyncGeneratorType:
        return step.ag_await
    if kind is GeneratorType:
        if step.gi_yieldfrom is not None or not _is_ours(step.gi_frame):
            return step.gi_yieldfrom
        return _only(CoroutineType, gc.get_referents(step))  # `_in_context` of a map's workers
    if type(step).__name__ in _STEPS:
        return _only((CoroutineType, AsyncGeneratorType), gc.get_referents(step))
    return None


def _only(kinds: type | tuple[type, ...], objects: list[object]) -> Any:
    """Return the one of *objects* that is of these *kinds*; None if there is none or another."""
    found = [each for each in objects if isinstance(each, kinds)]
    return found[0] if len(found) == 1 else None


def _is_ours(frame: Any) -> bool:
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("asflow.")


def slots_awaited(last: CoroutineType[Any, Any, Any], future: AnyFuture) -> Slots | None:
    """Return the slots of which the coroutine *last*, suspended on *future*, waits for one."""
    held = gc.get_referents(last)
    if last.cr_code is not Slots.acquire.__code__:  # a quick call, which waits itself
        if not _holds_a_call(last) or not any(_is_waiter(each, future) for each in held):
            return None
        held = _contents(held)
    found: Slots | None = _only(Slots, held)
    return found


def _is_waiter(held: object, future: AnyFuture) -> bool:
    """Whether *held* is a `slots.Waiter` on *future*."""
    return isinstance(held, tuple) and len(cast("tuple[object, ...]", held)) == 3 and held[0] is future


def _contents(held: list[object]) -> list[object]:
    """Return what the free variables among *held* refer to."""
    return [found for each in held if isinstance(each, CellType) for found in gc.get_referents(each)]


def tasks_awaited(last: CoroutineType[Any, Any, Any]) -> list[AnyFuture]:
    """Return the tasks for which the coroutine *last* waits: of a task group, or the workers of a map."""
    name, tasks = last.cr_code.co_qualname, None
    if name.startswith("TaskGroup."):
        tasks = getattr(_only(asyncio.TaskGroup, gc.get_referents(last)), "_tasks", None)
    elif name == "Room.filled" and _is_ours(last.cr_frame):
        rooms = [each for each in gc.get_referents(last) if type(each).__name__ == "Room"]
        tasks = getattr(rooms[0], "workers", None)
    return list(cast("set[AnyFuture] | None", tasks) or ())


def parts_of(future: AnyFuture) -> list[AnyFuture | PoolFuture[Any]]:
    """Return what completes *future*: futures of `gather` or `shield`, or a thread pool's work item."""
    children: list[AnyFuture] | None = getattr(future, "_children", None)
    if children is not None:
        return [child for child in children if not child.done()]
    for callback in _callbacks(future):
        name = getattr(callback, "__qualname__", "")
        if name == "_chain_future.<locals>._call_check_cancel":
            source = _free_variables(callback).get("source")
            return [source] if isinstance(source, PoolFuture) else []
        if name == "shield.<locals>._outer_done_callback":
            inner = _free_variables(callback).get("inner")
            return [inner] if isinstance(inner, asyncio.Future) else []
    return []


def loop_of(item: PoolFuture[Any]) -> asyncio.AbstractEventLoop | None:
    """Return the loop on which the result of a work *item* is awaited."""
    for callback in list(getattr(item, "_done_callbacks", [])):
        loop = _free_variables(callback).get("dest_loop")
        if isinstance(loop, asyncio.AbstractEventLoop):
            return loop
    return None


def _free_variables(function: Callable[..., object]) -> dict[str, object]:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    return (
        {}
        if code is None or not cells
        else dict(zip(code.co_freevars, (cell.cell_contents for cell in cells), strict=True))
    )


def pool_of(loop: asyncio.AbstractEventLoop) -> ThreadPoolExecutor | None:
    """Return the loop's own pool, once it has one."""
    return getattr(loop, "_default_executor", None)


def is_queued(item: PoolFuture[Any], pool: ThreadPoolExecutor) -> bool:
    """Whether a work *item* waits for a thread of *pool*, which can't start another one."""
    if len(pool._threads) < pool._max_workers:
        return False
    items: list[object] = []
    for each in gc.get_referents(pool._work_queue):
        items += each if isinstance(each, list) else [each]
    return any(getattr(each, "future", None) is item for each in items) and not item.running()


def timed_tasks(loop: asyncio.AbstractEventLoop) -> set[AnyFuture] | None:
    """Return the tasks that a timer of *loop* may cancel, such as a timeout; None if that is not known.

    Those are the tasks that the timer's callback can reach: by its arguments, its closure, or the attributes
    of its object. Our own timers cancel none.
    """
    handles: list[asyncio.TimerHandle] | None = getattr(loop, "_scheduled", None)
    if handles is None:
        return None
    found: set[AnyFuture] = set()
    for handle in list(handles):
        callback: Any = getattr(handle, "_callback", None)
        if str(getattr(callback, "__module__", None)).startswith("asflow."):
            continue
        owner: Any = getattr(callback, "__self__", None)
        near: list[Any] = [owner, *(getattr(handle, "_args", None) or ())]
        near += [cell.cell_contents for cell in getattr(callback, "__closure__", None) or ()]
        found.update(_tasks_near(near, depth=3))
    return found


def _tasks_near(objects: list[Any], depth: int) -> Iterator[AnyFuture]:
    """Yield the tasks among *objects*, and those that these hold, in containers too."""
    for each in objects:
        if isinstance(each, asyncio.Task):
            yield each
        elif isinstance(each, (type, ModuleType, asyncio.AbstractEventLoop)):
            continue
        elif depth == 3 or (depth and isinstance(each, (dict, list, set, tuple))):
            yield from _tasks_near(gc.get_referents(each), depth - 1)


def calls_in(task: asyncio.Task[Any]) -> Iterator[TaskCall]:
    """Yield the calls whose bodies run in *task*, or that wait there."""
    for coroutine in coroutines_of(task):
        if _holds_a_call(coroutine):
            held = gc.get_referents(coroutine)
            runs = [each for each in held if isinstance(each, TaskCall)]
            runs += [each.run for each in held if type(each).__name__ == "Job"]
            yield from (run for run in runs if not any(run is other.parent for other in runs))


def name_of_call_in(task: asyncio.Task[Any]) -> str | None:
    """Return the name of the task whose call waits for a slot in *task*."""
    for coroutine in reversed(coroutines_of(task)):
        if _holds_a_call(coroutine):
            held = gc.get_referents(coroutine)
            for each in (*held, *_contents(held)):
                if isinstance(each, TaskSpec):
                    return each.name
    return None


def _holds_a_call(coroutine: CoroutineType[Any, Any, Any]) -> bool:
    return coroutine.cr_code.co_qualname in HOLDERS and _is_ours(coroutine.cr_frame)
