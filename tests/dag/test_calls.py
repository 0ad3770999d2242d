"""How nodes are made, called, named and run."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import threading
import traceback
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from asflow.dag import CycleError, ForeignLoopError, Node, NoRunningLoopError, RawNode, later, scope, task
from asflow.errors import AsflowError, DeadlockError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@task
async def give(value: Any) -> Any:
    """Return the value after one turn of the loop."""
    await asyncio.sleep(0)
    return value


@task
async def add(a: int, b: int = 10, *rest: int, scale: int = 1, **more: int) -> int:
    return (a + b + sum(rest) + sum(more.values())) * scale


async def bare(text: str) -> str:
    return text.upper()


async def test_page_pipeline_gives_the_right_result() -> None:
    """The page's graph: decorated and undecorated functions, one result used twice."""

    async def join(a: str, b: str) -> str:
        return a + b

    ca, cb = task(join)(give("a1"), give("a2")), task(join)(give("b1"), give("b2"))
    cab = task(join)(ca, cb)
    result = task(join)(task(bare)(ca), task(bare)(cab))
    assert await result == "A1A2A1A2B1B2"


@pytest.mark.parametrize("decorate", [task, task(), lambda f: task(raw=False)(f)])
async def test_all_spellings_of_the_decorator(decorate: Any) -> None:
    node = decorate(bare)
    assert isinstance(node, Node)
    assert await node("x") == "X"


async def test_call_schedules_at_once_and_returns_a_named_task() -> None:
    """Nothing has run when the call returns; the task carries the function's name."""
    ran: list[int] = []

    @task
    async def note() -> None:
        ran.append(1)

    running = note()
    assert isinstance(running, asyncio.Task)
    assert running.get_name() == "note"
    assert not ran
    await asyncio.sleep(0)
    assert ran == [1]
    assert (await running) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ([1], {}, 11),
        ([1, 2], {}, 3),
        ([1, 2, 3, 4], {}, 10),
        ([1], {"b": 2}, 3),
        ([1, 2], {"scale": 3}, 9),
        ([1, 2, 3], {"scale": 2, "z": 4}, 20),
    ],
)
@pytest.mark.parametrize("kind", ["value", "task", "coroutine", "future", "custom"])
async def test_any_argument_may_be_an_awaitable(
    args: list[int], kwargs: dict[str, int], expected: int, kind: str
) -> None:
    """Positional, by keyword, in *args and in **kwargs; each kind of awaitable."""

    class Custom:
        def __init__(self, value: int) -> None:
            self.value = value

        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return self.value

    def make(value: int) -> Any:
        if kind == "future":
            future = asyncio.get_running_loop().create_future()
            future.get_loop().call_soon(future.set_result, value)
            return future
        makers = {"value": int, "task": give, "coroutine": give.func, "custom": Custom}
        return makers[kind](value)  # type: ignore[operator]

    result = add(*map(make, args), **{name: make(value) for name, value in kwargs.items()})
    assert await result == expected


async def test_arguments_are_resolved_side_by_side() -> None:
    """Two coroutines that each wait for the other's start both finish."""
    barrier = asyncio.Barrier(2)

    async def meet(value: int) -> int:
        await barrier.wait()
        return value

    assert await add(meet(1), b=later(meet(2))) == 3  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


async def test_awaitables_inside_an_argument_are_handed_over_as_they_are() -> None:
    pending = give(1)
    [inside] = await give([pending])
    assert inside is pending


async def test_the_same_dependency_twice() -> None:
    one = give(4)
    assert await add(one, one) == 8


async def test_sync_function_runs_in_a_thread_with_the_callers_context() -> None:
    """The loop goes on meanwhile: the body waits for something that the loop does."""
    released = threading.Event()

    @task
    def wait_for_the_loop(value: int) -> tuple[int, int]:
        assert released.wait(10)
        return value, threading.get_ident()

    running = wait_for_the_loop(give(3))
    asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(released.set))
    value, thread = await running
    assert value == 3
    assert thread != threading.get_ident()


async def test_sync_function_that_makes_a_coroutine() -> None:
    assert await task(lambda text: bare(text))("x") == "X"


async def test_stop_iteration_of_a_sync_function_is_an_error_and_no_hang() -> None:
    @task
    def empty() -> int:
        return next(iter(()))

    with pytest.raises(RuntimeError, match=r"empty\(\): raised StopIteration"):
        await empty()


