"""What an editor shows of tasks: hover, signature help and completion of four language servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from typecheck.editors import Editor

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SOURCE = '''
import asyncio
from collections.abc import AsyncIterator
from typing import TypedDict

from asflow import flow
from asflow.dag import task


@flow.task
async def extract(word: str, *, count: int = 1) -> dict[str, int]:
    """Extract one word."""
    return {word: count}


@flow.task(save="data/{video_id}.json", skip=OSError, retry=3)
async def download(video_id: str, *, lang: str = "en") -> list[str]:
    """Download one transcript."""
    return [video_id + lang]


class Weather(TypedDict):
    celsius: float


@flow.task(save="data/{day}.json", retry=2)
async def weather(day: str) -> Weather:
    """Ask for one day."""
    return {"celsius": 1.5}


@flow.task(save="sync/{day}.json")
def weather_sync(day: str) -> Weather:
    """Ask for one day, and wait."""
    return {"celsius": 1.5}


@flow.task(save="data/{day}.jsonl.zst")
async def hours(day: str) -> AsyncIterator[Weather]:
    """Ask for the hours of one day."""
    yield {"celsius": 1.5}


@flow.task(on="data/{day}.csv", skip=OSError)
async def store(day: str) -> None:
    """Write one day."""


class Client:
    @flow.task
    async def fetch(self, path: str, *, limit: int = 10) -> bytes:
        """Fetch one path."""
        return path.encode()[:limit]


@task
async def join(first: bytes, second: bytes, *, sep: str = "") -> bytes:
    """Join two."""
    return first + second


async def main(client: Client) -> None:
    await extract()
    await client.fetch()
    await download()
    flow.task.output(download, )
    await weather()
    weather_sync()
    await hours()
    await store()
    value = flow.task.output(weather, "a").value()
    value["cel"]
    flow.task(save="a")
    flow.task(on="b")
    joined = join()
    flow.task()
    found = await extract("a")
    found.key
    flow.task.wri
    client.fet
    print(joined)
'''

GAPS = {
    ("pyrefly", "output"): "shows **P, not the parameters that it stands for",
    ("ty", "output"): "shows **P, not the parameters that it stands for",
    ("pyright", "docstring of an option"): "hover shows that of the first overload of `__call__`",
    ("basedpyright", "docstring of an option"): "hover shows that of the first overload of `__call__`",
    ("pyrefly", "docstring of an option"): "shows that of the implementation",
    ("pyrefly", "docstring of an option in the signature"): "shows that of the implementation",
    ("ty", "docstring of a call that may give None"): "signature help has none of a decorated function",
    ("ty", "docstring of a node"): "shows the docstring of Node.__call__",
}
"""What a server does not show today; one that does must leave the list (and docs/typing.md)."""


@pytest.fixture(scope="module", params=["pyright", "basedpyright", "pyrefly", "ty"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def editor(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    path = tmp_path_factory.mktemp(server) / "pipeline.py"
    path.write_text(SOURCE)
    editor = Editor(server, path)
    yield editor
    editor.close()


def flat(text: str) -> str:
    """Undo how a server breaks and aligns a signature."""
    text = re.sub(r"\s+", " ", text.replace("'", '"'))
    return re.sub(r" ?([(),:]) ?", r"\1", text).replace(",)", ")")


def shows(text: str, *parts: str) -> bool:
    return all(flat(part) in flat(text) for part in parts)


def agrees(server: str, what: str, shown: bool) -> bool:
    """Whether it is shown, or known not to be."""
    return shown == ((server, what) not in GAPS)


def test_hover_on_a_task(editor: Editor) -> None:
    shown = editor.hover("await ex|tract()")
    assert shows(
        shown, "extract", "(word: str, *, count: int = 1) ->", "dict[str, int]]", "Extract one word."
    )


def test_hover_on_a_method(editor: Editor) -> None:
    shown = editor.hover("client.fe|tch()")
    assert shows(shown, "path: str, *, limit: int = 10) ->", "bytes]", "Fetch one path.")


def test_hover_on_a_task_that_may_give_none(editor: Editor) -> None:
    shown = editor.hover("await down|load()")
    assert shows(shown, '(video_id: str, *, lang: str = "en") ->', "list[str] | None]")
    assert shows(shown, "Download one transcript.")


def test_hover_on_a_task_that_saves(editor: Editor) -> None:
    shown = editor.hover("await weat|her()")
    assert shows(shown, "weather(day: str) ->", ", Weather]", "Ask for one day.")
    shown = editor.hover("weather_sy|nc()")
    assert shows(shown, "weather_sync(day: str) -> Weather", "Ask for one day, and wait.")


def test_hover_on_a_task_that_yields(editor: Editor) -> None:
    shown = editor.hover("await ho|urs()")
    assert shows(shown, "(day: str) -> CoroutineType[object, None, Records[Weather]]")
    assert shows(shown, "Ask for the hours of one day.")


def test_hover_on_a_task_that_writes(editor: Editor) -> None:
    shown = editor.hover("await sto|re()")
    assert shows(shown, "store(day: str) ->", ", None]", "Write one day.")


def test_hover_on_a_saved_value(editor: Editor) -> None:
    assert shows(editor.hover("val|ue = "), "Weather")


def test_hover_on_the_decorator(server: str, editor: Editor) -> None:
    """The overload that the options choose, or else the first one, which names `save=` and `on=`."""
    shown = editor.hover('@flow.ta|sk(save="data/{day}.json"')
    assert shows(shown, "Turn a function into a task")
    assert agrees(server, "docstring of an option", shows(shown, "into a task whose value is saved"))
    shown = editor.hover('@flow.ta|sk(on="data/{day}.csv"')
    assert agrees(server, "docstring of an option", shows(shown, "a function that writes its output"))


def test_hover_on_a_node(server: str, editor: Editor) -> None:
    shown = editor.hover("joined = jo|in()")
    assert shows(shown, 'first: bytes, second: bytes, *, sep: str = "")', "bytes")
    assert agrees(server, "docstring of a node", shows(shown, "Join two."))


def test_hover_on_what_belongs_to_a_call(editor: Editor) -> None:
    assert shows(
        editor.hover("flow.task.out|put(download"), "output", "-> Output", "Return a handle on the output"
    )


def test_signature_of_a_task(editor: Editor) -> None:
    (shown,) = editor.signatures("await extract(|)")
    assert shows(shown, "(word: str, *, count: int = 1) ->", "dict[str, int]]", "Extract one word.")


def test_signature_of_a_method(editor: Editor) -> None:
    (shown,) = editor.signatures("client.fetch(|)")
    assert shows(shown, "path: str, *, limit: int = 10) ->", "bytes]", "Fetch one path.")


def test_signature_of_a_task_that_may_give_none(server: str, editor: Editor) -> None:
    (shown,) = editor.signatures("await download(|)")
    assert shows(shown, '(video_id: str, *, lang: str = "en") ->', "list[str] | None]")
    documented = shows(shown, "Download one transcript.")
    assert agrees(server, "docstring of a call that may give None", documented)


def test_signature_of_a_node(editor: Editor) -> None:
    """First the function's own, then the one that takes awaitables."""
    first, *others = editor.signatures("join(|)")
    assert shows(first, 'first: bytes, second: bytes, *, sep: str = "") -> Task[bytes]')
    assert any("Awaitable" in other for other in others)


