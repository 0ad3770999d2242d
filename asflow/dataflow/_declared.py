"""`DataFlow`: a definition, read and checked, that can be called."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import cast, get_args

from asflow._flow import Flow
from asflow._flow import flow as default_flow
from asflow._labels import short
from asflow.dataflow._diagram import mermaid
from asflow.dataflow._errors import DataFlowDefinitionError
from asflow.dataflow._execution import View, run
from asflow.dataflow._reporting import as_flow, as_tasks

# `Group` refers to "Definition" by name, which typing.get_type_hints looks for in this module.
from asflow.dataflow._tree import Definition, Group, parse  # noqa: F401  # pyright: ignore[reportUnusedImport]
from asflow.dataflow._wiring import ArgsVisibility, check_call, check_definition


class DataFlow:
    """Plain functions, wired by the names of their parameters and run in the order of a nested tuple.

        dataflow = DataFlow(((source_a, source_b), merge, (save, log)))
        result = await dataflow(endpoint_a="A", endpoint_b="B")

    A tuple is a sequence; a tuple in it are members that run at the same time; a tuple in that is a sequence
    again, and so on. A list is a sequence and a set is concurrent everywhere. `stage(a) | b` builds a
    sequence too.

    Every member takes its arguments by name from what its stage sees, and returns a mapping that the next
    stage sees, or None for nothing. An async function runs on the loop, any other one in a thread of
    the loop's default executor, with a copy of the context. Results of neighbours are merged: one key may
    come from two of them only with equal values. A member in `optional(...)` runs only if its arguments are
    there.

    A data flow holds no state: it may be called any number of times, also at the same time, on any loop.
    """

    __slots__ = ("_call", "_carry", "_name", "_node", "_run_forever", "_running", "_visibility")

    def __init__(
        self,
        definition: Group,
        *,
        run_forever: bool = False,
        args_visibility: ArgsVisibility = "None",
        carry: Collection[str] = (),
        name: str = "dataflow",
        flow: Flow = default_flow,
    ) -> None:
        """Read and check *definition*; no member runs.

        Args:
            definition: a tuple, list, set or `stage` of functions, nested to any depth; read once, so
                later changes of a list don't matter.
            run_forever: start again whenever a round is done, until the call is cancelled or a member fails.
            args_visibility: what a stage sees beside the result of the stage before it. "None": nothing
                (the first stage sees the call's arguments). "Initial": the call's arguments. "All": those
                and the results of all earlier stages. If a name comes twice, the newest wins.
            carry: with `run_forever`, the names that a round passes to the next: if a round's result has
                one of them, its value replaces the argument of that name. All other arguments keep their
                values; everything else is dropped after a round.
            name: what a progress display calls it.
            flow: the `Flow` that reports it: a call as a flow, its members as tasks of it. A member that is
                a task already (`@flow.task`) keeps its own options, output and name.

        Raises:
            DataFlowNotTupleError: *definition* is not a tuple, list, set or stage.
            DataFlowEmptyError: it, or a group in it, is empty.
            DataFlowNotCallableError: a member is neither callable nor a group.
            DataFlowFunctionArgsError: a member has positional-only parameters, `*args` or `**kwargs`; or,
                if return annotations are TypedDicts, a parameter without a default that nothing provides,
                optional or not.
            DataFlowDefinitionError: an option has a bad value, a list contains itself, or a member is a
                generator function.
        """
        try:
            _check_options(args_visibility, name, flow)
            self._node = parse(definition)
            self._carry = _checked_carry(carry, run_forever=bool(run_forever))
            check_definition(self._node, args_visibility)
        except DataFlowDefinitionError as error:
            raise error.with_traceback(None) from error.__cause__  # without the frames below this one
        self._visibility: ArgsVisibility = args_visibility
        self._run_forever = bool(run_forever)
        self._name = name
        self._running = as_tasks(self._node, flow)
        self._call = as_flow(self._rounds, self._node, name, flow)

    @property
    def name(self) -> str:
        """What a progress display calls it."""
        return self._name

    @property
    def args_visibility(self) -> ArgsVisibility:
        """What a stage sees beside the result of the stage before it."""
        return self._visibility

    @property
    def run_forever(self) -> bool:
        """Whether a call runs until it is cancelled."""
        return self._run_forever

    @property
    def carry(self) -> frozenset[str]:
        """The names that a round passes to the next; empty without `run_forever`."""
        return self._carry

    async def __call__(
        self, params: Mapping[str, object] | None = None, /, **arguments: object
    ) -> dict[str, object]:
        """Run the data flow once, or for ever with `run_forever`.

        Args:
            params: the arguments by name, as a mapping.
            arguments: the same as keywords; both may be used, but no name twice.

        Returns:
            The merged result of the last stage. With `args_visibility="Initial"` the call's arguments are in
            it too, with "All" also the results of every stage; if a name comes twice, the newest
            wins. With `run_forever` the call doesn't return.

        Raises:
            TypeError: *params* is not a mapping of names, or a name is passed twice.
            DataFlowRunItemError: a parameter that nothing provides (as a rule before anything has run).
            DataFlowMergeResultError: neighbours returned different, or incomparable, values under one key.
            DataFlowFunctionResultError: a member returned neither a mapping nor None.
            Exception: what a member raised, unchanged, after its neighbours were cancelled. If several
                fail, the first to fail; its notes name the others.

        Cancelling: members that run on the loop are cancelled and awaited. A thread can't be interrupted:
        a sync member goes on in the background and its result is dropped.
        """
        return await self._call(**_initial(params, arguments))

    async def _rounds(self, initial: dict[str, object]) -> dict[str, object]:
        if not self._run_forever:
            return await self._round(initial)
        while True:
            result = await self._round(initial)
            initial.update({name: result[name] for name in self._carry if name in result})
            del result  # a round's data must not live until the end of the next one
            # A round that never waits would keep everything else, and a cancel, off the loop.
            await asyncio.sleep(0)

    async def _round(self, initial: dict[str, object]) -> dict[str, object]:
        check_call(self._node, self._visibility, initial)
        added = await run(self._running, initial, View(self._visibility, initial)) or {}
        return dict(added) if self._visibility == "None" else {**initial, **added}

    def to_mermaid(self) -> str:
        """Return the definition as the text of a Mermaid flow chart, left to right.

        Concurrent members are in one box; a function that runs in a thread has double sides.
        Source: https://mermaid.js.org/syntax/flowchart.html
        """
        return mermaid(self._node)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Return what a notebook shows: the chart if it knows Mermaid (JupyterLab 4.1), else the text."""
        bundle = {"text/vnd.mermaid": self.to_mermaid(), "text/plain": repr(self)}
        wanted = bundle.keys() if include is None else bundle.keys() & set(include)
        return {kind: text for kind, text in bundle.items() if kind in wanted and kind not in (exclude or ())}

    def __repr__(self) -> str:
        return f"DataFlow({self._node.name})"


def _check_options(args_visibility: object, name: object, flow: object) -> None:
    if args_visibility not in get_args(ArgsVisibility):
        raise DataFlowDefinitionError(
            f"DataFlow(): args_visibility takes 'None', 'Initial' or 'All', not {short(args_visibility)}; "
            "write for example args_visibility='All'"
        )
    if not isinstance(name, str):
        raise DataFlowDefinitionError(
            f"DataFlow(): name takes a str, not {short(name)}; write for example name='nightly'"
        )
    if not isinstance(flow, Flow):
        raise DataFlowDefinitionError(
            f"DataFlow(): flow takes a Flow, not {short(flow)}; leave it out for asflow.flow"
        )


def _checked_carry(carry: object, *, run_forever: bool) -> frozenset[str]:
    if isinstance(carry, str) or not isinstance(carry, (tuple, list, set, frozenset)):
        raise DataFlowDefinitionError(
            f"DataFlow(): carry takes a tuple of names, not {short(carry)}; write for example ('cursor',)"
        )
    names = frozenset(cast("Collection[object]", carry))
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DataFlowDefinitionError(
            f"DataFlow(): carry takes names, not {short(wrong[0])}; write for example carry=('cursor',)"
        )
    if names and not run_forever:
        raise DataFlowDefinitionError(
            "DataFlow(): carry passes values to the next round, and there is only one; add run_forever=True"
        )
    return cast("frozenset[str]", names)


def _initial(params: object, arguments: dict[str, object]) -> dict[str, object]:
    """Return the arguments of a call, which may come as one mapping, as keywords, or as both."""
    if params is None:
        return arguments
    if not isinstance(params, Mapping):
        raise TypeError(
            f"DataFlow(): takes a mapping of arguments, not {short(params)}; or pass them as keywords"
        )
    given = dict(cast("Mapping[object, object]", params))
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"DataFlow(): takes names as keys of the mapping, not {short(name)}; use strings")
        if name in arguments:
            raise TypeError(
                f"DataFlow(): the argument {name!r} is in the mapping and a keyword too; pass it once"
            )
    return {**cast("dict[str, object]", given), **arguments}
