"""What a definition means, and which ones are refused before anything runs."""

from __future__ import annotations

import functools
from typing import Any, cast

import pytest

from asflow.dataflow import (
    DataFlow,
    DataFlowDefinitionError,
    DataFlowEmptyError,
    DataFlowFunctionArgsError,
    DataFlowNotCallableError,
    DataFlowNotTupleError,
    Stage,
    amapper,
    fdispatch,
    stage,
)


def a() -> None: ...


def b() -> None: ...


def c() -> None: ...


async def d() -> None: ...


FORMS: list[tuple[Any, str]] = [
    # a tuple alternates, beginning with a sequence
    ((a,), "[a]"),
    ((a, b), "[a, b]"),
    ((a, (b, c)), "[a, {b, c}]"),
    ((a, (b, (c, d))), "[a, {b, [c, d]}]"),
    ((a, (b, (c, (d, a)))), "[a, {b, [c, {d, a}]}]"),
    (((a, b), (c, d)), "[{a, b}, {c, d}]"),
    # a list is a sequence wherever it stands; a tuple inside it is concurrent
    ([a, b], "[a, b]"),
    ([a, [b, c]], "[a, [b, c]]"),
    ((a, [b, c]), "[a, [b, c]]"),
    ((a, (b, [c, d])), "[a, {b, [c, d]}]"),
    ([a, (b, c)], "[a, {b, c}]"),
    ([a, [(b, c), d]], "[a, [{b, c}, d]]"),
    # a set is concurrent wherever it stands; a tuple inside it is a sequence
    ({a, b}, "{a, b}"),
    (frozenset([a, b]), "{a, b}"),
    ([{a, b}, c], "[{a, b}, c]"),
    ((a, {b, c}), "[a, {b, c}]"),
    ((a, (b, {c, d})), "[a, {b, {c, d}}]"),
    ({a, (b, c)}, "{a, [b, c]}"),
    ({a, (b, (c, d))}, "{a, [b, {c, d}]}"),
    ({a, frozenset([b, c])}, "{a, {b, c}}"),
    # a stage is a sequence wherever it stands
    (stage(a), "[a]"),
    ((a, stage(b) | c), "[a, [b, c]]"),
    ((a, (b, stage(c) | d)), "[a, {b, [c, d]}]"),
    ({a, stage(b) | c}, "{a, [b, c]}"),
]


@pytest.mark.parametrize(("definition", "meaning"), FORMS)
def test_every_form_means_one_nesting(definition: Any, meaning: str) -> None:
    """The repr writes sequences as lists and concurrent members as sets."""
    assert repr(DataFlow(definition)) == f"DataFlow({meaning})"


PIPES: list[tuple[Stage, Any]] = [
    (stage(a) | b | c, (a, b, c)),
    (stage(a) | (b, c), (a, (b, c))),
    (stage(a, b) | c | stage(d, a), ((a, b), c, (d, a))),
    ((a, b) | stage(c) | (d, a), ((a, b), c, (d, a))),
    ({a, b} | stage(c) | {d, a}, [{a, b}, c, {d, a}]),
    (a | stage(b) | c, (a, b, c)),
    ([a, b] | stage(c), ([a, b], c)),
    (stage(a) | (stage(b) | c), (a, b, c)),
    (stage((a, b)) | c, ((a, b), c)),
    (stage(a) | [b, c], (a, [b, c])),
]


@pytest.mark.parametrize(("pipe", "same"), PIPES)
def test_operators_build_the_same_as_tuples(pipe: Stage, same: Any) -> None:
    assert repr(DataFlow(pipe)) == repr(DataFlow(same))


def test_a_pipe_makes_a_new_stage_and_leaves_the_old_one() -> None:
    first = stage(a)
    both = first | b
    assert repr(first) == "<stage [a]>"
    assert repr(both) == "<stage [a, b]>"


def test_members_of_a_set_stand_in_the_order_of_their_names() -> None:
    """Sets of functions are ordered by memory address, which changes from run to run."""
    functions = []
    for name in ("delta", "alpha", "charlie", "bravo", "echo"):

        def made() -> None: ...

        made.__name__ = name
        functions.append(made)
    flow = DataFlow({*functions[:4], (functions[4], a)})
    assert repr(flow) == "DataFlow({alpha, bravo, charlie, delta, [echo, a]})"


def test_a_definition_is_read_once() -> None:
    steps: list[Any] = [a, b]
    flow = DataFlow(steps)
    steps.append(c)
    assert repr(flow) == "DataFlow([a, b])"


EMPTY: list[tuple[Any, str]] = [
    ((), "definition is an empty tuple"),
    ([], "definition is an empty list"),
    (set(), "definition is an empty set"),
    ((a, ()), "definition[1] is an empty tuple"),
    ((a, (b, [])), "definition[1][1] is an empty list"),
    ({a, ()}, "a member of the set definition is an empty tuple"),
    ((a, frozenset()), "definition[1] is an empty frozenset"),
]


@pytest.mark.parametrize(("definition", "says"), EMPTY)
def test_nothing_may_be_empty(definition: Any, says: str) -> None:
    with pytest.raises(DataFlowEmptyError) as caught:
        DataFlow(definition)
    assert says in str(caught.value)