def test_signature_of_output(server: str, editor: Editor) -> None:
    """The parameters of the task that was given."""
    shown, other = editor.signatures("flow.task.output(download, |)")
    assert shows(shown, "-> Output", "Return a handle on the output")
    assert shows(other, "-> Output")
    assert agrees(server, "output", shows(shown, 'video_id: str, *, lang: str = "en") -> Output'))


def test_signature_of_the_options(server: str, editor: Editor) -> None:
    """Every option with its type and default, in an overload that has a docstring."""
    shown = "\n".join(editor.signatures("flow.task(|)\n"))
    assert shows(shown, "on: ", "skip: ", "suppress: ", "timeout: float | None = None", "retry: ", "key: ")
    # pyrefly shows the docstring of the implementation, which points at the overloads.
    assert "Turn a function into a task" in shown
    assert agrees(server, "docstrings", True)


def test_signature_of_an_option(server: str, editor: Editor) -> None:
    """The overloads that have the option come first, with their docstring."""
    for place, first, says in (
        ('flow.task(save=|"a")', "save: ", "into a task whose value is saved"),
        ('flow.task(on=|"b")', "on: ", "a function that writes its output"),
    ):
        shown, *_ = editor.signatures(place)
        assert shows(shown, first)
        assert agrees(server, "docstring of an option in the signature", shows(shown, says))


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("found.key|\n", ["keys"]),
        ('value["cel|"]', ["celsius"]),
        ("flow.task.wri|\n", ["write"]),
        ("client.fet|\n", ["fetch"]),
        ("await extract(|)", ["word=", "count="]),
        ("client.fetch(|)", ["path=", "limit="]),
        (
            "flow.task(|)\n",
            ["on=", "save=", "skip=", "suppress=", "retry=", "retry_exceptions=", "limit=", "timeout="],
        ),
    ],
)
def test_completion(editor: Editor, place: str, names: list[str]) -> None:
    assert set(names) <= {name.strip('"') for name in editor.completions(place)}
