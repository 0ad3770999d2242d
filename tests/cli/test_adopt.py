"""`asflow adopt`: outputs of AsFlow 0.0.x get the names that their calls have now."""

from __future__ import annotations

import gzip
import json
from hashlib import md5
from typing import TYPE_CHECKING

import pytest
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Answer

    Command = Callable[..., Answer]

MODULE = """
from datetime import date

from asflow import Flow
from asflow.sinks import NullSink

flow = Flow(sink=NullSink())


@flow.task(on="a/*.jsonl.zst", suppress=LookupError)
def download(url: str, day: date = date(2025, 1, 2)) -> None:
    raise AssertionError("it is there")


@flow.task(on="b/{name}.jsonl.gz")
def named(name: str) -> None:
    raise AssertionError("it is there")


@flow.task(on="c/*.txt")
def single() -> None:
    raise AssertionError("it is there")


class Client:
    @flow.task(on="d/*.txt")
    def get(self, url: str) -> None: ...


@flow.task
def bare(x: int) -> None: ...


@flow
def main() -> None:
    download("https://a/?q=1")
    download("b", date(2025, 3, 4))
    named("x:y")
    single()
"""


TRACEBACK = """Traceback (most recent call last):
  File "old.py", line 1, in download
LookupError: gone
"""


def hashed(text: str) -> str:
    """The name that 0.0.5 gave to the output of a call: `TaskRun.get_hash` of its task.py."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def zst(*records: object) -> bytes:
    return zstandard.compress("".join(json.dumps(each) + "\n" for each in records).encode())


@pytest.fixture
def old(folder: Path) -> Path:
    (folder / "steps.py").write_text(MODULE)
    for name in "abcd":
        (folder / name).mkdir()
    (folder / "c" / (hashed("single()") + ".txt")).write_text("one")
    (folder / "b" / "x:y.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    (folder / "b" / "plain.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    return folder


def test_calls_that_were_written_in_any_way(asflow: Command, old: Path) -> None:
    texts = [
        "download(https://a/?q=1)",
        "download(b, 2025-03-04)",
        "download(url=c, day=2025-01-02)",
        "download(d, day=2025-01-05)",
    ]
    for text in texts:
        (old / "a" / (hashed(text) + ".jsonl.zst")).write_bytes(zst({"call": text}))
    (old / "a" / (hashed("download(gone)") + ".err")).write_text(TRACEBACK)
    lines = [
        "https://a/?q=1",
        '["b", "2025-03-04"]',
        "c",
        '{"url": "d", "day": "2025-01-05"}',
        "gone",
        "never",
    ]
    (old / "calls").write_text("\n".join(lines) + "\n\n")

    would = asflow("adopt", "steps:download", "--calls", "calls", "--dry-run")
    assert would.code == 0
    assert would.out.count("would rename ") == 5
    assert would.err.splitlines() == ["not found  'never'", "5 renamed, 0 right already, 1 not found"]

    answer = asflow("adopt", "steps:download", "--calls", "calls")
    assert answer.code == 0
    assert answer.out.count("renamed ") == 5
    names = sorted(path.name for path in (old / "a").iterdir())
    assert len(names) == 5
    assert not {hashed(text) + ".jsonl.zst" for text in texts} & set(names)
    errors = asflow("errors", "a").out
    assert "LookupError" in errors

    again = asflow("adopt", "steps:download", "--calls", "calls")
    assert again.err.endswith("0 renamed, 0 right already, 6 not found\n")


def test_the_calls_are_done_now(asflow: Command, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("download(https://a/?q=1)", "download(b, 2025-03-04)"):
        (old / "a" / (hashed(text) + ".jsonl.zst")).write_bytes(zst({"call": text}))
    (old / "calls").write_text('https://a/?q=1\n["b", "2025-03-04"]\n')
    (old / "names").write_text("x:y\nplain\n")
    for arguments in (
        ("steps:download", "--calls", "calls"),
        ("steps:named", "--calls", "names"),
        ("steps:single",),
    ):
        answer = asflow("adopt", *arguments)
        assert answer.code == 0, answer
    assert "1 right already" in asflow("adopt", "steps:named", "--calls", "names").err
    assert sorted(path.name for path in (old / "b").iterdir()) == ["plain.jsonl.gz", "x%3Ay.jsonl.gz"]
    assert asflow("run", "steps:main").code == 0


def test_a_cut_file_is_left(asflow: Command, old: Path) -> None:
    path = old / "a" / (hashed("download(u)") + ".jsonl.zst")
    path.write_bytes(zst({"n": list(range(1000))})[:-5])
    (old / "calls").write_text("u\n")
    answer = asflow("adopt", "steps:download", "--calls", "calls")
    assert answer.code == 1
    assert "cut short" in answer.err
    assert path.exists()


def test_nothing_is_overwritten(asflow: Command, old: Path) -> None:
    (old / "b" / "x%3Ay.jsonl.gz").write_bytes(gzip.compress(b'{"new": 1}\n'))
    (old / "calls").write_text("x:y\n")
    answer = asflow("adopt", "steps:named", "--calls", "calls")
    assert answer.code == 1
    assert "is there already" in answer.err
    assert len(list((old / "b").iterdir())) == 3


def test_a_value_that_left_the_folder_is_not_followed(asflow: Command, old: Path) -> None:
    (old.parent / "out.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    (old / "calls").write_text("../../out\n")
    answer = asflow("adopt", "steps:named", "--calls", "calls")
    assert answer.err.endswith("1 not found\n")
    assert (old.parent / "out.jsonl.gz").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("steps:download",), "takes arguments, and the old names don't say them"),
        (("steps",), "has several tasks"),
        (("steps:bare",), "keeps no outputs on the local disk"),
        (("steps:Client.get",), "is a method"),
        (("steps:download", "--calls", "bad"), "line 2 of bad is not a call of download()"),
        (("steps:download", "--calls", "missing"), "missing"),
    ],
)
def test_what_can_not_be_adopted_is_said(
    asflow: Command, old: Path, arguments: tuple[str, ...], said: str
) -> None:
    (old / "bad").write_text('fine\n["a", "2025-01-01", 3]\n')
    answer = asflow("adopt", *arguments)
    assert answer.code in (1, 2)
    assert said in answer.err