class Counter:
    def __init__(self, start: int) -> None:
        self.start = start

    @task
    async def method(self, by: int) -> int:
        return self.start + by

    @task
    def in_thread(self, by: int) -> int:
        return self.start + by

    @staticmethod
    @task
    async def static_above(by: int) -> int:
        return by

    @task
    @staticmethod
    async def static_below(by: int) -> int:
        return by

    @classmethod
    @task
    async def class_above(cls, by: int) -> str:
        return f"{cls.__name__}{by}"

    @task
    @classmethod
    async def class_below(cls, by: int) -> str:
        return f"{cls.__name__}{by}"

    async def __call__(self, by: int) -> int:
        return self.start * by


async def test_methods_bind_as_functions_do() -> None:
    counter = Counter(5)
    assert await counter.method(give(1)) == 6
    assert await Counter.method(counter, give(1)) == 6
    assert await counter.in_thread(give(1)) == 6
    assert await task(counter.method, give(0))(give(2)) == 7


@pytest.mark.parametrize("name", ["static_above", "static_below"])
async def test_static_methods(name: str) -> None:
    assert await getattr(Counter, name)(give(2)) == 2
    assert await getattr(Counter(1), name)(give(2)) == 2


@pytest.mark.parametrize("name", ["class_above", "class_below"])
async def test_class_methods(name: str) -> None:
    class Sub(Counter):
        pass

    assert await getattr(Counter, name)(give(2)) == "Counter2"
    assert await getattr(Sub(1), name)(give(2)) == "Sub2"
    assert await task(getattr(Sub, name), give(0))(give(3)) == "Sub3"


async def test_partials_and_callable_objects_are_async_where_they_are() -> None:
    twice = task(functools.partial(Counter(2).method.func, by=3))
    assert await twice() == 5
    assert twice().get_name() == "method"
    node = task(Counter(4))
    assert await node(give(3)) == 12
    assert node(1).get_name() == "Counter"
    assert await task(functools.partial(add.func, 1))(give(2)) == 3
    await asyncio.sleep(0)


def test_a_node_shows_its_function() -> None:
    assert add.__name__ == "add"
    assert inspect.signature(add) == inspect.signature(add.func)
    assert give.__doc__ == "Return the value after one turn of the loop."
    assert repr(add).endswith("test_calls.add>")
    assert isinstance(task(raw=True)(bare), RawNode)


async def test_wrong_arguments_are_refused_at_the_call() -> None:
    """Waiting or not, on the loop or in a thread; coroutines among them are closed, not warned about."""

    @task
    def in_thread(a: int) -> int:
        return a

    for node, args in [(give, ()), (give, (give(1), 2)), (in_thread, ()), (add, ())]:
        with pytest.raises(TypeError, match=r"argument"):
            node(*args)  # type: ignore[operator]
    with pytest.raises(TypeError, match="unexpected keyword"):
        in_thread(1, c=bare("never started"))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    gc.collect()
    await asyncio.sleep(0)


async def test_a_decorator_that_adds_an_argument_is_no_wrong_call() -> None:
    """functools.wraps shows the inner signature; the wrapper's is the one that counts."""

    def with_client(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: Any) -> Any:
            return func("client", *args)

        return wrapper

    @task  # pyright: ignore[reportUntypedFunctionDecorator]
    @with_client
    def use(client: str, value: int) -> str:
        return f"{client}{value}"

    assert await use(1) == "client1"


async def test_extra_dependencies_pass_no_value_and_may_fail() -> None:
    """Also on something decorated already, and a coroutine serves several calls."""
    order: list[str] = []

    async def note(name: str) -> str:
        order.append(name)
        return name

    async def fail() -> None:
        order.append("fail")
        raise ValueError

    failing = task(fail)()
    node = task(task(note, failing), note("extra"))
    assert [*await asyncio.gather(node("first"), node("second"))] == ["first", "second"]
    assert sorted(order[:2]) == ["extra", "fail"]
    assert isinstance(failing.exception(), ValueError)


