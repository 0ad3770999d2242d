"""`Ignored` and `Secret`: parameters that take no part in names, and values that are never shown."""

from __future__ import annotations

import inspect
import json
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Optional

import pytest
from typing_extensions import TypeAliasType

import asflow
from asflow import Flow, Ignored, MemoryStore, Secret
from asflow._labels import HIDDEN, call_label
from asflow._markers import marked
from asflow.errors import DefinitionTypeError, DefinitionValueError, TransferError
from asflow.testing import RecordingSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

HUSH = "hush-1234"

Token = Secret[str] | None
Client = TypeAliasType("Client", Ignored[object])
Nothing = TypeAliasType("Nothing", "httpx.Client")


class Http:
    """Something without an identity."""


def names(function: Callable[..., object]) -> tuple[set[str], set[str]]:
    found = marked(function, inspect.signature(function), "task f()")
    return (set(), set()) if found is None else (set(found.left_out), set(found.secret))


def test_annotations_are_found_however_they_are_written() -> None:
    def written(
        plain: str,
        unknown: httpx.Client,
        late: Nothing,
        literal: Literal["Secret"],
        a: Ignored[httpx.Client],
        b: asflow.Secret[str],
        c: Optional[Secret[str]],  # noqa: UP045
        d: Token,
        e: Client,
        f: Annotated[Secret[str], "documented"],
        g: dict[str, Secret[str]],
        h: Secret["httpx.Client"],  # noqa: UP037
        *rest: Secret[str],
        i: "Secret[str] | None" = None,  # noqa: UP037
        **more: Ignored[Any],
    ) -> None: ...

    assert names(written) == ({*"abcdefghi", "rest", "more"}, {*"bcdfghi", "rest"})


def test_annotations_that_are_evaluated() -> None:
    def evaluated(a: object, b: object, c: object, d: object, e: object) -> None: ...

    evaluated.__annotations__ = {
        "a": Ignored[Http],
        "b": Secret[str] | None,
        "c": Client,
        "d": Annotated[Token, "documented"],
        "e": Literal["Secret"],
    }
    assert names(evaluated) == ({*"abcd"}, {*"bd"})


def test_a_name_of_the_function_around_is_known() -> None:
    from asflow import Secret as Hidden

    def local(a: Hidden[str], b: int) -> None: ...

    assert names(local) == ({"a"}, {"a"})


def test_another_class_of_the_same_name_is_not_ours() -> None:
    space: dict[str, Any] = {}
    source = "from __future__ import annotations\nclass Secret: ...\ndef f(a: Secret, b: Secret.x): ...\n"
    exec(source, space)
    assert names(space["f"]) == (set(), set())


def test_a_mark_that_only_checkers_see_is_an_error() -> None:
    """It would be overlooked otherwise."""
    space: dict[str, Any] = {"flow": Flow(store=MemoryStore(), sink=RecordingSink())}
    source = "from __future__ import annotations\n@flow.task\ndef fetch(a: int, token: Secret[str]): ...\n"
    with pytest.raises(DefinitionTypeError) as caught:
        exec(source, space)
    assert str(caught.value) == (
        "task fetch(): parameter 'token' is annotated Secret, which only checkers see here; "
        "import it from asflow outside of `if TYPE_CHECKING:`"
    )


def test_marked_parameters_take_no_part_in_names(flow: Flow) -> None:
    @flow.task(on="a/*.txt")
    def fetch(client: Ignored[Http], url: str, token: Secret[str] = "", **more: Ignored[object]) -> None: ...

    @flow.task(on="b/*.txt")
    def plain(url: str) -> None: ...

    def hash_of(*args: object, **kwargs: object) -> str:
        return flow.task.output(fetch, *args, **kwargs).name  # type: ignore[arg-type]

    same = {hash_of(Http(), "x"), hash_of(Http(), "x", HUSH), hash_of(None, url="x", extra=Http())}
    assert len(same) == 1
    assert hash_of(None, "y") not in same
    # A parameter that is marked may come and go: names stay.
    plain.__wrapped__.__qualname__ = fetch.__wrapped__.__qualname__  # type: ignore[attr-defined]
    again = flow.task(on="c/*.txt")(plain.__wrapped__)  # type: ignore[attr-defined]
    assert flow.task.output(again, "x").name.removeprefix("c/") == same.pop().removeprefix("a/")