@pytest.mark.parametrize("definition", [None, "a", a, 3, {"a": a}, iter((a,)), b"a"])
def test_a_definition_is_a_tuple_list_set_or_stage(definition: Any) -> None:
    with pytest.raises(DataFlowNotTupleError, match="tuple, list, set or stage"):
        DataFlow(definition)


NOT_CALLABLE: list[tuple[Any, str]] = [
    ((a, "save"), "DataFlow(): definition[1] takes a function, not 'save'; put the function itself"),
    ((a, None), "DataFlow(): definition[1] takes a function, not None; a member is"),
    ((a, (b, 3)), "definition[1][1] takes a function, not 3"),
    ([a, {"b": b}], "definition[1] takes a function, not {'b': b}"),
    ({a, "save"}, "a member of the set definition takes a function, not 'save'"),
]


@pytest.mark.parametrize(("definition", "says"), NOT_CALLABLE)
def test_a_member_that_is_not_callable_is_named_with_its_place(definition: Any, says: str) -> None:
    with pytest.raises(DataFlowNotCallableError) as caught:
        DataFlow(definition)
    assert says in str(caught.value)


def test_a_function_that_was_called_already_is_told_apart() -> None:
    """And its coroutine is closed: warnings are errors here."""
    with pytest.raises(DataFlowNotCallableError, match="without calling it"):
        DataFlow((a, cast("Any", d())))


@pytest.mark.parametrize("bad", ["save", None, 3])
def test_a_stage_refuses_bad_members_where_they_are_written(bad: Any) -> None:
    with pytest.raises(DataFlowNotCallableError):
        stage(bad)
    with pytest.raises(DataFlowNotCallableError):
        _ = stage(a) | bad
    with pytest.raises(DataFlowNotCallableError):
        _ = bad | stage(a)


def test_a_stage_needs_a_member() -> None:
    with pytest.raises(DataFlowEmptyError):
        stage()


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = [a]
    endless.append((b, endless))
    with pytest.raises(DataFlowDefinitionError, match=r"definition\[1\]\[1\] contains itself"):
        DataFlow(endless)


def test_the_same_list_twice_is_no_cycle() -> None:
    again: list[Any] = [a, b]
    assert repr(DataFlow((again, again))) == "DataFlow([[a, b], [a, b]])"


def positional_only(x: int, /) -> None: ...


def catches_arguments(*items: int) -> None: ...


def catches_keywords(**options: int) -> None: ...


class Callable:
    def __call__(self, x: int, /) -> None: ...


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (positional_only, r"^task positional_only\(\): .* and x is positional-only; wrap"),
        (catches_arguments, r"^task catches_arguments\(\): .* and \*items is a catch-all"),
        (catches_keywords, r"^task catches_keywords\(\): .* and \*\*options is a catch-all"),
        (Callable(), r"^task Callable\(\): .* is positional-only"),
        (functools.partial(catches_keywords, x=1), r"^task catches_keywords\(\): .* is a catch-all"),
        (max, r"^task max\(\): has parameters that Python doesn't know; wrap"),
        (len, r"^task len\(\): .* is positional-only"),
    ],
)
def test_parameters_must_be_passable_by_keyword(member: Any, says: str) -> None:
    for definition in ((member,), (a, (b, member)), {a, member}):
        with pytest.raises(DataFlowFunctionArgsError, match=says):
            DataFlow(definition)
    with pytest.raises(DataFlowFunctionArgsError, match=says):
        amapper(member, output="x")


def test_generator_functions_are_refused() -> None:
    def rows() -> Any:
        yield 1

    async def pages() -> Any:
        yield 1

    for member in (rows, pages, functools.partial(rows)):
        with pytest.raises(
            DataFlowDefinitionError,
            match=r"^task \w+\(\): .* not a generator function; ret",
        ):
            DataFlow((member,))


def test_an_fdispatch_name_without_a_key_is_refused() -> None:
    @fdispatch
    def load(kind: str) -> None: ...

    with pytest.raises(DataFlowFunctionArgsError, match=r"load\('key'\)"):
        DataFlow((load,))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["none", "initial", None, True, 3, []])
def test_args_visibility_is_one_of_three_strings(value: Any) -> None:
    with pytest.raises(DataFlowDefinitionError, match="'None', 'Initial' or 'All'"):
        DataFlow((a,), args_visibility=value)


@pytest.mark.parametrize("carry", ["cursor", 3, None, ("cursor", 3)])
def test_carry_is_a_collection_of_names(carry: Any) -> None:
    with pytest.raises(DataFlowDefinitionError, match="carry"):
        DataFlow((a,), run_forever=True, carry=carry)


def test_carry_needs_rounds() -> None:
    with pytest.raises(DataFlowDefinitionError, match="run_forever=True"):
        DataFlow((a,), carry=("cursor",))


def test_options_can_be_read_but_not_changed() -> None:
    flow = DataFlow((a,), run_forever=True, args_visibility="All", carry=["x", "y"])
    assert (flow.run_forever, flow.args_visibility, flow.carry) == (True, "All", frozenset("xy"))
    with pytest.raises(AttributeError):
        flow.run_forever = False  # type: ignore[misc]