async def test_raw_hands_over_finished_tasks() -> None:
    """Values, failures, cancelled ones and futures: all come as tasks, done."""

    async def fail() -> int:
        raise ValueError

    @task(raw=True)
    async def look(*tasks: asyncio.Task[Any], last: asyncio.Task[Any]) -> list[Any]:
        assert all(isinstance(t, asyncio.Task) and t.done() for t in (*tasks, last))  # type: ignore[redundant-expr]
        return ["cancelled" if t.cancelled() else t.exception() or t.result() for t in (*tasks, last)]

    future = asyncio.get_running_loop().create_future()
    future.get_loop().call_soon(future.set_result, "future")
    cancelled = give(0)
    cancelled.cancel()
    outcomes = await look("value", task(fail)(), future, cancelled, last=later(give("task")))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert outcomes[0] == "value"
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2:] == ["future", "cancelled", "task"]
    assert isinstance(task(give, raw=True), RawNode)


async def test_raw_with_extra_dependencies() -> None:
    before = give(1)

    async def look(one: asyncio.Task[int]) -> tuple[int, bool]:
        return one.result(), before.done()

    assert await task(look, before, raw=True)(2) == (2, True)


async def test_a_task_need_not_be_held() -> None:
    """A waiting graph survives a collection although only its own futures refer to it."""
    done: list[int] = []

    def build() -> weakref.ref[asyncio.Future[int]]:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        @task
        async def finish(value: int) -> None:
            done.append(value)

        finish(give(gate))
        return weakref.ref(gate)

    gate = build()
    await asyncio.sleep(0)
    gc.collect()
    alive = gate()
    assert alive is not None
    alive.set_result(7)
    del alive
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == [7]


async def test_calls_from_inside_nodes() -> None:
    @task
    async def tree(depth: int) -> int:
        if not depth:
            return 1
        return await add(tree(depth - 1), tree(depth - 1))

    assert await tree(5) == 32


async def test_result_is_not_kept_by_those_who_used_it() -> None:
    """A long graph doesn't hold every intermediate result."""

    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)
    last = task(lambda value: asyncio.sleep(0))(give(big))
    await last
    del big
    await asyncio.sleep(0)
    gc.collect()
    assert alive() is None
    assert last.done()


def test_outside_a_loop_is_a_clear_error_without_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            NoRunningLoopError, match=r"^task give\(\): was called without a running event loop;"
        ):
            give(bare("x"))
        with pytest.raises(RuntimeError, match=r"asyncio\.run"):
            task(give, bare("y"))(1, value=bare("z"))  # pyright: ignore[reportCallIssue]
        gc.collect()
    assert issubclass(NoRunningLoopError, AsflowError)


async def test_from_the_thread_of_a_sync_node_is_a_clear_error() -> None:
    @task
    def calls() -> None:
        give(1)

    with pytest.raises(NoRunningLoopError, match="must be async itself"):
        await calls()