def test_a_key_gets_every_argument(flow: Flow) -> None:
    @flow.task(on="a/*.txt", key=lambda client, token: f"{token[:1]}")
    def fetch(client: Ignored[Http], token: Secret[str]) -> None: ...

    assert flow.task.output(fetch, Http(), HUSH).name == "a/h.txt"


def test_a_placeholder_may_not_show_a_secret(flow: Flow) -> None:
    with pytest.raises(
        DefinitionValueError, match=r"on='{token}.txt' would show the secret 'token' in names"
    ):

        @flow.task(on="{token}.txt")
        def fetch(token: Secret[str]) -> None: ...


class Api:
    made: ClassVar[list[str]] = []

    def fetch(self, a: int, token: Secret[str] = "", *rest: Secret[str], **more: Secret[str]) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs", "label"),
    [
        ((1,), {}, "1"),
        ((1, HUSH), {}, "1, ***"),
        ((1,), {"token": HUSH}, "1, token=***"),
        ((1, HUSH, HUSH), {"b": HUSH}, "1, ***, ***, b=***"),
        ((), {"a": 1, "self": HUSH}, "a=1, self=HUSH"),
    ],
)
def test_labels(args: tuple[object, ...], kwargs: dict[str, object], label: str) -> None:
    found = marked(Api.fetch, inspect.signature(Api.fetch), "task Api.fetch()")
    assert found is not None
    shown, named = found.hide((None, *args), kwargs)
    if "self" not in kwargs:
        assert call_label(shown, named, skip=1) == label
    assert args == ((None, *args)[1:]), "the arguments themselves are untouched"


def test_what_is_shown_in_place_of_a_secret() -> None:
    assert (str(HIDDEN), repr(HIDDEN), json.dumps(HIDDEN)) == ("***", "***", '"***"')


def test_a_secret_is_never_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in events, logs, reports, or handles; in failures only where the user's own error says it."""
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink, verbose=True)
    seen: list[object] = []

    @flow.task(on="{n}.txt", skip=LookupError, suppress=ArithmeticError)
    def fetch(n: int, token: Secret[str]) -> None:
        seen.append(flow.task.run)
        assert token == HUSH
        if n == 1:
            raise LookupError
        if n == 2:
            raise ArithmeticError
        if n == 3:
            raise ValueError

    @flow
    def pipeline(token: Secret[str]) -> None:
        seen.append(flow.run)
        for n in range(4):
            try:
                fetch(n, token)
            except ValueError:
                fetch_again = fetch
        assert flow.run is not None
        report = flow.run.report()
        seen.extend([report, report.to_json(), report.problems])
        assert [problem.args[1] for problem in report.problems] == ["***"] * 3
        assert fetch_again is fetch

    with caplog.at_level(logging.DEBUG):
        pipeline(HUSH)
        fetch(4, token=HUSH)
    said = capfd.readouterr()
    files = [path.read_text() for path in tmp_path.iterdir()] + [path.name for path in tmp_path.iterdir()]
    for text in (*said, caplog.text, *map(repr, seen), *map(str, seen), repr(sink.events), *files):
        assert HUSH not in text
    assert "***" in said.err
    assert "***" in repr(sink.events)


def label_of(n: int, token: Secret[str]) -> str:
    assert token == HUSH
    run = asflow.flow.task.run
    assert run is not None
    return repr(run)


def take(n: int, token: Secret[object]) -> None: ...


def test_a_secret_is_not_shown_by_workers(flow: Flow) -> None:
    with ProcessPoolExecutor(1) as executor:
        assert "(1, ***)" in flow.task(executor=executor)(label_of)(1, HUSH)

        class Unsendable:
            def __repr__(self) -> str:
                return HUSH

        with pytest.raises(TransferError, match=r"the argument token = \*\*\* can't be sent") as caught:
            flow.task(executor=executor)(take)(1, Unsendable())
        assert HUSH not in str(caught.value).partition("can't be sent")[0]


if sys.version_info >= (3, 12):

    def test_type_statements() -> None:
        space: dict[str, Any] = {}
        exec(
            "from asflow import Secret\ntype Token = Secret[str] | None\ntype Of[T] = Secret[T]\n"
            "type Json = dict[str, Json]\n"
            "def f(a: Token, b: Of[str], c: Json): ...\n",
            space,
        )
        assert names(space["f"]) == ({"a", "b"}, {"a", "b"})