def test_tasks_of_a_closed_loop_are_let_go() -> None:
    """A loop that is closed under its nodes, as on the page, keeps nothing alive once another one runs."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    alive: list[weakref.ref[Any]] = []

    async def start() -> None:
        alive.append(weakref.ref(give(loop.create_future())))

    loop.run_until_complete(start())
    loop.close()

    async def other() -> None:
        await give(1)

    asyncio.run(other())
    gc.collect()
    assert alive[0]() is None


async def test_pending_future_of_another_loop_is_refused() -> None:
    other = asyncio.new_event_loop()
    try:
        with pytest.raises(ForeignLoopError, match=r"^task add\(\): waits .* not for <Future> of another;"):
            add(bare_number(), bare_number(), later(other.create_future()))
        await asyncio.sleep(0)
        gc.collect()
    finally:
        other.close()


async def generator() -> AsyncIterator[int]:
    yield 1


class Rows:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (None, "task <NoneType>(): takes a function, not None; put @task above a def"),
        ("text", "task <str>(): takes a function, not 'text'; put @task above a def"),
        (3, "task <int>(): takes a function, not 3; put @task above a def"),
        ((bare,), "task <tuple>(): takes a function, not (bare,); put @task above a def"),
        (
            generator,
            "task generator(): takes a function that returns once, not a generator function; return a list",
        ),
        (Rows(), "task Rows(): takes a function that returns once, not a generator function; return a list"),
        (functools.partial(Rows()), "task Rows(): takes a function that returns once"),
        (
            lambda: (yield),
            "task <lambda>(): takes a function that returns once, not a generator function; return",
        ),
    ],
)
@pytest.mark.parametrize("decorate", [task, task(), task(raw=True)])
def test_what_is_no_function_is_refused_at_decoration(wrong: Any, says: str, decorate: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        decorate(wrong)
    assert str(caught.value).startswith(says)
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 3  # this line and the decorator's


async def test_an_awaitable_in_the_place_of_the_function_is_refused() -> None:
    with pytest.raises(
        TypeError, match=r"^task bare\(\): .* not the awaitable bare; pass .*after the function"
    ):
        task(bare("x"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    gc.collect()


def test_a_dependency_that_is_no_awaitable_is_refused() -> None:
    with pytest.raises(
        DefinitionError, match=r"^task bare\(\): takes awaitables as dependencies, not 'a1'; pass"
    ):
        task(bare, "a1")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


class TestCycles:
    @pytest.mark.parametrize("wrap", [lambda aw: aw, asyncio.ensure_future], ids=["coroutine", "task"])
    async def test_an_argument_that_awaits_its_own_node(self, wrap: Any) -> None:
        nodes: list[asyncio.Task[Any]] = []

        async def circle() -> int:
            return await nodes[0]  # type: ignore[no-any-return]

        nodes.append(give(wrap(circle())))
        with pytest.raises(CycleError, match=r"^task give\(\): '(circle|Task-\d+)' awaits 'give', .*; don't"):
            await nodes[0]

    async def test_through_several_nodes_and_a_gather(self) -> None:
        nodes: list[asyncio.Task[Any]] = []

        async def circle() -> int:
            await asyncio.sleep(0)  # the gather stands by now: this await closes the circle
            return await nodes[0]  # type: ignore[no-any-return]

        async def collect() -> list[Any]:
            return list(await asyncio.gather(middle, give(1)))

        middle = give(give(circle()))
        nodes.append(give(collect()))
        with pytest.raises(DeadlockError, match="waits for"):
            await nodes[0]

    async def test_two_bodies_that_await_each_other(self) -> None:
        nodes: list[asyncio.Task[Any]] = []

        @task
        async def first() -> None:
            await nodes[1]

        @task
        async def second() -> None:
            await nodes[0]

        nodes += [first(), second()]
        results = await asyncio.wait_for(asyncio.gather(*nodes, return_exceptions=True), 10)
        assert [type(result) for result in results] == [CycleError, CycleError]

    async def test_an_extra_dependency_that_awaits_its_own_node(self) -> None:
        nodes: list[asyncio.Task[Any]] = []

        async def circle() -> int:
            return await nodes[0]  # type: ignore[no-any-return]

        failing = asyncio.ensure_future(circle())
        nodes.append(task(give, failing)(1))
        assert await nodes[0] == 1
        assert isinstance(failing.exception(), CycleError)

    async def test_awaiting_what_waits_for_something_else_is_no_cycle(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        inner = give(gate)

        @task
        async def waits() -> Any:
            return await inner

        outer = [give(waits()) for _ in range(3)]
        await asyncio.sleep(0)
        gate.set_result(5)
        assert await asyncio.gather(*outer) == [5, 5, 5]

    async def test_calling_on_oneself_without_awaiting_is_no_cycle(self) -> None:
        """A body may schedule what comes after it."""

        @task
        async def starts() -> asyncio.Task[Any]:
            current = asyncio.current_task()
            assert current is not None
            return give(current)

        running = starts()
        async with asyncio.timeout(10):
            following = await running
            assert await following is following


async def test_twenty_thousand_nodes_in_one_chain() -> None:
    """No recursion, and no quadratic cost, in depth."""
    last: asyncio.Task[int] = give(0)
    for _ in range(20_000):
        last = add(last, 1)
    assert await last == 20_000


@pytest.mark.parametrize("factory", [getattr(asyncio, "eager_task_factory", None)])  # from Python 3.12 on
async def test_eager_task_factory_changes_nothing(factory: Any) -> None:
    """A node is asflow's own kind of task; other tasks of the loop are the factory's."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        async with scope():
            running = add(give(1), bare_number())
        assert running.result() == 3
    finally:
        loop.set_task_factory(None)


async def bare_number() -> int:
    return 2
